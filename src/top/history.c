// SPDX-License-Identifier: LGPL-3.0-or-later
#include "top/history.h"

#include <math.h>
#include <string.h>

static void begin_span(struct history *history)
{
	if (history->used == HISTORY_SPANS) {
		history->used--;
		memmove(history->mean, history->mean + 1, history->used * sizeof(history->mean[0]));
	}
	history->mean[history->used++] = NAN;
	history->numbers = 0;
}

static void move_on(struct history *history, double now_s)
{
	double spans = floor((now_s - history->begun_s) / history->span_s);

	if (!history->used) {
		begin_span(history);
		history->begun_s = now_s;
		return;
	}
	history->begun_s += spans * history->span_s;
	for (spans = fmin(spans, HISTORY_SPANS); spans > 0; spans--)
		begin_span(history);
}

void history_add(struct history *history, double now_s, double number)
{
	double *mean;

	move_on(history, now_s);
	if (isnan(number))
		return;
	mean = &history->mean[history->used - 1];
	*mean = history->numbers ? *mean : 0;
	history->numbers++;
	*mean += (number - *mean) / history->numbers;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include "top/chart.h"

#include <math.h>
#include <stdio.h>

#define EIGHTHS     8
#define BLOCK_FULL  L'\u2588'
#define BLOCK_EMPTY L'\u2591'
#define MINUTE_S    60
#define HOUR_S      3600
#define DAY_S       86400

void chart_number(char text[CHART_TEXT], double number, int decimals, bool sign, const char *unit)
{
	const char *gap = *unit ? " " : "";
	bool zero = fabs(number) < 0.5 * pow(10, -decimals);

	if (!isfinite(number))
		snprintf(text, CHART_TEXT, "--%s%s", gap, unit);
	else if (sign && !zero)
		snprintf(text, CHART_TEXT, "%+.*f%s%s", decimals, number, gap, unit);
	else
		snprintf(text, CHART_TEXT, "%.*f%s%s", decimals, zero ? 0 : number, gap, unit);
}

void chart_duration(char text[CHART_TEXT], double seconds)
{
	if (!(seconds >= 0))
		snprintf(text, CHART_TEXT, "--");
	else if (seconds < MINUTE_S)
		snprintf(text, CHART_TEXT, "%.0f s", floor(seconds));
	else if (seconds < HOUR_S)
		snprintf(text, CHART_TEXT, "%.0f min", floor(seconds / MINUTE_S));
	else if (seconds < 2 * DAY_S)
		snprintf(text, CHART_TEXT, "%.0f h %.0f min", floor(seconds / HOUR_S),
			 floor(fmod(seconds, HOUR_S) / MINUTE_S));
	else
		snprintf(text, CHART_TEXT, "%.0f days", floor(seconds / DAY_S));
}

double chart_share(double number, double low, double high)
{
	if (isnan(number) || !(low < high))
		return NAN;
	return fmin(fmax((number - low) / (high - low), 0), 1);
}

/* Of the eighths of a character, the ones from the left. */
static wchar_t bar_part(unsigned eighths, bool utf8)
{
	if (!utf8)
		return eighths >= EIGHTHS / 2 ? L'#' : L'.';
	return eighths ? (wchar_t)(BLOCK_FULL + EIGHTHS - eighths) : BLOCK_EMPTY;
}

void chart_bar(wchar_t *bar, unsigned width, double share, bool utf8)
{
	/* A hair more, so that 0.3 of ten is three. */
	unsigned eighths = isnan(share) ? 0 : (unsigned)(share * width * EIGHTHS + 1e-6);

	for (unsigned i = 0; i < width; i++) {
		unsigned part = eighths < EIGHTHS ? eighths : EIGHTHS;

		bar[i] = isnan(share) ? L' ' : bar_part(part, utf8);
		eighths -= part;
	}
}

struct chart_range chart_extremes(const double *number, unsigned count)
{
	struct chart_range range = { NAN, NAN };

	for (unsigned i = 0; i < count; i++) {
		range.low = fmin(range.low, number[i]);
		range.high = fmax(range.high, number[i]);
	}
	return range;
}

void chart_sparkline(wchar_t *line, const double *number, unsigned count, bool utf8)
{
	static const wchar_t blocks[] = L"\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588";
	static const wchar_t ascii[] = L"_.,-~=+#";
	const wchar_t *level = utf8 ? blocks : ascii;
	struct chart_range range = chart_extremes(number, count);
	double low = fmin(range.low, 0), high = fmax(range.high, 0);

	for (unsigned i = 0; i < count; i++) {
		double share = chart_share(number[i], low, high);

		if (isnan(number[i]))
			line[i] = L' ';
		else
			line[i] = level[isnan(share) ? 0 : lround(share * (EIGHTHS - 1))];
	}
}

/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A number over the last minutes: its mean in each span of time, NAN where there was none. */
#ifndef BMSFS_TOP_HISTORY_H
#define BMSFS_TOP_HISTORY_H

#define HISTORY_SPANS 240

struct history {
	double span_s;              /* set by the owner */
	double mean[HISTORY_SPANS]; /* oldest first */
	unsigned used;
	double begun_s;   /* when the newest span began */
	unsigned numbers; /* in the newest span */
};

/* @now_s never runs backwards. @number may be NAN: at that time there was none. */
void history_add(struct history *history, double now_s, double number);

#endif

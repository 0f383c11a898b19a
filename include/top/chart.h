/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Numbers as text and as pictures of characters. A number that is NAN is shown as missing. */
#ifndef BMSFS_TOP_CHART_H
#define BMSFS_TOP_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

#define CHART_TEXT 32

/* "46.79 V", "-- V"; @sign: "+46.79 V", and no sign for what rounds to zero. */
void chart_number(char text[CHART_TEXT], double number, int decimals, bool sign, const char *unit);

/* "40 s", "53 min", "3 h 12 min", "4 days". */
void chart_duration(char text[CHART_TEXT], double seconds);

/* What @number is of the range, 0 to 1; NAN if one of them is missing or there is no range. */
double chart_share(double number, double low, double high);

/* A bar of @width characters; blank for NAN. @utf8: in eighths of a character, else in "#". */
void chart_bar(wchar_t *bar, unsigned width, double share, bool utf8);

/* The lowest and the highest of the numbers; NAN if there is none. */
struct chart_range {
	double low, high;
};
struct chart_range chart_extremes(const double *number, unsigned count);

/* One character for each number, in eighths of the range of all and 0; blank for NAN. */
void chart_sparkline(wchar_t *line, const double *number, unsigned count, bool utf8);

#endif

/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef BMSFS_TOP_SCREEN_H
#define BMSFS_TOP_SCREEN_H

#include "top/canvas.h"
#include "top/history.h"
#include "top/model.h"

/* How somebody looks at a battery. */
struct view {
	const char *mount, *note; /* @note: a warning of the program's own, or "" */
	double delay_s;
	unsigned unit; /* whose cells are shown, from 0 */
	bool by_voltage, utf8;
	bool printed; /* not on a terminal: all units, no keys, nothing of the past */
};

/* Draws on a blank canvas of any size; what there is no room for is left out, lesser things first. */
void screen_draw(struct canvas *canvas, const struct model *model, const struct history *history,
		 const struct view *view);

#endif

/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The one terminal, by ncurses. */
#ifndef BMSFS_TOP_TERMINAL_H
#define BMSFS_TOP_TERMINAL_H

#include <stddef.h>

#include "top/canvas.h"

enum command {
	COMMAND_NONE,
	COMMAND_QUIT,
	COMMAND_SORT,
	COMMAND_NEXT_UNIT,
	COMMAND_LAST_UNIT,
	COMMAND_READ,
	COMMAND_REDRAW,
};

/* 0, or -ENOTTY with a sentence in @reason. */
int terminal_open(char *reason, size_t size);
void terminal_close(void);

/* The next key that was pressed and means something. */
enum command terminal_command(void);

/* A canvas as large as the terminal is now. 0 or -ENOMEM. */
int terminal_canvas(struct canvas *canvas);
void terminal_show(const struct canvas *canvas);

/* Makes the next show draw everything, whatever others wrote on the screen. */
void terminal_redraw(void);

#endif

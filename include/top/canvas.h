/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A rectangle of characters to draw on. What falls outside is lost. */
#ifndef BMSFS_TOP_CANVAS_H
#define BMSFS_TOP_CANVAS_H

#include <stdio.h>
#include <wchar.h>

/* What a character means; the terminal has a colour or an attribute for it, or none. */
enum ink { INK_PLAIN, INK_TITLE, INK_FAINT, INK_GOOD, INK_BAD, INK_LOW, INK_HIGH, INK_BUSY, INKS };

struct glyph {
	wchar_t letter;
	enum ink ink;
};

struct canvas {
	unsigned rows, columns;
	struct glyph *glyph; /* row after row */
};

/* Blank. 0 or -ENOMEM. */
int canvas_init(struct canvas *canvas, unsigned rows, unsigned columns);
void canvas_free(struct canvas *canvas);

void canvas_put(struct canvas *canvas, unsigned row, unsigned column, enum ink ink, wchar_t letter);

/* @text is in the encoding of the locale; what cannot be shown in one column becomes "?". */
void canvas_text(struct canvas *canvas, unsigned row, unsigned column, enum ink ink,
		 const char *text);

/* Columns that @text takes. */
unsigned canvas_width(const char *text);

/* Writes the rows down to the last that is not blank, without colours and trailing blanks. */
void canvas_print(const struct canvas *canvas, FILE *out);

#endif

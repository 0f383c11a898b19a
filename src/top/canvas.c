// SPDX-License-Identifier: LGPL-3.0-or-later
#include "top/canvas.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

int canvas_init(struct canvas *canvas, unsigned rows, unsigned columns)
{
	size_t count = (size_t)rows * columns;

	canvas->rows = rows;
	canvas->columns = columns;
	canvas->glyph = calloc(count + 1, sizeof(canvas->glyph[0]));
	if (!canvas->glyph)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		canvas->glyph[i].letter = L' ';
	return 0;
}

void canvas_free(struct canvas *canvas)
{
	free(canvas->glyph);
	canvas->glyph = NULL;
}

void canvas_put(struct canvas *canvas, unsigned row, unsigned column, enum ink ink, wchar_t letter)
{
	if (row < canvas->rows && column < canvas->columns)
		canvas->glyph[(size_t)row * canvas->columns + column] =
			(struct glyph){ letter, ink };
}

/* Takes one character off @text. */
static wchar_t next_letter(const char **text)
{
	mbstate_t state = { 0 };
	wchar_t letter;
	size_t size = mbrtowc(&letter, *text, MB_LEN_MAX, &state);

	if (size == (size_t)-1 || size == (size_t)-2) {
		++*text;
		return L'?';
	}
	*text += size;
	return wcwidth(letter) == 1 ? letter : L'?';
}

void canvas_text(struct canvas *canvas, unsigned row, unsigned column, enum ink ink,
		 const char *text)
{
	while (*text)
		canvas_put(canvas, row, column++, ink, next_letter(&text));
}

unsigned canvas_width(const char *text)
{
	unsigned width;

	for (width = 0; *text; width++)
		next_letter(&text);
	return width;
}

/* Columns of a row up to its last character. */
static unsigned row_length(const struct canvas *canvas, unsigned row)
{
	unsigned length = canvas->columns;

	while (length && canvas->glyph[(size_t)row * canvas->columns + length - 1].letter == L' ')
		length--;
	return length;
}

void canvas_print(const struct canvas *canvas, FILE *out)
{
	unsigned rows = canvas->rows;

	while (rows && !row_length(canvas, rows - 1))
		rows--;
	for (unsigned row = 0; row < rows; row++) {
		unsigned length = row_length(canvas, row);

		for (unsigned i = 0; i < length; i++)
			fprintf(out, "%lc",
				(wint_t)canvas->glyph[(size_t)row * canvas->columns + i].letter);
		fputc('\n', out);
	}
}

/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A text that grows in a buffer of the caller and never beyond it. */
#ifndef BMSFS_TREE_TEXT_H
#define BMSFS_TREE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
	char *buffer;
	size_t size;
	size_t used;
	bool full; /* something did not fit, and nothing is added any more */
};

static inline char *text_end(struct text *text)
{
	return text->buffer + text->used;
}

static inline size_t text_room(const struct text *text)
{
	return text->size - text->used;
}

/* Each returns 0, or -ENOSPC and adds nothing, then and ever after. No NUL is written. */
int text_add_bytes(struct text *text, const char *bytes, size_t size);
int text_add(struct text *text, const char *string);

/*
 * Takes into the text what a value_format_*() wrote at its end and returned as @length, and
 * text_end_line() a newline as well. Returns 0, @length if that is an error, or -ENOSPC.
 */
int text_take(struct text *text, int length);
int text_end_line(struct text *text, int length);

#endif

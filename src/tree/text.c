// SPDX-License-Identifier: LGPL-3.0-or-later
#include "tree/text.h"

#include <errno.h>
#include <string.h>

int text_add_bytes(struct text *text, const char *bytes, size_t size)
{
	if (size > text_room(text))
		return -ENOSPC;
	if (size)
		memcpy(text_end(text), bytes, size);
	text->used += size;
	return 0;
}

int text_add(struct text *text, const char *string)
{
	return text_add_bytes(text, string, strlen(string));
}

int text_end_line(struct text *text, int length)
{
	if (length < 0)
		return length;
	/* The formatter left room for its NUL; the newline takes that. */
	text->used += (size_t)length;
	return text_add_bytes(text, "\n", 1);
}

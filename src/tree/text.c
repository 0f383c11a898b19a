// SPDX-License-Identifier: LGPL-3.0-or-later
#include "tree/text.h"

#include <errno.h>
#include <string.h>

int text_add_bytes(struct text *text, const char *bytes, size_t size)
{
	if (text->full || size > text_room(text)) {
		text->full = true;
		return -ENOSPC;
	}
	if (size)
		memcpy(text_end(text), bytes, size);
	text->used += size;
	return 0;
}

int text_add(struct text *text, const char *string)
{
	return text_add_bytes(text, string, strlen(string));
}

int text_take(struct text *text, int length)
{
	if (length == -ENOSPC || text->full) {
		text->full = true;
		return -ENOSPC;
	}
	if (length < 0)
		return length;
	text->used += (size_t)length;
	return 0;
}

int text_end_line(struct text *text, int length)
{
	int ret = text_take(text, length);

	return ret ? ret : text_add_bytes(text, "\n", 1);
}

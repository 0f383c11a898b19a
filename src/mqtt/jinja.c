// SPDX-License-Identifier: LGPL-3.0-or-later
#include "mqtt/jinja.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* One character of a literal in single quotes. */
static size_t quote(char to[5], char letter)
{
	int size = 1;

	to[0] = letter;
	if (letter == '\'' || letter == '\\')
		size = snprintf(to, 5, "\\%c", letter);
	else if ((unsigned char)letter < ' ' || letter == 0x7F)
		size = snprintf(to, 5, "\\x%02x", (unsigned)letter);
	return (size_t)size;
}

int jinja_key(char *text, size_t size, const char *key)
{
	size_t before = strlen(text), used = before;
	char quoted[5];

	if (used + sizeof("['']") > size)
		return -ENOSPC;
	memcpy(text + used, "['", 2);
	used += 2;
	for (; *key; key++) {
		size_t length = quote(quoted, *key);

		if (used + length + sizeof("']") > size) {
			text[before] = '\0';
			return -ENOSPC;
		}
		memcpy(text + used, quoted, length);
		used += length;
	}
	memcpy(text + used, "']", sizeof("']"));
	return 0;
}

int jinja_index(char *text, size_t size, unsigned index)
{
	char step[16];
	int length = snprintf(step, sizeof(step), "[%u]", index);
	size_t used = strlen(text);

	if (used + (size_t)length >= size)
		return -ENOSPC;
	memcpy(text + used, step, (size_t)length + 1);
	return 0;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include "mqtt/topic.h"

#include <string.h>

static bool is_level(const char *text, size_t length)
{
	return length && strspn(text, TOPIC_CHARACTERS) >= length;
}

bool topic_is_level(const char *text)
{
	return is_level(text, strlen(text));
}

bool topic_is_path(const char *text)
{
	for (;;) {
		size_t length = strcspn(text, "/");

		if (!is_level(text, length))
			return false;
		if (!text[length])
			return true;
		text += length + 1;
	}
}

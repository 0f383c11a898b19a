// SPDX-License-Identifier: LGPL-3.0-or-later
#include "base/prometheus.h"

#include <string.h>

#include "base/utf8.h"

static bool is_digit(char letter)
{
	return letter >= '0' && letter <= '9';
}

static bool is_lower(char letter)
{
	return letter >= 'a' && letter <= 'z';
}

bool prometheus_name(char *text)
{
	bool named = false;

	for (; *text; text++) {
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
		if (is_lower(*text) || is_digit(*text))
			named = true;
		else
			*text = '_';
	}
	return named;
}

bool prometheus_is_label(const char *name)
{
	if (!*name || is_digit(*name) || !strncmp(name, "__", 2))
		return false;
	for (; *name; name++)
		if (!is_lower(*name) && !is_digit(*name) && *name != '_')
			return false;
	return true;
}

size_t prometheus_escape(char to[4], const char **text, bool quoted)
{
	size_t size = utf8_character(*text);

	if (!**text)
		return 0;
	if (!size) {
		to[0] = '?';
		(*text)++;
		return 1;
	}
	if (**text == '\\' || (quoted && **text == '"')) {
		to[0] = '\\';
		to[1] = *(*text)++;
		return 2;
	}
	memcpy(to, *text, size);
	*text += size;
	return size;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include "base/utf8.h"

#include <stdint.h>

#define DELETE             0x7F
#define LAST_C1_CONTROL    0x9F
#define FIRST_SURROGATE    0xD800
#define LAST_SURROGATE     0xDFFF
#define LAST_CODE_POINT    0x10FFFF
#define IS_CONTINUED(c)    (((c) & 0xC0) == 0x80)
#define NONCHARACTER_LOW   0xFFFE /* the last two of each plane */
#define FIRST_NONCHARACTER 0xFDD0
#define LAST_NONCHARACTER  0xFDEF

/* Lead bytes of 1 to 4, and the first code point that needs so many bytes. */
static const struct form {
	unsigned char mask, lead;
	uint32_t first;
} forms[] = {
	{ 0x80, 0x00, 0 },
	{ 0xE0, 0xC0, 0x80 },
	{ 0xF0, 0xE0, 0x800 },
	{ 0xF8, 0xF0, 0x10000 },
};

static int may_enter(uint32_t code)
{
	if (code < ' ' || (code >= DELETE && code <= LAST_C1_CONTROL) || code > LAST_CODE_POINT)
		return 0;
	if ((code & NONCHARACTER_LOW) == NONCHARACTER_LOW)
		return 0;
	return !(code >= FIRST_SURROGATE && code <= LAST_SURROGATE) &&
	       !(code >= FIRST_NONCHARACTER && code <= LAST_NONCHARACTER);
}

size_t utf8_character(const char *text)
{
	unsigned char lead = (unsigned char)text[0];
	size_t size = 1;
	uint32_t code;

	while (size <= 4 && (lead & forms[size - 1].mask) != forms[size - 1].lead)
		size++;
	if (size > 4)
		return 0;
	code = (unsigned char)(lead & ~forms[size - 1].mask);
	for (size_t i = 1; i < size; i++) {
		if (!IS_CONTINUED((unsigned char)text[i]))
			return 0;
		code = code << 6 | ((unsigned char)text[i] & 0x3F);
	}
	return code >= forms[size - 1].first && may_enter(code) ? size : 0;
}

void utf8_clean(char *text)
{
	while (*text) {
		size_t size = utf8_character(text);

		if (!size)
			*text = '?';
		text += size ? size : 1;
	}
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include "base/utf8.h"

#include <string.h>

#include "test.h"

static void characters_have_the_length_of_their_bytes(void **state)
{
	static const struct {
		const char *meaning, *text;
		size_t size;
	} cases[] = {
		{ "the end", "", 0 },
		{ "a letter", "a", 1 },
		{ "a blank", " ", 1 },
		{ "the last of ASCII", "~", 1 },
		{ "a newline", "\n", 0 },
		{ "an escape", "\x1b[2J", 0 },
		{ "delete", "\x7f", 0 },
		{ "two bytes", "\xc3\xa4", 2 },
		{ "three bytes", "\xe2\x82\xac", 3 },
		{ "four bytes", "\xf0\x9f\x94\x8b", 4 },
		{ "the last code point that is a character", "\xf4\x8f\xbf\xbd", 4 },
		{ "a control character of two bytes", "\xc2\x85", 0 },
		{ "Latin-1", "\xe4", 0 },
		{ "a byte that only continues", "\xa4", 0 },
		{ "cut after the first byte", "\xe2", 0 },
		{ "cut after the second byte", "\xe2\x82", 0 },
		{ "a letter where a byte should continue", "\xe2\x82z", 0 },
		{ "two bytes for a letter", "\xc1\xa1", 0 },
		{ "three bytes for a slash", "\xe0\x80\xaf", 0 },
		{ "four bytes for a euro", "\xf0\x82\x82\xac", 0 },
		{ "half of a UTF-16 pair", "\xed\xa0\x80", 0 },
		{ "beyond the last code point", "\xf4\x90\x80\x80", 0 },
		{ "five bytes", "\xf8\x88\x80\x80\x80", 0 },
		{ "a noncharacter at the end of a plane", "\xef\xbf\xbf", 0 },
		{ "a noncharacter in the middle", "\xef\xb7\x90", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (utf8_character(cases[i].text) != cases[i].size)
			fail_msg("%s: %zu bytes", cases[i].meaning, utf8_character(cases[i].text));
}

static void what_is_no_character_becomes_a_question_mark(void **state)
{
	char text[] = "a\n\xc3\xa4\xe4\x1b[31m \xe2\x82\xac\xff";

	(void)state;
	utf8_clean(text);
	assert_string_equal(text, "a?\xc3\xa4??[31m \xe2\x82\xac?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(characters_have_the_length_of_their_bytes),
		cmocka_unit_test(what_is_no_character_becomes_a_question_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include "base/prometheus.h"

#include <stdio.h>
#include <string.h>

#include "test.h"

static void names_are_made_of_letters_digits_and_underscores(void **state)
{
	static const struct {
		const char *text, *name;
		bool named;
	} cases[] = {
		{ "software version", "software_version", true },
		{ "boot-loader version", "boot_loader_version", true },
		{ "CMAX", "cmax", true },
		{ "10 A", "10_a", true },
		{ "\xc3\xa4{}\"\n", "______", false },
		{ "- -", "___", false },
		{ "", "", false },
	};
	char name[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(name, sizeof(name), "%s", cases[i].text);
		assert_int_equal(prometheus_name(name), cases[i].named);
		assert_string_equal(name, cases[i].name);
	}
}

static void labels_start_with_a_letter(void **state)
{
	static const struct {
		const char *name;
		bool label;
	} cases[] = {
		{ "version", true }, { "_x", true },   { "x9", true },        { "", false },
		{ "9x", false },     { "__x", false }, { "boot-x", false },   { "X", false },
		{ "a.b", false },    { "a b", false }, { "\xc3\xa4", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (prometheus_is_label(cases[i].name) != cases[i].label)
			fail_msg("\"%s\"", cases[i].name);
}

static void escape(const char *text, bool quoted, const char *wanted)
{
	char all[64], one[4];
	size_t used = 0, size;

	while ((size = prometheus_escape(one, &text, quoted))) {
		assert_true(used + size < sizeof(all));
		memcpy(all + used, one, size);
		used += size;
	}
	all[used] = '\0';
	assert_string_equal(all, wanted);
}

static void texts_are_escaped(void **state)
{
	(void)state;
	escape("REC \"1Q\" \\", true, "REC \\\"1Q\\\" \\\\");
	escape("REC \"1Q\" \\", false, "REC \"1Q\" \\\\");
	escape("a\nb\tc\xe4", true, "a?b?c?");
	escape("4 \xe2\x82\xac", true, "4 \xe2\x82\xac");
	escape("", true, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_made_of_letters_digits_and_underscores),
		cmocka_unit_test(labels_start_with_a_letter),
		cmocka_unit_test(texts_are_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include "mqtt/jinja.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "test.h"

static void keys_are_quoted(void **state)
{
	static const struct {
		const char *key, *path;
	} cases[] = {
		{ "CMAX", "x['CMAX']" },
		{ "1TMP", "x['1TMP']" },
		{ "items", "x['items']" },
		{ "it's", "x['it\\'s']" },
		{ "a\\b", "x['a\\\\b']" },
		{ "a\nb", "x['a\\x0ab']" },
		{ "}} {% raw %}", "x['}} {% raw %}']" },
		{ "", "x['']" },
	};
	char path[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(path, sizeof(path), "x");
		assert_int_equal(jinja_key(path, sizeof(path), cases[i].key), 0);
		assert_string_equal(path, cases[i].path);
	}
}

static void an_index_is_a_number(void **state)
{
	char path[16] = "x";

	(void)state;
	assert_int_equal(jinja_index(path, sizeof(path), 0), 0);
	assert_int_equal(jinja_index(path, sizeof(path), 12), 0);
	assert_string_equal(path, "x[0][12]");
}

static void what_does_not_fit_is_left_out(void **state)
{
	char path[16];

	(void)state;
	for (size_t size = 2; size < sizeof("x['a\\'']"); size++) {
		snprintf(path, sizeof(path), "x");
		assert_int_equal(jinja_key(path, size, "a'"), -ENOSPC);
		assert_string_equal(path, "x");
	}
	assert_int_equal(jinja_key(path, sizeof("x['a\\'']"), "a'"), 0);
	assert_string_equal(path, "x['a\\'']");
	snprintf(path, sizeof(path), "x");
	assert_int_equal(jinja_index(path, sizeof("x[10"), 10), -ENOSPC);
	assert_string_equal(path, "x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_quoted),
		cmocka_unit_test(an_index_is_a_number),
		cmocka_unit_test(what_does_not_fit_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

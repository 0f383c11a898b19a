// SPDX-License-Identifier: LGPL-3.0-or-later
#include <string.h>

#include "test.h"
#include "tree/json.h"

static void test_nesting(void **state)
{
	char buffer[256];
	struct text text = { .buffer = buffer, .size = sizeof(buffer) };
	struct json json = { .text = &text };

	(void)state;
	json_open(&json, NULL, '{');
	json_string(&json, "a", "x");
	json_string(&json, "b", NULL);
	json_open(&json, "c", '{');
	json.flat = json.depth;
	json_raw(&json, "d", "1.5");
	json_open(&json, "e", '[');
	json_raw(&json, NULL, "1");
	json_raw(&json, NULL, "2");
	json_close(&json, '[');
	json_close(&json, '{');
	json.flat = 0;
	json_open(&json, "f", '{');
	json_close(&json, '{');
	json_close(&json, '{');
	buffer[text.used] = '\0';
	assert_string_equal(buffer, "{\n\t\"a\": \"x\",\n\t\"b\": null,\n"
				    "\t\"c\": {\"d\": 1.5, \"e\": [1, 2]},\n\t\"f\": {}\n}");
	assert_false(text.full);
}

static void test_strings(void **state)
{
	char buffer[256];
	struct text text = { .buffer = buffer, .size = sizeof(buffer) };
	struct json json = { .text = &text };

	(void)state;
	json_string(&json, NULL, "q\" b\\ n\n t\t e\x1b u\xc3\xa9 d\x7f");
	buffer[text.used] = '\0';
	assert_string_equal(buffer, "\"q\\\" b\\\\ n\\u000a t\\u0009 e\\u001b u?? d?\"");
}

/* What has not fitted once leaves no half of something else behind it. */
static void test_full(void **state)
{
	char buffer[16];
	struct text text = { .buffer = buffer, .size = sizeof(buffer) };
	struct json json = { .text = &text };

	(void)state;
	json_open(&json, NULL, '{');
	json_string(&json, "key", "too long for the room");
	assert_true(text.full);
	assert_true(text.used <= sizeof(buffer));
	size_t used = text.used;
	json_close(&json, '{');
	assert_int_equal(text.used, used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

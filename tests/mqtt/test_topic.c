// SPDX-License-Identifier: LGPL-3.0-or-later
#include "mqtt/topic.h"

#include "test.h"

static void levels_and_paths_hold_nothing_that_mqtt_or_a_list_would_read(void **state)
{
	static const struct {
		const char *meaning, *text;
		bool level, path;
	} cases[] = {
		{ "a level", "house", true, true },
		{ "all characters", "My-bank_2", true, true },
		{ "two levels", "my/house", false, true },
		{ "nothing", "", false, false },
		{ "a slash alone", "/", false, false },
		{ "no first level", "/house", false, false },
		{ "no last level", "house/", false, false },
		{ "no level between", "my//house", false, false },
		{ "a wildcard of one level", "+", false, false },
		{ "a wildcard of all", "my/#", false, false },
		{ "the broker's own", "$SYS", false, false },
		{ "a blank", "my house", false, false },
		{ "a newline", "house\n", false, false },
		{ "beyond ASCII", "h\xc3\xa4user", false, false },
		{ "not UTF-8", "h\xe4user", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (topic_is_level(cases[i].text) != cases[i].level)
			fail_msg("%s as a level", cases[i].meaning);
		if (topic_is_path(cases[i].text) != cases[i].path)
			fail_msg("%s as a path", cases[i].meaning);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels_and_paths_hold_nothing_that_mqtt_or_a_list_would_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include "mqtt/backoff.h"

#include "test.h"

static void the_wait_doubles_up_to_a_minute(void **state)
{
	static const int whole[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(whole); i++)
		assert_int_equal(backoff_ms(i + 1, 0), whole[i]);
	assert_int_equal(backoff_ms(UINT32_MAX, 0), 60000);
}

static void chance_takes_away_up_to_half(void **state)
{
	(void)state;
	for (unsigned failures = 1; failures < 10; failures++) {
		int whole = backoff_ms(failures, 0), least = whole;

		for (uint32_t random = 0; random < 100000; random += 7) {
			int wait = backoff_ms(failures, random);

			assert_in_range(wait, whole / 2, whole);
			least = wait < least ? wait : least;
		}
		assert_in_range(least, whole / 2, whole / 2 + 7);
		assert_in_range(backoff_ms(failures, UINT32_MAX), whole / 2, whole);
	}
}

static void a_connection_that_lasted_a_minute_starts_over(void **state)
{
	(void)state;
	assert_int_equal(backoff_failures(0, 0), 1);
	assert_int_equal(backoff_failures(5, 59999), 6);
	assert_int_equal(backoff_failures(5, 60000), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_wait_doubles_up_to_a_minute),
		cmocka_unit_test(chance_takes_away_up_to_half),
		cmocka_unit_test(a_connection_that_lasted_a_minute_starts_over),
	};

	return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}

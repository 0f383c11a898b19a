// SPDX-License-Identifier: LGPL-3.0-or-later
#include <math.h>

#include "test.h"
#include "top/history.h"

static void test_means(void **state)
{
	struct history history = { .span_s = 5 };

	(void)state;
	history_add(&history, 100, 2);
	history_add(&history, 104.9, 4);
	assert_int_equal(history.used, 1);
	assert_true(history.mean[0] == 3);
	history_add(&history, 105, 7);
	history_add(&history, 106, NAN);
	assert_int_equal(history.used, 2);
	assert_true(history.mean[0] == 3 && history.mean[1] == 7);
}

static void test_gaps(void **state)
{
	struct history history = { .span_s = 5 };

	(void)state;
	history_add(&history, 0, NAN);
	assert_int_equal(history.used, 1);
	assert_true(isnan(history.mean[0]));
	history_add(&history, 1, 1);
	assert_true(history.mean[0] == 1);
	history_add(&history, 17, 2);
	assert_int_equal(history.used, 4);
	assert_true(isnan(history.mean[1]) && isnan(history.mean[2]) && history.mean[3] == 2);
	/* The spans stay where they began. */
	history_add(&history, 20, 4);
	assert_int_equal(history.used, 5);
}

static void test_old_ones_go(void **state)
{
	struct history history = { .span_s = 1 };

	(void)state;
	for (unsigned i = 0; i < HISTORY_SPANS + 10; i++)
		history_add(&history, i, i);
	assert_int_equal(history.used, HISTORY_SPANS);
	assert_true(history.mean[0] == 10);
	assert_true(history.mean[HISTORY_SPANS - 1] == HISTORY_SPANS + 9);
	history_add(&history, 1e9, 5);
	assert_int_equal(history.used, HISTORY_SPANS);
	assert_true(isnan(history.mean[0]) && isnan(history.mean[HISTORY_SPANS - 2]));
	assert_true(history.mean[HISTORY_SPANS - 1] == 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_means),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_old_ones_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

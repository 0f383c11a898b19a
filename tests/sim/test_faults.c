// SPDX-License-Identifier: LGPL-3.0-or-later
#include "sim/faults.h"

#include <errno.h>
#include <string.h>

#include "nsec.h"
#include "test.h"

#define DRAWS 20000

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < SIM_FAULTS; i++)
		assert_int_equal(fault_find(sim_fault_name[i]), i);
	assert_int_equal(fault_find("Drop"), -ENOENT);
	assert_int_equal(fault_find(""), -ENOENT);
}

static void test_rates_are_kept(void **state)
{
	double rate[SIM_FAULTS] = { [SIM_CORRUPT] = 0.1, [SIM_ECHO] = 1, [SIM_ERROR] = 0.5 };
	unsigned hits[SIM_FAULTS] = { 0 };
	struct fault_plan plan;
	struct faults faults;

	(void)state;
	faults_init(&faults, rate, 7);
	for (int i = 0; i < DRAWS; i++) {
		faults_draw(&faults, &plan, 0);
		for (int fault = 0; fault < SIM_FAULTS; fault++)
			hits[fault] += plan.hit[fault];
	}
	for (int fault = 0; fault < SIM_FAULTS; fault++)
		assert_in_range(hits[fault], (rate[fault] * 0.95) * DRAWS,
				(rate[fault] * 1.05) * DRAWS);
}

/* Another fault that is switched on must not move where the first one hits. */
static void test_faults_do_not_disturb_each_other(void **state)
{
	double alone[SIM_FAULTS] = { [SIM_DROP] = 0.3 };
	double both[SIM_FAULTS] = { [SIM_DROP] = 0.3, [SIM_LATE] = 0.3 };
	struct faults one, two;
	struct fault_plan plan_one, plan_two;

	(void)state;
	faults_init(&one, alone, 3);
	faults_init(&two, both, 3);
	for (int i = 0; i < 1000; i++) {
		faults_draw(&one, &plan_one, 0);
		faults_draw(&two, &plan_two, 0);
		assert_int_equal(plan_one.hit[SIM_DROP], plan_two.hit[SIM_DROP]);
	}
}

static void test_delays_stay_in_their_ranges(void **state)
{
	double delay[SIM_FAULTS] = { [SIM_DELAY] = 1 }, late[SIM_FAULTS] = { [SIM_LATE] = 1 };
	struct fault_plan plan;
	struct faults faults;

	(void)state;
	faults_init(&faults, delay, 5);
	for (int i = 0; i < 1000; i++) {
		faults_draw(&faults, &plan, 0);
		assert_in_range(plan.delay, 0, 300 * NSEC_PER_MSEC);
	}
	faults_init(&faults, late, 5);
	for (int i = 0; i < 1000; i++) {
		faults_draw(&faults, &plan, 0);
		assert_in_range(plan.delay, 400 * NSEC_PER_MSEC, 1600 * NSEC_PER_MSEC);
	}
}

static void test_silence_lasts_two_seconds(void **state)
{
	double rate[SIM_FAULTS] = { [SIM_SILENT] = 1 };
	struct fault_plan plan;
	struct faults faults;

	(void)state;
	faults_init(&faults, rate, 5);
	faults_draw(&faults, &plan, NSEC_PER_SEC);
	assert_true(plan.hit[SIM_SILENT]);
	faults.rate[SIM_SILENT] = 0;
	faults_draw(&faults, &plan, 3 * NSEC_PER_SEC - 1);
	assert_true(plan.hit[SIM_SILENT]);
	faults_draw(&faults, &plan, 3 * NSEC_PER_SEC);
	assert_false(plan.hit[SIM_SILENT]);
}

static void test_bytes(void **state)
{
	struct fault_plan plan = { .detail = { 11 } };
	bool first = false, last = false, shortest = false, longest = false;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		uint8_t bytes[FAULT_GARBAGE_MAX];
		size_t bit = fault_corrupt(&plan, 16);
		size_t cut = fault_truncate(&plan, 16);
		size_t size = fault_garbage(&plan, bytes);

		assert_true(bit < 128);
		assert_in_range(cut, 1, 15);
		assert_in_range(size, 1, FAULT_GARBAGE_MAX);
		first |= bit == 0;
		last |= bit == 127;
		shortest |= size == 1;
		longest |= size == FAULT_GARBAGE_MAX;
	}
	assert_true(first && last && shortest && longest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_rates_are_kept),
		cmocka_unit_test(test_faults_do_not_disturb_each_other),
		cmocka_unit_test(test_delays_stay_in_their_ranges),
		cmocka_unit_test(test_silence_lasts_two_seconds),
		cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

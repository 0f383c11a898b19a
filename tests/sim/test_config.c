// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <string.h>

#include "sim/sim.h"
#include "test.h"

static void test_every_key(void **state)
{
	struct sim_config config = sim_config_default;
	char reason[128] = "";

	(void)state;
	assert_int_equal(sim_config_parse(&config,
					  "model=master,address=17,3,units=3,cells=12,sensors=2,"
					  "baud=115200,turnaround=2.5,seed=9,drop=0.25,foreign=1",
					  reason, sizeof(reason)),
			 0);
	assert_string_equal(config.model, "master");
	assert_int_equal(config.addresses, 2);
	assert_int_equal(config.address[0], 17);
	assert_int_equal(config.address[1], 3);
	assert_int_equal(config.units, 3);
	assert_int_equal(config.cells, 12);
	assert_int_equal(config.sensors, 2);
	assert_int_equal(config.baud, 115200);
	assert_true(config.turnaround_s == 0.0025);
	assert_int_equal(config.seed, 9);
	assert_true(config.rate[SIM_DROP] == 0.25 && config.rate[SIM_FOREIGN] == 1);
	assert_true(config.rate[SIM_LATE] == 0);
}

static void test_every_fault_is_a_key(void **state)
{
	struct sim_config config = sim_config_default;
	char reason[128];

	(void)state;
	for (int i = 0; i < SIM_FAULTS; i++) {
		assert_int_equal(
			sim_config_set(&config, sim_fault_name[i], "0.5", reason, sizeof(reason)),
			0);
		assert_true(config.rate[i] == 0.5);
	}
}

static void test_nothing_changes_nothing(void **state)
{
	struct sim_config config = sim_config_default;
	char reason[128];

	(void)state;
	assert_int_equal(sim_config_parse(&config, "", reason, sizeof(reason)), 0);
	assert_memory_equal(&config, &sim_config_default, sizeof(config));
}

static void test_refusals_say_why(void **state)
{
	static const struct {
		const char *text, *word;
	} rows[] = {
		{ "speed=3", "speed" },
		{ "baud", "KEY=VALUE" },
		{ "baud=", "baud" },
		{ "baud=fast", "fast" },
		{ "baud=-1", "baud" },
		{ "baud=4000001", "4000000" },
		{ "units=0", "1 to 15" },
		{ "units=16", "1 to 15" },
		{ "cells=17", "1 to 16" },
		{ "sensors=9", "1 to 8" },
		{ "address=0", "1 to 127" },
		{ "address=128", "1 to 127" },
		{ "address=2,2", "each once" },
		{ "address=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "at most 16" },
		{ "address=1.5", "address" },
		{ "turnaround=-1", "milliseconds" },
		{ "turnaround=10001", "milliseconds" },
		{ "seed=-1", "seed" },
		{ "drop=1.01", "0 to 1" },
		{ "drop=-0.1", "0 to 1" },
		{ "drop=nan", "0 to 1" },
		{ "Drop=1", "Drop" },
		{ "model=", "model" },
		{ "model=a_name_that_is_too_long", "model" },
		{ "baud=1,,seed=2", "KEY=VALUE" },
		{ "baud=1,", "KEY=VALUE" },
		{ "replay=", "replay" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sim_config config = sim_config_default;
		char reason[128] = "";

		assert_int_equal(sim_config_parse(&config, rows[i].text, reason, sizeof(reason)),
				 -EINVAL);
		if (!strstr(reason, rows[i].word))
			fail_msg("\"%s\" gave \"%s\"", rows[i].text, reason);
	}
}

static void test_too_long(void **state)
{
	static const char *const keys[] = { "seed=", "replay=" };
	struct sim_config config = sim_config_default;
	char text[2 * PATH_MAX], reason[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		memset(text, '1', sizeof(text) - 1);
		text[sizeof(text) - 1] = '\0';
		memcpy(text, keys[i], strlen(keys[i]));
		assert_int_equal(sim_config_parse(&config, text, reason, sizeof(reason)), -EINVAL);
		assert_non_null(strstr(reason, "long"));
		text[strlen(keys[i]) + PATH_MAX] = '\0';
		assert_int_equal(sim_config_parse(&config, text, reason, sizeof(reason)), -EINVAL);
	}
	text[strlen(keys[1]) + PATH_MAX - 1] = '\0';
	assert_int_equal(sim_config_parse(&config, text, reason, sizeof(reason)), 0);
	assert_string_equal(config.replay, text + strlen(keys[1]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_every_fault_is_a_key),
		cmocka_unit_test(test_nothing_changes_nothing),
		cmocka_unit_test(test_refusals_say_why),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

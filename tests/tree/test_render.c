// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"
#include "test.h"
#include "tree/tree.h"

static void test_values(void **state)
{
	struct fixture *fixture = *state;
	static const char *const cases[][2] = {
		{ "SOC", "78.46\n" },
		{ "SOH", "98.97\n" },
		{ "CAPA", "450\n" },
		{ "CYCL", "103\n" },
		{ "LCD1", "3.9607\n3.9656\n-2.5\n18.5\n55.48749\n0.7846351\n0.9897\n" },
		{ "LCD3", "1\n8\n1\n13\n1\n3\n105\n" },
		{ "RINT", "0.00009103767\n0.0001108202\n" },
		{ "CELL", "3.966\n3.9661\n3.9666\n3.9663\n3.967\n3.9635\n3.9644\n"
			  "3.9577\n3.9648\n3.9669\n3.9652\n3.9641\n3.9656\n3.9643\n" },
		{ "ERRO", "0\n1\n0\n0\n" },
		{ "pack/voltage", "55.487\n" },
		{ "pack/current", "-2.500\n" },
		{ "pack/power", "-138.7\n" },
		{ "pack/soc", "78.46\n" },
		{ "pack/soh", "98.97\n" },
		{ "pack/capacity", "450.0\n" },
		{ "pack/charge_missing", "105.0\n" },
		{ "pack/remaining", "349.4\n" },
		{ "pack/time_to_empty", "503207\n" },
		{ "pack/time_to_full", "ENODATA" },
		{ "pack/cell_voltage_min", "3.9607\n" },
		{ "pack/cell_voltage_max", "3.9656\n" },
		{ "pack/cell_voltage_spread", "0.0049\n" },
		{ "pack/cell_min", "8\n" },
		{ "pack/cell_min_unit", "1\n" },
		{ "pack/cell_max", "13\n" },
		{ "pack/cell_max_unit", "1\n" },
		{ "pack/temperature_max", "18.5\n" },
		{ "pack/temperature_max_sensor", "3\n" },
		{ "pack/temperature_max_unit", "1\n" },
		{ "pack/cycles", "103\n" },
		{ "pack/chemistry", "LiFePO4 Winston, Thunder-Sky, GWL\n" },
		{ "pack/error", "0\n" },
		{ "pack/error_text", "none\n" },
		{ "pack/online", "1\n" },
		{ "units/1/address", "1\n" },
		{ "units/1/temperature", "25.9\n" },
		{ "units/1/cells/8/voltage", "3.9577\n" },
		{ "units/1/cells/1/resistance", "0.0000910\n" },
		{ "units/1/cells/3/resistance", "ENODEV" },
		{ "units/1/sensors/3/temperature", "27.3\n" },
	};

	fixture_feed(fixture, -2.5);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		fixture_expect(fixture, cases[i][0], cases[i][1]);
}

static void test_scalars_by_type(void **state)
{
	struct fixture *fixture = *state;

	fixture->device.model = model_find(&fixture->device.table, "abms");
	fake_text(&fixture->device, "*IDN", "ACTIVE");
	fixture_expect(fixture, "IDN", "ACTIVE\n");
	fake_number(&fixture->device, "TIME", 52863);
	memcpy(fixture->device.sample[fake_row(&fixture->device, "TIME")]->text, "14:41:03", 9);
	fixture_expect(fixture, "TIME", "14:41:03\n");
	fake_number(&fixture->device, "RE1T", 4294967295);
	fixture_expect(fixture, "RE1T", "4294967295\n");
	fake_number(&fixture->device, "IOFF", -0.0);
	fixture_expect(fixture, "IOFF", "0\n");
}

static void test_no_minus_zero(void **state)
{
	struct fixture *fixture = *state;

	fixture_feed(fixture, -0.0001);
	fixture_expect(fixture, "pack/current", "0.000\n");
}

static void test_times_follow_the_current(void **state)
{
	struct fixture *fixture = *state;

	static const double none[] = { 0, 0.1, -0.1 };

	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		fixture_feed(fixture, none[i]);
		fixture_expect(fixture, "pack/time_to_empty", "ENODATA");
		fixture_expect(fixture, "pack/time_to_full", "ENODATA");
	}
	fixture_feed(fixture, 10);
	fixture_expect(fixture, "pack/time_to_empty", "ENODATA");
	/* (1 - 0.7846351) * 0.9897 * 450 Ah / 10 A */
	fixture_expect(fixture, "pack/time_to_full", "34530\n");
}

static void test_errors_in_words(void **state)
{
	struct fixture *fixture = *state;
	struct device *device = &fixture->device;
	static const struct {
		double present, number;
		const char *model, *error, *text;
	} cases[] = {
		{ 0, 8, "1q", "0\n", "none\n" },
		{ 1, 8, "1q", "8\n", "temperature sensor fault\n" },
		{ 1, 15, "1q", "15\n", "balancing transistor, or CAN bit rate\n" },
		{ 1, 15, "abms", "15\n", "CAN bit rate\n" },
		{ 1, 15, "?", "15\n", "balancing transistor, or CAN bit rate\n" },
		{ 1, 16, "abms", "16\n", "internal communication\n" },
		{ 1, 19, "1q", "19\n", "unknown, number 19\n" },
		{ 1, 0, "1q", "EIO", "EIO" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const double numbers[] = { cases[i].present, 1, cases[i].number, 2 };

		device->model = model_find(&device->table, cases[i].model);
		fake_forget(device, "ERRO");
		fake_numbers(device, "ERRO", 1, 4, numbers);
		fixture_expect(fixture, "pack/error", cases[i].error);
		fixture_expect(fixture, "pack/error_text", cases[i].text);
	}
	fake_number(device, "CHEM", 9007199254740992);
	fixture_expect(fixture, "pack/chemistry", "unknown, number 9007199254740992\n");
}

static void test_failures_pass(void **state)
{
	struct fixture *fixture = *state;
	static const int errors[] = { ENODEV, ETIMEDOUT, EIO, EOPNOTSUPP };
	static const char *const files[] = { "CAPA", "pack/capacity", "pack/remaining",
					     "pack/time_to_empty" };
	unsigned row = fake_row(&fixture->device, "CAPA");

	fixture_feed(fixture, -1);
	for (size_t e = 0; e < ARRAY_SIZE(errors); e++) {
		fixture->device.error[row] = -errors[e];
		for (size_t f = 0; f < ARRAY_SIZE(files); f++)
			fixture_expect(fixture, files[f], strerrorname_np(errors[e]));
		fixture_expect(fixture, "SOC", "78.46\n");
	}
}

/* Never an empty file. */
static void test_an_answer_without_a_value(void **state)
{
	struct fixture *fixture = *state;

	fixture->device.model = model_find(&fixture->device.table, "abms");
	fake_text(&fixture->device, "WCBI", "");
	fixture_expect(fixture, "WCBI", "ENODATA");
	fake_text(&fixture->device, "WCBI", "-");
	fixture_expect(fixture, "WCBI", "-\n");
	fake_numbers(&fixture->device, "PTEM", 1, 0, NULL);
	fixture_expect(fixture, "PTEM", "ENODATA");
}

/* Every sample of a value must be fresh, not only the first. */
static void test_each_sample_must_be_fresh(void **state)
{
	struct fixture *fixture = *state;
	unsigned row = fake_row(&fixture->device, "CAPA");
	struct freshness fresh = { .call = FAKE_NOW, .direct = true };
	uint64_t ino = fixture_ino(fixture, "pack/remaining");

	fixture_feed(fixture, -1);
	fixture->device.asked[row] = FAKE_NOW - 1;
	fixture_expect(fixture, "pack/remaining", "349.4\n");
	assert_int_equal(tree_render(fixture->tree, ino, &fresh, fixture->text, TREE_TEXT_MAX),
			 -ETIMEDOUT);
	fixture->device.asked[row] = FAKE_NOW - FAKE_TTL - 1;
	fixture_expect(fixture, "pack/remaining", "ETIMEDOUT");
	fixture_expect(fixture, "pack/online", "1\n");
	fixture->device.answered = FAKE_NOW - FAKE_TTL - 1;
	fixture_expect(fixture, "pack/online", "ETIMEDOUT");
}

static void test_before_the_shape_is_known(void **state)
{
	struct fixture *fixture = *state;

	fake_shape(&fixture->device, 0, 0, 0);
	fixture_expect(fixture, "units/2/cells/16/voltage", "ETIMEDOUT");
	fixture_expect(fixture, "units/1/temperature", "ETIMEDOUT");
	fixture_feed(fixture, 0);
	fixture_expect(fixture, "units/1/cells/14/voltage", "3.9643\n");
	fixture_expect(fixture, "units/1/cells/15/voltage", "ENODEV");
	fixture_expect(fixture, "units/2/cells/1/voltage", "ENODEV");
	fixture_expect(fixture, "units/2/address", "ENODEV");
	fixture_expect(fixture, "units/1/temperature", "ENODEV");
}

static void test_several_units(void **state)
{
	struct fixture *fixture = *state;
	struct device *device = &fixture->device;
	static const double volts[][2] = { { 3.25, 3.5 }, { 3.75, 4 } };
	static const double board[] = { 20.5, 21.5 };

	fixture->device.model = model_find(&device->table, "master");
	fake_shape(device, 2, 2, 1);
	fake_numbers(device, "CELL", 16, 2, volts[0]);
	fake_numbers(device, "CELL", 16, 2, volts[1]);
	fake_numbers(device, "BTEM", 16, 1, board);
	fixture_expect(fixture, "CELL", "3.25\n3.5\n3.75\n4\n");
	fixture_expect(fixture, "units/2/cells/1/voltage", "3.7500\n");
	fixture_expect(fixture, "units/1/cells/2/voltage", "3.5000\n");
	/* The master sent it all: whose address and whose temperature, nobody says. */
	fixture_expect(fixture, "units/1/address", "ENODATA");
	fixture_expect(fixture, "units/2/address", "ENODATA");
	fixture_expect(fixture, "units/1/temperature", "ENODATA");
	fixture_expect(fixture, "units/2/temperature", "ENODATA");
	fake_forget(device, "CELL");
	fake_numbers(device, "CELL", 5, 2, volts[0]);
	fake_numbers(device, "CELL", 3, 2, volts[1]);
	fake_numbers(device, "BTEM", 16, 1, board + 1);
	fixture_expect(fixture, "units/1/address", "5\n");
	fixture_expect(fixture, "units/2/address", "3\n");
	fixture_expect(fixture, "units/2/temperature", "21.5\n");
}

static void test_the_log_is_shown_whole(void **state)
{
	struct fixture *fixture = *state;
	struct device *device = &fixture->device;

	device->model = model_find(&device->table, "abms");
	fixture_expect(fixture, "ERRL", "ETIMEDOUT");
	fake_text(device, "ERRL", "");
	fixture_expect(fixture, "ERRL", "ENODATA");
	fake_text(device, "ERRL", "2,3;14:41:03;23.02.2025");
	device->log = "8,1;10:00:00;22.02.2025\n2,3;14:41:03;23.02.2025\n";
	fixture_expect(fixture, "ERRL", device->log);
	device->error[fake_row(device, "ERRL")] = -EIO;
	fixture_expect(fixture, "ERRL", "EIO");
}

static void test_bus_files(void **state)
{
	struct fixture *fixture = *state;
	struct bus *bus = &fixture->device.bus;
	static const struct {
		enum bus_state state;
		bool shared, identified;
		uint32_t baud;
		const char *text, *baud_text;
	} cases[] = {
		{ BUS_CLOSED, false, false, 0, "closed\n", "ENODATA" },
		{ BUS_ABSENT, false, false, 0, "absent\n", "ENODATA" },
		{ BUS_OPENING, false, false, 56000, "opening\n", "56000\n" },
		{ BUS_SILENT, true, false, 55944, "silent shared\n", "55944\n" },
		{ BUS_ONLINE, false, true, 0, "online\n", "ENODATA" },
		{ BUS_ONLINE, true, true, 56000, "online shared\n", "56000\n" },
		{ BUS_ONLINE, true, false, 56000, "online shared unidentified\n", "56000\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bus->state = cases[i].state;
		bus->shared = cases[i].shared;
		bus->identified = cases[i].identified;
		bus->baud = cases[i].baud;
		fixture_expect(fixture, "bus/state", cases[i].text);
		fixture_expect(fixture, "bus/baud", cases[i].baud_text);
	}
	/* No reader has asked for longer than ttl and the deadline: then nobody knows. */
	bus->identified = true;
	bus->shared = false;
	fixture->device.config.deadline = 5 * FAKE_TTL;
	fixture->device.answered = FAKE_NOW - 6 * FAKE_TTL;
	fixture_expect(fixture, "bus/state", "online\n");
	fixture->device.answered--;
	fixture_expect(fixture, "bus/state", "idle\n");
	for (unsigned i = 0; i < BUS_COUNTERS; i++)
		bus->counters[i] = i ? i : 12345678901234;
	fixture_expect(fixture, "bus/counters",
		       "requests 12345678901234\nreplies 1\nrefusals 2\ntimeouts 3\nlate_replies "
		       "4\nbroken_frames 5\n"
		       "unfit_frames 6\nforeign_requests 7\nfences 8\nopens 9\nbytes_sent "
		       "10\nbytes_received 11\n");
}

/* In a buffer too small by any number of bytes nothing is cut and nothing written behind it. */
static void test_small_buffers(void **state)
{
	struct fixture *fixture = *state;
	const struct freshness fresh = { .call = FAKE_NOW };
	static const char *const files[] = {
		"SOC",  "CELL",     "LCD3", "CAPA", "IDN", "bus/counters", "pack/error_text",
		"ERRL", "bus/state"
	};

	fixture_feed(fixture, 1);
	fixture->device.model = MODEL_UNKNOWN;
	fixture->device.log = "8,1;10:00:00;22.02.2025\n";
	fake_text(&fixture->device, "*IDN", "REC BMS 1Q VICTRON");
	fake_text(&fixture->device, "ERRL", "8,1;10:00:00;22.02.2025");
	for (size_t f = 0; f < ARRAY_SIZE(files); f++) {
		uint64_t ino = fixture_ino(fixture, files[f]);
		size_t whole = strlen(fixture_read(fixture, files[f]));

		for (size_t size = 0; size <= whole; size++) {
			ssize_t ret;

			memset(fixture->text, '#', sizeof(fixture->text));
			ret = tree_render(fixture->tree, ino, &fresh, fixture->text, size);
			assert_int_equal(ret, size < whole ? -ENOSPC : (ssize_t)whole);
			assert_int_equal(fixture->text[size], '#');
		}
	}
}

/* The longest array of the longest numbers. */
static void test_the_longest_text_fits(void **state)
{
	struct fixture *fixture = *state;
	double numbers[63];
	size_t lines = 0;

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		numbers[i] = -1.1754944e-38f;
	for (unsigned unit = 1; unit <= SAMPLE_UNIT_MAX; unit++)
		fake_numbers(&fixture->device, "CELL", (uint8_t)unit, 63, numbers);
	for (const char *at = fixture_read(fixture, "CELL"); *at; at++)
		lines += *at == '\n';
	assert_int_equal(lines, 63 * SAMPLE_UNIT_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_values),
		TEST(test_scalars_by_type),
		TEST(test_no_minus_zero),
		TEST(test_times_follow_the_current),
		TEST(test_errors_in_words),
		TEST(test_failures_pass),
		TEST(test_an_answer_without_a_value),
		TEST(test_each_sample_must_be_fresh),
		TEST(test_before_the_shape_is_known),
		TEST(test_several_units),
		TEST(test_the_log_is_shown_whole),
		TEST(test_bus_files),
		TEST(test_small_buffers),
		TEST(test_the_longest_text_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "test.h"
#include "tree/tree.h"

#define SUPPLY "class/power_supply/bms0/"
#define HWMON  "class/hwmon/hwmon0/"

static void feed(struct fixture *fixture, double current)
{
	struct device *device = &fixture->device;

	fixture_feed(fixture, current);
	fake_number(device, "CMIN", 2.8f);
	fake_number(device, "CMAX", 4.2f);
	fake_number(device, "CLOW", 2.95f);
	fake_number(device, "CHAR", 3.58f);
	fake_number(device, "TMAX", 55);
	fake_text(device, "*IDN", "REC BMS 1Q VICTRON");
}

static void feed_error(struct fixture *fixture, double number)
{
	const double error[] = { number != 0, 1, number, 0 };

	fake_forget(&fixture->device, "ERRO");
	fake_numbers(&fixture->device, "ERRO", 1, 4, error);
}

static void feed_main(struct fixture *fixture, double lowest, double current, double volts,
		      double soc)
{
	const double numbers[] = { lowest, 3.5, current, 18.5, volts, soc, 0.99 };

	fake_forget(&fixture->device, "LCD1");
	fake_numbers(&fixture->device, "LCD1", 1, 7, numbers);
}

static void test_values(void **state)
{
	struct fixture *fixture = *state;
	static const char *const cases[][2] = {
		{ SUPPLY "type", "Battery\n" },
		{ SUPPLY "scope", "System\n" },
		{ SUPPLY "present", "1\n" },
		{ SUPPLY "status", "Discharging\n" },
		{ SUPPLY "health", "Good\n" },
		{ SUPPLY "technology", "LiFe\n" },
		{ SUPPLY "capacity", "78\n" },
		{ SUPPLY "capacity_level", "Normal\n" },
		{ SUPPLY "voltage_now", "55487492\n" },
		{ SUPPLY "voltage_min", "39200000\n" },
		{ SUPPLY "voltage_max", "58800000\n" },
		{ SUPPLY "voltage_min_design", "41300000\n" },
		{ SUPPLY "voltage_max_design", "50120000\n" },
		{ SUPPLY "power_now", "-138718729\n" },
		{ SUPPLY "current_now", "-2500000\n" },
		{ SUPPLY "charge_now", "349449000\n" },
		{ SUPPLY "charge_full", "445365000\n" },
		{ SUPPLY "charge_full_design", "450000000\n" },
		{ SUPPLY "temp", "185\n" },
		{ SUPPLY "temp_max", "550\n" },
		{ SUPPLY "cycle_count", "103\n" },
		{ SUPPLY "time_to_empty_now", "503207\n" },
		{ SUPPLY "time_to_full_now", "EOPNOTSUPP" },
		{ SUPPLY "manufacturer", "REC\n" },
		{ SUPPLY "model_name", "REC BMS 1Q VICTRON\n" },
		{ HWMON "name", "bms0\n" },
		{ HWMON "in0_input", "55487\n" },
		{ HWMON "in0_label", "pack\n" },
		{ HWMON "in8_input", "3958\n" },
		{ HWMON "in8_label", "cell 8\n" },
		{ HWMON "temp1_input", "25894\n" },
		{ HWMON "temp1_label", "BMS\n" },
		{ HWMON "temp2_input", "26500\n" },
		{ HWMON "temp4_input", "27250\n" },
		{ HWMON "temp4_label", "sensor 3\n" },
		{ HWMON "curr1_input", "-2500\n" },
		{ HWMON "curr1_label", "pack\n" },
	};

	feed(fixture, -2.5);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		fixture_expect(fixture, cases[i][0], cases[i][1]);
}

static void test_status(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		double current, soc, error;
		const char *status;
	} cases[] = {
		{ -0.2, 1, 0, "Discharging\n" },
		{ -0.05, 1, 0, "Full\n" },
		{ 3, 1, 0, "Full\n" },
		{ 3, 0.5, 0, "Charging\n" },
		{ 0.05, 0.5, 0, "Not charging\n" },
		{ 0, 0.9994, 0, "Not charging\n" },
		{ 3, 0.5, 1, "Charging\n" },
		{ 3, 0.5, 12, "Unknown\n" },
	};

	feed(fixture, 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		feed_main(fixture, 3.4, cases[i].current, 48, cases[i].soc);
		feed_error(fixture, cases[i].error);
		fixture_expect(fixture, SUPPLY "status", cases[i].status);
	}
}

static void test_health(void **state)
{
	struct fixture *fixture = *state;
	static const char *const names[] = {
		"Good\n",
		"Over voltage\n",
		"Under voltage\n",
		"Cell imbalance\n",
		"Overheat\n",
		"Overheat\n",
		"Unspecified failure\n",
		"Cold\n",
		"Unspecified failure\n",
	};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		feed_error(fixture, i);
		fixture_expect(fixture, SUPPLY "health", names[i]);
	}
	feed_error(fixture, 200);
	fixture_expect(fixture, SUPPLY "health", "Unspecified failure\n");
}

static void test_level(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		double lowest, soc;
		const char *level;
	} cases[] = {
		{ 2.7, 1, "Critical\n" },
		{ 2.9, 0.5, "Low\n" },
		{ 3.3, 1, "Full\n" },
		{ 3.3, 0.05, "Normal\n" },
	};

	feed(fixture, 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		feed_main(fixture, cases[i].lowest, 0, 48, cases[i].soc);
		fixture_expect(fixture, SUPPLY "capacity_level", cases[i].level);
	}
}

static void test_capacity_is_a_percentage(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		double soc;
		const char *capacity;
	} cases[] = { { 1.02, "100\n" }, { -0.01, "0\n" }, { 0.994, "99\n" }, { 0.996, "100\n" } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		feed_main(fixture, 3.4, 0, 48, cases[i].soc);
		fixture_expect(fixture, SUPPLY "capacity", cases[i].capacity);
	}
}

/* Three units of 14 cells, of about 3.45 V: all in one string, side by side, or neither. */
static void test_strings_of_a_master(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		double volts;
		const char *limit;
	} cases[] = {
		{ 146, "117600000\n" },
		{ 48.5, "39200000\n" },
		{ 90, "EOPNOTSUPP" },
		{ 0, "EOPNOTSUPP" },
	};

	feed(fixture, 0);
	fake_shape(&fixture->device, 3, 14, 3);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		feed_main(fixture, 3.4, 0, cases[i].volts, 0.5);
		fixture_expect(fixture, SUPPLY "voltage_min", cases[i].limit);
	}
	fake_shape(&fixture->device, 0, 0, 0);
	fixture_expect(fixture, SUPPLY "voltage_min", "EOPNOTSUPP");
}

static int64_t micro(struct fixture *fixture, const char *path)
{
	return strtoll(fixture_read(fixture, path), NULL, 10);
}

/* Full with time_to_full_now 0, and charge_now that differs from charge_full. */
static void test_full_means_full_in_each_file(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		double soc, current;
		const char *status, *capacity;
		bool full;
	} cases[] = {
		{ 0.9994, 3, "Charging\n", "100\n", false },
		{ 0.9995, 3, "Full\n", "100\n", true },
		{ 0.9999, 0, "Full\n", "100\n", true },
		{ 1, 3, "Full\n", "100\n", true },
		{ 1.02, 3, "Full\n", "100\n", true },
		{ 1, -3, "Discharging\n", "100\n", true },
	};

	feed(fixture, 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t now, full;

		feed_main(fixture, 3.4, cases[i].current, 48, cases[i].soc);
		fixture_expect(fixture, SUPPLY "status", cases[i].status);
		fixture_expect(fixture, SUPPLY "capacity", cases[i].capacity);
		now = micro(fixture, SUPPLY "charge_now");
		full = micro(fixture, SUPPLY "charge_full");
		assert_true(now > 0 && (cases[i].full ? now == full : now < full));
		if (cases[i].full)
			fixture_expect(fixture, SUPPLY "time_to_full_now", "EOPNOTSUPP");
		else
			assert_true(micro(fixture, SUPPLY "time_to_full_now") > 0);
	}
}

/* charge_now above charge_full by rounding. */
static void test_rounding_contradicts_nothing(void **state)
{
	struct fixture *fixture = *state;

	feed(fixture, 0);
	for (int i = 0; i < 2000; i++) {
		double soh = (float)(0.5 + 0.5 * ((i * 7919) % 1000) / 999);
		double soc = (float)(((i * 104729) % 2000) / 1999.0);
		const double numbers[] = { 3.4, 3.5, 1, 18.5, 48, soc, soh };
		int64_t now, full, design;

		fake_forget(&fixture->device, "LCD1");
		fake_numbers(&fixture->device, "LCD1", 1, 7, numbers);
		fake_number(&fixture->device, "CAPA", (float)(0.1 + i * 1.0007));
		now = micro(fixture, SUPPLY "charge_now");
		full = micro(fixture, SUPPLY "charge_full");
		design = micro(fixture, SUPPLY "charge_full_design");
		assert_true(now >= 0 && now <= full && full <= design && design > 0);
	}
}

/* What is no current for one file is none for the others. */
static void test_times_agree_with_status(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		double current, error;
		const char *status, *empty, *full;
	} cases[] = {
		{ -0.11, 0, "Discharging\n", "11436514\n", "EOPNOTSUPP" },
		{ -0.1, 0, "Not charging\n", "EOPNOTSUPP", "EOPNOTSUPP" },
		{ 0, 0, "Not charging\n", "EOPNOTSUPP", "EOPNOTSUPP" },
		{ 0.1, 0, "Not charging\n", "EOPNOTSUPP", "EOPNOTSUPP" },
		{ 0.11, 1, "Charging\n", "EOPNOTSUPP", "3139068\n" },
		{ -50, 12, "Unknown\n", "EOPNOTSUPP", "EOPNOTSUPP" },
		{ 50, 12, "Unknown\n", "EOPNOTSUPP", "EOPNOTSUPP" },
	};

	feed(fixture, 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fake_main_data(&fixture->device, cases[i].current);
		feed_error(fixture, cases[i].error);
		fixture_expect(fixture, SUPPLY "status", cases[i].status);
		fixture_expect(fixture, SUPPLY "time_to_empty_now", cases[i].empty);
		fixture_expect(fixture, SUPPLY "time_to_full_now", cases[i].full);
	}
}

/* Readers have 32 bits. */
static void test_overflow(void **state)
{
	struct fixture *fixture = *state;

	feed(fixture, -2.5);
	fake_number(&fixture->device, "CAPA", 2147);
	fixture_expect(fixture, SUPPLY "charge_full_design", "2147000000\n");
	fake_number(&fixture->device, "CAPA", 2148);
	fixture_expect(fixture, SUPPLY "charge_full_design", "EOPNOTSUPP");
	fixture_expect(fixture, "pack/capacity", "2148.0\n");
	feed_main(fixture, 3.4, -44, 48, 0.5);
	fixture_expect(fixture, SUPPLY "power_now", "-2112000000\n");
	feed_main(fixture, 3.4, -45, 48, 0.5);
	fixture_expect(fixture, SUPPLY "power_now", "EOPNOTSUPP");
	fixture_expect(fixture, "pack/power", "-2160.0\n");
	feed_main(fixture, 3.4, -2200, 48, 0.5);
	fixture_expect(fixture, SUPPLY "current_now", "EOPNOTSUPP");
	fixture_expect(fixture, HWMON "curr1_input", "-2200000\n");
}

/* Whatever the reason, all that cannot be had is EOPNOTSUPP, and some always is there. */
static void test_away(void **state)
{
	struct fixture *fixture = *state;
	static const int errors[] = { 0, -ENODEV, -EIO, -ETIMEDOUT, -EOPNOTSUPP };
	static const char *const always[][2] = {
		{ "type", "Battery\n" },
		{ "scope", "System\n" },
		{ "present", "0\n" },
		{ "manufacturer", "REC\n" },
		{ "uevent", "POWER_SUPPLY_NAME=bms0\nPOWER_SUPPLY_TYPE=Battery\n"
			    "POWER_SUPPLY_SCOPE=System\nPOWER_SUPPLY_PRESENT=0\n"
			    "POWER_SUPPLY_MANUFACTURER=REC\n" },
	};
	uint64_t dir = fixture_ino(fixture, "class/power_supply/bms0");
	char path[64] = SUPPLY;
	unsigned refused;

	fixture->device.answered = 0;
	for (size_t e = 0; e < ARRAY_SIZE(errors); e++) {
		for (unsigned row = 0; row < fixture->device.table.rows; row++)
			fixture->device.error[row] = errors[e];
		refused = 0;
		for (size_t i = 0; i < ARRAY_SIZE(always); i++) {
			snprintf(path, sizeof(path), SUPPLY "%s", always[i][0]);
			fixture_expect(fixture, path, always[i][1]);
		}
		for (unsigned i = 0; tree_entry(fixture->tree, dir, i, path + strlen(SUPPLY)); i++)
			refused += !strcmp(fixture_read(fixture, path), "EOPNOTSUPP");
		assert_int_equal(refused, 21);
		fixture_expect(fixture, HWMON "in0_input", "EOPNOTSUPP");
		fixture_expect(fixture, HWMON "in3_input", "EOPNOTSUPP");
	}
}

static void test_uevent(void **state)
{
	struct fixture *fixture = *state;
	const char *text;

	feed(fixture, -2.5);
	fake_number(&fixture->device, "CAPA", 30);
	text = fixture_read(fixture, SUPPLY "uevent");
	assert_int_equal(strncmp(text, "POWER_SUPPLY_NAME=bms0\nPOWER_SUPPLY_TYPE=Battery\n", 49),
			 0);
	assert_non_null(strstr(text, "\nPOWER_SUPPLY_STATUS=Discharging\n"));
	assert_non_null(strstr(text, "\nPOWER_SUPPLY_CAPACITY_LEVEL=Normal\n"));
	assert_non_null(strstr(text, "\nPOWER_SUPPLY_CURRENT_NOW=-2500000\n"));
	assert_non_null(strstr(text, "\nPOWER_SUPPLY_CHARGE_FULL_DESIGN=30000000\n"));
	assert_non_null(strstr(text, "\nPOWER_SUPPLY_MODEL_NAME=REC BMS 1Q VICTRON\n"));
	assert_null(strstr(text, "TIME_TO_"));
	assert_null(strstr(text, "UEVENT"));
	feed(fixture, 2.5);
	assert_non_null(
		strstr(fixture_read(fixture, SUPPLY "uevent"), "\nPOWER_SUPPLY_TIME_TO_FULL_NOW="));
}

static bool uevent_has(struct fixture *fixture, const char *key)
{
	return strstr(fixture_read(fixture, SUPPLY "uevent"), key) != NULL;
}

/* 55.5 V: more than 38.7 Ah or A make an int of microwatts overflow. */
static void test_uevent_shows_power_as_a_whole(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		double current, capacity; /* 0: unknown */
		bool shown;
	} cases[] = {
		{ -2.5, 38, true },  { -38, 38, true },    { -39, 38, false }, { 39, 38, false },
		{ -2.5, 39, false }, { -2.5, 450, false }, { -2.5, 0, false },
	};

	feed(fixture, 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fake_main_data(&fixture->device, cases[i].current);
		fake_forget(&fixture->device, "CAPA");
		if (cases[i].capacity != 0)
			fake_number(&fixture->device, "CAPA", cases[i].capacity);
		assert_int_equal(uevent_has(fixture, "CURRENT_NOW="), cases[i].shown);
		assert_int_equal(uevent_has(fixture, "CHARGE_NOW="), cases[i].shown);
		assert_int_equal(uevent_has(fixture, "CHARGE_FULL="), cases[i].shown);
		assert_int_equal(uevent_has(fixture, "CHARGE_FULL_DESIGN="), cases[i].shown);
		assert_true(uevent_has(fixture, "\nPOWER_SUPPLY_CAPACITY=78\n"));
	}
	fake_number(&fixture->device, "CAPA", 39);
	fixture_expect(fixture, SUPPLY "charge_full_design", "39000000\n");
}

/* uevent shows all the others. */
static void test_needs(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *path;
		unsigned count;
	} cases[] = {
		{ SUPPLY "type", 0 },     { SUPPLY "capacity", 1 }, { SUPPLY "status", 2 },
		{ SUPPLY "present", 1 },  { SUPPLY "uevent", 12 },  { HWMON "in3_input", 1 },
		{ HWMON "in3_label", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct row_set needs;
		unsigned count = 0;

		tree_needs(fixture->tree, fixture_ino(fixture, cases[i].path), &needs);
		for (unsigned row = 0; row < INSTRUCTION_MAX; row++)
			count += row_set_has(&needs, row);
		assert_int_equal(count, cases[i].count);
	}
}

static void test_listing_is_of_the_model(void **state)
{
	struct fixture *fixture = *state;

	assert_false(fixture_lists(fixture, "class/power_supply/bms0", "serial_number"));
	assert_true(fixture_lists(fixture, "class/power_supply/bms0", "cycle_count"));
	fixture->device.model = model_find(&fixture->device.table, "abms");
	assert_true(fixture_lists(fixture, "class/power_supply/bms0", "serial_number"));
	fake_text(&fixture->device, "SERI", "1234");
	fixture_expect(fixture, SUPPLY "serial_number", "1234\n");
}

/* What a file shows with one of its samples gone stale, after all were fresh. */
static void check_freshness(struct fixture *fixture, uint64_t ino, const char *path,
			    unsigned *checked)
{
	const struct freshness fresh = { .call = FAKE_NOW };
	struct row_set needs;

	tree_needs(fixture->tree, ino, &needs);
	if (tree_render(fixture->tree, ino, &fresh, fixture->text, TREE_TEXT_MAX) < 0)
		return; /* not defined now */
	for (unsigned row = 0; row < fixture->device.table.rows; row++) {
		ssize_t size;

		if (!row_set_has(&needs, row))
			continue;
		fixture->device.asked[row] = FAKE_NOW - FAKE_TTL - 1;
		size = tree_render(fixture->tree, ino, &fresh, fixture->text, TREE_TEXT_MAX);
		fixture->device.asked[row] = FAKE_NOW;
		if (size >= 0)
			fail_msg("%s does not mind that %s is stale", path,
				 fixture->device.table.row[row].mnemonic);
		++*checked;
	}
}

static void walk_freshness(struct fixture *fixture, uint64_t dir, unsigned *checked)
{
	char name[TREE_NAME_MAX];
	struct tree_stat stat;
	uint64_t ino;

	for (unsigned i = 0; (ino = tree_entry(fixture->tree, dir, i, name)); i++) {
		assert_int_equal(tree_stat(fixture->tree, ino, &stat), 0);
		if (stat.kind == TREE_DIR)
			walk_freshness(fixture, ino, checked);
		else if (stat.kind == TREE_VALUE && strcmp(name, "present") != 0 &&
			 strcmp(name, "uevent") != 0 && strcmp(name, "online") != 0)
			/* The first two are never without an answer, the last is about any answer. */
			check_freshness(fixture, ino, name, checked);
	}
}

/* Every sample of every value, all over the tree, must be fresh. */
static void test_each_sample_must_be_fresh(void **state)
{
	struct fixture *fixture = *state;
	unsigned checked = 0;

	feed(fixture, -2.5);
	walk_freshness(fixture, TREE_ROOT, &checked);
	assert_true(checked > 100);
}

/* No line of uevent outlives what it is made of. */
/* Also while LCD1 cannot be had, and not because a value that grace keeps still can. */
static void present_is_what_pack_online_says(void **state)
{
	struct fixture *fixture = *state;

	feed(fixture, -2.5);
	fixture_expect(fixture, "pack/online", "1\n");
	fixture->device.error[fake_row(&fixture->device, "LCD1")] = -EIO;
	fixture_expect(fixture, "pack/online", "1\n");
	fixture_expect(fixture, SUPPLY "present", "1\n");
	assert_true(uevent_has(fixture, "\nPOWER_SUPPLY_PRESENT=1\n"));
	fixture->device.error[fake_row(&fixture->device, "LCD1")] = 0;
	fixture->device.answered = FAKE_NOW - FAKE_TTL - 1;
	fixture_expect(fixture, SUPPLY "capacity", "78\n");
	fixture_expect(fixture, "pack/online", "ETIMEDOUT");
	fixture_expect(fixture, SUPPLY "present", "0\n");
	assert_true(uevent_has(fixture, "\nPOWER_SUPPLY_PRESENT=0\n"));
}

static void test_uevent_is_fresh(void **state)
{
	struct fixture *fixture = *state;
	static const char *const cases[][2] = {
		{ "CMIN", "VOLTAGE_MIN=" }, { "CAPA", "CHARGE_NOW=" },
		{ "CHEM", "TECHNOLOGY=" },  { "ERRO", "STATUS=" },
		{ "ERRO", "HEALTH=" },      { "CYCL", "CYCLE_COUNT=" },
		{ "*IDN", "MODEL_NAME=" },  { "TMAX", "TEMP_MAX=" },
		{ "LCD1", "CAPACITY=" },    { "CLOW", "CAPACITY_LEVEL=" },
	};

	feed(fixture, -2.5);
	fake_number(&fixture->device, "CAPA", 30);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned row = fake_row(&fixture->device, cases[i][0]);

		assert_true(uevent_has(fixture, cases[i][1]));
		fixture->device.asked[row] = FAKE_NOW - FAKE_TTL - 1;
		assert_false(uevent_has(fixture, cases[i][1]));
		fixture->device.asked[row] = FAKE_NOW;
	}
}

static void test_cold(void **state)
{
	struct fixture *fixture = *state;
	const double numbers[] = { 3.4, 3.5, -2, -12.5, 48, 0.5, 0.99 };
	const double warm[] = { -0.0004, -12.5 };

	fake_numbers(&fixture->device, "LCD1", 1, 7, numbers);
	fake_numbers(&fixture->device, "PTEM", 1, 2, warm);
	fixture_expect(fixture, SUPPLY "temp", "-125\n");
	fixture_expect(fixture, HWMON "temp2_input", "0\n");
	fixture_expect(fixture, HWMON "temp3_input", "-12500\n");
	fixture_expect(fixture, "pack/temperature_max", "-12.5\n");
}

static void test_technology(void **state)
{
	struct fixture *fixture = *state;
	static const char *const names[] = { "Unknown\n", "Li-poly\n", "Li-poly\n", "LiFe\n",
					     "LiFe\n",    "LiMn\n",    "Unknown\n" };

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		fake_number(&fixture->device, "CHEM", i);
		fixture_expect(fixture, SUPPLY "technology", names[i]);
	}
}

static void test_only_these_are_patient(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *path;
		bool patient;
	} cases[] = {
		{ SUPPLY "status", true },
		{ SUPPLY "uevent", true },
		{ HWMON "in3_input", true },
		{ "SOC", false },
		{ "CMAX", false },
		{ "bus/state", false },
		{ "metrics/bmsfs.prom", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tree_stat stat;

		assert_int_equal(
			tree_stat(fixture->tree, fixture_ino(fixture, cases[i].path), &stat), 0);
		assert_int_equal(stat.patient, cases[i].patient);
	}
}

static void test_name(void **state)
{
	struct fixture *fixture = *state;
	struct fixture *other = calloc(1, sizeof(*other));

	assert_non_null(other);
	assert_int_equal(tree_new(&other->tree, &fixture->device, "house", 0), 0);
	assert_int_equal(fixture_ino(other, "class/power_supply/bms0"), 0);
	assert_true(fixture_lists(other, "class/power_supply", "house"));
	fixture_expect(other, "class/hwmon/hwmon0/name", "house\n");
	tree_free(other->tree);
	free(other);
}

/* Channels of hwmon count through the units. */
static void test_channels(void **state)
{
	struct fixture *fixture = *state;
	static const double first[] = { 3.1, 3.2 }, second[] = { 3.3, 3.4 };

	fake_shape(&fixture->device, 2, 2, 1);
	fake_numbers(&fixture->device, "CELL", 1, 2, first);
	fake_numbers(&fixture->device, "CELL", 2, 2, second);
	fixture_expect(fixture, HWMON "in3_input", "3300\n");
	fixture_expect(fixture, HWMON "in3_label", "unit 2 cell 1\n");
	fixture_expect(fixture, HWMON "temp3_label", "unit 2 sensor 1\n");
	assert_true(fixture_lists(fixture, "class/hwmon/hwmon0", "in4_input"));
	assert_false(fixture_lists(fixture, "class/hwmon/hwmon0", "in5_input"));
	assert_int_equal(fixture_ino(fixture, HWMON "in5_input"), 0);
	assert_int_equal(fixture_ino(fixture, HWMON "temp0_input"), 0);
	assert_int_equal(fixture_ino(fixture, HWMON "temp4_input"), 0);
	assert_true(fixture_ino(fixture, HWMON "temp1_input") != 0);
	fake_shape(&fixture->device, 0, 0, 0);
	assert_true(fixture_ino(fixture, HWMON "in240_input") != 0);
	assert_int_equal(fixture_ino(fixture, HWMON "in241_input"), 0);
	fixture_expect(fixture, HWMON "in7_label", "EOPNOTSUPP");
	assert_false(fixture_lists(fixture, "class/hwmon/hwmon0", "in1_input"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_values),
		TEST(test_status),
		TEST(test_health),
		TEST(test_level),
		TEST(test_capacity_is_a_percentage),
		TEST(test_strings_of_a_master),
		TEST(test_full_means_full_in_each_file),
		TEST(test_rounding_contradicts_nothing),
		TEST(test_times_agree_with_status),
		TEST(test_overflow),
		TEST(test_away),
		TEST(test_uevent),
		TEST(test_uevent_shows_power_as_a_whole),
		TEST(test_needs),
		TEST(test_listing_is_of_the_model),
		TEST(test_each_sample_must_be_fresh),
		TEST(present_is_what_pack_online_says),
		TEST(test_uevent_is_fresh),
		TEST(test_cold),
		TEST(test_technology),
		TEST(test_only_these_are_patient),
		TEST(test_name),
		TEST(test_channels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

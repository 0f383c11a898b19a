// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "fixture.h"
#include "test.h"
#include "tree/tree.h"

#define PATH "metrics/bmsfs.prom"

static bool has(struct fixture *fixture, const char *line)
{
	return strstr(fixture_read(fixture, PATH), line) != NULL;
}

static void test_lines(void **state)
{
	struct fixture *fixture = *state;
	static const char *const lines[] = {
		"# HELP bms_up Whether the BMS answers, as pack/online says.\n"
		"# TYPE bms_up gauge\nbms_up 1\n",
		"\nbms_info{model=\"1q\",identification=\"REC \\\"1Q\\\" \\\\\"} 1\n",
		"\n# TYPE bms_pack_voltage_volts gauge\nbms_pack_voltage_volts 55.487\n",
		"\nbms_pack_current_amperes -2.500\n",
		"\nbms_state_of_charge_ratio 0.7846\n",
		"\nbms_time_to_empty_seconds 503207\n",
		"\n# TYPE bms_cycles_total counter\nbms_cycles_total 103\n",
		"\nbms_error 0\n",
		"\nbms_error_info{name=\"none\"} 1\n",
		"\nbms_charge_state{state=\"Discharging\"} 1\n",
		"\nbms_sample_age_seconds{instruction=\"LCD1\"} 0.000\n",
		"\nbms_sample_error{instruction=\"CMAX\",error=\"ETIMEDOUT\"} 1\n",
		"\nbmsfs_build_info{version=\"" BMSFS_VERSION "\"} 1\n",
		"\nbms_cell_voltage_volts{unit=\"1\",cell=\"3\"} 3.9666\n",
		"\nbms_cell_resistance_ohms{unit=\"1\",cell=\"2\"} 0.0001108\n",
		"\nbms_sensor_temperature_celsius{unit=\"1\",sensor=\"3\"} 27.3\n",
		"\nbms_board_temperature_celsius{unit=\"1\"} 25.9\n",
		"\nbms_setting_capa_amperehours 450\n",
		"\nbms_setting_chem 3\n",
		"\n# TYPE bmsfs_requests_total counter\nbmsfs_requests_total 7\n",
	};

	fixture_feed(fixture, -2.5);
	fake_text(&fixture->device, "*IDN", "REC \"1Q\" \\");
	fixture->device.bus.counters[BUS_REQUESTS] = 7;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (!has(fixture, lines[i]))
			fail_msg("no %s in:\n%s", lines[i], fixture->text);
}

/* What a user's own file adds: whatever is a number, once. */
static void test_own_instructions(void **state)
{
	static const char own[] =
		"[XPOW]\nname = a \\ b; c\ncategory = own\ntype = float\nunit = W\n"
		"[XSET]\nname = set\ncategory = own\ntype = int\naccess = rw\n"
		"[XARR]\nname = array\ncategory = own\ntype = float\nheader = units\n"
		"fields = v:f32:mV ...\n"
		"[XFLD]\nname = fields\ncategory = own\ntype = int\nheader = bytes\n"
		"fields = low:u8:V high:u8\n"
		"[XTXT]\nname = text\ncategory = own\ntype = text\n";
	static const char expected[] =
		"# HELP bms_reading_xpow_watts a \\\\ b; c\n# TYPE bms_reading_xpow_watts gauge\n"
		"bms_reading_xpow_watts 12.5\n"
		"# HELP bms_setting_xset set\n# TYPE bms_setting_xset gauge\n"
		"bms_setting_xset 7\n"
		"# HELP bms_reading_xarr array\n# TYPE bms_reading_xarr gauge\n"
		"bms_reading_xarr{unit=\"1\",number=\"1\"} 1.5\n"
		"bms_reading_xarr{unit=\"1\",number=\"2\"} 2\n"
		"bms_reading_xarr{unit=\"2\",number=\"1\"} 3\n"
		"# HELP bms_reading_xfld_low_volts fields\n"
		"# TYPE bms_reading_xfld_low_volts gauge\n"
		"bms_reading_xfld_low_volts 4\n"
		"# HELP bms_reading_xfld_high fields\n# TYPE bms_reading_xfld_high gauge\n"
		"bms_reading_xfld_high 5\n"
		"# HELP bms_sample_age_seconds ";
	struct fixture *fixture = *state;

	fixture_add_rows(fixture, own);
	fake_main_data(&fixture->device, 1);
	fake_number(&fixture->device, "XPOW", 12.5);
	fake_number(&fixture->device, "XSET", 7);
	fake_numbers(&fixture->device, "XARR", 1, 2, (const double[]){ 1.5, 2 });
	fake_numbers(&fixture->device, "XARR", 2, 1, (const double[]){ 3 });
	fake_numbers(&fixture->device, "XFLD", 1, 2, (const double[]){ 4, 5 });
	fake_text(&fixture->device, "XTXT", "no number");
	if (!has(fixture, expected))
		fail_msg("%s", fixture->text);
	/* What pack/ shows is there under that name alone. */
	fixture_feed(fixture, -2.5);
	assert_false(has(fixture, "bms_reading_lcd1"));
	fake_number(&fixture->device, "REFC", 5);
	assert_true(has(fixture, "\nbms_reading_refc_volts 5\n"));
}

/* What is not known has no line, and no head either. */
static void test_unknown(void **state)
{
	struct fixture *fixture = *state;

	fixture_feed(fixture, -2.5);
	assert_false(has(fixture, "bms_time_to_full_seconds"));
	assert_false(has(fixture, "bms_setting_cmax"));
	assert_false(has(fixture, "cell=\"15\""));
}

static void test_away(void **state)
{
	struct fixture *fixture = *state;
	const char *text;

	fixture_feed(fixture, -2.5);
	for (unsigned row = 0; row < fixture->device.table.rows; row++)
		fixture->device.error[row] = -ENODEV;
	fixture->device.model = MODEL_UNKNOWN;
	fixture->device.bus.state = BUS_ABSENT;
	text = fixture_read(fixture, PATH);
	assert_non_null(strstr(text, "\nbms_up 0\n# HELP bms_sample_error "));
	assert_non_null(
		strstr(text, "\nbms_sample_error{instruction=\"LCD1\",error=\"ENODEV\"} 1\n"));
	assert_null(strstr(text, "bms_info"));
	assert_null(strstr(text, "bms_sample_age_seconds"));
}

/* LCD1 comes longer than expected, and all else is as it should be. */
static void one_instruction_that_fails_takes_its_own_values_only(void **state)
{
	struct fixture *fixture = *state;

	fixture_feed(fixture, -2.5);
	fixture->device.error[fake_row(&fixture->device, "LCD1")] = -EIO;
	assert_true(has(fixture, "\nbms_up 1\n"));
	assert_true(has(fixture, "\nbms_cell_voltage_volts{unit=\"1\",cell=\"3\"} 3.9666\n"));
	assert_true(has(fixture, "\nbms_setting_capa_amperehours 450\n"));
	assert_true(has(fixture, "\nbms_sample_age_seconds{instruction=\"CELL\"} 0.000\n"));
	assert_true(has(fixture, "\nbms_sample_error{instruction=\"LCD1\",error=\"EIO\"} 1\n"));
	assert_false(has(fixture, "bms_pack_voltage_volts"));
}

/* As with grace: the samples are old and still served, and the BMS has answered nothing since. */
static void values_kept_after_a_failure_show_their_age_and_bms_up_is_0(void **state)
{
	struct fixture *fixture = *state;

	fixture_feed(fixture, -2.5);
	fixture->device.asked[fake_row(&fixture->device, "LCD1")] = FAKE_NOW - FAKE_TTL / 2;
	fixture->device.answered = FAKE_NOW - FAKE_TTL - 1;
	assert_true(has(fixture, "\nbms_up 0\n"));
	assert_true(has(fixture, "\nbms_pack_voltage_volts 55.487\n"));
	assert_true(has(fixture, "\nbms_sample_age_seconds{instruction=\"LCD1\"} 0.500\n"));
}

/* A text of the wire is a label whatever it holds, and so is the error that no manual names. */
static void labels_bear_any_text(void **state)
{
	struct fixture *fixture = *state;
	static const double error[] = { 1, 1, 99, 2 };

	fixture_feed(fixture, -2.5);
	fake_text(&fixture->device, "*IDN", "a\"b\\c\nd\xe4 \xc3\xa4");
	fake_forget(&fixture->device, "ERRO");
	fake_numbers(&fixture->device, "ERRO", 1, 4, error);
	assert_true(has(fixture, "identification=\"a\\\"b\\\\c?d? \xc3\xa4\"} 1\n"));
	assert_true(has(fixture, "\nbms_error_info{name=\"unknown\"} 1\n"));
}

/* Each family once and in one piece, whatever there is of it. */
static void test_families_of_a_master(void **state)
{
	struct fixture *fixture = *state;
	static const double cells[] = { 3.1, 3.2 };
	const char *at;

	fake_main_data(&fixture->device, 1);
	fake_shape(&fixture->device, 2, 2, 0);
	fake_numbers(&fixture->device, "CELL", 1, 2, cells);
	fake_numbers(&fixture->device, "CELL", 2, 2, cells);
	assert_true(has(fixture, "# TYPE bms_cell_voltage_volts gauge\n"
				 "bms_cell_voltage_volts{unit=\"1\",cell=\"1\"} 3.1000\n"
				 "bms_cell_voltage_volts{unit=\"1\",cell=\"2\"} 3.2000\n"
				 "bms_cell_voltage_volts{unit=\"2\",cell=\"1\"} 3.1000\n"
				 "bms_cell_voltage_volts{unit=\"2\",cell=\"2\"} 3.2000\n# "));
	at = strstr(fixture->text, "# TYPE bms_cell_voltage_volts");
	assert_null(strstr(at + 1, "# TYPE bms_cell_voltage_volts"));
}

static void test_needs(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *row;
		bool needed;
	} cases[] = {
		{ "LCD1", true },  { "CELL", true },  { "CMAX", true },  { "*IDN", true },
		{ "ERRL", false }, { "ERLD", false }, { "TIME", false }, { "REFC", true },
	};
	struct row_set needs;

	tree_needs(fixture->tree, fixture_ino(fixture, PATH), &needs);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(row_set_has(&needs, fake_row(&fixture->device, cases[i].row)),
				 cases[i].needed);
}

static void test_stat_tells_of_the_last(void **state)
{
	struct fixture *fixture = *state;
	uint64_t ino = fixture_ino(fixture, PATH);
	struct tree_stat stat;
	size_t size;

	assert_int_equal(tree_stat(fixture->tree, ino, &stat), 0);
	assert_int_equal(stat.kind, TREE_LONG);
	assert_int_equal(stat.mode, S_IFREG | 0444);
	assert_int_equal(stat.size, 0);
	assert_int_equal(stat.sampled, 0);
	size = strlen(fixture_read(fixture, PATH));
	assert_int_equal(tree_stat(fixture->tree, ino, &stat), 0);
	assert_int_equal(stat.size, size);
	assert_int_equal(stat.sampled, FAKE_NOW);
	assert_true(stat.timed);
}

static void test_too_small_a_room(void **state)
{
	struct fixture *fixture = *state;
	const struct freshness fresh = { .call = FAKE_NOW };
	ssize_t size;

	fixture_feed(fixture, -2.5);
	size = (ssize_t)strlen(fixture_read(fixture, PATH));
	for (ssize_t room = 0; room < size; room += 7)
		assert_int_equal(tree_render(fixture->tree, fixture_ino(fixture, PATH), &fresh,
					     fixture->text, (size_t)room),
				 -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lines),
		TEST(test_own_instructions),
		TEST(test_unknown),
		TEST(test_away),
		TEST(one_instruction_that_fails_takes_its_own_values_only),
		TEST(values_kept_after_a_failure_show_their_age_and_bms_up_is_0),
		TEST(labels_bear_any_text),
		TEST(test_families_of_a_master),
		TEST(test_needs),
		TEST(test_stat_tells_of_the_last),
		TEST(test_too_small_a_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

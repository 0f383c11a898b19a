// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <string.h>

#include "fixture.h"
#include "test.h"
#include "tree/tree.h"

#define PATH "snapshot.json"

static bool has(struct fixture *fixture, const char *line)
{
	return strstr(fixture_read(fixture, PATH), line) != NULL;
}

static void test_lines(void **state)
{
	struct fixture *fixture = *state;
	static const char *const lines[] = {
		"{\n\t\"name\": \"bms0\",\n\t\"model\": \"1q\",\n\t\"link\": {\n",
		"\n\t\t\"state\": \"online\",\n\t\t\"last_error\": null,\n",
		"\n\t\t\"IDN\": {\"value\": \"REC \\\"1Q\\\"\", \"age\": 0.000}",
		"\n\t\t\"CAPA\": {\"value\": 450, \"unit\": \"Ah\", \"age\": 0.250}",
		"\n\t\t\"LCD1\": {\"value\": {\"cell_voltage_min\": 3.9607, ",
		"\n\t\t\"PTEM\": {\"value\": [26.5, 26, 27.25], \"unit\": \"degC\", ",
		"\n\t\t\"BTEM\": {\"value\": [25.89443], \"unit\": \"degC\", ",
		"\n\t\t\"voltage\": {\"value\": 55.487, \"unit\": \"V\", \"age\": 0.000}",
		"\n\t\t\"remaining\": {\"value\": 349.4, \"unit\": \"Ah\", \"age\": 0.250}",
		"\n\t\t\"chemistry\": {\"value\": \"LiFePO4 Winston, Thunder-Sky, GWL\", ",
		"\n\t\t\t\t\"8\": {\n\t\t\t\t\t\"voltage\": {\"value\": 3.9577, \"unit\": \"V\", ",
		"\n\t\t\"CMAX\": \"ETIMEDOUT\"",
		"\n\t\t\"pack/time_to_full\": \"ENODATA\"",
		"\n\t\t\"units/1/cells/14/resistance\": \"ENODEV\"\n\t}\n}\n",
	};

	fixture_feed(fixture, -2.5);
	fake_text(&fixture->device, "*IDN", "REC \"1Q\"");
	fixture->device.asked[fake_row(&fixture->device, "CAPA")] = FAKE_NOW - 250000000;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (!has(fixture, lines[i]))
			fail_msg("no %s in:\n%s", lines[i], fixture->text);
}

static void test_away(void **state)
{
	struct fixture *fixture = *state;
	struct last_error last_error = { 0 };
	const char *text;

	fixture_feed(fixture, -2.5);
	for (unsigned row = 0; row < fixture->device.table.rows; row++)
		fixture->device.error[row] = -ENODEV;
	fixture->device.bus.state = BUS_ABSENT;
	fixture->device.model = MODEL_UNKNOWN;
	fake_shape(&fixture->device, 0, 0, 0);
	last_error_record(&last_error, 1, ACCESS_READ, -ENODEV, FAKE_NOW, "", "\"x\" is gone");
	tree_set_last_error(fixture->tree, &last_error);
	text = fixture_read(fixture, PATH);
	assert_null(strstr(text, "\"value\""));
	assert_non_null(strstr(text, "\"last_error\": \"\\\"x\\\" is gone (0 s ago)\""));
	assert_non_null(strstr(text, "\"model\": null"));
	assert_non_null(strstr(text, "\t\"instructions\": {},\n\t\"pack\": {},\n"
				     "\t\"units\": {},\n\t\"failed\": {\n"));
	assert_non_null(strstr(text, "\"pack/online\": \"ENODEV\""));
}

/* Nothing is taken out of the BMS, and nothing asked that the model lacks. */
static void test_needs(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *model, *row;
		bool needed;
	} cases[] = {
		{ "1q", "LCD1", true },    { "1q", "TIME", false },  { "abms", "TIME", true },
		{ "abms", "ERRL", false }, { "abms", "*IDN", true }, { "1q", "CMAX", true },
	};
	struct row_set needs;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fixture->device.model = model_find(&fixture->device.table, cases[i].model);
		tree_needs(fixture->tree, fixture_ino(fixture, PATH), &needs);
		assert_int_equal(row_set_has(&needs, fake_row(&fixture->device, cases[i].row)),
				 cases[i].needed);
	}
	assert_false(has(fixture, "\"ERRL\""));
}

/* The largest there can be: 15 units of 16 cells and 8 sensors. */
static void test_largest(void **state)
{
	struct fixture *fixture = *state;
	double numbers[16];

	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
		numbers[i] = 3.12345678f;
	for (uint8_t unit = 1; unit <= 15; unit++) {
		fake_numbers(&fixture->device, "CELL", unit, 16, numbers);
		fake_numbers(&fixture->device, "RINT", unit, 16, numbers);
		fake_numbers(&fixture->device, "PTEM", unit, 8, numbers);
	}
	fake_shape(&fixture->device, 15, 16, 8);
	assert_true(has(fixture, "\n\t\t\t\t\"16\": {"));
	assert_true(strlen(fixture->text) < TREE_TEXT_MAX / 4);
	assert_true(strlen(fixture_read(fixture, "metrics/bmsfs.prom")) < TREE_TEXT_MAX / 4);
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
		TEST(test_away),
		TEST(test_needs),
		TEST(test_largest),
		TEST(test_too_small_a_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

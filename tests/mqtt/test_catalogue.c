// SPDX-License-Identifier: LGPL-3.0-or-later
#include "mqtt/state.h"
#include "mqtt_test.h"

struct fixture {
	json_t *snapshot, *attributes, *catalogue;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->snapshot = parse(small_snapshot);
	fixture->attributes = parse(small_attributes);
	fixture->catalogue =
		catalogue_make(fixture->snapshot, NULL, true, describe, fixture->attributes);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	json_decref(fixture->snapshot);
	json_decref(fixture->attributes);
	json_decref(fixture->catalogue);
	free(fixture);
	return 0;
}

static json_t *again(struct fixture *fixture, bool describe_again)
{
	return catalogue_make(fixture->snapshot, fixture->catalogue, describe_again, describe,
			      fixture->attributes);
}

static void test_what_is_in_it(void **state)
{
	static const char *const in[] = {
		"pack/soc",
		"pack/error",
		"pack/error_text",
		"pack/time_to_full",
		"units/1/temperature",
		"units/1/cells/1/voltage",
		"units/1/cells/2/resistance",
		"units/1/sensors/1/temperature",
		"CMAX",
		"TIME",
		"HUMI",
		"FANS",
		"PAIR",
	};
	static const char *const out[] = {
		"IDN",
		"SWVR",
		"CELL",
		"pack/online",
		"units/1/address",
		"BVOL",
		"units/1/sensors/2/temperature",
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(in); i++)
		if (!json_object_get(fixture->catalogue, in[i]))
			fail_msg("%s is missing", in[i]);
	for (size_t i = 0; i < ARRAY_SIZE(out); i++)
		if (json_object_get(fixture->catalogue, out[i]))
			fail_msg("%s should not be there", out[i]);
}

static void test_entries(void **state)
{
	static const struct {
		const char *path, *id, *label, *slug, *group;
		int key;
	} cases[] = {
		{ "pack/soc", "soc", "State of charge", "soc", "", -1 },
		{ "CMAX", "CMAX", "Cell over-voltage switch-off", "cmax", "settings", -1 },
		{ "HUMI", "HUMI", "Humidity", "humi", "instructions", -1 },
		{ "units/1/cells/2/voltage", "units_1_cells_2_voltage", "Cell voltage 2",
		  "cell_voltage_2", "cells", 1 },
		{ "units/1/sensors/1/temperature", "units_1_sensors_1_temperature", "Temperature 1",
		  "temperature_1", "temperatures", 0 },
		{ "units/1/temperature", "units_1_temperature", "Temperature", "temperature",
		  "board_temperatures", 0 },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const json_t *entry = json_object_get(fixture->catalogue, cases[i].path);
		const json_t *key = json_object_get(entry, "key");

		assert_string_equal(catalogue_text(entry, "id"), cases[i].id);
		assert_string_equal(catalogue_text(entry, "label"), cases[i].label);
		assert_string_equal(catalogue_text(entry, "slug"), cases[i].slug);
		assert_string_equal(catalogue_text(entry, "group"), cases[i].group);
		if (cases[i].key < 0)
			assert_true(json_is_string(key));
		else
			assert_int_equal(json_integer_value(key), cases[i].key);
	}
}

static void test_several_units_are_told_apart(void **state)
{
	struct fixture *fixture = *state;
	json_t *units = json_object_get(fixture->snapshot, "units"), *made;
	const json_t *entry;

	json_object_set_new(units, "2", json_deep_copy(json_object_get(units, "1")));
	made = again(fixture, true);
	entry = json_object_get(made, "units/2/cells/1/voltage");
	assert_string_equal(catalogue_text(entry, "label"), "Unit 2 cell voltage 1");
	assert_int_equal(json_integer_value(json_object_get(entry, "key")), 2);
	json_decref(made);
}

static void a_pack_of_one_unit_has_no_unit_numbers(void **state)
{
	struct fixture *fixture = *state;
	json_t *pack = json_object_get(fixture->snapshot, "pack"), *made;
	json_t *units = json_object_get(fixture->snapshot, "units");

	json_object_set_new(pack, "cell_min_unit", parse("{'value': 1}"));
	json_object_set_new(fixture->attributes, "pack/cell_min_unit",
			    parse("{'name': 'unit of that cell', 'type': 'int'}"));
	made = again(fixture, true);
	assert_null(json_object_get(made, "pack/cell_min_unit"));
	json_decref(made);
	json_object_set_new(units, "2", json_deep_copy(json_object_get(units, "1")));
	made = again(fixture, true);
	assert_non_null(json_object_get(made, "pack/cell_min_unit"));
	json_decref(fixture->catalogue);
	fixture->catalogue = made;
	json_object_del(units, "2");
	made = again(fixture, true);
	assert_non_null(json_object_get(made, "pack/cell_min_unit"));
	json_decref(made);
}

/* A template takes PAIR apart, whatever names its numbers have. */
static void numbers_that_cannot_be_read_are_null_one_by_one(void **state)
{
	struct fixture *fixture = *state;
	json_t *failed = json_object_get(fixture->snapshot, "failed"), *made, *values, *wanted;
	json_t *instructions = json_object_get(fixture->snapshot, "instructions");

	json_object_del(instructions, "PAIR");
	json_object_set_new(failed, "PAIR", json_string("EIO"));
	json_object_del(instructions, "FANS");
	json_object_set_new(failed, "FANS", json_string("EIO"));
	made = again(fixture, false);
	values = state_make(made, fixture->snapshot);
	wanted = parse("{'HUMI': 41, 'PAIR': {'left': null, 'right': null}, 'FANS': [null, null]}");
	assert_true(json_equal(json_object_get(values, "instructions"), wanted));
	json_decref(wanted);
	json_decref(values);
	json_decref(made);
}

/* Home Assistant may still have templates of entities that this state knows nothing of. */
static void a_state_has_all_its_groups(void **state)
{
	json_t *nothing = json_object(), *values = state_make(nothing, nothing);
	json_t *wanted = parse("{'cells': [], 'resistances': [], 'temperatures': [],"
			       " 'board_temperatures': [], 'settings': {}, 'instructions': {},"
			       " 'problem': null}");

	(void)state;
	assert_true(json_equal(values, wanted));
	json_decref(wanted);
	json_decref(values);
	json_decref(nothing);
}

static void test_settable(void **state)
{
	struct fixture *fixture = *state;

	assert_true(catalogue_is_settable(json_object_get(fixture->catalogue, "CMAX")));
	assert_false(catalogue_is_settable(json_object_get(fixture->catalogue, "TIME")));
	assert_false(catalogue_is_settable(json_object_get(fixture->catalogue, "HUMI")));
	assert_false(catalogue_is_settable(NULL));
}

static void test_elements(void **state)
{
	struct fixture *fixture = *state;
	json_t *fans = parse("[0, 1]"), *pair = parse("['left', 'right']");

	assert_true(json_equal(
		json_object_get(json_object_get(fixture->catalogue, "FANS"), "elements"), fans));
	assert_true(json_equal(
		json_object_get(json_object_get(fixture->catalogue, "PAIR"), "elements"), pair));
	json_decref(fans);
	json_decref(pair);
}

/* A reply is lost: what was there stays, and its values are null. */
static void test_a_failure_takes_nothing_away(void **state)
{
	struct fixture *fixture = *state;
	json_t *failed = json_object_get(fixture->snapshot, "failed"), *made, *values;
	json_t *instructions = json_object_get(fixture->snapshot, "instructions");

	json_object_del(json_object_get(fixture->snapshot, "pack"), "soc");
	json_object_set_new(failed, "pack/soc", json_string("ETIMEDOUT"));
	json_object_del(instructions, "FANS");
	json_object_set_new(failed, "FANS", json_string("EIO"));
	for (int describe_again = 0; describe_again < 2; describe_again++) {
		made = again(fixture, describe_again);
		assert_int_equal(json_object_size(made), json_object_size(fixture->catalogue));
		assert_int_equal(
			json_array_size(json_object_get(json_object_get(made, "FANS"), "elements")),
			2);
		values = state_make(made, fixture->snapshot);
		assert_true(json_is_null(json_object_get(values, "soc")));
		json_decref(values);
		json_decref(made);
	}
}

static void test_what_is_gone_is_gone(void **state)
{
	struct fixture *fixture = *state;
	json_t *made;

	json_object_del(json_object_get(fixture->snapshot, "instructions"), "HUMI");
	made = again(fixture, false);
	assert_null(json_object_get(made, "HUMI"));
	json_decref(made);
}

static void test_attributes_are_read_once(void **state)
{
	struct fixture *fixture = *state;
	json_t *calls = json_incref(json_object_get(fixture->attributes, "calls")), *made;

	made = again(fixture, false);
	assert_true(json_equal(made, fixture->catalogue));
	/* But of what tells who the device is, and is in no catalogue. */
	assert_int_equal(json_integer_value(json_object_get(fixture->attributes, "calls")) -
				 json_integer_value(calls),
			 4);
	json_decref(calls);
	json_decref(made);
}

static void test_state(void **state)
{
	struct fixture *fixture = *state;
	json_t *values = state_make(fixture->catalogue, fixture->snapshot);
	json_t *wanted =
		parse("{'soc': 78.47, 'error': 0, 'error_text': 'none', 'time_to_full': null,"
		      " 'board_temperatures': [25.0], 'cells': [3.3461, 3.3402],"
		      " 'resistances': [0.0002, 0.0003], 'temperatures': [19.5],"
		      " 'settings': {'CMAX': 3.85, 'TIME': '12:00:00'},"
		      " 'instructions': {'HUMI': 41, 'FANS': [900, 950], 'PAIR': {'left': 1, "
		      "'right': 2}},"
		      " 'problem': false}");

	assert_true(json_equal(values, wanted));
	json_decref(values);
	json_decref(wanted);
}

static void test_problem(void **state)
{
	struct fixture *fixture = *state;
	json_t *pack = json_object_get(fixture->snapshot, "pack"), *values;

	json_object_set_new(pack, "error", parse("{'value': 4}"));
	values = state_make(fixture->catalogue, fixture->snapshot);
	assert_true(json_is_true(json_object_get(values, "problem")));
	json_decref(values);
	json_object_del(pack, "error");
	values = state_make(fixture->catalogue, fixture->snapshot);
	assert_true(json_is_null(json_object_get(values, "problem")));
	json_decref(values);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_is_in_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_entries, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_several_units_are_told_apart, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_pack_of_one_unit_has_no_unit_numbers, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(numbers_that_cannot_be_read_are_null_one_by_one,
						set_up, tear_down),
		cmocka_unit_test(a_state_has_all_its_groups),
		cmocka_unit_test_setup_teardown(test_settable, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_elements, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_failure_takes_nothing_away, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_gone_is_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_attributes_are_read_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_state, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_problem, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include "mqtt/discovery.h"
#include "mqtt_test.h"

/* A step into the state, and a template; \u0027 is a single quote, which parse() would replace. */
#define KEY(name)      "[\\u0027" name "\\u0027]"
#define TEMPLATE(path) "'value_template': '{{ value_json" path " | default(none) }}'"

struct fixture {
	struct mqtt_config config;
	json_t *snapshot, *attributes, *catalogue;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	char reason[128];

	config_init(&fixture->config);
	assert_int_equal(config_set(&fixture->config, "title", "House bank", reason, 128), 0);
	assert_int_equal(config_finish(&fixture->config, "/mnt/My-Bank", reason, 128), 0);
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

static json_t *make(const struct fixture *fixture, const json_t *old)
{
	return discovery_make(&fixture->config, fixture->catalogue, fixture->snapshot, old);
}

static void check(const json_t *message, const char *key, const char *wanted_text)
{
	json_t *wanted = parse(wanted_text);
	json_t *found = json_object_get(json_object_get(message, "components"), key);
	char *text = json_dumps(found, JSON_ENCODE_ANY);

	if (!json_equal(found, wanted))
		fail_msg("%s is %s", key, text);
	free(text);
	json_decref(wanted);
}

static void test_device(void **state)
{
	struct fixture *fixture = *state;
	json_t *message = make(fixture, NULL);
	json_t *wanted =
		parse("{'device': {'identifiers': ['bmsfs_My-Bank'], 'name': 'House bank',"
		      " 'manufacturer': 'REC', 'model': 'REC BMS 1Q', 'sw_version': '2.9'},"
		      " 'origin': {'name': 'bmsfs-mqtt', 'sw_version': '" BMSFS_VERSION "'},"
		      " 'availability': [{'topic': 'bmsfs/My-Bank/daemon'},"
		      " {'topic': 'bmsfs/My-Bank/link'}], 'availability_mode': 'all',"
		      " 'state_topic': 'bmsfs/My-Bank/state'}");

	json_object_del(message, "components");
	assert_true(json_equal(message, wanted));
	json_decref(wanted);
	json_decref(message);
}

static void test_sensors(void **state)
{
	struct fixture *fixture = *state;
	json_t *message = make(fixture, NULL);

	check(message, "soc",
	      "{'platform': 'sensor', 'unique_id': 'bmsfs_My-Bank_soc',"
	      " 'default_entity_id': 'sensor.my_bank_soc', 'name': 'State of charge',"
	      " 'unit_of_measurement': '%', " TEMPLATE(
		      KEY("soc")) ","
				  " 'expire_after': 30, 'suggested_display_precision': 1,"
				  " 'state_class': 'measurement', 'device_class': 'battery'}");
	check(message, "units_1_cells_2_voltage",
	      "{'platform': 'sensor', 'unique_id': 'bmsfs_My-Bank_units_1_cells_2_voltage',"
	      " 'default_entity_id': 'sensor.my_bank_cell_voltage_2', 'name': 'Cell voltage 2',"
	      " 'unit_of_measurement': 'V', " TEMPLATE(KEY(
		      "cells") "[1]") ","
				      " 'expire_after': 30, 'suggested_display_precision': 3,"
				      " 'state_class': 'measurement', 'device_class': 'voltage'}");
	check(message, "error_text",
	      "{'platform': 'sensor', 'unique_id': 'bmsfs_My-Bank_error_text',"
	      " 'default_entity_id': 'sensor.my_bank_error_text',"
	      " 'name': 'Present error in words', " TEMPLATE(
		      KEY("error_text")) ","
					 " 'expire_after': 30}");
	check(message, "HUMI",
	      "{'platform': 'sensor', 'unique_id': 'bmsfs_My-Bank_HUMI',"
	      " 'default_entity_id': 'sensor.my_bank_humi', 'name': 'Humidity',"
	      " 'unit_of_measurement': '%', " TEMPLATE(KEY("instructions") KEY(
		      "HUMI")) ", 'enabled_by_default': false,"
			       " 'expire_after': 30, 'entity_category': 'diagnostic',"
			       " 'state_class': 'measurement'}");
	check(message, "FANS_2",
	      "{'platform': 'sensor', 'unique_id': 'bmsfs_My-Bank_FANS_2',"
	      " 'default_entity_id': 'sensor.my_bank_fans_2', 'name': 'Fan speeds 2',"
	      " " TEMPLATE(KEY("instructions") KEY(
		      "FANS") "[1]") ", 'enabled_by_default': false,"
				     " 'expire_after': 30, 'entity_category': 'diagnostic'}");
	check(message, "PAIR_left",
	      "{'platform': 'sensor', 'unique_id': 'bmsfs_My-Bank_PAIR_left',"
	      " 'default_entity_id': 'sensor.my_bank_pair_left', 'name': 'Pair left',"
	      " " TEMPLATE(KEY("instructions") KEY("PAIR") KEY(
		      "left")) ", 'enabled_by_default': false,"
			       " 'expire_after': 30, 'entity_category': 'diagnostic'}");
	json_decref(message);
}

static void test_binary_sensors(void **state)
{
	struct fixture *fixture = *state;
	json_t *message = make(fixture, NULL);

	check(message, "problem",
	      "{'platform': 'binary_sensor', 'unique_id': 'bmsfs_My-Bank_problem',"
	      " 'default_entity_id': 'binary_sensor.my_bank_problem', 'name': 'Problem',"
	      " " TEMPLATE(KEY("problem")) ", 'device_class': 'problem',"
					   " 'expire_after': 30, 'payload_on': 'True', "
					   "'payload_off': 'False'}");
	check(message, "connectivity",
	      "{'platform': 'binary_sensor', 'unique_id': 'bmsfs_My-Bank_connectivity',"
	      " 'default_entity_id': 'binary_sensor.my_bank_connectivity',"
	      " 'name': 'Link to the BMS', 'device_class': 'connectivity',"
	      " 'state_topic': 'bmsfs/My-Bank/link', 'entity_category': 'diagnostic',"
	      " 'availability': [{'topic': 'bmsfs/My-Bank/daemon'}],"
	      " 'payload_on': 'online', 'payload_off': 'offline'}");
	json_decref(message);
}

static void test_settings(void **state)
{
	struct fixture *fixture = *state;
	json_t *message = make(fixture, NULL);
	const json_t *number;

	check(message, "CMAX",
	      "{'platform': 'sensor', 'unique_id': 'bmsfs_My-Bank_CMAX',"
	      " 'default_entity_id': 'sensor.my_bank_cmax',"
	      " 'name': 'Cell over-voltage switch-off', 'unit_of_measurement': 'V',"
	      " 'device_class': 'voltage', " TEMPLATE(KEY("settings") KEY(
		      "CMAX")) ", 'enabled_by_default': false,"
			       " 'expire_after': 30, 'entity_category': 'diagnostic'}");
	check(message, "CMAX_number", "{'platform': 'number'}");
	json_decref(message);
	fixture->config.allow_write = true;
	message = make(fixture, NULL);
	check(message, "CMAX_number",
	      "{'platform': 'number', 'unique_id': 'bmsfs_My-Bank_CMAX_number',"
	      " 'default_entity_id': 'number.my_bank_cmax',"
	      " 'name': 'Cell over-voltage switch-off', 'unit_of_measurement': 'V',"
	      " 'device_class': 'voltage', " TEMPLATE(KEY("settings") KEY(
		      "CMAX")) ", 'enabled_by_default': false,"
			       " 'min': 2, 'max': 4.3, 'step': 0.001, 'mode': 'box', "
			       "'entity_category': 'config',"
			       " 'optimistic': false, 'command_topic': 'bmsfs/My-Bank/set/CMAX'}");
	check(message, "CMAX", "{'platform': 'sensor'}");
	json_decref(message);
	json_object_set_new(json_object_get(fixture->catalogue, "CMAX"), "max",
			    json_string("340000000000000000000000000000000000000"));
	message = make(fixture, NULL);
	number = json_object_get(json_object_get(message, "components"), "CMAX_number");
	assert_true(json_number_value(json_object_get(number, "max")) > 3.3e38);
	json_decref(message);
}

/* As a capacity of 6000 Ah where the table ends at 5000. */
static void a_number_bears_what_the_bms_holds_beyond_its_range(void **state)
{
	static const struct {
		const char *held;
		double min, max;
	} cases[] = {
		{ "{'value': 3.85}", 2, 4.3 },
		{ "{'value': 6}", 2, 6 },
		{ "{'value': 1.5}", 1.5, 4.3 },
	};
	struct fixture *fixture = *state;
	json_t *instructions = json_object_get(fixture->snapshot, "instructions");

	fixture->config.allow_write = true;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *message;
		const json_t *number;

		json_object_set_new(instructions, "CMAX", parse(cases[i].held));
		message = make(fixture, NULL);
		number = json_object_get(json_object_get(message, "components"), "CMAX_number");
		assert_true(json_number_value(json_object_get(number, "min")) == cases[i].min);
		assert_true(json_number_value(json_object_get(number, "max")) == cases[i].max);
		json_decref(message);
	}
}

static void no_name_is_there_twice(void **state)
{
	static const struct {
		const char *row, *name, *value, *key, *shown;
	} cases[] = {
		{ "X0", "state of charge", "{'value': 1}", "X0", "State of charge (X0)" },
		{ "X1", "problem", "{'value': 1}", "X1", "Problem (X1)" },
		{ "X2", "humidity", "{'value': 1}", "X2", "Humidity (X2)" },
		{ "X3", "cell voltage", "{'value': [7, 8]}", "X3_2", "Cell voltage 2 (X3_2)" },
		{ "X4", "pair left", "{'value': 1}", "X4", "Pair left (X4)" },
		{ "X5", "rest", "{'value': 1}", "X5", "Rest" },
	};
	struct fixture *fixture = *state;
	json_t *instructions = json_object_get(fixture->snapshot, "instructions"), *message;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_object_set_new(instructions, cases[i].row, parse(cases[i].value));
		json_object_set_new(fixture->attributes, cases[i].row,
				    json_pack("{s:s}", "name", cases[i].name));
	}
	json_decref(fixture->catalogue);
	fixture->catalogue =
		catalogue_make(fixture->snapshot, NULL, true, describe, fixture->attributes);
	message = make(fixture, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(
			catalogue_text(json_object_get(json_object_get(message, "components"),
						       cases[i].key),
				       "name"),
			cases[i].shown);
	json_decref(message);
}

static void durations_are_shown_in_hours(void **state)
{
	struct fixture *fixture = *state;
	json_t *message = make(fixture, NULL);

	check(message, "time_to_full",
	      "{'platform': 'sensor', 'unique_id': 'bmsfs_My-Bank_time_to_full',"
	      " 'default_entity_id': 'sensor.my_bank_time_to_full', 'name': 'Time to full',"
	      " 'unit_of_measurement': 's', " TEMPLATE(
		      KEY("time_to_full")) ","
					   " 'expire_after': 30, 'suggested_display_precision': 1,"
					   " 'suggested_unit_of_measurement': 'h',"
					   " 'state_class': 'measurement', 'device_class': "
					   "'duration'}");
	json_decref(message);
}

/* A large master has hundreds of them. */
static void resistances_instructions_and_settings_are_disabled_by_default(void **state)
{
	static const struct {
		const char *key;
		bool enabled;
	} cases[] = {
		{ "soc", true },   { "units_1_cells_2_voltage", true },
		{ "HUMI", false }, { "units_1_cells_2_resistance", false },
		{ "CMAX", false }, { "units_1_sensors_1_temperature", true },
	};
	struct fixture *fixture = *state;
	json_t *message = make(fixture, NULL);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const json_t *component =
			json_object_get(json_object_get(message, "components"), cases[i].key);

		assert_non_null(component);
		assert_int_equal(json_is_false(json_object_get(component, "enabled_by_default")),
				 !cases[i].enabled);
	}
	json_decref(message);
}

static void test_what_is_gone_is_removed(void **state)
{
	struct fixture *fixture = *state;
	json_t *old = make(fixture, NULL), *message;

	json_object_del(fixture->catalogue, "units/1/cells/2/voltage");
	message = make(fixture, old);
	check(message, "units_1_cells_2_voltage", "{'platform': 'sensor'}");
	json_decref(old);
	old = make(fixture, message);
	assert_true(json_equal(old, message));
	json_decref(old);
	json_decref(message);
}

static void test_steps(void **state)
{
	static const struct {
		double min, max, step;
	} cases[] = {
		{ 0, 1, 0.001 },   { 2, 4.3, 0.001 },     { -0.0003, 0.0003, 0.001 },
		{ -20, 65, 0.01 }, { 5, 345, 0.1 },       { 1, 5000, 1 },
		{ 0, 10, 0.01 },   { 0, 4294967295., 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		double step = discovery_step(cases[i].min, cases[i].max);

		if (step < cases[i].step * 0.999 || step > cases[i].step * 1.001)
			fail_msg("%g to %g: %g", cases[i].min, cases[i].max, step);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_device, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sensors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_binary_sensors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_settings, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_number_bears_what_the_bms_holds_beyond_its_range,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_name_is_there_twice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(durations_are_shown_in_hours, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			resistances_instructions_and_settings_are_disabled_by_default, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_gone_is_removed, set_up, tear_down),
		cmocka_unit_test(test_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

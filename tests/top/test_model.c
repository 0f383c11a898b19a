// SPDX-License-Identifier: LGPL-3.0-or-later
#include <math.h>
#include <string.h>

#include "client/snapshot.h"
#include "test.h"
#include "top/model.h"

/* The model of one of the snapshots beside this file. */
static void read_mount(struct model *model, const char *mount)
{
	char reason[256];
	json_t *snapshot = snapshot_read(mount, reason, sizeof(reason));

	assert_non_null(snapshot);
	model_read(model, snapshot);
	json_decref(snapshot);
}

static void read_text(struct model *model, const char *text)
{
	json_t *snapshot = json_loads(text, JSON_DECODE_ANY, NULL);

	assert_non_null(snapshot);
	model_read(model, snapshot);
	json_decref(snapshot);
}

static void test_pack(void **state)
{
	struct model model;

	(void)state;
	read_mount(&model, "mounts/pack");
	assert_string_equal(model.name, "bms0");
	assert_string_equal(model.identity, "REC BMS 1Q VICTRON");
	assert_string_equal(model.kind, "1q");
	assert_string_equal(model.link, "online");
	assert_string_equal(model.problem, "");
	assert_string_equal(model.error_text, "none");
	assert_true(model_is_live(&model));
	assert_true(model.voltage_V > 46 && model.voltage_V < 47);
	assert_true(model.error == 0 && model.soh == 98.97);
	assert_true(model.scale_low_V == 2.8 && model.scale_high_V == 3.85);
	assert_true(isnan(model.to_empty_s) && model.to_full_s > 0);
	assert_int_equal(model.units, 1);
	assert_int_equal(model.unit[0].cells, 14);
	assert_int_equal(model.unit[0].sensors, 3);
	assert_true(model.unit[0].cell_V[13] > 3.3 && model.unit[0].sensor_degC[2] == 19.5);
	assert_true(model.requests > 0 && model.timeouts == 0);
	assert_true(model.age_s > 0 && model.age_s < 2);
	assert_int_equal(model.balancing, BALANCING_UNTOLD);
	assert_int_equal(model_balanced(&model, 0), 0);
}

static void test_units(void **state)
{
	struct model model;

	(void)state;
	read_mount(&model, "mounts/master");
	assert_int_equal(model.units, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(model.unit[i].address == i + 1);
		assert_int_equal(model.unit[i].cells, 16);
		assert_true(isnan(model.unit[i].temperature_degC));
	}
	assert_true(isnan(model.unit[3].temperature_degC));
	assert_int_equal(model.balancing, BALANCING_TOLD);
}

static void test_balancing(void **state)
{
	static const struct {
		const char *snapshot;
		enum balancing balancing;
		unsigned cell;
	} cases[] = {
		{ "{\"instructions\": {\"WCBI\": {\"value\": \"0\"}}}", BALANCING_TOLD, 0 },
		{ "{\"instructions\": {\"WCIB\": {\"value\": \"2\"}}}", BALANCING_TOLD, 2 },
		{ "{\"instructions\": {\"WCBI\": {\"value\": \"4\"}}}", BALANCING_TOLD, 0 },
		{ "{\"instructions\": {\"WCBI\": {\"value\": \"-1\"}}}", BALANCING_TOLD, 0 },
		{ "{\"instructions\": {\"WCBI\": {\"value\": \"none\"}}}", BALANCING_TOLD, 0 },
		{ "{\"failed\": {\"WCBI\": \"ENODATA\", \"WCIB\": \"EIO\"}}", BALANCING_TOLD, 0 },
		{ "{\"instructions\": {\"WCIB\": {\"value\": \"1\"}},"
		  " \"failed\": {\"WCBI\": \"EIO\"}}",
		  BALANCING_TOLD, 1 },
		{ "{\"failed\": {\"WCBI\": \"EOPNOTSUPP\", \"WCIB\": \"EIO\"}}", BALANCING_MISSING,
		  0 },
		{ "{\"failed\": {\"WCBI\": \"EOPNOTSUPP\", \"WCIB\": \"EOPNOTSUPP\"}}",
		  BALANCING_UNTOLD, 0 },
		{ "{}", BALANCING_UNTOLD, 0 },
		{ "{\"link\": {}}", BALANCING_MISSING, 0 },
	};
	json_t *units =
		json_loads("{\"1\": {\"cells\": {\"1\": {}, \"2\": {}, \"3\": {}}}}", 0, NULL);
	json_t *link = json_loads("{\"state\": \"online\"}", 0, NULL);
	struct model model;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *snapshot = json_loads(cases[i].snapshot, 0, NULL);

		assert_non_null(snapshot);
		json_object_set(snapshot, "units", units);
		if (!json_object_get(snapshot, "link"))
			json_object_set(snapshot, "link", link);
		model_read(&model, snapshot);
		assert_int_equal(model.balancing, cases[i].balancing);
		assert_int_equal(model_balanced(&model, 0), cases[i].cell);
		assert_int_equal(model_balanced(&model, 1), 0);
		json_decref(snapshot);
	}
	json_decref(units);
	json_decref(link);
}

static void test_problems(void **state)
{
	struct model model;

	(void)state;
	read_mount(&model, "mounts/silent");
	assert_string_equal(model.problem, "no answer: ETIMEDOUT");
	assert_non_null(strstr(model.advice, "nobody answers at address 1"));
	assert_false(model_is_live(&model));
	assert_true(isnan(model.voltage_V) && isnan(model.error) && isnan(model.age_s));
	assert_int_equal(model.balancing, BALANCING_MISSING);
	read_mount(&model, "mounts/torn");
	assert_string_equal(model.problem, "no value for 17 files: EIO");
	assert_int_equal(model.unit[0].cells, 14);
	assert_true(isnan(model.unit[0].cell_V[0]) && isnan(model.soc));
	assert_true(model_is_live(&model));
	read_text(&model, "{\"link\": {\"state\": \"online\", \"last_error\": \"old\"},"
			  " \"failed\": {\"pack/time_to_full\": \"ENODATA\"}}");
	assert_string_equal(model.problem, "");
	assert_string_equal(model.advice, "");
	read_text(&model, "{\"link\": {\"state\": \"online\"}, \"failed\": {\"SOCH\": \"EIO\"}}");
	assert_string_equal(model.problem, "no value for 1 file: EIO");
	read_text(&model, "{\"link\": {\"state\": \"silent\", \"last_error\": \"check the cable\"},"
			  " \"pack\": {\"voltage\": {\"value\": 55.5, \"age\": 31.5}}}");
	assert_string_equal(model.problem, "no answer: silent");
	assert_string_equal(model.advice, "check the cable");
	assert_true(model.voltage_V > 55 && model.age_s > 31);
	assert_false(model_is_live(&model));
	model_fail(&model, "why");
	assert_string_equal(model.problem, "why");
	assert_true(isnan(model.current_A) && isnan(model.requests));
	assert_string_equal(model.name, "");
}

/* Whatever it is, it is no snapshot, and nothing is made of it. */
static void test_junk(void **state)
{
	static const char *const texts[] = {
		"42",
		"null",
		"[]",
		"{}",
		"{\"link\": []}",
		"{\"link\": {\"state\": 1}}",
		"{\"units\": {\"1\": 5}}",
		"{\"units\": [1], \"pack\": {\"voltage\": {\"value\": []}}}",
		"{\"failed\": {\"pack/voltage\": 5}, \"instructions\": \"x\"}",
	};
	struct model model;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		read_text(&model, texts[i]);
		assert_string_equal(model.problem, "snapshot.json is not what bmsfs writes");
		assert_false(model_is_live(&model));
	}
}

/* As many as there may be are taken, and no more. */
static void test_too_many(void **state)
{
	json_t *snapshot = json_object(), *units = json_object(), *unit = json_object();
	json_t *cells = json_object();
	struct model model;
	char name[12];

	(void)state;
	json_object_set_new(snapshot, "units", units);
	json_object_set_new(unit, "cells", cells);
	json_object_set(unit, "sensors", cells);
	for (int i = 1; i <= 40; i++) {
		snprintf(name, sizeof(name), "%d", i);
		json_object_set_new(cells, name, json_object());
		json_object_set(units, name, unit);
	}
	model_read(&model, snapshot);
	assert_int_equal(model.units, MODEL_UNITS);
	assert_int_equal(model.unit[MODEL_UNITS - 1].cells, MODEL_CELLS);
	assert_int_equal(model.unit[0].sensors, MODEL_SENSORS);
	json_decref(unit);
	json_decref(snapshot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pack),      cmocka_unit_test(test_units),
		cmocka_unit_test(test_balancing), cmocka_unit_test(test_problems),
		cmocka_unit_test(test_junk),      cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

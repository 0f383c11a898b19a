// SPDX-License-Identifier: LGPL-3.0-or-later
#include "sim/responder.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nsec.h"
#include "protocol/reply.h"
#include "test.h"

struct bms {
	struct instruction_table table;
	struct responder responder;
	struct answer answer;
	int64_t now;
};

static struct bms bms;

static void open_bms(const char *model, uint8_t units)
{
	struct sim_config config = sim_config_default;
	struct table_error error;
	char reason[128] = "";

	memset(&bms, 0, sizeof(bms));
	snprintf(config.model, sizeof(config.model), "%s", model);
	config.units = units;
	assert_int_equal(instruction_table_init(&bms.table, &error), 0);
	if (responder_init(&bms.responder, &config, 0, &bms.table, 0, reason, sizeof(reason)))
		fail_msg("%s", reason);
}

static int close_bms(void **state)
{
	(void)state;
	instruction_table_free(&bms.table);
	return 0;
}

static unsigned ask(const char *text)
{
	struct frame request;

	frame_make(&request, bms.responder.address, FRAME_HOST, text, (uint8_t)strlen(text));
	responder_answer(&bms.responder, &request, &bms.answer, bms.now);
	return bms.answer.frames;
}

static void expect(const char *request, const char *reply)
{
	unsigned frames = ask(request);

	if (!reply) {
		if (frames)
			fail_msg("%s was answered", request);
		return;
	}
	if (frames != 1 || !frame_is_text(&bms.answer.frame[0], reply))
		fail_msg("%s: not %s but %u frames, %.*s", request, reply, frames,
			 (int)bms.answer.frame[0].len, (const char *)bms.answer.frame[0].payload);
	assert_int_equal(bms.answer.frame[0].dst, FRAME_HOST);
	assert_int_equal(bms.answer.frame[0].snd, bms.responder.address);
}

static float float_at(unsigned frame, unsigned place)
{
	const uint8_t *at = bms.answer.frame[frame].payload + place * 4;
	uint32_t bits = at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
	float value;

	assert_true(frame < bms.answer.frames && place * 4 + 4 <= bms.answer.frame[frame].len);
	memcpy(&value, &bits, sizeof(value));
	return value;
}

static void test_floats_are_written_as_captured(void **state)
{
	static const struct {
		float value;
		const char *text;
	} rows[] = {
		{ 450, "4.50000e2" },        { 0.05F, "5.00000e-2" },      { 0.25F, "2.50000e-1" },
		{ -123.51F, "-1.23510e2" },  { 3.94F, "3.94000e0" },       { 0, "0.00000e0" },
		{ 1, "1.00000e0" },          { 9.999999F, "1.00000e1" },   { 0.1F, "1.00000e-1" },
		{ -0.0003F, "-3.00000e-4" }, { 0.0078125F, "7.81250e-3" }, { 1e10F, "1.00000e10" },
	};
	char text[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(responder_format_float(text, sizeof(text), rows[i].value),
				 strlen(rows[i].text));
		assert_string_equal(text, rows[i].text);
	}
}

static void test_settings_are_kept(void **state)
{
	(void)state;
	open_bms("1q", 1);
	expect("CMAX?", "3.85000e0");
	expect("CMAX 3.6", "SET");
	expect("CMAX?", "3.60000e0");
	expect("CAPA 450", "SET");
	expect("CAPA?", "4.50000e2");
	expect("TMIN -12.5", "SET");
	expect("TMIN?", "-1.25000e1");
	expect("CHEM 5", "SET");
	expect("CHEM?", "5");
	expect("CYCL?", "103");
	expect("CYCL 7", "SET");
	expect("CYCL?", "7");
}

static void test_refused_sets_change_nothing(void **state)
{
	static const char *const requests[] = {
		"CMAX 4.31", "CMAX 1.99",  "CMAX 9.9",  "CMAX",     "CMAX ",
		"CMAX  3.6", "CMAX 3,6",   "CMAX 3.6 ", "CMAX 3e0", "CMAX nan",
		"CMAX 0x3",  "CMAX 3.6\n", "CMAX +3",   "CMAX 3.",  "CMAX .5",
	};

	(void)state;
	open_bms("1q", 1);
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		/* A bare mnemonic is neither query nor set. */
		expect(requests[i], strchr(requests[i], ' ') ? "ERROR1" : NULL);
		expect("CMAX?", "3.85000e0");
	}
	expect("CHEM 3.5", "ERROR1");
	expect("CMAX 4.3", "SET");
	expect("CMAX 2", "SET");
}

static void test_what_cannot_be_written_is_refused(void **state)
{
	(void)state;
	open_bms("1q", 1);
	expect("*IDN x", "ERROR1");
	expect("LCD1 1", "ERROR1");
	expect("CELL 3.3", "ERROR1");
}

static void test_silence(void **state)
{
	static const char *const requests[] = {
		"XXXX?", "cmax?", "IDN?", "CMAX??", "CMAX?x", "?", "", " ", "CMAXCMAX?", "SERI?",
	};
	struct frame request;

	(void)state;
	open_bms("1q", 1);
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		expect(requests[i], NULL);
	frame_make(&request, 2, FRAME_HOST, "CMAX?", 5);
	responder_answer(&bms.responder, &request, &bms.answer, 0);
	assert_int_equal(bms.answer.frames, 0);
	frame_make(&request, FRAME_HOST, 1, "CMAX?", 5);
	responder_answer(&bms.responder, &request, &bms.answer, 0);
	assert_int_equal(bms.answer.frames, 0);
}

/* Every instruction that a model has gets an answer that fits it, every other gets none. */
static void test_each_model_answers_what_it_has(void **state)
{
	static const char *const models[] = { "1q", "2q", "abms", "master" };
	static struct reply reply;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
		open_bms(models[i], 1);
		for (size_t j = 0; j < bms.table.rows; j++) {
			const struct instruction *row = &bms.table.row[j];
			int model = bms.responder.model;
			enum reply_state got = REPLY_MORE;
			char query[16];

			instruction_query(row, query);
			ask(query);
			if (!instruction_variant(row, model)->present) {
				assert_int_equal(bms.answer.frames, 0);
				continue;
			}
			reply_begin(&reply, row, model, false, bms.responder.address);
			for (unsigned k = 0; k < bms.answer.frames && got == REPLY_MORE; k++)
				got = reply_take(&reply, &bms.answer.frame[k]);
			if (got != REPLY_COMPLETE || reply.frames != bms.answer.frames)
				fail_msg("%s: %s does not fit: %u", models[i], query, got);
		}
		close_bms(state);
	}
	open_bms("1q", 1);
}

static void test_factory_values_are_in_range(void **state)
{
	(void)state;
	open_bms("2q", 1);
	for (size_t i = 0; i < bms.table.rows; i++) {
		const struct instruction *row = &bms.table.row[i];
		const struct instruction_variant *variant =
			instruction_variant(row, bms.responder.model);
		double value;

		if (responder_get(&bms.responder, row->mnemonic, &value, 0))
			continue;
		if ((variant->has_min && value < variant->min - 1e-6) ||
		    (variant->has_max && value > variant->max + 1e-6))
			fail_msg("%s is %g", row->mnemonic, value);
	}
	expect("TMIN?", "0.00000e0");
}

static void test_identity_tells_the_model(void **state)
{
	static const struct {
		const char *model;
		uint8_t address;
	} rows[] = { { "1q", 1 }, { "2q", 1 }, { "abms", 2 }, { "master", 16 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		open_bms(rows[i].model, 1);
		assert_int_equal(bms.responder.address, rows[i].address);
		assert_int_equal(ask("*IDN?"), 1);
		assert_int_equal(model_identify(&bms.table, bms.responder.identity),
				 bms.responder.model);
		assert_true(frame_is_text(&bms.answer.frame[0], bms.responder.identity));
		close_bms(state);
	}
	open_bms("1q", 1);
	expect("*IDN?", "REC BMS 1Q VICTRON");
}

static void test_main_data_agrees_with_the_cells(void **state)
{
	float low = 10, high = 0, sum = 0, lcd[7];
	unsigned low_cell = 0, high_cell = 0;

	(void)state;
	open_bms("1q", 1);
	bms.now = 100 * NSEC_PER_SEC;
	assert_int_equal(ask("LCD1?"), 2);
	assert_true(frame_is_text(&bms.answer.frame[0], "28"));
	assert_int_equal(bms.answer.frame[1].len, 28);
	for (unsigned i = 0; i < 7; i++)
		lcd[i] = float_at(1, i);

	assert_int_equal(ask("CELL?"), 2);
	assert_true(frame_is_text(&bms.answer.frame[0], "1"));
	assert_int_equal(bms.answer.frame[1].len, 56);
	for (unsigned i = 0; i < 14; i++) {
		float cell = float_at(1, i);

		sum += cell;
		if (cell < low) {
			low = cell;
			low_cell = i + 1;
		}
		if (cell > high) {
			high = cell;
			high_cell = i + 1;
		}
	}
	assert_true(lcd[0] == low && lcd[1] == high && lcd[4] == sum);

	assert_int_equal(ask("PTEM?"), 2);
	assert_int_equal(bms.answer.frame[1].len, 12);
	assert_true(lcd[3] == fmaxf(fmaxf(float_at(1, 0), float_at(1, 1)), float_at(1, 2)));

	assert_int_equal(ask("LCD3?"), 2);
	assert_true(frame_is_text(&bms.answer.frame[0], "8"));
	assert_int_equal(bms.answer.frame[1].len, 8);
	assert_int_equal(bms.answer.frame[1].payload[0], 1);
	assert_int_equal(bms.answer.frame[1].payload[1], low_cell);
	assert_int_equal(bms.answer.frame[1].payload[3], high_cell);
	assert_int_equal(bms.answer.frame[1].payload[6] << 8 | bms.answer.frame[1].payload[7],
			 lroundf((1 - lcd[5]) * 200 * lcd[6]));
}

static void test_other_arrays(void **state)
{
	(void)state;
	open_bms("1q", 1);
	assert_int_equal(ask("RINT?"), 2);
	assert_int_equal(bms.answer.frame[1].len, 56);
	assert_true(float_at(1, 0) > 0.00003F && float_at(1, 0) < 0.0004F);
	assert_int_equal(ask("BTEM?"), 2);
	assert_true(frame_is_text(&bms.answer.frame[0], "1"));
	assert_int_equal(bms.answer.frame[1].len, 4);
	assert_int_equal(ask("ERRO?"), 2);
	assert_true(frame_is_text(&bms.answer.frame[0], "4"));
	assert_memory_equal(bms.answer.frame[1].payload, "\0\1\0\0", 4);
}

static void test_error_shows_what_was_crossed(void **state)
{
	(void)state;
	open_bms("1q", 1);
	expect("CMAX 3.0", "SET");
	bms.now += 9 * NSEC_PER_SEC;
	ask("ERRO?");
	assert_int_equal(bms.answer.frame[1].payload[0], 0);
	bms.now += 1 * NSEC_PER_SEC;
	ask("ERRO?");
	assert_memory_equal(bms.answer.frame[1].payload, "\1\1\1", 3);
	assert_in_range(bms.answer.frame[1].payload[3], 1, 14);
	expect("VMAX?", "1");
}

/* An Active BMS always sends four numbers; those without a sensor look like cell voltages. */
static void test_padding_looks_like_cell_voltages(void **state)
{
	(void)state;
	open_bms("abms", 1);
	assert_int_equal(ask("PTEM?"), 2);
	assert_int_equal(bms.answer.frame[1].len, 16);
	assert_true(float_at(1, 0) > 5 && float_at(1, 0) < 40);
	for (unsigned i = 1; i < 4; i++)
		assert_true(float_at(1, i) > 2.5F && float_at(1, i) < 4);
}

static void test_blank_where_no_cell_is_balanced(void **state)
{
	(void)state;
	open_bms("abms", 1);
	bms.responder.battery.balanced = 0;
	expect("WCBI?", " ");
	bms.responder.battery.balanced = 3;
	expect("WCBI?", "3");
}

static void test_ioja_is_that_of_a_real_unit(void **state)
{
	(void)state;
	open_bms("abms", 1);
	expect("IOJA?", "7.81250e-3");
}

static void test_a_master_answers_for_its_units(void **state)
{
	(void)state;
	open_bms("master", 15);
	assert_int_equal(ask("CELL?"), 16);
	assert_true(frame_is_text(&bms.answer.frame[0], "15"));
	assert_int_equal(bms.answer.frame[0].snd, 16);
	for (unsigned i = 1; i <= 15; i++) {
		assert_int_equal(bms.answer.frame[i].snd, i);
		assert_int_equal(bms.answer.frame[i].len, 60);
	}
	assert_int_equal(ask("BTEM?"), 2);
	assert_int_equal(bms.answer.frame[1].len, 4);
	ask("LCD3?");
	assert_in_range(bms.answer.frame[1].payload[0], 1, 15);
	assert_in_range(bms.answer.frame[1].payload[1], 1, 15);
}

/* A table that says so gets all units in one frame, as far as it holds them. */
static void test_one_frame_for_all_units(void **state)
{
	int row;

	(void)state;
	open_bms("master", 3);
	row = instruction_find(&bms.table, "CELL");
	bms.table.row[row].variant[1 + bms.responder.model].one_frame = true;
	assert_int_equal(ask("CELL?"), 2);
	assert_true(frame_is_text(&bms.answer.frame[0], "3"));
	assert_int_equal(bms.answer.frame[1].len, 180);
}

static void test_state_of_charge_lives(void **state)
{
	double soc;

	(void)state;
	open_bms("1q", 1);
	assert_int_equal(responder_get(&bms.responder, "SOCS", &soc, 0), 0);
	assert_true(fabs(soc - 0.7846) < 0.001);
	expect("SOCS 0.5", "SET");
	expect("SOCS?", "5.00000e-1");
	ask("LCD1?");
	assert_true(float_at(1, 5) == 0.5F);
	bms.now = 600 * NSEC_PER_SEC;
	assert_int_equal(responder_get(&bms.responder, "SOCS", &soc, bms.now), 0);
	assert_true(soc != 0.5 && fabs(soc - 0.5) < 0.1);
}

static void test_clock_runs_and_is_set(void **state)
{
	(void)state;
	open_bms("abms", 1);
	expect("TIME?", "12:00:00");
	expect("DATE?", "01.06.2025");
	expect("TIME 23:59:58", "SET");
	bms.now += 3 * NSEC_PER_SEC;
	expect("TIME?", "00:00:01");
	expect("DATE?", "02.06.2025");
	expect("DATE 28.02.2028", "SET");
	bms.now += 86400 * NSEC_PER_SEC;
	expect("DATE?", "29.02.2028");
	expect("TIME?", "00:00:01");
	expect("TIME 24:00:00", "ERROR1");
	expect("DATE 31.13.2025", "ERROR1");
}

static void test_log_lines_are_popped(void **state)
{
	(void)state;
	open_bms("abms", 1);
	expect("ERRL?", "2,4;06:12:33;06.03.2025");
	expect("ERRL?", "7,1;05:28:10;13.03.2025");
	expect("ERRL?", "");
	expect("TMIN 60", "SET");
	bms.now += 5 * NSEC_PER_SEC;
	expect("ERRL?", "7,1;12:00:02;01.06.2025");
	expect("TMIN -10", "SET");
	expect("CMAX 3", "SET");
	bms.now += 20 * NSEC_PER_SEC;
	expect("ERLD 1", "SET");
	expect("ERRL?", "");
}

static void test_get_and_put(void **state)
{
	double value;

	(void)state;
	open_bms("1q", 1);
	assert_int_equal(responder_put(&bms.responder, "CMAX", 9.5), 0);
	expect("CMAX?", "9.50000e0");
	assert_int_equal(responder_get(&bms.responder, "CMAX", &value, 0), 0);
	assert_true(value == 9.5);
	assert_int_equal(responder_get(&bms.responder, "XXXX", &value, 0), -ENOENT);
	assert_int_equal(responder_get(&bms.responder, "LCD1", &value, 0), -ENOENT);
	assert_int_equal(responder_put(&bms.responder, "SWVR", 1), -EOPNOTSUPP);
	assert_int_equal(responder_put(&bms.responder, "SERI", 1), -ENOENT);
}

static void test_exchange_is_another_bms(void **state)
{
	float cell;

	(void)state;
	open_bms("1q", 1);
	ask("RINT?");
	cell = float_at(1, 0);
	expect("CMAX 3.6", "SET");
	responder_exchange(&bms.responder, "REC BMS 1Q NEW", bms.now);
	expect("*IDN?", "REC BMS 1Q NEW");
	expect("CMAX?", "3.85000e0");
	ask("RINT?");
	assert_true(float_at(1, 0) != cell);
}

static void test_impossible_shapes_are_refused(void **state)
{
	static const struct {
		const char *model, *word;
		uint8_t units, cells, sensors;
	} rows[] = {
		{ "3q", "3q", 1, 0, 0 },        { "1q", "units", 2, 0, 0 },
		{ "1q", "units", 0, 0, 0 },     { "master", "units", 16, 0, 0 },
		{ "1q", "cells", 1, 17, 0 },    { "1q", "sensors", 1, 0, 9 },
		{ "abms", "sensors", 1, 0, 5 },
	};
	struct sim_config config = sim_config_default;
	char reason[128];

	(void)state;
	open_bms("1q", 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(config.model, sizeof(config.model), "%s", rows[i].model);
		config.units = rows[i].units;
		config.cells = rows[i].cells;
		config.sensors = rows[i].sensors;
		assert_int_equal(responder_init(&bms.responder, &config, 0, &bms.table, 0, reason,
						sizeof(reason)),
				 -EINVAL);
		assert_non_null(strstr(reason, rows[i].word));
	}
}

/* Rows of a user's own table: scalars are kept, arrays are beyond the simulator. */
static void test_rows_of_a_users_table(void **state)
{
	static const char text[] = "[model mine]\ndescription = MY OWN BMS\naddress = 9\n"
				   "[XONE]\nname = one\ncategory = mine\ntype = float\n"
				   "access = rw\nmin = 2\nmax = 3\n"
				   "[XARR]\nname = array\ncategory = mine\ntype = float\n"
				   "header = bytes\nfields = a:f32 b:f32\n";
	struct sim_config config = sim_config_default;
	struct table_error error;
	char reason[128];

	(void)state;
	open_bms("1q", 1);
	if (instruction_table_add(&bms.table, "mine", text, sizeof(text) - 1, &error))
		fail_msg("%s", error.text);
	snprintf(config.model, sizeof(config.model), "mine");
	assert_int_equal(
		responder_init(&bms.responder, &config, 0, &bms.table, 0, reason, sizeof(reason)),
		0);
	assert_int_equal(bms.responder.address, 9);
	expect("*IDN?", "MY OWN BMS");
	expect("XONE?", "2.00000e0");
	expect("XONE 2.5", "SET");
	expect("XONE?", "2.50000e0");
	expect("XONE 3.5", "ERROR1");
	expect("XARR?", NULL);
}

#define TEST(name) cmocka_unit_test_teardown(name, close_bms)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_floats_are_written_as_captured),
		TEST(test_settings_are_kept),
		TEST(test_refused_sets_change_nothing),
		TEST(test_what_cannot_be_written_is_refused),
		TEST(test_silence),
		TEST(test_each_model_answers_what_it_has),
		TEST(test_factory_values_are_in_range),
		TEST(test_identity_tells_the_model),
		TEST(test_main_data_agrees_with_the_cells),
		TEST(test_other_arrays),
		TEST(test_error_shows_what_was_crossed),
		TEST(test_padding_looks_like_cell_voltages),
		TEST(test_blank_where_no_cell_is_balanced),
		TEST(test_ioja_is_that_of_a_real_unit),
		TEST(test_a_master_answers_for_its_units),
		TEST(test_one_frame_for_all_units),
		TEST(test_state_of_charge_lives),
		TEST(test_clock_runs_and_is_set),
		TEST(test_log_lines_are_popped),
		TEST(test_get_and_put),
		TEST(test_exchange_is_another_bms),
		TEST(test_impossible_shapes_are_refused),
		TEST(test_rows_of_a_users_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include "test.h"

#include <errno.h>
#include <string.h>

#include "protocol/setting.h"

#define LIMITS(low, high) { .has_min = true, .min = low, .has_max = true, .max = high }
#define MODEL_WIDE        0 /* a model whose limits are wider */

static const struct instruction cmax = {
	.type = VALUE_FLOAT,
	.variant = { LIMITS(2, 4.3), LIMITS(2, 5) },
};
static const struct instruction mincell = { .type = VALUE_FLOAT, .variant = { LIMITS(0.005, 2) } };
static const struct instruction free_float = { .type = VALUE_FLOAT };
static const struct instruction chem = {
	.type = VALUE_INT,
	.verify = VERIFY_EXACT,
	.variant = { LIMITS(1, 5) },
};
static const struct instruction task = {
	.type = VALUE_INT,
	.verify = VERIFY_EXACT,
	.variant = { LIMITS(0, 4294967295.0) },
};
static const struct instruction free_int = { .type = VALUE_INT, .verify = VERIFY_SAME };
static const struct instruction date = {
	.type = VALUE_TEXT,
	.verify = VERIFY_EXACT,
	.pattern = "[0-3][0-9].[01][0-9].20[0-9][0-9]",
};
static const struct instruction any_text = { .type = VALUE_TEXT, .pattern = "*" };
static const struct instruction no_text = { .type = VALUE_TEXT };
static const struct instruction clock_row = {
	.type = VALUE_CLOCK,
	.verify = VERIFY_NEAR,
	.verify_near = 5,
};
static const struct instruction socs = {
	.type = VALUE_FLOAT,
	.verify = VERIFY_NEAR,
	.verify_near = 0.02,
};
static const struct instruction erld = { .type = VALUE_INT, .verify = VERIFY_NONE };

#define TEXT(literal) literal, sizeof(literal) - 1
#define LETTERS_62    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static void test_parse(void **state)
{
	static const struct {
		const struct instruction *row;
		const char *text;
		size_t size;
		int ret;
		const char *wire;
		double number;
	} row[] = {
		{ &cmax, TEXT("3.6"), 0, "3.6", 3.6f },
		{ &cmax, TEXT("3.6\n"), 0, "3.6", 3.6f },
		{ &cmax, TEXT("3.60000000001\n"), 0, "3.6", 3.6f },
		{ &cmax, TEXT("4.3"), 0, "4.3", 4.3f },
		{ &cmax, TEXT("2"), 0, "2", 2 },
		{ &cmax, TEXT("003.9400"), 0, "3.94", 3.94f },
		{ &mincell, TEXT("0.005"), 0, "0.005", 0.005f },
		{ &free_float, TEXT("-0.0003"), 0, "-0.0003", -0.0003f },
		{ &free_float, TEXT("-0.0"), 0, "0", 0 },
		{ &cmax, TEXT("4.3000005"), -ERANGE, NULL, 0 },
		{ &cmax, TEXT("9.9"), -ERANGE, NULL, 0 },
		{ &cmax, TEXT("1.9999999"), -ERANGE, NULL, 0 },
		{ &mincell, TEXT("0.00499"), -ERANGE, NULL, 0 },
		{ &cmax, TEXT("-3.6"), -ERANGE, NULL, 0 },
		{ &cmax, TEXT("4.2x"), -EINVAL, NULL, 0 },
		{ &cmax, TEXT("3.6\n\n"), -EINVAL, NULL, 0 },
		{ &cmax, TEXT("\n"), -EINVAL, NULL, 0 },
		{ &cmax, TEXT(""), -EINVAL, NULL, 0 },
		{ &cmax, TEXT("3,6"), -EINVAL, NULL, 0 },
		{ &cmax, TEXT("3.6\0"), -EINVAL, NULL, 0 },
		{ &cmax, TEXT("3.6\r\n"), -EINVAL, NULL, 0 },
		{ &cmax, TEXT("nan"), -EINVAL, NULL, 0 },
		{ &chem, TEXT("3\n"), 0, "3", 3 },
		{ &chem, TEXT("05"), 0, "5", 5 },
		{ &chem, TEXT("0"), -ERANGE, NULL, 0 },
		{ &chem, TEXT("6"), -ERANGE, NULL, 0 },
		{ &chem, TEXT("3.0"), -EINVAL, NULL, 0 },
		{ &task, TEXT("4294967295"), 0, "4294967295", 4294967295 },
		{ &task, TEXT("4294967296"), -ERANGE, NULL, 0 },
		{ &task, TEXT("-1"), -ERANGE, NULL, 0 },
		{ &free_int, TEXT("9007199254740992"), 0, "9007199254740992", 9007199254740992 },
		{ &free_int, TEXT("9007199254740993"), -ERANGE, NULL, 0 },
		{ &free_int, TEXT("-9007199254740993"), -ERANGE, NULL, 0 },
		{ &free_int, TEXT("99999999999999999999"), -ERANGE, NULL, 0 },
		{ &date, TEXT("23.02.2025\n"), 0, "23.02.2025", 0 },
		{ &date, TEXT("23.02.25"), -EINVAL, NULL, 0 },
		{ &date, TEXT("23.02.2025\n\n"), -EINVAL, NULL, 0 },
		{ &any_text, TEXT(LETTERS_62 "!"), 0, LETTERS_62 "!", 0 },
		{ &any_text, TEXT(LETTERS_62 "!!"), -EINVAL, NULL, 0 },
		{ &any_text, TEXT("a\tb"), -EINVAL, NULL, 0 },
		{ &any_text, TEXT("a\0b"), -EINVAL, NULL, 0 },
		{ &any_text, TEXT("\x80"), -EINVAL, NULL, 0 },
		{ &any_text, TEXT(""), -EINVAL, NULL, 0 },
		{ &no_text, TEXT("x"), -EINVAL, NULL, 0 },
		{ &clock_row, TEXT("14:41:03\n"), 0, "14:41:03", 52863 },
		{ &clock_row, TEXT("24:00:00"), -EINVAL, NULL, 0 },
		{ &clock_row, TEXT("1:2:3"), -EINVAL, NULL, 0 },
	};
	struct setting setting;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		assert_int_equal(setting_parse(row[i].row, MODEL_UNKNOWN, row[i].text, row[i].size,
					       &setting),
				 row[i].ret);
		if (row[i].ret)
			continue;
		assert_string_equal(setting.text, row[i].wire);
		assert_true(setting.number == row[i].number);
	}
}

static void test_model_limits(void **state)
{
	struct setting setting;

	(void)state;
	assert_int_equal(setting_parse(&cmax, MODEL_UNKNOWN, TEXT("4.5"), &setting), -ERANGE);
	assert_int_equal(setting_parse(&cmax, MODEL_WIDE, TEXT("4.5"), &setting), 0);
	assert_int_equal(setting_parse(&cmax, MODEL_WIDE, TEXT("5.1"), &setting), -ERANGE);
}

static void test_agrees(void **state)
{
	static const struct {
		const struct instruction *row;
		const char *written;
		const char *reply;
		int agrees;
	} row[] = {
		{ &cmax, "3.94", "3.94000e0", 1 },
		{ &cmax, "3.94", "3.94001e0", 0 },
		{ &cmax, "3.94", "3.95000e0", 0 },
		{ &free_int, "16777217", "16777217", 1 },
		{ &free_int, "16777217", "16777216", 0 },
		{ &chem, "3", "3", 1 },
		{ &chem, "3", "3.00000e0", 1 },
		{ &chem, "3", "4", 0 },
		{ &task, "4294967295", "4294967295", 1 },
		{ &task, "4294967295", "4294967294", 0 },
		{ &date, "23.02.2025", " 23.02.2025\r\n", 1 },
		{ &date, "23.02.2025", "24.02.2025", 0 },
		{ &date, "23.02.2025", "23.02.2025 x", 0 },
		{ &socs, "0.96", "9.60000e-1", 1 },
		{ &socs, "0.96", "9.79000e-1", 1 },
		{ &socs, "0.96", "9.41000e-1", 1 },
		{ &socs, "0.96", "9.81000e-1", 0 },
		{ &socs, "0.96", "9.39000e-1", 0 },
		{ &clock_row, "14:41:03", "14:41:03", 1 },
		{ &clock_row, "14:41:03", "14:41:08", 1 },
		{ &clock_row, "14:41:03", "14:41:09", 0 },
		{ &clock_row, "14:41:03", "14:40:57", 0 },
		{ &clock_row, "23:59:58", "00:00:03", 1 },
		{ &clock_row, "23:59:58", "00:00:04", 0 },
		{ &clock_row, "00:00:01", "23:59:56", 1 },
		{ &erld, "1", "0", 1 },
	};
	static struct reply reply;
	struct setting setting;
	struct frame frame;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		assert_int_equal(setting_parse(row[i].row, MODEL_UNKNOWN, row[i].written,
					       strlen(row[i].written), &setting),
				 0);
		reply_begin(&reply, row[i].row, MODEL_UNKNOWN, false, 1);
		frame_make(&frame, FRAME_HOST, 1, row[i].reply, (uint8_t)strlen(row[i].reply));
		assert_int_equal(reply_take(&reply, &frame), REPLY_COMPLETE);
		assert_int_equal(setting_agrees(row[i].row, &setting, 3.5, &reply.sample),
				 row[i].agrees);
	}
}

static const struct instruction capacity = { .type = VALUE_FLOAT, .verify = VERIFY_SAME };
static const struct instruction coarse = { .type = VALUE_FLOAT,
					   .verify = VERIFY_SAME,
					   .step = 0.5 };

/* Whether a reply of few digits proves that a setting is in force. */
static void test_verified_means_in_force(void **state)
{
	static const struct {
		const char *what;
		const struct instruction *row;
		const char *before, *written, *reply;
		int proved;
	} cases[] = {
		{ .what = "no decimal, a whole number",
		  .row = &capacity,
		  .before = "400",
		  .written = "450",
		  .reply = "450",
		  .proved = 1 },
		{ .what = "no decimal, written with one",
		  .row = &capacity,
		  .before = "400",
		  .written = "450.4",
		  .reply = "450",
		  .proved = 0 },
		{ .what = "no decimal, but nothing finer than half a unit is set: a neighbour "
			  "would be shown alike",
		  .row = &coarse,
		  .before = "400",
		  .written = "450.1",
		  .reply = "450",
		  .proved = 0 },
		{ .what = "clamped one step below",
		  .row = &cmax,
		  .before = "3.9",
		  .written = "4.2",
		  .reply = "4.1",
		  .proved = 0 },
		{ .what = "one decimal, one was written",
		  .row = &cmax,
		  .before = "3.9",
		  .written = "4.2",
		  .reply = "4.2",
		  .proved = 1 },
		{ .what = "one decimal, two were written",
		  .row = &cmax,
		  .before = "3.9",
		  .written = "4.22",
		  .reply = "4.2",
		  .proved = 0 },
		{ .what = "one decimal, two were written, the step is half a unit",
		  .row = &coarse,
		  .before = "3.9",
		  .written = "4.22",
		  .reply = "4.2",
		  .proved = 1 },
		{ .what = "rounds to nothing",
		  .row = &capacity,
		  .before = "0.5",
		  .written = "0.04",
		  .reply = "0.0",
		  .proved = 0 },
		{ .what = "two decimals, two were written",
		  .row = &cmax,
		  .before = "3.9",
		  .written = "4.22",
		  .reply = "4.22",
		  .proved = 1 },
		{ .what = "two decimals, rounded up from three",
		  .row = &cmax,
		  .before = "3.9",
		  .written = "4.225",
		  .reply = "4.23",
		  .proved = 0 },
		{ .what = "three decimals, off by one",
		  .row = &cmax,
		  .before = "3.9",
		  .written = "4.225",
		  .reply = "4.224",
		  .proved = 0 },
		{ .what = "three decimals, three were written",
		  .row = &cmax,
		  .before = "3.9",
		  .written = "4.225",
		  .reply = "4.225",
		  .proved = 1 },
		{ .what = "four decimals, five were written",
		  .row = &capacity,
		  .before = "1",
		  .written = "1.23456",
		  .reply = "1.2346",
		  .proved = 0 },
		{ .what = "five decimals and an exponent",
		  .row = &capacity,
		  .before = "1",
		  .written = "0.0078125",
		  .reply = "7.81250e-3",
		  .proved = 1 },
		{ .what = "six digits, seven were written",
		  .row = &capacity,
		  .before = "1",
		  .written = "1234.567",
		  .reply = "1.23457e3",
		  .proved = 0 },
		{ .what = "six decimals, off by the last",
		  .row = &capacity,
		  .before = "1",
		  .written = "3.94",
		  .reply = "3.940001",
		  .proved = 0 },
		{ .what = "six decimals",
		  .row = &capacity,
		  .before = "1",
		  .written = "3.940001",
		  .reply = "3.940001",
		  .proved = 1 },
		{ .what = "the old value would be shown alike",
		  .row = &coarse,
		  .before = "4.24",
		  .written = "4.22",
		  .reply = "4.2",
		  .proved = 0 },
		{ .what = "equal to the old value too",
		  .row = &cmax,
		  .before = "4.2",
		  .written = "4.2",
		  .reply = "4.2",
		  .proved = 1 },
	};
	static struct reply reply;
	struct setting setting, before;
	struct frame frame;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(setting_parse(cases[i].row, MODEL_UNKNOWN, cases[i].before,
					       strlen(cases[i].before), &before),
				 0);
		assert_int_equal(setting_parse(cases[i].row, MODEL_UNKNOWN, cases[i].written,
					       strlen(cases[i].written), &setting),
				 0);
		reply_begin(&reply, cases[i].row, MODEL_UNKNOWN, false, 1);
		frame_make(&frame, FRAME_HOST, 1, cases[i].reply, (uint8_t)strlen(cases[i].reply));
		assert_int_equal(reply_take(&reply, &frame), REPLY_COMPLETE);
		if (setting_agrees(cases[i].row, &setting, before.number, &reply.sample) !=
		    cases[i].proved)
			fail_msg("%s: %s, read back as %s", cases[i].what, cases[i].written,
				 cases[i].reply);
	}
}

/* A sample that is no number, or empty, agrees with no number. */
static void test_agrees_nothing(void **state)
{
	static const struct instruction *const row[] = { &cmax, &chem, &socs, &clock_row };
	static const struct sample empty;
	struct setting setting = { .number = 0, .text = "0" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		assert_int_equal(setting_agrees(row[i], &setting, 1, &empty), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_model_limits),
		cmocka_unit_test(test_agrees),
		cmocka_unit_test(test_verified_means_in_force),
		cmocka_unit_test(test_agrees_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

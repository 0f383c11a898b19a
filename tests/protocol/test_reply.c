// SPDX-License-Identifier: LGPL-3.0-or-later
#include "test.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "captured.h"
#include "protocol/reply.h"
#include "protocol/value.h"

#define NOBODY MODEL_UNKNOWN

static const struct instruction capa = { .mnemonic = "CAPA", .type = VALUE_FLOAT };
static const struct instruction chem = { .mnemonic = "CHEM", .type = VALUE_INT };
static const struct instruction idn = { .mnemonic = "*IDN", .type = VALUE_TEXT };
static const struct instruction clock_row = { .mnemonic = "TIME", .type = VALUE_CLOCK };
static const struct instruction errl = { .mnemonic = "ERRL",
					 .type = VALUE_TEXT,
					 .consuming = true };

static const struct instruction cell = {
	.mnemonic = "CELL",
	.array = true,
	.header = HEADER_UNITS,
};
static const struct instruction btem = {
	.mnemonic = "BTEM",
	.array = true,
	.header = HEADER_UNITS,
	.fields = 1,
	.variant = { { .one_frame = true } },
};
static const struct instruction ptem = {
	.mnemonic = "PTEM",
	.array = true,
	.header = HEADER_UNITS,
	.variant = { { .trim = true, .has_min = true, .min = -40, .has_max = true, .max = 125 } },
};
static const struct instruction lcd1 = {
	.mnemonic = "LCD1",
	.array = true,
	.header = HEADER_BYTES,
	.fields = 7,
};
static const struct instruction lcd3 = {
	.mnemonic = "LCD3",
	.array = true,
	.header = HEADER_BYTES,
	.fields = 7,
	.field = { { .type = FIELD_U8 },
		   { .type = FIELD_U8 },
		   { .type = FIELD_U8 },
		   { .type = FIELD_U8 },
		   { .type = FIELD_U8 },
		   { .type = FIELD_U8 },
		   { .type = FIELD_U16BE } },
};
static const struct instruction erro = {
	.mnemonic = "ERRO",
	.array = true,
	.header = HEADER_BYTES,
	.field = { { .type = FIELD_U8 } },
};
static const struct instruction bare = { .mnemonic = "BARE", .array = true };

/* Too large for a stack that a test shares with others. */
static struct reply reply;

static enum reply_state take(uint8_t snd, const void *payload, size_t size)
{
	struct frame frame;

	frame_make(&frame, FRAME_HOST, snd, payload, (uint8_t)size);
	return reply_take(&reply, &frame);
}

static enum reply_state take_text(const char *text)
{
	return take(1, text, strlen(text));
}

static enum reply_state take_floats(uint8_t snd, const float *number, size_t count)
{
	return take(snd, number, count * sizeof(*number));
}

/* Decodes @bytes as the whole reply of unit 1 to @row. */
static enum reply_state take_bytes(const struct instruction *row, const uint8_t *bytes, size_t size)
{
	struct frame_decoder decoder = { .dropped = 0 };
	enum reply_state state = REPLY_MORE;
	struct frame frame;

	reply_begin(&reply, row, NOBODY, false, 1);
	assert_int_equal(frame_decoder_feed(&decoder, bytes, size), size);
	while (frame_decoder_next(&decoder, &frame)) {
		assert_int_equal(state, REPLY_MORE);
		state = reply_take(&reply, &frame);
	}
	return state;
}

static void assert_printed(unsigned index, const char *text)
{
	char printed[VALUE_TEXT_MAX];

	assert_true(value_format_float(printed, sizeof(printed),
				       (float)reply.sample.number[index]) > 0);
	assert_string_equal(printed, text);
}

static void assert_unfit(enum reply_state state, const char *reason)
{
	assert_int_equal(state, REPLY_UNFIT);
	assert_string_equal(reply.reason, reason);
}

static void test_captured_capa(void **state)
{
	(void)state;
	assert_int_equal(take_bytes(&capa, captured_capa, sizeof(captured_capa)), REPLY_COMPLETE);
	assert_int_equal(reply.sample.units, 1);
	assert_int_equal(reply.sample.address[0], 1);
	assert_int_equal(reply.sample.numbers, 1);
	assert_string_equal(reply.sample.text, "4.50000e2");
	assert_printed(0, "450");
}

/* The numbers as they were published, with seven digits; three of them need eight to read back. */
static void test_captured_cell(void **state)
{
	static const struct {
		const char *published, *exact;
	} row[] = {
		{ "3.966", "3.966" },      { "3.9661", "3.9661" },   { "3.9666", "3.9665997" },
		{ "3.9663", "3.9663" },    { "3.967", "3.9669998" }, { "3.9635", "3.9635" },
		{ "3.9644", "3.9644" },    { "3.9577", "3.9577" },   { "3.9648", "3.9648" },
		{ "3.9669", "3.9668999" }, { "3.9652", "3.9652" },   { "3.9641", "3.9641" },
		{ "3.9656", "3.9656" },    { "3.9643", "3.9643" },
	};
	char seven[VALUE_TEXT_MAX];

	(void)state;
	assert_int_equal(take_bytes(&cell, captured_cell, sizeof(captured_cell)), REPLY_COMPLETE);
	assert_int_equal(reply.sample.units, 1);
	assert_int_equal(reply.sample.count[0], 14);
	assert_int_equal(reply.sample.numbers, 14);
	for (unsigned i = 0; i < ARRAY_SIZE(row); i++) {
		snprintf(seven, sizeof(seven), "%.7g", reply.sample.number[i]);
		assert_string_equal(seven, row[i].published);
		assert_printed(i, row[i].exact);
	}
	assert_int_equal(take_bytes(&cell, captured_cell_cut, sizeof(captured_cell_cut)),
			 REPLY_MORE);
}

/* The capture of RINT was published as numbers only. */
static void test_printed_rint(void **state)
{
	static const char *const printed[] = {
		"0.0001108202", "0.0001035537", "0.00009103767", "0.0001470417",  "0.0001925638",
		"0.0001923965", "0.0001522747", "0.0003862436",  "0.00006002274", "0.00008185021",
		"0.0001809511", "0.0001758716", "0.0001872099",  "0.0001529547",
	};
	float number[ARRAY_SIZE(printed)];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(printed); i++)
		number[i] = strtof(printed[i], NULL);
	reply_begin(&reply, &cell, NOBODY, false, 1);
	assert_int_equal(take_text("1"), REPLY_MORE);
	assert_int_equal(take_floats(1, number, ARRAY_SIZE(number)), REPLY_COMPLETE);
	for (unsigned i = 0; i < ARRAY_SIZE(printed); i++)
		assert_printed(i, printed[i]);
}

static void test_rebuilt(void **state)
{
	static const char *const main_data[] = {
		"3.9607", "3.9656", "0.5800781", "18.5", "55.48749", "0.7846351", "0.9897",
	};
	static const char *const places[] = { "1", "8", "1", "13", "1", "3", "105" };
	static const char *const error[] = { "1", "1", "8", "2" };
	static const struct {
		const struct instruction *row;
		const uint8_t *bytes;
		size_t size;
		const char *const *printed;
		unsigned numbers;
	} row[] = {
		{ &lcd1, rebuilt_lcd1, sizeof(rebuilt_lcd1), main_data, 7 },
		{ &lcd3, rebuilt_lcd3, sizeof(rebuilt_lcd3), places, 7 },
		{ &erro, rebuilt_erro, sizeof(rebuilt_erro), error, 4 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		assert_int_equal(take_bytes(row[i].row, row[i].bytes, row[i].size), REPLY_COMPLETE);
		assert_int_equal(reply.sample.units, 1);
		assert_int_equal(reply.sample.numbers, row[i].numbers);
		for (unsigned n = 0; n < row[i].numbers; n++)
			assert_printed(n, row[i].printed[n]);
	}
	assert_int_equal(take_bytes(&btem, rebuilt_btem, sizeof(rebuilt_btem)), REPLY_COMPLETE);
	assert_printed(0, "25.89443");
}

static void test_scalar(void **state)
{
	static const struct {
		const struct instruction *row;
		const char *payload;
		enum reply_state state;
		const char *text; /* of the sample, or the reason */
		double number;
	} row[] = {
		{ &capa, "4.08", REPLY_COMPLETE, "4.08", 4.08f },
		{ &capa, " -1.2351e2\r\n", REPLY_COMPLETE, "-1.2351e2", -123.51f },
		{ &capa, "nan", REPLY_UNFIT, "not a number", 0 },
		{ &capa, "1e39", REPLY_UNFIT, "not a number", 0 },
		{ &capa, "3.9A", REPLY_UNFIT, "not a number", 0 },
		{ &capa, "", REPLY_UNFIT, "an empty text", 0 },
		{ &capa, "SET", REPLY_UNFIT, "a confirmation that nobody waits for", 0 },
		{ &capa, "ERROR1", REPLY_REFUSED, "ERROR1", 0 },
		{ &chem, "3", REPLY_COMPLETE, "3", 3 },
		{ &chem, "1.03000e2", REPLY_COMPLETE, "1.03000e2", 103 },
		{ &chem, "4294967295", REPLY_COMPLETE, "4294967295", 4294967295 },
		{ &chem, "3.69e8", REPLY_UNFIT, "not an integer", 0 },
		{ &chem, "9007199254740993", REPLY_UNFIT, "not an integer", 0 },
		{ &chem, "2.5", REPLY_UNFIT, "not an integer", 0 },
		{ &chem, "SET", REPLY_UNFIT, "a confirmation that nobody waits for", 0 },
		{ &idn, "REC BMS 1Q VICTRON \r\n", REPLY_COMPLETE, "REC BMS 1Q VICTRON", 0 },
		{ &idn, "1A\x80", REPLY_COMPLETE, "1A?", 0 },
		{ &idn, "", REPLY_UNFIT, "an empty text", 0 },
		{ &idn, "SET", REPLY_UNFIT, "a confirmation that nobody waits for", 0 },
		{ &idn, "SETTLED", REPLY_COMPLETE, "SETTLED", 0 },
		{ &idn, "ERROR", REPLY_REFUSED, "ERROR", 0 },
		{ &errl, "8,2;14:41:03;23.02.2025", REPLY_COMPLETE, "8,2;14:41:03;23.02.2025", 0 },
		{ &errl, "  ", REPLY_COMPLETE, "", 0 },
		{ &clock_row, "14:41:03", REPLY_COMPLETE, "14:41:03", 52863 },
		{ &clock_row, "14.41", REPLY_UNFIT, "not a time of day", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		const struct sample *sample = &reply.sample;

		reply_begin(&reply, row[i].row, NOBODY, false, 1);
		assert_int_equal(take_text(row[i].payload), row[i].state);
		if (row[i].state == REPLY_UNFIT) {
			assert_string_equal(reply.reason, row[i].text);
			continue;
		}
		assert_string_equal(sample->text, row[i].text);
		assert_int_equal(sample->size, strlen(row[i].text));
		if (row[i].state == REPLY_REFUSED)
			continue;
		assert_int_equal(sample->units, 1);
		assert_int_equal(sample->numbers, row[i].row->type != VALUE_TEXT);
		if (sample->numbers)
			assert_true(sample->number[0] == row[i].number);
	}
}

static void test_set(void **state)
{
	static const struct {
		const char *payload;
		enum reply_state state;
	} row[] = {
		{ "SET", REPLY_COMPLETE },    { "ERROR1", REPLY_REFUSED },
		{ "ERROR", REPLY_REFUSED },   { "SET ", REPLY_UNFIT },
		{ "set", REPLY_UNFIT },       { "SETT", REPLY_UNFIT },
		{ "3.94000e0", REPLY_UNFIT }, { "", REPLY_UNFIT },
		{ "ERR", REPLY_UNFIT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		reply_begin(&reply, &capa, NOBODY, true, 1);
		assert_int_equal(take_text(row[i].payload), row[i].state);
	}
}

/* What no first frame may be, whatever was asked. */
static void test_wrong_sender(void **state)
{
	static const struct instruction *const row[] = { &capa, &idn, &cell, &lcd1, &bare };
	struct frame frame;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		reply_begin(&reply, row[i], NOBODY, false, 1);
		assert_unfit(take(2, "1", 1), "a frame from another unit");
		reply_begin(&reply, row[i], NOBODY, false, 1);
		assert_unfit(take(0, "1", 1), "a frame from another unit");
		reply_begin(&reply, row[i], NOBODY, false, 1);
		frame_make(&frame, 1, FRAME_HOST, "CAPA?", 5);
		assert_unfit(reply_take(&reply, &frame), "a frame for somebody else");
	}
}

static void test_surplus(void **state)
{
	(void)state;
	take_bytes(&capa, captured_capa, sizeof(captured_capa));
	assert_unfit(take_text("4.50000e2"), "a frame too many");
	take_bytes(&cell, captured_cell, sizeof(captured_cell));
	assert_unfit(take(1, captured_cell + 12, 56), "a frame too many");
	reply_begin(&reply, &cell, NOBODY, false, 1);
	assert_int_equal(take_text("x"), REPLY_UNFIT);
	assert_unfit(take(1, captured_cell + 12, 56), "a frame too many");
}

static void test_header(void **state)
{
	static const struct {
		const struct instruction *row;
		const char *payload;
		enum reply_state state;
		unsigned expected, bytes;
	} row[] = {
		{ &cell, "1", REPLY_MORE, 1, 0 },         { &cell, " 15 ", REPLY_MORE, 15, 0 },
		{ &cell, "003", REPLY_MORE, 3, 0 },       { &cell, "0", REPLY_UNFIT, 0, 0 },
		{ &cell, "16", REPLY_UNFIT, 0, 0 },       { &cell, "", REPLY_UNFIT, 0, 0 },
		{ &cell, "0001", REPLY_UNFIT, 0, 0 },     { &cell, "-1", REPLY_UNFIT, 0, 0 },
		{ &cell, "1.0", REPLY_UNFIT, 0, 0 },      { &cell, "1 1", REPLY_UNFIT, 0, 0 },
		{ &cell, "\x01", REPLY_UNFIT, 0, 0 },     { &cell, "SET", REPLY_UNFIT, 0, 0 },
		{ &cell, "ERROR1", REPLY_REFUSED, 0, 0 }, { &lcd1, "28", REPLY_MORE, 1, 28 },
		{ &lcd1, "256", REPLY_UNFIT, 0, 0 },      { &lcd1, "0", REPLY_UNFIT, 0, 0 },
		{ &lcd1, "ERROR2", REPLY_REFUSED, 0, 0 }, { &btem, "4", REPLY_MORE, 1, 0 },
		{ &btem, "1", REPLY_MORE, 1, 0 },         { &btem, "99", REPLY_MORE, 1, 0 },
		{ &btem, "4x", REPLY_UNFIT, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		reply_begin(&reply, row[i].row, NOBODY, false, 1);
		assert_int_equal(take_text(row[i].payload), row[i].state);
		assert_int_equal(reply.expected, row[i].expected);
		assert_int_equal(reply.bytes, row[i].bytes);
		assert_int_equal(reply.sample.units, 0);
	}
}

static void test_lying_header(void **state)
{
	static const struct {
		const struct instruction *row;
		const char *header;
		size_t size; /* of the data frame that follows */
		const char *reason;
	} row[] = {
		{ &lcd1, "28", 24, "not as many bytes as the header states" },
		{ &lcd1, "24", 28, "not as many bytes as the header states" },
		{ &lcd1, "24", 24, "a data frame of the wrong length" },
		{ &lcd3, "7", 7, "a data frame of the wrong length" },
		{ &erro, "4", 3, "not as many bytes as the header states" },
		{ &erro, "4", 0, "not as many bytes as the header states" },
		{ &cell, "1", 55, "a data frame of the wrong length" },
		{ &cell, "1", 0, "a data frame without numbers" },
		{ &btem, "1", 8, "a data frame of the wrong length" },
		{ &btem, "1", 0, "a data frame of the wrong length" },
		{ &ptem, "1", 6, "a data frame of the wrong length" },
	};
	static const uint8_t zeros[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		reply_begin(&reply, row[i].row, NOBODY, false, 1);
		assert_int_equal(take_text(row[i].header), REPLY_MORE);
		assert_unfit(take(1, zeros, row[i].size), row[i].reason);
	}
	reply_begin(&reply, &lcd1, NOBODY, false, 1);
	assert_int_equal(take_text("28"), REPLY_MORE);
	assert_unfit(take(2, zeros, 28), "data from another unit");
	reply_begin(&reply, &cell, NOBODY, false, 1);
	assert_int_equal(take_text("1"), REPLY_MORE);
	assert_unfit(take(0, zeros, 28), "data from no unit");
}

/* A master answers for three slaves of different size. */
static void test_units(void **state)
{
	static const float number[] = { 3.1f, 3.2f, 3.3f, 3.4f, 3.5f, 3.6f, 3.7f, 3.8f, 3.9f };
	static const uint8_t sender[][3] = { { 16, 16, 16 }, { 1, 2, 3 } };
	const struct sample *sample = &reply.sample;
	static struct sample copy;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sender); i++) {
		reply_begin(&reply, &cell, NOBODY, false, 16);
		assert_int_equal(take(16, "3", 1), REPLY_MORE);
		assert_int_equal(take_floats(sender[i][0], number, 4), REPLY_MORE);
		assert_int_equal(take_floats(sender[i][1], number + 4, 2), REPLY_MORE);
		assert_int_equal(take_floats(sender[i][2], number + 6, 3), REPLY_COMPLETE);

		assert_int_equal(sample->units, 3);
		assert_memory_equal(sample->address, sender[i], 3);
		assert_int_equal(sample->numbers, 9);
		assert_int_equal(sample_offset(sample, 0), 0);
		assert_int_equal(sample_offset(sample, 1), 4);
		assert_int_equal(sample_offset(sample, 2), 6);
		assert_int_equal(sample_offset(sample, 3), 9);
		for (unsigned n = 0; n < 9; n++)
			assert_true(sample->number[n] == number[n]);
	}

	memset(&copy, 0xFF, sizeof(copy));
	sample_copy(&copy, sample);
	assert_int_equal(copy.units, 3);
	assert_memory_equal(copy.address, sample->address, 3);
	assert_memory_equal(copy.count, sample->count, 3);
	assert_int_equal(copy.numbers, 9);
	assert_int_equal(copy.size, 0);
	assert_string_equal(copy.text, "");
	assert_memory_equal(copy.number, sample->number, 9 * sizeof(double));
	assert_true(isnan(copy.number[9]));
}

static void test_trim(void **state)
{
	static const struct {
		unsigned held, kept;
		float number[4];
		enum reply_state state;
	} row[] = {
		{ 3, 3, { 18.5f, 19, 20 }, REPLY_COMPLETE },
		{ 4, 2, { 18.5f, 19, NAN, 3e30f }, REPLY_COMPLETE },
		{ 3, 1, { 18.5f, -41, 126 }, REPLY_COMPLETE },
		{ 3, 3, { 500, -273.15f, 125 }, REPLY_COMPLETE },
		{ 2, 0, { INFINITY, -INFINITY }, REPLY_COMPLETE },
		{ 0, 0, { 0 }, REPLY_COMPLETE },
		{ 3, 0, { 18.5f, NAN, 20 }, REPLY_UNFIT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		reply_begin(&reply, &ptem, NOBODY, false, 1);
		assert_int_equal(take_text("1"), REPLY_MORE);
		assert_int_equal(take_floats(1, row[i].number, row[i].held), row[i].state);
		assert_int_equal(reply.sample.numbers, row[i].kept);
		for (unsigned n = 0; n < row[i].kept; n++)
			assert_true(reply.sample.number[n] == row[i].number[n]);
	}
}

/* What is behind the limit is not looked at. */
static void test_limit(void **state)
{
	static const float padded[] = { 19.5f, 3.31f, NAN, 3.33f };
	struct instruction limited = ptem;

	(void)state;
	limited.variant[0].limited = true;
	for (uint8_t limit = 0; limit <= 2; limit++) {
		limited.variant[0].limit = limit;
		reply_begin(&reply, &limited, NOBODY, false, 16);
		assert_int_equal(take(16, "2", 1), REPLY_MORE);
		assert_int_equal(take_floats(16, padded, 4), REPLY_MORE);
		assert_int_equal(take_floats(16, padded, 1), REPLY_COMPLETE);
		assert_int_equal(reply.sample.count[0], limit);
		assert_int_equal(reply.sample.count[1], limit < 1 ? 0 : 1);
		for (unsigned n = 0; n < limit; n++)
			assert_true(reply.sample.number[n] == padded[n]);
	}
	limited.variant[0].limit = 3;
	reply_begin(&reply, &limited, NOBODY, false, 16);
	assert_int_equal(take(16, "1", 1), REPLY_MORE);
	assert_int_equal(take_floats(16, padded, 3), REPLY_COMPLETE);
	assert_int_equal(reply.sample.count[0], 2);
	limited.variant[0].trim = false;
	reply_begin(&reply, &limited, NOBODY, false, 16);
	assert_int_equal(take(16, "1", 1), REPLY_MORE);
	assert_unfit(take_floats(16, padded, 0), "a data frame without numbers");
}

/* The next unit starts where the trimmed one ends. */
static void test_trim_units(void **state)
{
	static const float number[] = { 20, 1e20f, 21, 22 };

	(void)state;
	reply_begin(&reply, &ptem, NOBODY, false, 16);
	assert_int_equal(take(16, "2", 1), REPLY_MORE);
	assert_int_equal(take_floats(16, number, 2), REPLY_MORE);
	assert_int_equal(take_floats(16, number + 2, 2), REPLY_COMPLETE);
	assert_int_equal(reply.sample.numbers, 3);
	assert_int_equal(sample_offset(&reply.sample, 1), 1);
	assert_true(reply.sample.number[1] == 21);
}

static void test_not_finite(void **state)
{
	static const float number[][2] = { { 3.3f, NAN }, { INFINITY, 3.3f }, { 3.3f, -INFINITY } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(number); i++) {
		reply_begin(&reply, &cell, NOBODY, false, 1);
		assert_int_equal(take_text("1"), REPLY_MORE);
		assert_unfit(take_floats(1, number[i], 2), "a number that is not finite");
	}
}

/* Bytes can fill a sample; the unit that would overrun it is refused. */
static void test_too_many(void **state)
{
	static const struct instruction bytes = {
		.array = true,
		.header = HEADER_UNITS,
		.field = { { .type = FIELD_U8 } },
	};
	static const uint8_t zeros[255];

	(void)state;
	reply_begin(&reply, &bytes, NOBODY, false, 1);
	assert_int_equal(take_text("15"), REPLY_MORE);
	for (int i = 0; i < 4; i++)
		assert_int_equal(take(1, zeros, sizeof(zeros)), REPLY_MORE);
	assert_unfit(take(1, zeros, sizeof(zeros)), "more numbers than any BMS has");
	assert_int_equal(reply.sample.numbers, 1020);
}

static void test_no_header(void **state)
{
	static const float number[] = { 1, 2 };

	(void)state;
	reply_begin(&reply, &bare, NOBODY, false, 1);
	assert_int_equal(take_floats(1, number, 2), REPLY_COMPLETE);
	assert_int_equal(reply.sample.numbers, 2);
	reply_begin(&reply, &bare, NOBODY, false, 1);
	assert_int_equal(take_text("ERROR3"), REPLY_REFUSED);
}

/* Nothing of the reply before stays behind. */
static void test_begin_again(void **state)
{
	(void)state;
	assert_int_equal(take_bytes(&lcd1, rebuilt_lcd1, sizeof(rebuilt_lcd1)), REPLY_COMPLETE);
	assert_int_equal(take_bytes(&capa, captured_capa, sizeof(captured_capa)), REPLY_COMPLETE);
	assert_int_equal(take_bytes(&cell, captured_cell, sizeof(captured_cell)), REPLY_COMPLETE);
	assert_string_equal(reply.sample.text, "");
	assert_int_equal(reply.sample.size, 0);
	assert_null(reply.reason);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_captured_capa), cmocka_unit_test(test_captured_cell),
		cmocka_unit_test(test_printed_rint),  cmocka_unit_test(test_rebuilt),
		cmocka_unit_test(test_scalar),        cmocka_unit_test(test_set),
		cmocka_unit_test(test_wrong_sender),  cmocka_unit_test(test_surplus),
		cmocka_unit_test(test_header),        cmocka_unit_test(test_lying_header),
		cmocka_unit_test(test_units),         cmocka_unit_test(test_trim),
		cmocka_unit_test(test_limit),         cmocka_unit_test(test_trim_units),
		cmocka_unit_test(test_not_finite),    cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_no_header),     cmocka_unit_test(test_begin_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

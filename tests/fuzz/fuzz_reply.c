// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * Replies made of any frames, judged by a decoder of its own. Input: the row; model (low 4 bits),
 * query or set (0x10) and the address asked (high 3 bits); then frames, each the unit that sends it
 * (0: the one asked; 0x80: not to the host), a length and its payload, the last of them cut.
 */
#include "fuzz.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "protocol/reply.h"

#define FRAMES (SAMPLE_UNIT_MAX + 2)

/* The frames that were fed to the reply. */
struct run {
	struct reply reply;
	enum reply_state state;
	unsigned frames;
	struct frame frame[FRAMES];
};

static struct instruction_table table;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct table_error error;

	(void)argc;
	(void)argv;
	CHECK(!instruction_table_init(&table, &error));
	return 0;
}

static bool is_blank(uint8_t byte)
{
	return byte == '\0' || byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* The number in a header frame: digits among blanks. */
static unsigned header_number(const struct frame *frame)
{
	unsigned number = 0, digits = 0, at = 0;

	while (at < frame->len && is_blank(frame->payload[at]))
		at++;
	for (; at < frame->len && frame->payload[at] >= '0' && frame->payload[at] <= '9'; at++) {
		number = number * 10 + frame->payload[at] - '0';
		digits++;
	}
	while (at < frame->len && is_blank(frame->payload[at]))
		at++;
	CHECK(digits && at == frame->len);
	return number;
}

static double number_at(enum field_type type, const uint8_t *at)
{
	float value;

	if (type == FIELD_U8)
		return at[0];
	if (type == FIELD_U16BE)
		return at[0] * 256 + at[1];
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	const uint8_t turned[] = { at[3], at[2], at[1], at[0] };

	at = turned;
#endif
	memcpy(&value, at, sizeof(value));
	return value;
}

static bool is_sensor(const struct instruction_variant *variant, double number)
{
	return isfinite(number) && !(variant->has_min && number < variant->min) &&
	       !(variant->has_max && number > variant->max);
}

static bool is_beyond_limit(const struct reply *reply, unsigned index)
{
	return reply->variant->limited && index >= reply->variant->limit;
}

/*
 * The numbers of a unit are those of its frame, every one, but for trailing ones that are trimmed or
 * beyond the limit.
 */
static void check_unit(const struct reply *reply, unsigned unit, const struct frame *frame)
{
	static const unsigned sizes[] = { [FIELD_F32] = 4, [FIELD_U8] = 1, [FIELD_U16BE] = 2 };
	const struct instruction *row = reply->row;
	const double *number = reply->sample.number + sample_offset(&reply->sample, unit);
	unsigned at = 0, count = 0;

	while (at < frame->len) {
		enum field_type type = row->field[row->fields ? count : 0].type;
		double value;

		CHECK(!row->fields || count < row->fields);
		CHECK(at + sizes[type] <= frame->len);
		value = number_at(type, frame->payload + at);
		if (count < reply->sample.count[unit])
			CHECK(isfinite(value) && number[count] == value);
		else if (!is_beyond_limit(reply, count))
			CHECK(reply->variant->trim && !is_sensor(reply->variant, value));
		at += sizes[type];
		count++;
	}
	CHECK(!row->fields || count == row->fields);
	CHECK(reply->sample.count[unit] || reply->variant->trim || is_beyond_limit(reply, 0));
	CHECK(!reply->sample.count[unit] ||
	      !is_beyond_limit(reply, reply->sample.count[unit] - 1u));
	CHECK(reply->sample.address[unit] == frame->snd);
	CHECK(frame->snd >= 1 && frame->snd <= FRAME_UNIT_MAX);
	CHECK(row->header == HEADER_UNITS || frame->snd == reply->address);
}

static void check_array(const struct run *run)
{
	const struct instruction *row = run->reply.row;
	const struct sample *sample = &run->reply.sample;
	unsigned first = row->header != HEADER_NONE, units = 1, numbers = 0;

	if (row->header == HEADER_BYTES)
		CHECK(header_number(&run->frame[0]) == run->frame[1].len);
	if (row->header == HEADER_UNITS && !run->reply.variant->one_frame)
		units = header_number(&run->frame[0]);
	CHECK(sample->units == units && run->frames == first + units);
	for (unsigned unit = 0; unit < units; unit++) {
		CHECK(sample_offset(sample, unit) == numbers);
		numbers += sample->count[unit];
	}
	CHECK(sample->numbers == numbers && numbers <= SAMPLE_NUMBER_MAX);
	for (unsigned unit = 0; unit < units; unit++)
		check_unit(&run->reply, unit, &run->frame[first + unit]);
}

static void check_scalar(const struct run *run)
{
	const struct sample *sample = &run->reply.sample;
	enum value_type type = run->reply.row->type;
	double number = sample->number[0];

	CHECK(run->frames == 1 && sample->units == 1 && strcmp(sample->text, "SET"));
	CHECK(sample->size || run->reply.row->consuming || run->reply.row->blank);
	CHECK(sample->numbers == (type != VALUE_TEXT));
	switch (type) {
	case VALUE_FLOAT:
		CHECK(isfinite(number) && number == (double)(float)number);
		CHECK(number == (double)strtof(sample->text, NULL));
		break;
	case VALUE_INT:
		CHECK(fabs(number) <= (double)SAMPLE_INTEGER_MAX && number == trunc(number));
		CHECK(number == strtod(sample->text, NULL));
		break;
	case VALUE_CLOCK:
		CHECK(number >= 0 && number < 24 * 60 * 60 && sample->size == 8);
		break;
	case VALUE_TEXT:
		break;
	}
}

static void check_text(const struct sample *sample)
{
	CHECK(sample->size < SAMPLE_TEXT_MAX && sample->text[sample->size] == '\0');
	for (unsigned i = 0; i < sample->size; i++)
		CHECK(sample->text[i] >= ' ' && sample->text[i] <= '~');
}

static void check_copy(const struct sample *sample)
{
	static struct sample copy;

	sample_copy(&copy, sample);
	CHECK(copy.units == sample->units && copy.numbers == sample->numbers);
	CHECK(copy.size == sample->size && !strcmp(copy.text, sample->text));
	CHECK(!memcmp(copy.number, sample->number, copy.numbers * sizeof(copy.number[0])));
}

static void check_complete(const struct run *run)
{
	for (unsigned i = 0; i < run->frames; i++)
		CHECK(run->frame[i].dst == FRAME_HOST);
	CHECK(run->frame[0].snd == run->reply.address);
	CHECK(run->reply.sample.units <= SAMPLE_UNIT_MAX);
	check_copy(&run->reply.sample);
	if (run->reply.set)
		CHECK(run->frames == 1 && frame_is_text(&run->frame[0], "SET"));
	else if (run->reply.row->array)
		check_array(run);
	else
		check_scalar(run);
}

static void run_check(const struct run *run)
{
	check_text(&run->reply.sample);
	CHECK(run->reply.frames <= run->frames);
	switch (run->state) {
	case REPLY_MORE:
		CHECK(run->reply.row->array && !run->reply.set);
		CHECK(run->frames <= run->reply.expected);
		CHECK(run->reply.expected <= SAMPLE_UNIT_MAX);
		break;
	case REPLY_COMPLETE:
		check_complete(run);
		break;
	case REPLY_REFUSED:
		CHECK(run->frames == 1 && !strncmp(run->reply.sample.text, "ERROR", 5));
		CHECK(run->frame[0].snd == run->reply.address);
		break;
	case REPLY_UNFIT:
		CHECK(run->reply.reason && run->reply.reason[0]);
		break;
	}
}

/* Cuts the next frame from the input; returns the bytes that it took. */
static size_t frame_cut(struct frame *frame, const uint8_t *data, size_t size, uint8_t address)
{
	uint8_t snd = data[0] & 0x7F ? data[0] & 0x7F : address;
	uint8_t dst = data[0] & 0x80 ? 1 : FRAME_HOST;
	size_t len;

	if (size < 2) {
		frame_make(frame, dst, snd, NULL, 0);
		return size;
	}
	len = data[1] < size - 2 ? data[1] : size - 2;
	frame_make(frame, dst, snd, data + 2, (uint8_t)len);
	return len + 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run run;
	const struct instruction *row;
	size_t at = 2;

	if (size < 3)
		return 0;
	row = &table.row[data[0] % table.rows];
	reply_begin(&run.reply, row, (data[1] & 15) % ((int)table.models + 1) - 1, data[1] & 0x10,
		    (uint8_t)(1 + (data[1] >> 5)));
	run.frames = 0;
	run.state = REPLY_MORE;
	while (run.state == REPLY_MORE && at < size) {
		struct frame *frame = &run.frame[run.frames++];

		CHECK(run.frames <= FRAMES);
		at += frame_cut(frame, data + at, size - at, run.reply.address);
		run.state = reply_take(&run.reply, frame);
		run_check(&run);
	}
	return 0;
}

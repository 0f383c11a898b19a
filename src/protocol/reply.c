// SPDX-License-Identifier: LGPL-3.0-or-later
#include "protocol/reply.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "protocol/value.h"

#define HEADER_DIGITS 3

static const uint8_t field_size[] = {
	[FIELD_F32] = 4,
	[FIELD_U8] = 1,
	[FIELD_U16BE] = 2,
};

static enum reply_state reply_unfit(struct reply *reply, const char *reason)
{
	reply->reason = reason;
	return REPLY_UNFIT;
}

void reply_begin(struct reply *reply, const struct instruction *row, int model, bool set,
		 uint8_t address)
{
	struct sample *sample = &reply->sample;

	reply->row = row;
	reply->variant = instruction_variant(row, model);
	reply->set = set;
	reply->address = address;
	reply->crowded = reply->roams = false;
	reply->frames = reply->expected = reply->bytes = 0;
	reply->reason = NULL;
	sample->units = 0;
	sample->numbers = 0;
	sample->size = 0;
	sample->text[0] = '\0';
}

/* Opens the next unit of the sample. */
static void sample_add_unit(struct sample *sample, uint8_t address, unsigned count)
{
	sample->address[sample->units] = address;
	sample->count[sample->units] = (uint8_t)count;
	sample->units++;
	sample->numbers = (uint16_t)(sample->numbers + count);
}

static void sample_set_text(struct sample *sample, const struct frame *frame)
{
	sample->size = (uint16_t)value_clean_text(sample->text, sizeof(sample->text),
						  frame->payload, frame->len);
}

static enum reply_state reply_take_confirmation(struct reply *reply, const struct frame *frame)
{
	if (!frame_is_text(frame, "SET"))
		return reply_unfit(reply, "neither SET nor ERROR");
	sample_set_text(&reply->sample, frame);
	sample_add_unit(&reply->sample, frame->snd, 0);
	return REPLY_COMPLETE;
}

static int scalar_parse_float(const struct sample *sample, double *number)
{
	float value;
	int ret = value_parse_reply_float(sample->text, sample->size, &value);

	*number = ret ? 0 : value;
	return ret;
}

static int scalar_parse_int(const struct sample *sample, double *number)
{
	int64_t value;
	int ret = value_parse_reply_int(sample->text, sample->size, &value);

	if (ret || value > SAMPLE_INTEGER_MAX || value < -SAMPLE_INTEGER_MAX)
		return -1;
	*number = (double)value;
	return 0;
}

static int scalar_parse_clock(const struct sample *sample, double *number)
{
	int32_t seconds;
	int ret = value_parse_clock(sample->text, sample->size, &seconds);

	*number = ret ? 0 : seconds;
	return ret;
}

static const struct {
	int (*parse)(const struct sample *sample, double *number);
	const char *reason;
} scalar[] = {
	[VALUE_FLOAT] = { scalar_parse_float, "not a number" },
	[VALUE_INT] = { scalar_parse_int, "not an integer" },
	[VALUE_TEXT] = { NULL, NULL },
	[VALUE_CLOCK] = { scalar_parse_clock, "not a time of day" },
};

static enum reply_state reply_take_scalar(struct reply *reply, const struct frame *frame)
{
	enum value_type type = reply->row->type;
	struct sample *sample = &reply->sample;

	sample_set_text(sample, frame);
	if (!strcmp(sample->text, "SET"))
		return reply_unfit(reply, "a confirmation that nobody waits for");
	if (!strncmp(sample->text, "ERROR", 5))
		return REPLY_REFUSED;
	/* A log that is read until it is empty ends so. */
	if (!sample->size && !reply->row->consuming && !reply->row->blank)
		return reply_unfit(reply, "an empty text");
	if (scalar[type].parse && scalar[type].parse(sample, &sample->number[0]))
		return reply_unfit(reply, scalar[type].reason);
	sample_add_unit(sample, frame->snd, scalar[type].parse != NULL);
	return REPLY_COMPLETE;
}

/* The number of one to three digits that a header states, or -1. */
static int header_parse(const struct frame *frame)
{
	char text[HEADER_DIGITS + 2];
	int64_t number;

	if (value_clean_text(text, sizeof(text), frame->payload, frame->len) > HEADER_DIGITS)
		return -1;
	if (text[0] == '-' || value_parse_int(text, strlen(text), &number))
		return -1;
	return (int)number;
}

static enum reply_state reply_take_header(struct reply *reply, const struct frame *frame)
{
	int number = header_parse(frame);

	if (number < 0)
		return reply_unfit(reply, "no header");
	if (reply->row->header == HEADER_BYTES) {
		if (!number || number > FRAME_PAYLOAD_MAX)
			return reply_unfit(reply, "a header that no frame can keep");
		reply->bytes = (unsigned)number;
		reply->expected = 1;
		return REPLY_MORE;
	}
	if (reply->variant->one_frame)
		number = 1;
	if (!number || number > SAMPLE_UNIT_MAX)
		return reply_unfit(reply, "an impossible number of units");
	reply->roams = reply->crowded && number > 1;
	if (reply->roams)
		return reply_unfit(reply, "the units of a master, on a line with other addresses");
	reply->expected = (unsigned)number;
	return REPLY_MORE;
}

static double field_decode(enum field_type type, const uint8_t *at)
{
	uint32_t bits;
	float value;

	switch (type) {
	case FIELD_U8:
		return at[0];
	case FIELD_U16BE:
		return at[0] << 8 | at[1];
	case FIELD_F32:
		break;
	}
	bits = at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* The type of the @index-th number; a row without a list of fields has one type for all. */
static enum field_type row_field_type(const struct instruction *row, unsigned index)
{
	return row->field[row->fields ? index : 0].type;
}

/* How many numbers a data frame of @len bytes holds, or -1 if that length does not fit. */
static int row_count_numbers(const struct instruction *row, unsigned len)
{
	unsigned size = 0;

	if (!row->fields) {
		size = field_size[row->field[0].type];
		return len % size ? -1 : (int)(len / size);
	}
	for (unsigned i = 0; i < row->fields; i++)
		size += field_size[row->field[i].type];
	return len == size ? row->fields : -1;
}

static bool number_is_sensor(const struct instruction_variant *variant, double number)
{
	return isfinite(number) && (!variant->has_min || number >= variant->min) &&
	       (!variant->has_max || number <= variant->max);
}

/* Counts what is left of @count numbers without the trailing ones that no sensor stands behind. */
static unsigned numbers_trim(const struct instruction_variant *variant, const double *number,
			     unsigned count)
{
	while (count && !number_is_sensor(variant, number[count - 1]))
		count--;
	return count;
}

static bool numbers_are_finite(const double *number, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (!isfinite(number[i]))
			return false;
	return true;
}

/* Appends the numbers of a data frame to the sample as one unit. */
static enum reply_state reply_add_unit(struct reply *reply, const struct frame *frame)
{
	const struct instruction *row = reply->row;
	struct sample *sample = &reply->sample;
	double *number = sample->number + sample->numbers;
	bool trim = reply->variant->trim && !row->fields;
	int held = row_count_numbers(row, frame->len);
	unsigned count = (unsigned)held;
	const uint8_t *at = frame->payload;

	if (held < 0)
		return reply_unfit(reply, "a data frame of the wrong length");
	if (!held && !trim)
		return reply_unfit(reply, "a data frame without numbers");
	if (reply->variant->limited && count > reply->variant->limit)
		count = reply->variant->limit;
	if (count > SAMPLE_NUMBER_MAX - (unsigned)sample->numbers)
		return reply_unfit(reply, "more numbers than any BMS has");
	for (unsigned i = 0; i < count; i++) {
		number[i] = field_decode(row_field_type(row, i), at);
		at += field_size[row_field_type(row, i)];
	}

	if (trim)
		count = numbers_trim(reply->variant, number, count);
	if (!numbers_are_finite(number, count))
		return reply_unfit(reply, "a number that is not finite");
	sample_add_unit(sample, frame->snd, count);
	return sample->units == reply->expected ? REPLY_COMPLETE : REPLY_MORE;
}

static enum reply_state reply_take_data(struct reply *reply, const struct frame *frame)
{
	if (reply->sample.units >= reply->expected)
		return reply_unfit(reply, "a frame too many");
	/* Slaves of a master may send their own frames; other data is of the unit asked. */
	if ((reply->row->header != HEADER_UNITS || reply->crowded) && frame->snd != reply->address)
		return reply_unfit(reply, "data from another unit");
	if (frame->snd == FRAME_HOST || frame->snd > FRAME_UNIT_MAX)
		return reply_unfit(reply, "data from no unit");
	if (reply->bytes && frame->len != reply->bytes)
		return reply_unfit(reply, "not as many bytes as the header states");
	return reply_add_unit(reply, frame);
}

static enum reply_state reply_take_first(struct reply *reply, const struct frame *frame)
{
	if (frame->snd != reply->address)
		return reply_unfit(reply, "a frame from another unit");
	if (frame->len >= 5 && !memcmp(frame->payload, "ERROR", 5)) {
		sample_set_text(&reply->sample, frame);
		return REPLY_REFUSED;
	}
	if (reply->set)
		return reply_take_confirmation(reply, frame);
	if (!reply->row->array)
		return reply_take_scalar(reply, frame);
	if (reply->row->header != HEADER_NONE)
		return reply_take_header(reply, frame);
	reply->expected = 1;
	return reply_take_data(reply, frame);
}

enum reply_state reply_take(struct reply *reply, const struct frame *frame)
{
	if (frame->dst != FRAME_HOST)
		return reply_unfit(reply, "a frame for somebody else");
	if (reply->frames++ == 0)
		return reply_take_first(reply, frame);
	return reply_take_data(reply, frame);
}

static bool is_printable(const struct frame *frame)
{
	for (size_t i = 0; i < frame->len; i++)
		if (!memchr("\r\n", frame->payload[i], 3) &&
		    (frame->payload[i] < ' ' || frame->payload[i] > '~'))
			return false;
	return true;
}

static bool is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool reply_identity(const struct frame *frame, char text[SAMPLE_TEXT_MAX])
{
	unsigned run = 0;

	value_clean_text(text, SAMPLE_TEXT_MAX, frame->payload, frame->len);
	if (!is_printable(frame) || !strcmp(text, "SET") || !strncmp(text, "ERROR", 5))
		return false;
	for (; *text && run < 3; text++)
		run = is_letter(*text) ? run + 1 : 0;
	return run == 3;
}

unsigned sample_offset(const struct sample *sample, unsigned unit)
{
	unsigned offset = 0;

	for (unsigned i = 0; i < unit && i < sample->units; i++)
		offset += sample->count[i];
	return offset;
}

void sample_copy(struct sample *to, const struct sample *from)
{
	memcpy(to, from, offsetof(struct sample, text));
	memcpy(to->text, from->text, from->size + (size_t)1);
	memcpy(to->number, from->number, from->numbers * sizeof(from->number[0]));
}

// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * Frames with wrong bits. The decoder has accepted one if a frame comes out that was not sent, be it
 * cut elsewhere; a value is wrong if the reply made of what comes out is complete and another than
 * the one sent. Bits are counted as they go over the line, the lowest of each byte first.
 *
 * CRC-16 finds every burst of up to 16 bits, but REC sends its high byte first: a burst from the
 * last bytes that it covers into it is none in the order of the polynomial, and some are not found.
 * So bursts that lie inside of either part are counted apart from those that lie across.
 *
 * With --long all bursts of up to 16 bits in the golden frames and many more at random, and a table.
 */
#include "test.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "captured.h"
#include "protocol/frame.h"
#include "protocol/reply.h"
#include "sim/random.h"

#define LINE_MAX        FRAME_MAX
#define FRAMES_MAX      2
#define SHORT_BURST     16 /* bits of the CRC */
#define BURSTS_PER_LINE 64

/* Parts of a frame: STX, LEN and ETX; what the CRC covers besides LEN; the CRC. */
enum part { PART_CUT = 1, PART_COVERED = 2, PART_CRC = 4 };

struct line {
	size_t size;
	uint8_t bytes[LINE_MAX];
	uint8_t part[LINE_MAX];
	unsigned frames; /* that were sent */
	struct frame frame[FRAMES_MAX];
	const struct instruction *row; /* whose reply they are, or NULL */
	bool set;
	struct sample sample;
};

struct tally {
	uint64_t tried;
	uint64_t uncut; /* of which a frame of the same place and length is left to judge */
	uint64_t frames, values;
};

static const struct {
	const char *mnemonic;
	const uint8_t *bytes;
	size_t size;
	bool set;
} golden[] = {
	{ NULL, captured_requests, 12, false },
	{ NULL, captured_requests + 12, 12, false },
	{ NULL, captured_requests + 24, 12, false },
	{ NULL, captured_requests + 36, 12, false },
	{ "CAPA", captured_capa, sizeof(captured_capa), false },
	{ "CELL", captured_cell, sizeof(captured_cell), false },
	{ NULL, captured_cell_cut, sizeof(captured_cell_cut), false },
	{ "LCD1", rebuilt_lcd1, sizeof(rebuilt_lcd1), false },
	{ "LCD3", rebuilt_lcd3, sizeof(rebuilt_lcd3), false },
	{ "ERRO", rebuilt_erro, sizeof(rebuilt_erro), false },
	{ "BTEM", rebuilt_btem, sizeof(rebuilt_btem), false },
	{ "CMAX", captured_set, sizeof(captured_set), true },
	{ NULL, captured_error, sizeof(captured_error), false },
};

static bool long_form;
static struct instruction_table table;
static struct line lines[ARRAY_SIZE(golden)];

static bool frame_is(const struct frame *frame, const struct frame *other)
{
	return frame->dst == other->dst && frame->snd == other->snd && frame->len == other->len &&
	       !memcmp(frame->payload, other->payload, frame->len);
}

static bool sample_is(const struct sample *sample, const struct sample *other)
{
	return sample->units == other->units && sample->numbers == other->numbers &&
	       sample->address[0] == other->address[0] && !strcmp(sample->text, other->text) &&
	       !memcmp(sample->number, other->number, sample->numbers * sizeof(double));
}

/* What comes out, in its order, must be frames that were sent, in theirs. */
struct listener {
	const struct line *line;
	unsigned next; /* of the frames sent */
	bool wrong;
	enum reply_state state;
	struct reply *reply;
};

static void listener_hear(struct listener *listener, struct frame_decoder *decoder)
{
	const struct line *line = listener->line;
	struct frame frame;

	while (frame_decoder_next(decoder, &frame)) {
		while (listener->next < line->frames &&
		       !frame_is(&frame, &line->frame[listener->next]))
			listener->next++;
		listener->wrong |= listener->next++ >= line->frames;
		if (line->row && listener->state == REPLY_MORE)
			listener->state = reply_take(listener->reply, &frame);
	}
}

static void line_judge(const struct line *line, struct tally *tally)
{
	static struct frame_decoder decoder;
	static struct reply reply;
	struct listener listener = { .line = line, .state = REPLY_MORE, .reply = &reply };

	if (line->row)
		reply_begin(&reply, line->row, MODEL_UNKNOWN, line->set, 1);
	frame_decoder_reset(&decoder);
	assert_int_equal(frame_decoder_feed(&decoder, line->bytes, line->size), line->size);
	listener_hear(&listener, &decoder);
	while (frame_decoder_pending(&decoder)) {
		frame_decoder_pause(&decoder);
		listener_hear(&listener, &decoder);
	}
	tally->tried++;
	tally->frames += listener.wrong;
	tally->values +=
		listener.state == REPLY_COMPLETE && !sample_is(&reply.sample, &line->sample);
}

/* Notes a frame that was sent at @at of the line. */
static void line_add_frame(struct line *line, size_t at, const struct frame *frame)
{
	size_t size = frame->len + (size_t)FRAME_OVERHEAD;

	line->frame[line->frames++] = *frame;
	memset(line->part + at, PART_COVERED, size);
	line->part[at] = line->part[at + 3] = line->part[at + size - 1] = PART_CUT;
	line->part[at + size - 3] = line->part[at + size - 2] = PART_CRC;
}

static void line_make_golden(struct line *line, size_t i)
{
	struct frame_decoder decoder = { .start = 0 };
	struct reply reply;
	struct frame frame;
	size_t at = 0;

	assert_true(golden[i].size <= LINE_MAX);
	line->size = golden[i].size;
	memcpy(line->bytes, golden[i].bytes, line->size);
	memset(line->part, PART_CUT, sizeof(line->part));
	frame_decoder_feed(&decoder, line->bytes, line->size);
	while (frame_decoder_next(&decoder, &frame)) {
		assert_in_range(line->frames, 0, FRAMES_MAX - 1);
		line_add_frame(line, at, &frame);
		at += frame.len + (size_t)FRAME_OVERHEAD;
	}
	if (!golden[i].mnemonic)
		return;
	line->row = &table.row[instruction_find(&table, golden[i].mnemonic)];
	line->set = golden[i].set;
	reply_begin(&reply, line->row, MODEL_UNKNOWN, line->set, 1);
	for (unsigned j = 0; j < line->frames; j++)
		assert_int_equal(reply_take(&reply, &line->frame[j]),
				 j + 1 < line->frames ? REPLY_MORE : REPLY_COMPLETE);
	sample_copy(&line->sample, &reply.sample);
}

static int make_golden(void **state)
{
	struct table_error error;

	(void)state;
	assert_int_equal(instruction_table_init(&table, &error), 0);
	for (size_t i = 0; i < ARRAY_SIZE(golden); i++)
		line_make_golden(&lines[i], i);
	return 0;
}

static int free_golden(void **state)
{
	(void)state;
	instruction_table_free(&table);
	return 0;
}

/* A frame with chance bytes, between the host and a unit. */
static void line_make_random(struct line *line, struct sim_random *random)
{
	uint8_t unit = (uint8_t)(1 + sim_random_below(random, FRAME_UNIT_MAX));
	bool reply = sim_random_below(random, 2);
	struct frame frame;

	frame.dst = reply ? FRAME_HOST : unit;
	frame.snd = reply ? unit : FRAME_HOST;
	frame.len = (uint8_t)sim_random_below(random, FRAME_PAYLOAD_MAX + 1);
	for (unsigned i = 0; i < frame.len; i++)
		frame.payload[i] = (uint8_t)sim_random_next(random);
	line->row = NULL;
	line->frames = 0;
	line->size = frame_encode(&frame, line->bytes);
	line_add_frame(line, 0, &frame);
}

static void flip_bit(struct line *line, size_t bit)
{
	line->bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
}

/* Flips the bits of @pattern from @start on. Returns the parts that it touches. */
static unsigned flip_pattern(struct line *line, size_t start, unsigned pattern)
{
	unsigned parts = 0;

	pattern <<= start % 8;
	for (size_t at = start / 8; pattern; at++, pattern >>= 8) {
		line->bytes[at] ^= (uint8_t)pattern;
		if (pattern & 0xFF)
			parts |= line->part[at];
	}
	return parts;
}

/* Flips the bits from @start on that chance picks, the first and the last of @length in any case. */
static unsigned flip_burst(struct line *line, struct sim_random *random, size_t start,
			   size_t length)
{
	unsigned parts = 0;
	uint64_t bits = 0;

	for (size_t i = 0; i < length; i++, bits >>= 1) {
		if (i % 64 == 0)
			bits = sim_random_next(random);
		if (i == 0 || i == length - 1 || bits & 1) {
			flip_bit(line, start + i);
			parts |= line->part[(start + i) / 8];
		}
	}
	return parts;
}

static bool parts_lie_across(unsigned parts)
{
	return parts & PART_CRC && parts & ~(unsigned)PART_CRC;
}

/* Whether the decoder still judges as many bytes, from the same place, as were sent. */
static bool line_is_uncut(const struct line *line)
{
	const uint8_t *at = line->bytes;

	return at[0] == FRAME_STX && at[3] == line->frame[0].len &&
	       at[line->size - 1] == FRAME_ETX && at[1] <= FRAME_UNIT_MAX &&
	       at[2] <= FRAME_UNIT_MAX && (at[1] == FRAME_HOST) != (at[2] == FRAME_HOST);
}

static void tally_print(const char *name, const struct tally *tally)
{
	if (long_form)
		printf("%-38s %10llu tried %10llu frames accepted %8llu wrong values\n", name,
		       (unsigned long long)tally->tried, (unsigned long long)tally->frames,
		       (unsigned long long)tally->values);
}

static void test_no_error(void **state)
{
	struct tally tally = { .tried = 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		line_judge(&lines[i], &tally);
		assert_true(lines[i].frames);
	}
	assert_int_equal(tally.frames + tally.values, 0);
}

static void test_one_and_two_bits(void **state)
{
	struct tally tally = { .tried = 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct line *line = &lines[i];

		for (size_t one = 0; one < line->size * 8; one++) {
			flip_bit(line, one);
			line_judge(line, &tally);
			for (size_t two = one + 1; two < line->size * 8; two++) {
				flip_bit(line, two);
				line_judge(line, &tally);
				flip_bit(line, two);
			}
			flip_bit(line, one);
		}
	}
	tally_print("1 and 2 bits, golden frames, all", &tally);
	assert_int_equal(tally.frames, 0);
	assert_int_equal(tally.values, 0);
}

/* All bursts of up to @bits bits that start at @start. */
static void try_bursts(struct line *line, size_t start, unsigned bits, struct tally tally[2])
{
	size_t left = line->size * 8 - start;
	unsigned limit = left < bits ? 1u << left : 1u << bits;

	for (unsigned pattern = 1; pattern < limit; pattern += 2) {
		unsigned parts = flip_pattern(line, start, pattern);

		line_judge(line, &tally[parts_lie_across(parts)]);
		flip_pattern(line, start, pattern);
	}
}

static void test_short_bursts(void **state)
{
	struct tally tally[2] = { { .tried = 0 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		for (size_t start = 0; start < lines[i].size * 8; start++)
			try_bursts(&lines[i], start, long_form ? SHORT_BURST : 8, tally);
	tally_print("bursts of 1-16 bits, golden, all", &tally[0]);
	tally_print("  those from before the CRC into it", &tally[1]);
	assert_int_equal(tally[0].frames, 0);
	assert_int_equal(tally[0].values, 0);
}

/* The nine bits of that kind that pass here make no number of the reply. */
static void test_limit_of_the_crc(void **state)
{
	struct line *line = &lines[4];
	struct tally tally = { .tried = 0 };
	size_t last = line->size - 4;

	(void)state;
	line->bytes[last] ^= 0x0C;
	line->bytes[last + 1] ^= 0x05;
	line_judge(line, &tally);
	line->bytes[last] ^= 0x0C;
	line->bytes[last + 1] ^= 0x05;
	assert_int_equal(tally.frames, 1);
	assert_int_equal(tally.values, 0);
}

static void try_random(struct sim_random *random, const size_t length[2], uint64_t bursts,
		       struct tally tally[2])
{
	static struct line line;

	for (uint64_t i = 0; i < bursts; i++) {
		uint8_t sent[LINE_MAX];
		size_t bits, room;
		bool across;

		if (i % BURSTS_PER_LINE == 0)
			line_make_random(&line, random);
		memcpy(sent, line.bytes, line.size);
		bits = length[0] + sim_random_below(random, (uint32_t)(length[1] - length[0] + 1));
		room = line.size * 8;
		bits = bits < room ? bits : room;
		room -= bits - 1;
		across = parts_lie_across(
			flip_burst(&line, random, sim_random_below(random, (uint32_t)room), bits));
		tally[across].uncut += line_is_uncut(&line);
		line_judge(&line, &tally[across]);
		memcpy(line.bytes, sent, line.size);
	}
}

/* How many a CRC of 16 bits lets pass of those that leave it something to judge. */
static void check_rate(const char *name, size_t length, const struct tally *tally)
{
	double expected = length <= SHORT_BURST ? 0 : (double)tally->uncut * 0x1p-16;

	/* Of 17 bits with the outer ones set, one pattern of 2^15 is the polynomial itself. */
	if (length == SHORT_BURST + 1)
		expected *= 2;
	if (long_form)
		printf("%-22s %10llu %10llu %9llu %10.3g %9.1f\n", name,
		       (unsigned long long)tally->tried, (unsigned long long)tally->uncut,
		       (unsigned long long)tally->frames,
		       (double)tally->frames / (double)tally->tried, expected);
	if (length <= SHORT_BURST)
		assert_int_equal(tally->frames, 0);
	else
		assert_true(fabs((double)tally->frames - expected) <= 5 * sqrt(expected) + 5);
}

static void test_random_bursts(void **state)
{
	static const size_t lengths[][2] = {
		{ 1, 16 }, { 17, 17 }, { 18, 24 }, { 25, 32 }, { 33, 64 }, { 65, 256 },
	};
	uint64_t bursts = long_form ? 10000000 : 50000;

	(void)state;
	if (long_form)
		printf("\nbursts in chance frames     tried      uncut  accepted       rate  "
		       "expected\n");
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct sim_random random = { .state = i };
		struct tally tally[2] = { { .tried = 0 } };
		char name[40];

		try_random(&random, lengths[i], bursts, tally);
		snprintf(name, sizeof(name), "%zu to %zu bits", lengths[i][0], lengths[i][1]);
		check_rate(name, lengths[i][0], &tally[0]);
		if (long_form)
			printf("  into the CRC         %10llu %10llu %9llu %10.3g\n",
			       (unsigned long long)tally[1].tried,
			       (unsigned long long)tally[1].uncut,
			       (unsigned long long)tally[1].frames,
			       (double)tally[1].frames / (double)tally[1].tried);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_error),      cmocka_unit_test(test_one_and_two_bits),
		cmocka_unit_test(test_short_bursts),  cmocka_unit_test(test_limit_of_the_crc),
		cmocka_unit_test(test_random_bursts),
	};

	long_form = argc > 1 && !strcmp(argv[1], "--long");
	return cmocka_run_group_tests(tests, make_golden, free_golden);
}

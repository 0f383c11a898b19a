// SPDX-License-Identifier: LGPL-3.0-or-later
#include "test.h"

#include <stdbool.h>
#include <string.h>

#include "captured.h"
#include "protocol/frame.h"

#define STORM 4096

/* A decoder and the frames that came out of it, encoded again. */
struct run {
	struct frame_decoder decoder;
	unsigned frames;
	size_t fed;
	size_t size;
	uint8_t out[4096];
};

static const struct {
	const uint8_t *bytes;
	size_t size;
	unsigned frames;
} capture[] = {
	{ captured_requests, sizeof(captured_requests), 4 },
	{ captured_capa, sizeof(captured_capa), 1 },
	{ captured_cell, sizeof(captured_cell), 2 },
	{ rebuilt_lcd1, sizeof(rebuilt_lcd1), 2 },
	{ rebuilt_lcd3, sizeof(rebuilt_lcd3), 2 },
	{ rebuilt_erro, sizeof(rebuilt_erro), 2 },
	{ rebuilt_btem, sizeof(rebuilt_btem), 2 },
	{ captured_set, sizeof(captured_set), 1 },
	{ captured_error, sizeof(captured_error), 1 },
};

static void run_take(struct run *run)
{
	struct frame frame;

	while (frame_decoder_next(&run->decoder, &frame)) {
		assert_true(run->size + FRAME_MAX <= sizeof(run->out));
		run->size += frame_encode(&frame, run->out + run->size);
		run->frames++;
	}
}

static size_t run_waiting(const struct run *run)
{
	return (size_t)(run->decoder.end - run->decoder.start);
}

static void run_feed(struct run *run, const uint8_t *bytes, size_t size, size_t portion)
{
	while (size) {
		size_t some = size < portion ? size : portion;
		size_t taken = frame_decoder_feed(&run->decoder, bytes, some);

		assert_in_range(taken, 1, some);
		bytes += taken;
		size -= taken;
		run->fed += taken;
		run_take(run);
		assert_int_equal(run->decoder.dropped + run->size + run_waiting(run), run->fed);
	}
}

/* The line falls silent. */
static void run_pause(struct run *run)
{
	size_t limit = run_waiting(run);
	size_t pauses = 0;

	while (frame_decoder_pending(&run->decoder)) {
		assert_true(pauses++ <= limit);
		frame_decoder_pause(&run->decoder);
		run_take(run);
	}
	assert_int_equal(run->decoder.dropped + run->size, run->fed);
}

static void run_expect(const struct run *run, const uint8_t *bytes, size_t size, unsigned frames)
{
	assert_int_equal(run->frames, frames);
	assert_int_equal(run->size, size);
	assert_memory_equal(run->out, bytes, size);
}

static void test_encode(void **state)
{
	static const char *const text[] = { "*IDN?", "LCD1?", "CELL?", "RINT?" };
	uint8_t out[FRAME_MAX];
	struct frame frame;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(text); i++) {
		frame_make(&frame, 1, FRAME_HOST, text[i], 5);
		assert_int_equal(frame_encode(&frame, out), 12);
		assert_memory_equal(out, captured_requests + 12 * i, 12);
		assert_true(frame_is_text(&frame, text[i]));
		assert_false(frame_is_text(&frame, "CELL"));
		assert_false(frame_is_text(&frame, "CELL??"));
		assert_false(frame_is_text(&frame, "cell?"));
	}
	frame_make(&frame, FRAME_HOST, 1, "SET", 3);
	assert_int_equal(frame_encode(&frame, out), sizeof(captured_set));
	assert_memory_equal(out, captured_set, sizeof(captured_set));
}

static void test_every_length(void **state)
{
	uint8_t payload[FRAME_PAYLOAD_MAX], out[FRAME_MAX];
	struct frame frame;

	(void)state;
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = i % 3 ? FRAME_STX : FRAME_ETX;
	for (unsigned len = 0; len <= FRAME_PAYLOAD_MAX; len++) {
		struct run run = { .frames = 0 };
		size_t size;

		frame_make(&frame, FRAME_HOST, FRAME_UNIT_MAX, len ? payload : NULL, (uint8_t)len);
		size = frame_encode(&frame, out);
		assert_int_equal(size, len + FRAME_OVERHEAD);
		run_feed(&run, out, size, size);
		run_expect(&run, out, size, 1);
		assert_int_equal(run.decoder.dropped, 0);
	}
}

static void test_captured_portions(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(capture); i++) {
		for (size_t portion = 1; portion <= capture[i].size; portion++) {
			struct run run = { .frames = 0 };

			run_feed(&run, capture[i].bytes, capture[i].size, portion);
			run_expect(&run, capture[i].bytes, capture[i].size, capture[i].frames);
			assert_false(frame_decoder_pending(&run.decoder));
			assert_int_equal(run.decoder.broken, 0);
		}
	}
}

static void test_captured_splits(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(capture); i++) {
		for (size_t cut = 1; cut < capture[i].size; cut++) {
			struct run run = { .frames = 0 };

			run_feed(&run, capture[i].bytes, cut, cut);
			run_feed(&run, capture[i].bytes + cut, capture[i].size - cut,
				 capture[i].size);
			run_expect(&run, capture[i].bytes, capture[i].size, capture[i].frames);
		}
	}
}

static void test_back_to_back(void **state)
{
	uint8_t all[512];
	size_t size = 0;
	unsigned frames = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(capture); i++) {
		memcpy(all + size, capture[i].bytes, capture[i].size);
		size += capture[i].size;
		frames += capture[i].frames;
	}
	for (size_t portion = 1; portion <= size; portion++) {
		struct run run = { .frames = 0 };

		run_feed(&run, all, size, portion);
		run_expect(&run, all, size, frames);
	}
}

/* The published capture that was cut at a data byte AA: the header stands, the rest is nothing. */
static void test_cut_capture(void **state)
{
	struct run run = { .frames = 0 };

	(void)state;
	run_feed(&run, captured_cell_cut, sizeof(captured_cell_cut), 7);
	run_expect(&run, captured_cell, 8, 1);
	assert_true(frame_decoder_pending(&run.decoder));

	/* The next reply falls into what the cut frame is still waiting for. */
	run_feed(&run, captured_capa, sizeof(captured_capa), 16);
	assert_int_equal(run.frames, 1);
	run_pause(&run);
	assert_int_equal(run.frames, 2);
	assert_memory_equal(run.out + 8, captured_capa, sizeof(captured_capa));
	assert_int_equal(run.decoder.dropped, sizeof(captured_cell_cut) - 8);
}

static void test_garbage_before(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		bool pause; /* whether the frame comes out only once the line is silent */
	} row[] = {
		{ "\x00", 1, false },
		{ "\xAA", 1, false },
		{ "\x55", 1, false },
		{ "\x55\x55\x55", 3, false },
		{ "\x55\x00", 2, false },
		{ "\x55\x01", 2, false },
		{ "\x55\x80\x00", 3, false },
		{ "\x55\x00\x80", 3, false },
		{ "\x55\x00\x00\x05", 4, false },
		{ "\x55\x01\x02\x05", 4, false },
		{ "\x55\x00\x01", 3, true },
		{ "\x55\x01\x00\xFF", 4, true },
		{ "\x55\x00\x01\x03\x53\x45\x54\xFA\xFF\xAA", 10, false },
		{ "\x55\x00\x01\x03\x53\x45\x54\xFA\xFE", 9, false },
		{ "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8, false },
		{ "CELL?\r\n", 7, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		for (size_t portion = 1; portion < 24; portion++) {
			struct run run = { .frames = 0 };

			run_feed(&run, (const uint8_t *)row[i].bytes, row[i].size, portion);
			run_feed(&run, captured_capa, sizeof(captured_capa), portion);
			assert_int_equal(run.frames, row[i].pause ? 0 : 1);
			run_pause(&run);
			run_expect(&run, captured_capa, sizeof(captured_capa), 1);
			assert_int_equal(run.decoder.dropped, row[i].size);
		}
	}
}

static void test_broken(void **state)
{
	uint8_t bytes[sizeof(captured_capa)];

	(void)state;
	for (size_t at = 4; at < sizeof(bytes); at++) {
		struct run run = { .frames = 0 };

		memcpy(bytes, captured_capa, sizeof(bytes));
		bytes[at] ^= 0xFF;
		run_feed(&run, bytes, sizeof(bytes), sizeof(bytes));
		assert_int_equal(run.frames, 0);
		assert_int_equal(run.decoder.broken, 1);
		run_feed(&run, captured_set, sizeof(captured_set), 3);
		run_pause(&run);
		run_expect(&run, captured_set, sizeof(captured_set), 1);
	}
}

static void test_every_flipped_bit(void **state)
{
	uint8_t bytes[sizeof(captured_cell) - 8];

	(void)state;
	for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
		struct run run = { .frames = 0 };

		memcpy(bytes, captured_cell + 8, sizeof(bytes));
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		run_feed(&run, bytes, sizeof(bytes), 5);
		run_pause(&run);
		assert_int_equal(run.frames, 0);
		assert_int_equal(run.decoder.dropped, sizeof(bytes));
	}
}

/* Every fourth byte starts a candidate of 262 bytes. */
static void test_storm(void **state)
{
	static const uint8_t start[] = { 0x55, 0x00, 0x01, 0xFF };
	struct run run = { .frames = 0 };

	(void)state;
	for (unsigned i = 0; i < STORM; i++)
		run_feed(&run, start, sizeof(start), 1 + i % 4);
	assert_int_equal(run.frames, 0);
	assert_true(run.decoder.broken <= STORM);
	assert_true(run_waiting(&run) < FRAME_MAX);

	run_feed(&run, captured_capa, sizeof(captured_capa), 16);
	run_pause(&run);
	run_expect(&run, captured_capa, sizeof(captured_capa), 1);
	assert_int_equal(run.decoder.dropped, STORM * sizeof(start));
}

/* Fed without anything taken out, the decoder fills up, says so and loses nothing. */
static void test_full(void **state)
{
	struct run run = { .frames = 0 };
	uint8_t many[64 * sizeof(captured_capa)];
	size_t taken;

	(void)state;
	for (size_t i = 0; i < 64; i++)
		memcpy(many + i * sizeof(captured_capa), captured_capa, sizeof(captured_capa));
	taken = frame_decoder_feed(&run.decoder, many, sizeof(many));
	assert_int_equal(taken, sizeof(run.decoder.buffer));
	assert_int_equal(frame_decoder_feed(&run.decoder, many, 1), 0);
	run.fed = taken;
	run_take(&run);
	run_feed(&run, many + taken, sizeof(many) - taken, sizeof(many));
	run_expect(&run, many, sizeof(many), 64);
	assert_int_equal(run.decoder.dropped, 0);
}

/* A pause gives up what is incomplete, never a frame that nobody has taken out yet. */
static void test_pause_spares_whole(void **state)
{
	struct run run = { .frames = 0 };

	(void)state;
	frame_decoder_pause(&run.decoder);
	assert_int_equal(run.decoder.dropped, 0);
	run.fed = frame_decoder_feed(&run.decoder, captured_cell, sizeof(captured_cell));
	frame_decoder_pause(&run.decoder);
	frame_decoder_pause(&run.decoder);
	run_pause(&run);
	run_expect(&run, captured_cell, sizeof(captured_cell), 2);
}

static void test_reset(void **state)
{
	struct run run = { .frames = 0 };

	(void)state;
	frame_decoder_feed(&run.decoder, "\xAA", 1);
	frame_decoder_feed(&run.decoder, captured_capa, 10);
	assert_true(frame_decoder_pending(&run.decoder));
	frame_decoder_reset(&run.decoder);
	assert_false(frame_decoder_pending(&run.decoder));
	assert_int_equal(run.decoder.dropped, 1);
	frame_decoder_feed(&run.decoder, captured_capa + 10, sizeof(captured_capa) - 10);
	run_take(&run);
	assert_int_equal(run.frames, 0);
	assert_int_equal(frame_decoder_feed(&run.decoder, NULL, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_captured_portions),
		cmocka_unit_test(test_captured_splits),
		cmocka_unit_test(test_back_to_back),
		cmocka_unit_test(test_cut_capture),
		cmocka_unit_test(test_garbage_before),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_every_flipped_bit),
		cmocka_unit_test(test_storm),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_pause_spares_whole),
		cmocka_unit_test(test_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

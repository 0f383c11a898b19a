// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * The fence against a line that loses, delays and damages replies but keeps their order: every
 * value that comes out must be one of the instruction that was asked.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus_test.h"

struct line {
	uint64_t seed;
	unsigned drop, late;     /* of 1000 replies */
	unsigned corrupt, noise; /* of 1000 frames that we hear */
	unsigned foreign;        /* of 1000: another master asks meanwhile */
	unsigned hang_up;        /* of 1000 requests: the adapter goes away before */
	int64_t latest;          /* delay of a late one, at most */
	bool serial;             /* the BMS sleeps before each reply, one after the other */
	int64_t busy_until;
};

static const char *const asked[] = { "BVOL", "BMIN", "CMAX", "CMIN", "CHAR", "CAPA",
				     "CHEM", "CYCL", "SWVR", "LCD1", "CELL", "ERRO" };

static uint32_t pick(struct line *line, uint32_t below)
{
	line->seed = line->seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(line->seed >> 33) % below;
}

static int64_t line_delay(struct fake_link *fake, struct line *line)
{
	int64_t delay = MSEC(5);

	if (pick(line, 1000) < line->late)
		delay = MSEC(pick(line, line->latest / NSEC_PER_MSEC));
	if (!line->serial)
		return delay;
	if (line->busy_until < fake->now)
		line->busy_until = fake->now;
	line->busy_until += delay;
	return line->busy_until - fake->now;
}

static void line_bytes(struct fake_link *fake, struct line *line, int64_t delay,
		       const struct frame *frame)
{
	uint8_t bytes[FRAME_MAX];
	size_t n = frame_encode(frame, bytes);

	if (pick(line, 1000) < line->corrupt)
		bytes[pick(line, n)] ^= 1u << pick(line, 8);
	if (pick(line, 1000) < line->noise)
		fake_bytes(fake, delay, "\x55\x00\x01\xff\x55", 1 + pick(line, 5));
	fake_bytes(fake, delay, bytes, n);
}

static void line_frame(struct fake_link *fake, struct line *line, int64_t delay,
		       const void *payload, size_t size)
{
	struct frame frame;

	frame_make(&frame, FRAME_HOST, 1, payload, size);
	line_bytes(fake, line, delay, &frame);
}

/* The value of each instruction is its place in the list, so that a mix-up shows. */
static void line_answer(struct fake_link *fake, const struct frame *frame)
{
	struct world *world = fake->user;
	struct line *line = world->user;
	int64_t delay = line_delay(fake, line);
	float value[14];

	if (pick(line, 1000) < line->drop)
		return;
	if (frame_asks(frame, "*IDN?")) {
		line_frame(fake, line, delay, IDENTITY, strlen(IDENTITY));
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		char text[16];

		if (strncmp((const char *)frame->payload, asked[i], 4) != 0)
			continue;
		for (size_t v = 0; v < ARRAY_SIZE(value); v++)
			value[v] = (float)i;
		if (strcmp(asked[i], "CELL") == 0) {
			line_frame(fake, line, delay, "1", 1);
			line_frame(fake, line, delay, value, 14 * sizeof(float));
		} else if (strcmp(asked[i], "LCD1") == 0) {
			line_frame(fake, line, delay, "28", 2);
			line_frame(fake, line, delay, value, 7 * sizeof(float));
		} else if (strcmp(asked[i], "ERRO") == 0) {
			uint8_t bytes[4] = { i, i, i, i };

			line_frame(fake, line, delay, "4", 1);
			line_frame(fake, line, delay, bytes, 4);
		} else {
			snprintf(text, sizeof(text), "%zu", i);
			line_frame(fake, line, delay, text, strlen(text));
		}
	}
}

/* Another master asks: the BMS hears it, and so do we, unless the line damages it. */
static void foreign_asks(struct fake_link *fake, struct line *line, struct frame *frame)
{
	char text[8] = "*IDN?";

	if (pick(line, 4) > 0)
		snprintf(text, sizeof(text), "%s?", asked[pick(line, ARRAY_SIZE(asked))]);
	frame_make(frame, 1, FRAME_HOST, text, 5);
	line_bytes(fake, line, MSEC(pick(line, 4)), frame);
}

/* The BMS answers in order; another master may ask before our answer has come, or behind it. */
static void line_request(struct fake_link *fake, const struct frame *frame)
{
	struct line *line = ((struct world *)fake->user)->user;
	bool foreign = pick(line, 1000) < line->foreign, before = pick(line, 2);
	struct frame other;

	if (foreign && before)
		foreign_asks(fake, line, &other);
	line_answer(fake, frame);
	if (foreign && !before)
		foreign_asks(fake, line, &other);
	if (foreign)
		line_answer(fake, &other);
}

static void check_value(const struct world *world, size_t i)
{
	char text[16];

	snprintf(text, sizeof(text), "%zu", i);
	if (strcmp(asked[i], "SWVR") == 0)
		assert_string_equal(world->sample.text, text);
	else
		assert_true(world->sample.number[0] == (double)i);
}

/* Asks @count times; returns how many gave a value. */
static unsigned ask_many(struct line *line, unsigned count)
{
	struct world *world = world_new(line_request);
	unsigned values = 0;

	world->user = line;
	for (unsigned n = 0; n < count; n++) {
		size_t i = pick(line, ARRAY_SIZE(asked));
		struct frame other;

		if (pick(line, 1000) < line->hang_up) {
			world->fake.hung_up = true;
			assert_int_equal(world_ask(world, asked[i], NULL), -ENODEV);
			fake_run(&world->fake, world->bus, NULL, MSEC(501), NULL);
		}
		if (pick(line, 1000) < line->foreign) {
			foreign_asks(&world->fake, line, &other);
			line_answer(&world->fake, &other);
			fake_run(&world->fake, world->bus, NULL, MSEC(pick(line, 20)), NULL);
		}
		if (world_ask(world, asked[i], NULL) == 0) {
			check_value(world, i);
			values++;
		}
		/* Sometimes nobody asks for a while. */
		if (pick(line, 20) == 0)
			fake_run(&world->fake, world->bus, NULL, MSEC(pick(line, 4000)), NULL);
	}
	assert_int_equal(world->changes, 0);
	if (getenv("BMSFS_TEST_SHOW"))
		print_message("%u values, %u foreign\n", values,
			      (unsigned)bus_counters(world->bus)[BUS_FOREIGN]);
	world_free(world);
	return values;
}

static void test_clean_line(void **state)
{
	struct line line = { .seed = 1 };

	(void)state;
	assert_int_equal(ask_many(&line, 2000), 2000);
}

static void test_bad_lines(void **state)
{
	static const struct line bad[] = {
		{ .drop = 100 },
		{ .drop = 30, .late = 100, .latest = MSEC(1600) },
		{ .late = 500, .latest = MSEC(3000) },
		{ .drop = 200, .late = 300, .latest = MSEC(3000) },
		{ .drop = 100, .late = 100, .latest = MSEC(2000), .corrupt = 50, .noise = 50 },
		{ .late = 1000, .latest = MSEC(1600), .serial = true },
		{ .foreign = 200 },
		{ .foreign = 100, .corrupt = 50 },
		{ .drop = 100, .late = 100, .latest = MSEC(1500), .foreign = 50 },
		{ .late = 300, .latest = MSEC(2000), .serial = true, .foreign = 50 },
		{ .drop = 50, .late = 100, .latest = MSEC(2000), .hang_up = 50, .foreign = 50 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		for (uint64_t seed = 1; seed <= 10; seed++) {
			struct line line = bad[i];

			line.seed = seed;
			assert_true(ask_many(&line, 1000) > 300);
		}
	}
}

/* A BMS whose every reply comes up to 1.6 s late, in order: in 40 s there are at least 20 values.
 */
static void test_slow_line(void **state)
{
	(void)state;
	for (int serial = 0; serial <= 1; serial++) {
		for (uint64_t seed = 1; seed <= 20; seed++) {
			struct line line = {
				.seed = seed, .late = 1000, .latest = MSEC(1600), .serial = serial
			};
			struct world *world = world_new(line_request);
			int64_t end = world->fake.now + 40 * NSEC_PER_SEC;
			unsigned values = 0;

			world->user = &line;
			for (size_t i = 0; world->fake.now < end; i = (i + 1) % ARRAY_SIZE(asked))
				if (world_ask(world, asked[i], NULL) == 0) {
					check_value(world, i);
					values++;
				}
			if (getenv("BMSFS_TEST_SHOW"))
				print_message("serial %d seed %u: %u values\n", serial,
					      (unsigned)seed, values);
			assert_true(values >= 20);
			world_free(world);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean_line),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_slow_line),
	};

	return cmocka_run_group_tests_name("fence", tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A simulated BMS on a fake clock, and a host that asks it. */
#ifndef BMSFS_TESTS_SIM_SIM_TEST_H
#define BMSFS_TESTS_SIM_SIM_TEST_H

#include <string.h>

#include "nsec.h"
#include "protocol/frame.h"
#include "sim/sim.h"
#include "test.h"

#define HEARD_MAX 64

struct bench {
	struct instruction_table table;
	struct sim *sim;
	uint8_t address;
	int64_t now;
	/* What came since the last bench_send(). */
	uint8_t bytes[65536];
	size_t size;
	unsigned frames;
	struct frame frame[HEARD_MAX];
	int64_t first, last; /* when the first and the last byte came */
};

static inline void bench_open(struct bench *bench, const struct sim_config *config)
{
	struct table_error error;
	char reason[256] = "";

	memset(bench, 0, sizeof(*bench));
	bench->now = 100 * NSEC_PER_SEC;
	assert_int_equal(instruction_table_init(&bench->table, &error), 0);
	if (sim_new(&bench->sim, config, &bench->table, bench->now, reason, sizeof(reason)))
		fail_msg("%s", reason);
	bench->address = config->address[0];
	if (!config->addresses)
		bench->address =
			bench->table.model[model_find(&bench->table, config->model)].address;
}

static inline void bench_close(struct bench *bench)
{
	sim_free(bench->sim);
	instruction_table_free(&bench->table);
}

static inline void bench_write(struct bench *bench, const char *text, uint8_t dst)
{
	struct frame frame;
	uint8_t bytes[FRAME_MAX];

	frame_make(&frame, dst, FRAME_HOST, text, (uint8_t)strlen(text));
	sim_receive(bench->sim, bytes, frame_encode(&frame, bytes), bench->now);
}

/* Runs the clock until nothing more comes. */
static inline void bench_listen(struct bench *bench)
{
	struct frame_decoder decoder = { 0 };
	int64_t wake;
	size_t size;

	bench->size = bench->frames = 0;
	bench->first = bench->last = 0;
	while ((wake = sim_wake(bench->sim)) != NSEC_NEVER) {
		if (wake > bench->now)
			bench->now = wake;
		size = sim_transmit(bench->sim, bench->bytes + bench->size,
				    sizeof(bench->bytes) - bench->size, bench->now);
		assert_true(size > 0);
		if (!bench->first)
			bench->first = bench->now;
		bench->last = bench->now;
		for (size_t i = 0; i < size; i++) {
			frame_decoder_feed(&decoder, bench->bytes + bench->size + i, 1);
			while (bench->frames < HEARD_MAX &&
			       frame_decoder_next(&decoder, &bench->frame[bench->frames]))
				bench->frames++;
		}
		bench->size += size;
	}
}

/* Asks and hears the answer; the frames are in @bench. */
static inline unsigned bench_ask(struct bench *bench, const char *text)
{
	bench_write(bench, text, bench->address);
	bench_listen(bench);
	return bench->frames;
}

/* The payload of frame @index as a string. */
static inline const char *bench_text(const struct bench *bench, unsigned index)
{
	static char text[FRAME_PAYLOAD_MAX + 1];

	assert_true(index < bench->frames);
	memcpy(text, bench->frame[index].payload, bench->frame[index].len);
	text[bench->frame[index].len] = '\0';
	return text;
}

static inline float bench_float(const struct bench *bench, unsigned index, unsigned place)
{
	const uint8_t *at = bench->frame[index].payload + place * 4;
	uint32_t bits = at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
	float value;

	assert_true(place * 4 + 4 <= bench->frame[index].len);
	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* Asks for a scalar and returns its text. */
static inline const char *bench_query(struct bench *bench, const char *text)
{
	assert_int_equal(bench_ask(bench, text), 1);
	return bench_text(bench, 0);
}

#endif

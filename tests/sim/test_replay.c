// SPDX-License-Identifier: LGPL-3.0-or-later
#include "sim/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "sim_test.h"

#define CAPA      "55010005434150413F3BE0AA"
#define CAPA_450  "55000109342E35303030306532FBB4AA"
#define BMIN_394  "55010009424D494E20332E3934C1EAAA"
#define SET       "55000103534554FAFEAA"
#define LCD1_TO_2 "550200054C4344313F5390AA"

static char reason[256];

static int read_text(struct replay **replay, const char *text)
{
	FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	int ret;

	assert_non_null(file);
	reason[0] = '\0';
	ret = replay_read(replay, file, "FILE", reason, sizeof(reason));
	fclose(file);
	return ret;
}

static const struct replay_chunks *next(struct replay *replay, const char *text)
{
	struct frame frame;

	frame_make(&frame, 1, FRAME_HOST, text, (uint8_t)strlen(text));
	return replay_next(replay, &frame);
}

static const struct replay_chunk *only(const struct replay_chunks *chunks)
{
	assert_non_null(chunks);
	assert_non_null(TAILQ_FIRST(chunks));
	assert_null(TAILQ_NEXT(TAILQ_FIRST(chunks), next));
	return TAILQ_FIRST(chunks);
}

static void test_takes_turns(void **state)
{
	struct replay *replay;

	(void)state;
	assert_int_equal(read_text(&replay, "1 > " CAPA "\n1.5 < 01\n"
					    "2 > " BMIN_394 "\n2.1 < " SET "\n"
					    "3 > " CAPA "\n3.25 < 02\n"
					    "# no answer\n4 > " CAPA),
			 0);
	for (int round = 0; round < 3; round++) {
		const struct replay_chunk *chunk = only(next(replay, "CAPA?"));

		assert_int_equal(chunk->bytes[0], 1);
		assert_int_equal(chunk->delay, 500 * NSEC_PER_MSEC);
		chunk = only(next(replay, "CAPA?"));
		assert_int_equal(chunk->bytes[0], 2);
		assert_int_equal(chunk->delay, 250 * NSEC_PER_MSEC);
		assert_int_equal(only(next(replay, "BMIN 3.94"))->size, 10);
		assert_true(TAILQ_EMPTY(next(replay, "CAPA?")));
	}
	assert_null(next(replay, "BMIN 3.95"));
	assert_null(next(replay, "BMIN?"));
	replay_free(replay);
}

static void test_belongs_to_nobody(void **state)
{
	struct replay *replay;
	char text[2048] = "0 < 01\n1 > ";
	size_t used = strlen(text);

	(void)state;
	memset(text + used, '5', 1000);
	snprintf(text + used + 1000, sizeof(text) - used - 1000,
		 "\n1 < 02\n2 > " CAPA "\n2 = closed\n3 < 03\n");
	assert_int_equal(read_text(&replay, text), 0);
	assert_true(TAILQ_EMPTY(next(replay, "CAPA?")));
	replay_free(replay);
}

static void test_refusals(void **state)
{
	static const char *const rows[][2] = {
		{ "#\n\n", "FILE: there is no request" },
		{ "1 < 55\n", "FILE: there is no request" },
		{ "1 > 55\n2 x 55\n", "FILE:2: no <" },
		{ "1 > 55\n\n0.9 < 55\n", "FILE:3: it comes before its request" },
		{ "1 > 55\nwhat\n", "FILE:2: it does not begin with a time" },
	};
	struct replay *replay;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(read_text(&replay, rows[i][0]), -EINVAL);
		if (strncmp(reason, rows[i][1], strlen(rows[i][1])) != 0)
			fail_msg("\"%s\": %s", rows[i][0], reason);
	}
}

static void test_no_such_file(void **state)
{
	struct sim_config config = sim_config_default;
	struct instruction_table table;
	struct table_error error;
	struct sim *sim;

	(void)state;
	assert_int_equal(instruction_table_init(&table, &error), 0);
	memcpy(config.replay, "/none", 6);
	assert_int_equal(sim_new(&sim, &config, &table, 1, reason, sizeof(reason)), -EINVAL);
	assert_string_equal(reason, "/none: No such file or directory");
	memcpy(config.replay, "/dev/null", 10);
	assert_int_equal(sim_new(&sim, &config, &table, 1, reason, sizeof(reason)), -EINVAL);
	assert_string_equal(reason, "/dev/null: not a regular file");
	config.rate[SIM_LATE] = 0.1;
	assert_int_equal(sim_new(&sim, &config, &table, 1, reason, sizeof(reason)), -EINVAL);
	assert_non_null(strstr(reason, "late"));
	instruction_table_free(&table);
}

/* A simulator that plays @text. */
static void open_text(struct bench *bench, const char *text, uint32_t baud)
{
	struct sim_config config = sim_config_default;
	char name[] = "/tmp/test_replay.XXXXXX";
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	config.baud = baud;
	snprintf(config.replay, sizeof(config.replay), "%s", name);
	bench_open(bench, &config);
	unlink(name);
}

static void test_delays_and_pace(void **state)
{
	struct bench *bench = malloc(sizeof(*bench));
	int64_t sent;

	(void)state;
	assert_non_null(bench);
	/* In two pieces; 10 kbaud make a byte take 1 ms. */
	open_text(bench,
		  "1 > " CAPA "\n1.1 < 55000109342E35\n1.2 < 303030306532FBB4AA\n"
		  "2 > " LCD1_TO_2 "\n2.05 < 55AA\n",
		  10000);
	sent = bench->now;
	assert_int_equal(bench_ask(bench, "CAPA?"), 1);
	assert_string_equal(bench_text(bench, 0), "4.50000e2");
	assert_int_equal(bench->first - sent, 100 * NSEC_PER_MSEC);
	assert_int_equal(bench->last - sent, 208 * NSEC_PER_MSEC);
	/* Bytes that are no frame, from another address than the model's. */
	bench_write(bench, "LCD1?", 2);
	bench_listen(bench);
	assert_int_equal(bench->size, 2);
	assert_memory_equal(bench->bytes, "\x55\xAA", 2);
	/* What the capture does not have. */
	assert_int_equal(bench_ask(bench, "CMAX?"), 0);
	assert_int_equal(bench->size, 0);
	assert_int_equal(sim_set_fault(bench->sim, "drop", 1), -EOPNOTSUPP);
	bench_close(bench);
	free(bench);
}

/* A client that is faster than the one of the capture does not wait for what came much later. */
static void test_next_request_cuts(void **state)
{
	struct bench *bench = malloc(sizeof(*bench));
	struct frame frame;
	uint8_t bytes[FRAME_MAX];

	(void)state;
	assert_non_null(bench);
	open_text(bench,
		  "1 > " CAPA "\n1.1 < " CAPA_450 "\n60 < 0102\n"
		  "61 > " BMIN_394 "\n61.1 < " SET "\n",
		  56000);
	frame_make(&frame, 1, FRAME_HOST, "CAPA?", 5);
	sim_receive(bench->sim, bytes, frame_encode(&frame, bytes), bench->now);
	bench->now += NSEC_PER_SEC;
	assert_int_equal(sim_transmit(bench->sim, bench->bytes, 100, bench->now), 16);
	assert_true(sim_wake(bench->sim) > bench->now + 50 * NSEC_PER_SEC);
	assert_int_equal(bench_ask(bench, "BMIN 3.94"), 1);
	assert_string_equal(bench_text(bench, 0), "SET");
	assert_int_equal(bench->size, 10);
	bench_close(bench);
	free(bench);
}

struct heard {
	unsigned sent, received;
};

static void count(void *user, bool sent, const struct frame *frame, int64_t when)
{
	struct heard *heard = user;

	(void)when;
	heard->sent += sent && frame->snd == 1;
	heard->received += !sent;
}

static void test_observer_hears_whole_frames(void **state)
{
	struct bench *bench = malloc(sizeof(*bench));
	struct heard heard = { 0 };

	(void)state;
	assert_non_null(bench);
	open_text(bench, "1 > " CAPA "\n1.1 < 0055" CAPA_450 CAPA_450 "5500" SET "\n", 0);
	sim_observe(bench->sim, count, &heard);
	assert_int_equal(bench_ask(bench, "CAPA?"), 3);
	assert_int_equal(heard.received, 1);
	assert_int_equal(heard.sent, 3);
	bench_close(bench);
	free(bench);
}

static void check_order(void *user, bool sent, const struct frame *frame, int64_t when)
{
	int64_t *last = user;

	(void)sent;
	(void)frame;
	assert_true(when >= *last);
	*last = when;
}

/* A simulator that is held up looks at what came before it sends what was due: a log can be played. */
static void test_observer_hears_in_order(void **state)
{
	struct bench *bench = malloc(sizeof(*bench));
	int64_t last = 0;

	(void)state;
	assert_non_null(bench);
	open_text(bench, "1 > " CAPA "\n1.1 < " CAPA_450 "\n", 56000);
	sim_observe(bench->sim, check_order, &last);
	bench_write(bench, "CAPA?", 1);
	bench->now += NSEC_PER_SEC;
	assert_int_equal(bench_ask(bench, "CAPA?"), 2);
	assert_true(last > bench->now - NSEC_PER_SEC);
	bench_close(bench);
	free(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_takes_turns),
		cmocka_unit_test(test_belongs_to_nobody),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_no_such_file),
		cmocka_unit_test(test_delays_and_pace),
		cmocka_unit_test(test_next_request_cuts),
		cmocka_unit_test(test_observer_hears_whole_frames),
		cmocka_unit_test(test_observer_hears_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

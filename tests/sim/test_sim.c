// SPDX-License-Identifier: LGPL-3.0-or-later
#include "sim/sim.h"

#include <errno.h>
#include <stdio.h>

#include "protocol/value.h"
#include "sim_test.h"

#define BYTE_NS 178572 /* at 56000 baud, rounded up */

static struct bench bench;

static void open_bench(const char *settings)
{
	struct sim_config config = sim_config_default;
	char reason[128];

	if (sim_config_parse(&config, settings, reason, sizeof(reason)))
		fail_msg("%s", reason);
	bench_open(&bench, &config);
}

static int shut_bench(void **state)
{
	(void)state;
	bench_close(&bench);
	return 0;
}

static void test_bytes_as_captured(void **state)
{
	static const uint8_t capa[] = { 0x55, 0x00, 0x01, 0x09, 0x34, 0x2E, 0x35, 0x30,
					0x30, 0x30, 0x30, 0x65, 0x32, 0xFB, 0xB4, 0xAA };
	static const uint8_t header[] = { 0x55, 0x00, 0x01, 0x01, 0x31, 0x84, 0x91, 0xAA };

	(void)state;
	open_bench("");
	assert_int_equal(sim_put(bench.sim, "CAPA", 450), 0);
	bench_ask(&bench, "CAPA?");
	assert_int_equal(bench.size, sizeof(capa));
	assert_memory_equal(bench.bytes, capa, sizeof(capa));
	bench_ask(&bench, "CELL?");
	assert_int_equal(bench.size, 71);
	assert_memory_equal(bench.bytes, header, sizeof(header));
	assert_int_equal(bench.bytes[8], 0x55);
	assert_int_equal(bench.bytes[11], 56);
}

static unsigned reported_error(void)
{
	assert_int_equal(bench_ask(&bench, "ERRO?"), 2);
	return bench.frame[1].payload[0] ? bench.frame[1].payload[2] : 0;
}

/* As "help" and the man page say: each error, and its delay. */
static void test_each_error_is_provoked_after_its_delay(void **state)
{
	(void)state;
	for (size_t i = 0; i < SIM_PROVOCATIONS; i++) {
		const struct sim_provocation *provocation = &sim_provocation[i];
		float number;

		open_bench("model=1q");
		bench.now += NSEC_PER_SEC;
		assert_int_equal(reported_error(), 0);
		assert_int_equal(value_parse_float(provocation->number, strlen(provocation->number),
						   &number),
				 0);
		assert_int_equal(sim_put(bench.sim, provocation->mnemonic, (double)number), 0);
		bench.now += (provocation->delay_s - 1) * NSEC_PER_SEC;
		assert_int_equal(reported_error(), 0);
		bench.now += 2 * NSEC_PER_SEC;
		assert_int_equal(reported_error(), provocation->error);
		bench_close(&bench);
	}
	open_bench("");
}

/* Request, turn-around and reply take their time on the line, to the byte. */
static void test_pace(void **state)
{
	int64_t asked, begin, end;

	(void)state;
	open_bench("");
	asked = bench.now;
	bench_ask(&bench, "CELL?");
	begin = asked + 12 * BYTE_NS + 5 * NSEC_PER_MSEC + BYTE_NS;
	end = begin + 70 * BYTE_NS;
	assert_in_range(bench.first, begin - 100, begin);
	assert_in_range(bench.last, end - 100, end);
}

static void test_nothing_comes_before_its_time(void **state)
{
	uint8_t byte[100];
	int64_t wake;

	(void)state;
	open_bench("");
	assert_int_equal(sim_wake(bench.sim), NSEC_NEVER);
	bench_write(&bench, "CAPA?", 1);
	wake = sim_wake(bench.sim);
	assert_int_equal(sim_transmit(bench.sim, byte, sizeof(byte), wake - 1), 0);
	assert_int_equal(sim_transmit(bench.sim, byte, sizeof(byte), wake), 1);
	assert_int_equal(sim_transmit(bench.sim, byte, sizeof(byte), wake), 0);
	assert_int_equal(sim_transmit(bench.sim, byte, sizeof(byte), wake + 3 * BYTE_NS), 3);
	assert_int_equal(sim_transmit(bench.sim, byte, 2, wake + NSEC_PER_SEC), 2);
	assert_int_equal(sim_transmit(bench.sim, byte, 0, wake + NSEC_PER_SEC), 0);
	assert_int_equal(sim_transmit(bench.sim, byte, sizeof(byte), wake + NSEC_PER_SEC), 10);
	assert_int_equal(sim_wake(bench.sim), NSEC_NEVER);
}

static void test_without_a_pace(void **state)
{
	int64_t asked;

	(void)state;
	open_bench("baud=0,turnaround=0");
	asked = bench.now;
	assert_int_equal(bench_ask(&bench, "CELL?"), 2);
	assert_int_equal(bench.last, asked);
}

static void test_requests_queue_in_order(void **state)
{
	int64_t asked;

	(void)state;
	open_bench("");
	asked = bench.now;
	bench_write(&bench, "CMAX?", 1);
	bench_write(&bench, "CMAX 3.6", 1);
	bench_write(&bench, "CMAX?", 1);
	bench_listen(&bench);
	assert_int_equal(bench.frames, 3);
	assert_string_equal(bench_text(&bench, 0), "3.85000e0");
	assert_string_equal(bench_text(&bench, 1), "SET");
	assert_string_equal(bench_text(&bench, 2), "3.60000e0");
	asked += (12 + 16 + 10 + 16) * BYTE_NS + 3 * 5 * NSEC_PER_MSEC;
	assert_in_range(bench.last, asked - 100, asked + 100);
}

static void test_queue_is_bounded(void **state)
{
	(void)state;
	open_bench("");
	for (int i = 0; i < 100; i++)
		bench_write(&bench, "CMAX?", 1);
	bench_write(&bench, "CMAX 3.6", 1);
	bench_listen(&bench);
	assert_int_equal(bench.size, 64 * 16);
	assert_string_equal(bench_query(&bench, "CMAX?"), "3.85000e0");
}

static void test_requests_in_pieces_and_broken_ones(void **state)
{
	static const uint8_t request[] = { 0x55, 0x01, 0x00, 0x05, 'C',  'A',
					   'P',  'A',  '?',  0x3B, 0xE0, 0xAA };
	uint8_t broken[sizeof(request)];

	(void)state;
	open_bench("");
	for (size_t i = 0; i < sizeof(request); i++) {
		sim_receive(bench.sim, request + i, 1, bench.now);
		bench.now += NSEC_PER_MSEC;
	}
	bench_listen(&bench);
	assert_int_equal(bench.frames, 1);

	memcpy(broken, request, sizeof(request));
	broken[9] ^= 1;
	sim_receive(bench.sim, broken, sizeof(broken), bench.now);
	bench_listen(&bench);
	assert_int_equal(bench.size, 0);

	/* Half a request and a pause are forgotten; the next one is heard. */
	bench.now += NSEC_PER_SEC;
	sim_receive(bench.sim, request, 6, bench.now);
	bench.now += NSEC_PER_SEC;
	assert_int_equal(bench_ask(&bench, "CAPA?"), 1);
}

static void test_other_addresses_are_not_ours(void **state)
{
	(void)state;
	open_bench("address=5");
	bench_write(&bench, "CAPA?", 1);
	bench_listen(&bench);
	assert_int_equal(bench.size, 0);
	assert_int_equal(bench_ask(&bench, "CAPA?"), 1);
	assert_int_equal(bench.frame[0].snd, 5);
}

/* The same seed and the same bytes at the same times: the same answers, faults and all. */
static void test_determinism(void **state)
{
	static struct bench other;
	struct sim_config config = sim_config_default;

	(void)state;
	for (int i = 0; i < SIM_FAULTS; i++)
		config.rate[i] = i == SIM_SILENT ? 0.01 : 0.1;
	bench_open(&bench, &config);
	bench_open(&other, &config);
	for (int i = 0; i < 200; i++) {
		bench_ask(&bench, i % 2 ? "LCD1?" : "CELL?");
		bench_ask(&other, i % 2 ? "LCD1?" : "CELL?");
		assert_int_equal(bench.now, other.now);
		assert_int_equal(bench.size, other.size);
		assert_memory_equal(bench.bytes, other.bytes, bench.size);
		bench.now += 300 * NSEC_PER_MSEC;
		other.now += 300 * NSEC_PER_MSEC;
	}
	bench_close(&other);
}

static void test_drop_loses_the_reply_and_keeps_the_set(void **state)
{
	double value;

	(void)state;
	open_bench("drop=1");
	assert_int_equal(bench_ask(&bench, "CMAX 3.6"), 0);
	assert_int_equal(bench.size, 0);
	assert_int_equal(sim_get(bench.sim, "CMAX", &value, bench.now), 0);
	assert_true(value == (double)3.6F);
}

static void test_corrupt_flips_one_bit(void **state)
{
	static uint8_t right[16];
	unsigned bits = 0;

	(void)state;
	open_bench("");
	bench_ask(&bench, "CAPA?");
	memcpy(right, bench.bytes, sizeof(right));
	assert_int_equal(sim_set_fault(bench.sim, "corrupt", 1), 0);
	assert_int_equal(bench_ask(&bench, "CAPA?"), 0);
	assert_int_equal(bench.size, sizeof(right));
	for (size_t i = 0; i < sizeof(right); i++)
		bits += (unsigned)__builtin_popcount(right[i] ^ bench.bytes[i]);
	assert_int_equal(bits, 1);
}

static void test_late_keeps_the_order(void **state)
{
	int64_t asked;

	(void)state;
	open_bench("late=1");
	asked = bench.now;
	bench_write(&bench, "CMAX?", 1);
	assert_int_equal(sim_set_fault(bench.sim, "late", 0), 0);
	bench.now += 350 * NSEC_PER_MSEC;
	bench_write(&bench, "CMIN?", 1);
	bench_listen(&bench);
	assert_string_equal(bench_text(&bench, 0), "3.85000e0");
	assert_string_equal(bench_text(&bench, 1), "2.80000e0");
	assert_in_range(bench.first - asked, 400 * NSEC_PER_MSEC, 1610 * NSEC_PER_MSEC);
	assert_true(bench.last - bench.first < 20 * NSEC_PER_MSEC);
}

static void test_delay_is_still_in_time(void **state)
{
	(void)state;
	open_bench("delay=1");
	for (int i = 0; i < 50; i++) {
		int64_t asked = bench.now;

		assert_int_equal(bench_ask(&bench, "CMAX?"), 1);
		assert_true(bench.first - asked < 310 * NSEC_PER_MSEC);
	}
}

static void test_echo_comes_first(void **state)
{
	int64_t asked;

	(void)state;
	open_bench("echo=1");
	asked = bench.now;
	assert_int_equal(bench_ask(&bench, "CMAX?"), 2);
	assert_int_equal(bench.frame[0].snd, FRAME_HOST);
	assert_string_equal(bench_text(&bench, 0), "CMAX?");
	assert_string_equal(bench_text(&bench, 1), "3.85000e0");
	assert_in_range(bench.first - asked, BYTE_NS - 20, BYTE_NS + 20);
	/* The adapter hears itself whether or not somebody answers. */
	assert_int_equal(bench_ask(&bench, "XXXX?"), 1);
}

static void test_garbage_comes_first(void **state)
{
	(void)state;
	open_bench("garbage=1");
	for (int i = 0; i < 50; i++) {
		bench_ask(&bench, "CMAX?");
		assert_in_range(bench.size, 17, 36);
		assert_memory_equal(bench.bytes + bench.size - 12, "3.85000e0", 9);
	}
}

static void test_truncate_breaks_off(void **state)
{
	(void)state;
	open_bench("truncate=1");
	for (int i = 0; i < 50; i++) {
		assert_int_equal(bench_ask(&bench, "CMAX?"), 0);
		assert_in_range(bench.size, 1, 15);
		assert_int_equal(bench.bytes[0], FRAME_STX);
	}
}

static void test_silent_executes_nothing_for_two_seconds(void **state)
{
	(void)state;
	open_bench("silent=1");
	assert_int_equal(bench_ask(&bench, "CMAX 3.6"), 0);
	sim_set_fault(bench.sim, "silent", 0);
	bench.now += 1900 * NSEC_PER_MSEC;
	assert_int_equal(bench_ask(&bench, "CMAX 3.6"), 0);
	bench.now += 200 * NSEC_PER_MSEC;
	assert_string_equal(bench_query(&bench, "CMAX?"), "3.85000e0");
}

static void test_error_refuses(void **state)
{
	(void)state;
	open_bench("error=1");
	assert_string_equal(bench_query(&bench, "CMAX 3.6"), "ERROR1");
	sim_set_fault(bench.sim, "error", 0);
	assert_string_equal(bench_query(&bench, "CMAX?"), "3.85000e0");
}

static void test_foreign_traffic_passes_first(void **state)
{
	(void)state;
	open_bench("foreign=1");
	for (int i = 0; i < 20; i++) {
		unsigned frames = bench_ask(&bench, "CMAX?");

		assert_in_range(frames, 3, 4);
		assert_int_equal(bench.frame[0].dst, 1);
		assert_int_equal(bench.frame[0].snd, FRAME_HOST);
		assert_int_equal(bench.frame[0].payload[4], '?');
		assert_int_equal(bench.frame[1].dst, FRAME_HOST);
		assert_string_equal(bench_text(&bench, frames - 1), "3.85000e0");
	}
}

static void test_unknown_faults_and_mnemonics(void **state)
{
	double value;

	(void)state;
	open_bench("");
	assert_int_equal(sim_set_fault(bench.sim, "flood", 1), -ENOENT);
	assert_int_equal(sim_put(bench.sim, "XXXX", 1), -ENOENT);
	assert_int_equal(sim_get(bench.sim, "CELL", &value, bench.now), -ENOENT);
}

static void test_silence_and_exchange(void **state)
{
	(void)state;
	open_bench("");
	sim_set_silent(bench.sim, true);
	assert_int_equal(bench_ask(&bench, "CMAX 3.6"), 0);
	sim_set_silent(bench.sim, false);
	assert_string_equal(bench_query(&bench, "CMAX?"), "3.85000e0");
	bench_ask(&bench, "CMAX 3.6");
	sim_exchange(bench.sim, "REC BMS 1Q OTHER");
	assert_string_equal(bench_query(&bench, "*IDN?"), "REC BMS 1Q OTHER");
	assert_string_equal(bench_query(&bench, "CMAX?"), "3.85000e0");
}

static void test_a_month_asleep(void **state)
{
	(void)state;
	open_bench("model=master,units=15");
	assert_int_equal(bench_ask(&bench, "CELL?"), 16);
	bench.now += 31 * 86400 * NSEC_PER_SEC;
	assert_int_equal(bench_ask(&bench, "CELL?"), 16);
	for (unsigned i = 0; i < 15; i++)
		assert_in_range(bench_float(&bench, 1, i) * 1000, 2800, 3650);
}

struct seen {
	unsigned received, sent;
	int64_t last;
	char text[64];
};

static void see(void *user, bool sent, const struct frame *frame, int64_t when)
{
	struct seen *seen = user;

	seen->received += !sent;
	seen->sent += sent;
	seen->last = when;
	snprintf(seen->text, sizeof(seen->text), "%.*s", frame->len, (const char *)frame->payload);
}

static void test_observer_sees_what_is_whole(void **state)
{
	struct seen seen = { 0 };
	int64_t asked;

	(void)state;
	open_bench("");
	sim_observe(bench.sim, see, &seen);
	asked = bench.now;
	bench_write(&bench, "CMAX?", 1);
	assert_int_equal(seen.received, 1);
	assert_int_equal(seen.last, asked);
	bench_listen(&bench);
	assert_int_equal(seen.sent, 1);
	assert_int_equal(seen.last, bench.first);
	assert_string_equal(seen.text, "3.85000e0");
	bench_ask(&bench, "CELL?");
	assert_int_equal(seen.sent, 3);

	sim_set_fault(bench.sim, "corrupt", 1);
	bench_ask(&bench, "CMAX?");
	assert_int_equal(seen.sent, 3);
	bench_ask(&bench, "CELL?");
	assert_int_equal(seen.sent, 4);
	assert_int_equal(seen.received, 4);
}

static void test_refused_configuration(void **state)
{
	struct sim_config config = sim_config_default;
	struct sim *sim = NULL;
	char reason[128] = "";

	(void)state;
	open_bench("");
	config.units = 2;
	assert_int_equal(sim_new(&sim, &config, &bench.table, 0, reason, sizeof(reason)), -EINVAL);
	assert_null(sim);
	assert_non_null(strstr(reason, "units"));
	sim_free(NULL);
}

#define TEST(name) cmocka_unit_test_teardown(name, shut_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bytes_as_captured),
		TEST(test_each_error_is_provoked_after_its_delay),
		TEST(test_pace),
		TEST(test_nothing_comes_before_its_time),
		TEST(test_without_a_pace),
		TEST(test_requests_queue_in_order),
		TEST(test_queue_is_bounded),
		TEST(test_requests_in_pieces_and_broken_ones),
		TEST(test_other_addresses_are_not_ours),
		TEST(test_determinism),
		TEST(test_drop_loses_the_reply_and_keeps_the_set),
		TEST(test_corrupt_flips_one_bit),
		TEST(test_late_keeps_the_order),
		TEST(test_delay_is_still_in_time),
		TEST(test_echo_comes_first),
		TEST(test_garbage_comes_first),
		TEST(test_truncate_breaks_off),
		TEST(test_silent_executes_nothing_for_two_seconds),
		TEST(test_error_refuses),
		TEST(test_foreign_traffic_passes_first),
		TEST(test_unknown_faults_and_mnemonics),
		TEST(test_silence_and_exchange),
		TEST(test_a_month_asleep),
		TEST(test_observer_sees_what_is_whole),
		TEST(test_refused_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

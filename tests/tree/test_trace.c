// SPDX-License-Identifier: LGPL-3.0-or-later
#include <string.h>

#include "bus/trace.h"
#include "fixture.h"
#include "nsec.h"
#include "test.h"

#define HEAD_LINES 3

static const char *rest(const char *text)
{
	for (int i = 0; i < HEAD_LINES; i++) {
		assert_int_equal(text[0], '#');
		text = strchr(text, '\n') + 1;
	}
	return text;
}

static void send(struct trace *trace, const char *text, int64_t when)
{
	struct frame frame;

	frame_make(&frame, 1, FRAME_HOST, text, (uint8_t)strlen(text));
	trace_send(trace, &frame, "request", when);
}

static void test_empty(void **state)
{
	struct fixture *fixture = *state;

	assert_string_equal(rest(fixture_read(fixture, "bus/trace")), "");
}

static void test_lines(void **state)
{
	struct fixture *fixture = *state;
	struct trace *trace = &fixture->device.bus.trace;
	static const uint8_t noise[] = { 0x01, 0xFE };
	struct frame frame;

	send(trace, "CAPA?", 8 * NSEC_PER_SEC + 1234567);
	frame_make(&frame, FRAME_HOST, 1, "4.50000e2", 9);
	trace_take(trace, noise, sizeof(noise), 8 * NSEC_PER_SEC + 2000000);
	trace_receive(trace, &frame, "CAPA", 8 * NSEC_PER_SEC + 3000000);
	trace_end(trace, TRACE_UNFIT, "a damaged frame came with it", 8 * NSEC_PER_SEC + 4234567);
	send(trace, "BMIN 3.94", 12345 * NSEC_PER_SEC);
	assert_string_equal(
		rest(fixture_read(fixture, "bus/trace")),
		"      8.001234    1 >     0.003000 unfit    "
		"request: CAPA? (a damaged frame came with it) 55010005434150413F3BE0AA\n"
		"      8.003000    1 <     0.001765 -        "
		"CAPA: 4.50000e2                  55000109342E35303030306532FBB4AA\n"
		"      8.002000    - <     0.000765 -        "
		"noise: 2 bytes                   01FE\n"
		"  12345.000000    1 >            - waiting  "
		"request: BMIN 3.94               55010009424D494E20332E3934C1EAAA\n");
}

/* The longest there can be fits into the longest text. */
static void test_full(void **state)
{
	struct fixture *fixture = *state;
	struct trace *trace = &fixture->device.bus.trace;
	const uint8_t byte = 0x31;
	const char *text;

	for (unsigned i = 0; i < 3 * sizeof(trace->ring) / 80; i++) {
		send(trace, "CAPA?", 100000 * NSEC_PER_SEC);
		for (unsigned j = 0; j < 100 + i % 100; j++)
			trace_take(trace, &byte, 1, 100000 * NSEC_PER_SEC);
	}
	text = fixture_read(fixture, "bus/trace");
	assert_true(strlen(text) < TREE_TEXT_MAX / 2);
	assert_string_equal(text + strlen(text) - 3, "31\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_empty),
		TEST(test_lines),
		TEST(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

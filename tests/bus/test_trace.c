// SPDX-License-Identifier: LGPL-3.0-or-later
/* The ring of the trace by itself, and what the bus puts there. */
#include "bus/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus_test.h"

#define RING_MAX sizeof(((struct trace *)0)->ring)

static struct trace trace;

static int trace_setup(void **state)
{
	(void)state;
	memset(&trace, 0, sizeof(trace));
	return 0;
}

static void send(const char *text, int64_t when)
{
	struct frame frame;

	frame_make(&frame, 1, FRAME_HOST, text, (uint8_t)strlen(text));
	trace_send(&trace, &frame, "request", when);
}

/* A frame of @size bytes of payload comes. */
static void receive(unsigned size, int64_t when)
{
	uint8_t payload[FRAME_PAYLOAD_MAX], bytes[FRAME_MAX];
	struct frame frame;

	memset(payload, 'x', sizeof(payload));
	frame_make(&frame, FRAME_HOST, 1, payload, (uint8_t)size);
	trace_take(&trace, bytes, frame_encode(&frame, bytes), when);
	trace_receive(&trace, &frame, "reply", when);
}

static unsigned count_events(const struct trace *of, unsigned *requests)
{
	struct trace_event event;
	unsigned events = 0;

	*requests = 0;
	for (uint64_t at = 0; trace_next(of, &at, &event); events++)
		*requests += event.outcome != TRACE_RECEIVED;
	return events;
}

static void test_empty(void **state)
{
	struct trace_event event;
	uint64_t at = 0;

	(void)state;
	assert_false(trace_next(&trace, &at, &event));
	trace_end(&trace, TRACE_OK, NULL, 1);
	assert_false(trace_next(&trace, &at, &event));
}

static void test_order_and_outcome(void **state)
{
	struct trace_event event;
	uint64_t at = 0;

	(void)state;
	send("CAPA?", 1000);
	receive(9, 2000);
	trace_end(&trace, TRACE_UNFIT, "why", 3500);
	trace_end(&trace, TRACE_LOST, NULL, 4000);
	assert_true(trace_next(&trace, &at, &event));
	assert_int_equal(event.when, 1000);
	assert_int_equal(event.took, 2500);
	assert_int_equal(event.outcome, TRACE_UNFIT);
	assert_string_equal(event.detail, "why");
	assert_string_equal(event.meaning, "request");
	assert_int_equal(event.address, 1);
	assert_int_equal(event.size, 12);
	assert_memory_equal(event.bytes + 4, "CAPA?", 5);
	assert_true(trace_next(&trace, &at, &event));
	assert_int_equal(event.outcome, TRACE_RECEIVED);
	assert_int_equal(event.when, 2000);
	assert_int_equal(event.size, 16);
	assert_false(trace_next(&trace, &at, &event));
}

/* However long the replies are: the last TRACE_MAX requests, and nothing that came before them. */
static void test_wraps(void **state)
{
	static const unsigned frames[] = { 0, 1, 3, 16 };
	struct trace_event event;
	unsigned requests;
	uint64_t at;
	char text[8];

	for (size_t kind = 0; kind < ARRAY_SIZE(frames); kind++) {
		trace_setup(state);
		for (unsigned i = 0; i < 5 * TRACE_MAX / 2; i++) {
			snprintf(text, sizeof(text), "Q%u", i);
			send(text, i + 1);
			for (unsigned j = 0; j < frames[kind]; j++)
				receive(64, i + 1);
			trace_end(&trace, TRACE_OK, NULL, i + 2);
		}
		assert_int_equal(count_events(&trace, &requests), TRACE_MAX * (1 + frames[kind]));
		assert_int_equal(requests, TRACE_MAX);
		/* Only as much memory as it takes. */
		assert_int_equal(trace.doubled, frames[kind] <= 1 ? 0 : frames[kind] == 3 ? 1 : 3);
		at = 0;
		assert_true(trace_next(&trace, &at, &event));
		snprintf(text, sizeof(text), "Q%u", 5 * TRACE_MAX / 2 - TRACE_MAX);
		assert_memory_equal(event.bytes + 4, text, strlen(text));
		assert_int_equal(event.took, 1);
	}
}

/* More than the ring holds comes after one request: it is forgotten, and nothing else breaks. */
static void test_one_too_long(void **state)
{
	unsigned requests;

	(void)state;
	send("CAPA?", 1);
	for (unsigned i = 0; i < 2 * RING_MAX / FRAME_MAX; i++)
		receive(FRAME_PAYLOAD_MAX, 2);
	trace_end(&trace, TRACE_TIMEOUT, NULL, 3);
	assert_true(count_events(&trace, &requests) > RING_MAX / FRAME_MAX / 2);
	assert_int_equal(requests, 0);
	assert_true(trace.head - trace.tail <= RING_MAX);
	send("CELL?", 4);
	trace_end(&trace, TRACE_OK, NULL, 5);
	count_events(&trace, &requests);
	assert_int_equal(requests, 1);
}

static void expect_noise(uint64_t *at, const void *bytes, size_t size, int64_t when)
{
	struct trace_event event;

	assert_true(trace_next(&trace, at, &event));
	assert_string_equal(event.meaning, "noise");
	assert_int_equal(event.outcome, TRACE_RECEIVED);
	assert_int_equal(event.address, 0);
	assert_int_equal(event.when, when);
	assert_int_equal(event.size, size);
	assert_memory_equal(event.bytes, bytes, size);
}

static void test_noise(void **state)
{
	struct trace_event event;
	uint64_t at = 0;

	(void)state;
	trace_take(&trace, (const uint8_t *)"abc", 3, 10);
	expect_noise(&at, "abc", 3, 10);
	assert_false(trace_next(&trace, &at, &event));
	receive(4, 20);
	trace_take(&trace, (const uint8_t *)"de", 2, 30);
	at = 0;
	expect_noise(&at, "abc", 3, 10);
	assert_true(trace_next(&trace, &at, &event));
	assert_string_equal(event.meaning, "reply");
	expect_noise(&at, "de", 2, 30);
	/* What came before a request stands before it. */
	send("CAPA?", 40);
	at = trace.tail;
	for (int i = 0; i < 2; i++)
		assert_true(trace_next(&trace, &at, &event));
	expect_noise(&at, "de", 2, 30);
	assert_true(trace_next(&trace, &at, &event));
	assert_int_equal(event.outcome, TRACE_WAITING);
	assert_false(trace_next(&trace, &at, &event));
}

/* Nothing of a flood is lost before the ring is full. */
static void test_flood(void **state)
{
	struct trace_event event;
	uint8_t bytes[500];
	unsigned next = 0;
	uint64_t at = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		for (unsigned j = 0; j < sizeof(bytes); j++)
			bytes[j] = (uint8_t)((500 * i + j) * 7);
		trace_take(&trace, bytes, sizeof(bytes), i + 1);
	}
	while (trace_next(&trace, &at, &event))
		for (unsigned i = 0; i < event.size; i++)
			assert_int_equal(event.bytes[i], (uint8_t)(next++ * 7));
	assert_int_equal(next, 100 * 500);
}

/* What the bus makes of it: meanings and outcomes of the requests, in order. */
static void expect_bus(const struct world *world, const char *expected)
{
	char got[1024] = "";
	struct trace_event event;
	size_t used = 0;

	for (uint64_t at = 0; trace_next(bus_trace(world->bus), &at, &event);) {
		if (event.outcome == TRACE_RECEIVED)
			used += (size_t)snprintf(got + used, sizeof(got) - used, "< %s\n",
						 event.meaning);
		else
			used += (size_t)snprintf(
				got + used, sizeof(got) - used, "> %s %.*s %s%s%s\n", event.meaning,
				event.size - FRAME_OVERHEAD, event.bytes + 4,
				trace_outcome_name[event.outcome], event.detail ? ": " : "",
				event.detail ? event.detail : "");
		assert_true(used < sizeof(got));
	}
	assert_string_equal(got, expected);
}

static void answer(struct fake_link *fake, const struct frame *frame)
{
	static const float volts[] = { 3.25f, 3.5f };
	const struct world *world = fake->user;

	if (frame_asks(frame, "*IDN?"))
		fake_text(fake, MSEC(5), 1, IDENTITY);
	else if (frame_asks(frame, "CAPA?") && world->user)
		fake_text(fake, MSEC(5), 1, world->user);
	if (frame_asks(frame, "CELL?")) {
		fake_text(fake, MSEC(5), 1, "1");
		fake_floats(fake, MSEC(6), 1, volts, 2);
	}
}

#define LEARNT                           \
	"> fence *IDN? ok\n< identity\n" \
	"> fence *IDN? ok\n< identity\n"

static void test_good(void **state)
{
	struct world *world = world_new(answer);

	(void)state;
	expect_bus(world, "");
	assert_int_equal(world_ask(world, "CELL", NULL), 0);
	expect_bus(world, LEARNT "> request CELL? ok\n< CELL\n< CELL\n");
	world_free(world);
}

static void test_bad(void **state)
{
	struct world *world = world_new(answer);
	char refusal[] = "ERROR1", nonsense[] = "what?";

	(void)state;
	world->user = refusal;
	assert_int_equal(world_ask(world, "CAPA", NULL), -EREMOTEIO);
	expect_bus(world, LEARNT "> request CAPA? refused\n< CAPA\n"
				 "> again CAPA? refused\n< CAPA\n"
				 "> again CAPA? refused\n< CAPA\n");
	world_free(world);

	world = world_new(answer);
	world->user = nonsense;
	assert_int_equal(world_ask(world, "CAPA", NULL), -EIO);
	expect_bus(world, LEARNT "> request CAPA? unfit: not a number\n< CAPA\n"
				 "> fence *IDN? ok\n< identity\n"
				 "> again CAPA? unfit: not a number\n< CAPA\n"
				 "> fence *IDN? ok\n< identity\n"
				 "> again CAPA? unfit: not a number\n< CAPA\n"
				 "> fence *IDN? ok\n< identity\n");
	world_free(world);

	world = world_new(answer);
	assert_int_equal(world_ask(world, "CAPA", NULL), -EOPNOTSUPP);
	expect_bus(world, LEARNT "> request CAPA? timeout\n> fence *IDN? ok\n< identity\n"
				 "> again CAPA? timeout\n> fence *IDN? ok\n< identity\n"
				 "> again CAPA? timeout\n> fence *IDN? ok\n< identity\n");
	world_free(world);
}

static void answer_damaged(struct fake_link *fake, const struct frame *frame)
{
	static const uint8_t damaged[] = {
		0x55, 0x00, 0x01, 0x03, 'S', 'E', 'T', 0xFA, 0xFF, 0xAA,
	};

	if (frame_asks(frame, "CAPA?") || fake->requests == 4)
		fake_bytes(fake, MSEC(5), damaged, sizeof(damaged));
	else
		answer(fake, frame);
}

static void test_damaged(void **state)
{
	struct world *world = world_new(answer_damaged);

	(void)state;
	world_submit(world, "CAPA", NULL);
	world->transaction.once = true;
	fake_run(&world->fake, world->bus, NULL, 60 * NSEC_PER_SEC, &world->done);
	assert_int_equal(world->error, -EIO);
	expect_bus(world, LEARNT "> request CAPA? damaged\n< noise\n"
				 "> fence *IDN? damaged\n< noise\n" LEARNT);
	world_free(world);
}

/* It can be read while nothing is there, and what was under way is lost. */
static void test_dead_link(void **state)
{
	struct world *world = world_new(NULL);

	(void)state;
	world_submit(world, "CAPA", NULL);
	fake_run(&world->fake, world->bus, NULL, MSEC(10), &world->done);
	expect_bus(world, "> fence *IDN? waiting\n");
	world->fake.hung_up = true;
	fake_run(&world->fake, world->bus, NULL, MSEC(10), &world->done);
	assert_int_equal(world->error, -ENODEV);
	expect_bus(world, "> fence *IDN? lost\n");
	world_free(world);
}

static void answer_foreign(struct fake_link *fake, const struct frame *frame)
{
	if (frame_asks(frame, "CAPA?") && fake->requests == 3) {
		fake_frame(fake, MSEC(2), 1, 0, "SOCS?", 5);
		fake_text(fake, MSEC(8), 1, "5.00000e-1");
		fake_text(fake, MSEC(9), 7, "x");
	} else if (frame_asks(frame, "CAPA?")) {
		fake_text(fake, MSEC(5), 1, "2.00000e2");
	} else {
		answer(fake, frame);
	}
}

static void test_foreign(void **state)
{
	struct world *world = world_new(answer_foreign);

	(void)state;
	assert_int_equal(world_ask(world, "CAPA", NULL), 0);
	expect_bus(world, LEARNT "> request CAPA? foreign\n< from another master\n"
				 "< to another master\n"
				 "> fence *IDN? ok\n< of another unit\n< identity\n"
				 "> again CAPA? ok\n< CAPA\n");
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_empty, trace_setup),
		cmocka_unit_test_setup(test_order_and_outcome, trace_setup),
		cmocka_unit_test_setup(test_wraps, trace_setup),
		cmocka_unit_test_setup(test_one_too_long, trace_setup),
		cmocka_unit_test_setup(test_noise, trace_setup),
		cmocka_unit_test_setup(test_flood, trace_setup),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_dead_link),
		cmocka_unit_test(test_foreign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

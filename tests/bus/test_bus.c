// SPDX-License-Identifier: LGPL-3.0-or-later
/* The bus against a scripted BMS, on a clock of its own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus_test.h"

struct bms {
	const char *identity; /* NULL: none */
	const char *once;     /* identity of the next answer only */
	unsigned skip;        /* *IDN? that stay without answer */
	bool dead, echo;
	uint8_t only; /* the one address that answers; 0: all */
	/* Plays the next @odd_times requests other than *IDN? */
	void (*odd)(struct fake_link *fake, const struct frame *frame);
	unsigned odd_times;
};

static void answer(struct fake_link *fake, const struct frame *frame, int64_t delay)
{
	static const float cell[] = { 3.25f, 3.5f };

	if (memchr(frame->payload, ' ', frame->len)) {
		fake_text(fake, delay, frame->dst, "SET");
	} else if (frame_asks(frame, "CELL?")) {
		fake_text(fake, delay, frame->dst, "1");
		fake_floats(fake, delay, frame->dst, cell, 2);
	} else {
		fake_text(fake, delay, frame->dst, frame_asks(frame, "SWVR?") ? "2.6" : "3.5");
	}
}

static void answer_identity(struct fake_link *fake, struct bms *bms, uint8_t address)
{
	const char *text = bms->once ? bms->once : bms->identity;

	bms->once = NULL;
	if (bms->skip)
		bms->skip--;
	else if (text)
		fake_text(fake, MSEC(5), address, text);
}

static void bms_request(struct fake_link *fake, const struct frame *frame)
{
	struct bms *bms = ((struct world *)fake->user)->user;

	if (bms->echo)
		fake_frame(fake, MSEC(1), frame->dst, frame->snd, frame->payload, frame->len);
	if (bms->dead || (bms->only && bms->only != frame->dst))
		return;
	if (frame_asks(frame, "*IDN?")) {
		answer_identity(fake, bms, frame->dst);
	} else if (bms->odd_times) {
		bms->odd_times--;
		bms->odd(fake, frame);
	} else {
		answer(fake, frame, MSEC(5));
	}
}

/* A world whose line is clear, with an empty log. */
static struct world *clear_world(struct bms *bms)
{
	struct world *world = world_new(bms_request);

	world->user = bms;
	assert_int_equal(world_ask(world, "CYCL", NULL), -EIO); /* 3.5 is no integer */
	assert_int_equal(world_ask(world, "CMAX", NULL), 0);
	world->fake.log[0] = '\0';
	return world;
}

static void odd_nothing(struct fake_link *fake, const struct frame *frame)
{
	(void)fake;
	(void)frame;
}

static void odd_late(struct fake_link *fake, const struct frame *frame)
{
	answer(fake, frame, MSEC(400));
}

static void odd_refuse(struct fake_link *fake, const struct frame *frame)
{
	fake_text(fake, MSEC(5), frame->dst, "ERROR1");
}

static void odd_bytes(struct fake_link *fake, const struct frame *request, const char *text,
		      size_t change, size_t size)
{
	uint8_t bytes[FRAME_MAX];
	struct frame frame;
	size_t n;

	frame_make(&frame, FRAME_HOST, request->dst, text, (uint8_t)strlen(text));
	n = frame_encode(&frame, bytes);
	if (change)
		bytes[change] ^= 1;
	fake_bytes(fake, MSEC(5), bytes, n < size ? n : size);
}

static void odd_damaged(struct fake_link *fake, const struct frame *frame)
{
	odd_bytes(fake, frame, "9.5", 5, FRAME_MAX);
}

static void odd_cut(struct fake_link *fake, const struct frame *frame)
{
	odd_bytes(fake, frame, "9.5", 0, 8);
}

static void odd_garbage(struct fake_link *fake, const struct frame *frame)
{
	fake_bytes(fake, MSEC(2), "\xff\x55\x00\x01\xff\x55\xaa", 7);
	answer(fake, frame, MSEC(5));
}

static void odd_header(struct fake_link *fake, const struct frame *frame)
{
	fake_text(fake, MSEC(5), frame->dst, "1");
}

static void odd_twice(struct fake_link *fake, const struct frame *frame)
{
	answer(fake, frame, MSEC(5));
	answer(fake, frame, MSEC(5));
}

static void odd_text(struct fake_link *fake, const struct frame *frame)
{
	fake_text(fake, MSEC(5), frame->dst, "on");
}

static void odd_identity(struct fake_link *fake, const struct frame *frame)
{
	fake_text(fake, MSEC(5), frame->dst, IDENTITY);
}

/* Another master asks while we wait; its reply comes first and would fit. */
static void odd_foreign(struct fake_link *fake, const struct frame *frame)
{
	fake_frame(fake, MSEC(2), 1, FRAME_HOST, "BVOL?", 5);
	fake_text(fake, MSEC(5), frame->dst, "9.5");
	answer(fake, frame, MSEC(8));
}

/* ... for the same as we, so that only by counting it differs from our echo. */
static void odd_foreign_same(struct fake_link *fake, const struct frame *frame)
{
	fake_frame(fake, MSEC(2), 1, FRAME_HOST, frame->payload, frame->len);
	answer(fake, frame, MSEC(5));
	answer(fake, frame, MSEC(8));
}

static void test_tries(void **state)
{
	static const struct {
		const char *mnemonic, *value;
		void (*odd)(struct fake_link *fake, const struct frame *frame);
		unsigned times;
		int error;
		const char *log;
		int counter; /* that must have grown by @times; BUS_COUNTERS: none */
	} row[] = {
		{ "CMAX", NULL, NULL, 0, 0, "CMAX? ", BUS_COUNTERS },
		{ "CELL", NULL, NULL, 0, 0, "CELL? ", BUS_COUNTERS },
		{ "*IDN", NULL, NULL, 0, 0, "*IDN? ", BUS_COUNTERS },
		{ "CMAX", "3.7", NULL, 0, 0, "CMAX 3.7 ", BUS_COUNTERS },
		{ "CMAX", NULL, odd_refuse, 1, 0, "CMAX? CMAX? ", BUS_REFUSALS },
		{ "CMAX", NULL, odd_refuse, 3, -EREMOTEIO, "CMAX? CMAX? CMAX? ", BUS_REFUSALS },
		{ "CMAX", "9", odd_refuse, 1, -EREMOTEIO, "CMAX 9 ", BUS_REFUSALS },
		{ "CMAX", NULL, odd_nothing, 1, 0, "CMAX? *IDN? CMAX? ", BUS_TIMEOUTS },
		{ "CMAX", NULL, odd_nothing, 3, -EOPNOTSUPP, "CMAX? *IDN? CMAX? *IDN? CMAX? *IDN? ",
		  BUS_TIMEOUTS },
		{ "CMAX", "3.7", odd_nothing, 1, -ETIMEDOUT, "CMAX 3.7 *IDN? ", BUS_TIMEOUTS },
		{ "CMAX", NULL, odd_late, 1, 0, "CMAX? *IDN? ", BUS_LATE },
		{ "CELL", NULL, odd_late, 1, 0, "CELL? *IDN? ", BUS_LATE },
		{ "CMAX", "3.7", odd_late, 1, 0, "CMAX 3.7 *IDN? ", BUS_LATE },
		{ "SWVR", NULL, odd_late, 1, 0, "SWVR? *IDN? SWVR? ", BUS_TIMEOUTS },
		{ "CMAX", NULL, odd_damaged, 1, 0, "CMAX? *IDN? CMAX? ", BUS_BROKEN },
		{ "CMAX", NULL, odd_damaged, 3, -EIO, "CMAX? *IDN? CMAX? *IDN? CMAX? *IDN? ",
		  BUS_BROKEN },
		{ "CMAX", NULL, odd_cut, 1, 0, "CMAX? *IDN? CMAX? ", BUS_TIMEOUTS },
		{ "CMAX", NULL, odd_cut, 3, -EIO, "CMAX? *IDN? CMAX? *IDN? CMAX? *IDN? ",
		  BUS_TIMEOUTS },
		{ "CELL", NULL, odd_header, 1, 0, "CELL? *IDN? CELL? ", BUS_UNFIT },
		{ "CELL", NULL, odd_header, 3, -EIO, "CELL? *IDN? CELL? *IDN? CELL? *IDN? ",
		  BUS_UNFIT },
		{ "CMAX", NULL, odd_garbage, 1, 0, "CMAX? ", BUS_COUNTERS },
		{ "CMAX", NULL, odd_twice, 1, 0, "CMAX? *IDN? CMAX? ", BUS_UNFIT },
		{ "CMAX", NULL, odd_text, 1, 0, "CMAX? *IDN? CMAX? ", BUS_UNFIT },
		{ "SWVR", NULL, odd_identity, 1, 0, "SWVR? *IDN? SWVR? ", BUS_UNFIT },
		{ "CMAX", "3.7", odd_text, 1, -EIO, "CMAX 3.7 *IDN? ", BUS_UNFIT },
		{ "CMAX", NULL, odd_foreign, 1, 0, "CMAX? *IDN? CMAX? ", BUS_FOREIGN },
		{ "CMAX", NULL, odd_foreign_same, 1, 0, "CMAX? *IDN? CMAX? ", BUS_FOREIGN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct bms bms = { .identity = IDENTITY };
		struct world *world = clear_world(&bms);
		uint64_t before[BUS_COUNTERS];

		memcpy(before, bus_counters(world->bus), sizeof(before));
		bms.odd = row[i].odd;
		bms.odd_times = row[i].times;
		if (world_ask(world, row[i].mnemonic, row[i].value) != row[i].error)
			fail_msg("%zu: error %d", i, world->error);
		assert_string_equal(world->fake.log, row[i].log);
		if (row[i].counter != BUS_COUNTERS)
			assert_int_equal(bus_counters(world->bus)[row[i].counter] -
						 before[row[i].counter],
					 row[i].times);
		if (row[i].error == -EIO || row[i].error == -EREMOTEIO)
			assert_true(*peer_last_error(world->peer));
		if (row[i].error == 0 && strcmp(row[i].mnemonic, "CMAX") == 0 && !row[i].value)
			assert_true(world->sample.number[0] == 3.5);
		/* And the next gets what is its own. */
		assert_int_equal(world_ask(world, "SWVR", NULL), 0);
		assert_string_equal(world->sample.text, "2.6");
		assert_int_equal(world->changes, 0);
		world_free(world);
	}
}

static void test_echo(void **state)
{
	struct bms bms = { .identity = IDENTITY, .echo = true };
	struct world *world = clear_world(&bms);

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(world_ask(world, "CMAX", NULL), 0);
	assert_string_equal(world->fake.log, "CMAX? CMAX? CMAX? ");
	assert_int_equal(bus_counters(world->bus)[BUS_FOREIGN], 0);
	assert_false(bus_shared(world->bus));
	/* An adapter that begins to echo costs one try. */
	bms.echo = false;
	assert_int_equal(world_ask(world, "CMAX", NULL), 0);
	bms.echo = true;
	for (int i = 0; i < 9; i++)
		assert_int_equal(world_ask(world, "CMAX", NULL), 0);
	assert_int_equal(bus_counters(world->bus)[BUS_FOREIGN], 1);
	world_free(world);
}

static void test_idle_is_silent(void **state)
{
	struct bms bms = { .identity = IDENTITY };
	struct world *world = world_new(bms_request);

	(void)state;
	world->user = &bms;
	assert_true(bus_wake(world->bus) == NSEC_NEVER);
	assert_int_equal(peer_state(world->bus, world->peer), BUS_CLOSED);
	world_submit(world, "CMAX", NULL);
	assert_true(bus_wake(world->bus) <= world->fake.now);
	fake_run(&world->fake, world->bus, NULL, MSEC(100), &world->done);
	assert_int_equal(world->error, 0);
	assert_int_equal(peer_state(world->bus, world->peer), BUS_ONLINE);
	assert_true(peer_identified(world->peer));
	world->fake.log[0] = '\0';
	/* Noise that looks like the start of a frame does not wake anybody either. */
	fake_bytes(&world->fake, MSEC(50), "\x55\x00\x01\x09", 4);
	fake_run(&world->fake, world->bus, NULL, 3600 * NSEC_PER_SEC, NULL);
	assert_true(bus_wake(world->bus) == NSEC_NEVER);
	assert_string_equal(world->fake.log, "");
	assert_int_equal(world_ask(world, "CMAX", NULL), 0);
	assert_string_equal(world->fake.log, "CMAX? ");
	world_free(world);
}

/* What came in between makes the next transaction wait for a fence. */
static void test_surplus(void **state)
{
	static const struct {
		const char *text;
		size_t change;
	} row[] = { { "3.5", 0 }, { IDENTITY, 0 }, { "3.5", 5 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct bms bms = { .identity = IDENTITY };
		struct world *world = clear_world(&bms);
		struct frame frame;

		frame_make(&frame, 1, FRAME_HOST, "", 0);
		odd_bytes(&world->fake, &frame, row[i].text, row[i].change, FRAME_MAX);
		fake_run(&world->fake, world->bus, NULL, NSEC_PER_SEC, NULL);
		assert_string_equal(world->fake.log, "");
		assert_int_equal(world_ask(world, "BVOL", NULL), 0);
		assert_string_equal(world->fake.log, "*IDN? BVOL? ");
		world_free(world);
	}
}

struct ask {
	struct transaction transaction;
	struct world *world;
	unsigned times, place;
	int error;
	int64_t when;
	struct ask *submits, *withdraws;
	bool first;
};

static unsigned places;

static void ask_done(struct transaction *transaction, int error, const struct sample *sample)
{
	struct ask *ask = transaction->user;

	assert_true((error == 0 && !transaction->set) == (sample != NULL));
	ask->times++;
	ask->place = ++places;
	ask->error = error;
	ask->when = ask->world->fake.now;
	if (ask->withdraws)
		assert_true(bus_withdraw(ask->world->bus, &ask->withdraws->transaction));
	if (ask->submits && ask->first)
		bus_submit_first(ask->world->bus, &ask->submits->transaction);
	else if (ask->submits)
		bus_submit(ask->world->bus, &ask->submits->transaction);
}

static void ask_init(struct ask *ask, struct world *world, struct peer *peer, const char *mnemonic)
{
	*ask = (struct ask){ .world = world };
	ask->transaction = (struct transaction){
		.peer = peer,
		.row = &world->table.row[instruction_find(&world->table, mnemonic)],
		.done = ask_done,
		.user = ask,
	};
}

static void run(struct world *world, int64_t duration)
{
	fake_run(&world->fake, world->bus, NULL, duration, NULL);
}

static void test_silence_fails_all_at_once(void **state)
{
	struct bms bms = { .identity = IDENTITY };
	struct world *world = clear_world(&bms);
	struct ask ask[4];

	(void)state;
	bms.dead = true;
	for (size_t i = 0; i < ARRAY_SIZE(ask); i++) {
		ask_init(&ask[i], world, world->peer, "CMAX");
		bus_submit(world->bus, &ask[i].transaction);
	}
	run(world, 10 * NSEC_PER_SEC);
	assert_string_equal(world->fake.log, "CMAX? *IDN? *IDN? *IDN? ");
	for (size_t i = 0; i < ARRAY_SIZE(ask); i++) {
		assert_int_equal(ask[i].times, 1);
		assert_int_equal(ask[i].error, -ETIMEDOUT);
		assert_true(ask[i].when == ask[0].when);
	}
	assert_int_equal(world->losses, 1);
	assert_int_equal(peer_state(world->bus, world->peer), BUS_SILENT);
	assert_non_null(strstr(peer_last_error(world->peer), "address 1, 56000 baud"));
	bms.dead = false;
	assert_int_equal(world_ask(world, "CMAX", NULL), 0);
	assert_int_equal(peer_state(world->bus, world->peer), BUS_ONLINE);
	assert_int_equal(world->identities, 2);
	assert_int_equal(world->changes, 0);
	world_free(world);
}

/*
 * A question that was written right before a suspend may leave the machine after it: that it is
 * old then does not mean that it was lost.
 */
static void test_suspend_is_no_silence(void **state)
{
	struct bms bms = { .identity = IDENTITY, .odd = odd_nothing };
	struct world *world = clear_world(&bms);

	(void)state;
	/* One answer is owed when the line comes into doubt for the second time. */
	bms.odd_times = 2;
	bms.skip = 1;
	world_submit(world, "CMAX", NULL);
	while (strcmp(world->fake.log, "CMAX? *IDN? *IDN? CMAX? *IDN? ") != 0)
		run(world, MSEC(1));
	bms.skip = 1;
	run(world, MSEC(10));
	assert_string_equal(world->fake.log, "CMAX? *IDN? *IDN? CMAX? *IDN? *IDN? ");
	world->fake.log[0] = '\0';
	world->fake.now += 100 * NSEC_PER_SEC;
	run(world, MSEC(1));
	assert_string_equal(world->fake.log, "*IDN? ");
	run(world, 10 * NSEC_PER_SEC);
	assert_true(world->done);
	assert_int_equal(world->error, 0);
	world_free(world);
}

/* A BMS that answers, but never with an identity: silence must do, and unknown cannot be told. */
static void test_mute(void **state)
{
	struct bms bms = { .identity = "ERROR1" };
	struct world *world = world_new(bms_request);
	int64_t begin;

	(void)state;
	world->user = &bms;
	begin = world->fake.now;
	assert_int_equal(world_ask(world, "CMAX", NULL), 0);
	assert_true(world->fake.now - begin >= PEER_LATEST);
	assert_string_equal(world->fake.log, "*IDN? *IDN? *IDN? CMAX? ");
	assert_false(peer_identified(world->peer));
	begin = world->fake.now;
	assert_int_equal(world_ask(world, "CMAX", NULL), 0);
	assert_true(world->fake.now - begin < MSEC(100));
	bms.odd = odd_nothing;
	bms.odd_times = 1;
	assert_int_equal(world_ask(world, "BVOL", NULL), 0);
	assert_true(world->fake.now - begin >= PEER_LATEST);
	bms.dead = true;
	assert_int_equal(world_ask(world, "BMIN", NULL), -ETIMEDOUT);
	run(world, 10 * NSEC_PER_SEC);
	assert_true(bus_wake(world->bus) == NSEC_NEVER);
	/* It may find its voice. */
	bms = (struct bms){ .identity = IDENTITY };
	assert_int_equal(world_ask(world, "*IDN", NULL), 0);
	assert_int_equal(world_ask(world, "CMAX", NULL), 0);
	world_free(world);
}

/* The answer to a question of the fence is lost: asking for the identity must work nevertheless. */
static void test_identity_after_a_lost_one(void **state)
{
	struct bms bms = { .identity = IDENTITY, .skip = 1 };
	struct world *world = world_new(bms_request);

	(void)state;
	world->user = &bms;
	assert_int_equal(world_ask(world, "*IDN", NULL), 0);
	assert_string_equal(world->fake.log, "*IDN? *IDN? *IDN? *IDN? ");
	/* No fresher than the question that it is sure to answer. */
	assert_true(world->transaction.asked < world->fake.now - MSEC(6));
	world_free(world);
}

static void test_exchanged_bms(void **state)
{
	struct bms bms = { .identity = IDENTITY };
	struct world *world = clear_world(&bms);

	(void)state;
	bms.once = "REC BMS 2Q";
	bms.odd = odd_nothing;
	bms.odd_times = 1;
	assert_int_equal(world_ask(world, "CMAX", NULL), 0);
	assert_int_equal(world->changes, 0);
	bms.identity = "REC BMS 2Q";
	bms.odd_times = 1;
	assert_int_equal(world_ask(world, "CMAX", NULL), 0);
	assert_int_equal(world->changes, 1);
	assert_string_equal(world->identity, "REC BMS 2Q");
	/* An identity other than the known one is no reply to *IDN? */
	bms.once = IDENTITY;
	assert_int_equal(world_ask(world, "*IDN", NULL), 0);
	assert_string_equal(world->sample.text, "REC BMS 2Q");
	assert_int_equal(world->changes, 1);
	world_free(world);
}

static void test_withdraw(void **state)
{
	struct bms bms = { .identity = IDENTITY };
	struct world *world = clear_world(&bms);
	struct ask ask[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ask); i++) {
		ask_init(&ask[i], world, world->peer, i ? "BVOL" : "CMAX");
		bus_submit(world->bus, &ask[i].transaction);
	}
	bms.odd = odd_late;
	bms.odd_times = 1;
	run(world, MSEC(1));
	assert_false(bus_withdraw(world->bus, &ask[0].transaction)); /* on the wire */
	assert_true(bus_withdraw(world->bus, &ask[1].transaction));  /* queued */
	run(world, MSEC(360));
	assert_string_equal(world->fake.log, "CMAX? *IDN? ");
	assert_true(bus_withdraw(world->bus, &ask[0].transaction)); /* in the fence */
	assert_false(bus_withdraw(world->bus, &ask[0].transaction));
	run(world, 10 * NSEC_PER_SEC);
	assert_string_equal(world->fake.log, "CMAX? *IDN? ");
	assert_int_equal(ask[0].times + ask[1].times, 0);
	assert_int_equal(world_ask(world, "SWVR", NULL), 0);
	assert_string_equal(world->sample.text, "2.6");
	world_free(world);
}

/* done() submits, submits first, and withdraws. */
static void test_done_may_do_anything(void **state)
{
	struct bms bms = { .identity = IDENTITY };

	(void)state;
	for (int failing = 0; failing <= 1; failing++) {
		struct world *world = clear_world(&bms);
		struct ask ask[5];

		for (size_t i = 0; i < ARRAY_SIZE(ask); i++)
			ask_init(&ask[i], world, world->peer, "CMAX");
		for (size_t i = 0; i < 3; i++)
			bus_submit(world->bus, &ask[i].transaction);
		ask[0].submits = &ask[3];
		ask[0].first = true;
		ask[0].withdraws = &ask[1];
		ask[2].submits = &ask[4];
		places = 0;
		bms.dead = failing;
		run(world, 20 * NSEC_PER_SEC);
		bms.dead = false;
		assert_int_equal(ask[1].times, 0);
		for (size_t i = 0; i < ARRAY_SIZE(ask); i++)
			if (i != 1)
				assert_int_equal(ask[i].times, 1);
		assert_int_equal(ask[0].place, 1);
		assert_int_equal(ask[failing ? 2 : 3].place, 2);
		assert_int_equal(ask[failing ? 3 : 2].place, 3);
		assert_int_equal(ask[4].place, 4);
		world_free(world);
	}
}

static void test_two_peers(void **state)
{
	struct bms bms = { .identity = IDENTITY, .only = 1 };
	struct world *world = clear_world(&bms);
	struct peer *second, *third;
	struct ask ask[3];

	(void)state;
	assert_int_equal(bus_add_peer(world->bus, &second, 2, &world_observer, world), 0);
	assert_int_equal(bus_add_peer(world->bus, &third, 2, &world_observer, world), -EBUSY);
	assert_int_equal(peer_address(second), 2);
	for (size_t i = 0; i < ARRAY_SIZE(ask); i++) {
		ask_init(&ask[i], world, i == 1 ? world->peer : second, "CMAX");
		bus_submit(world->bus, &ask[i].transaction);
	}
	run(world, 10 * NSEC_PER_SEC);
	for (size_t i = 0; i < ARRAY_SIZE(ask); i++) {
		assert_int_equal(ask[i].times, 1);
		assert_int_equal(ask[i].error, i == 1 ? 0 : -ETIMEDOUT);
	}
	bms.only = 0;
	bus_submit(world->bus, &ask[0].transaction);
	run(world, 10 * NSEC_PER_SEC);
	assert_int_equal(ask[0].times, 2);
	assert_int_equal(ask[0].error, 0);
	world_free(world);
}

static void answer_as_master(struct fake_link *fake, const struct frame *frame)
{
	static const float cell[] = { 3.25f, 3.5f };

	fake_text(fake, MSEC(5), frame->dst, "2");
	fake_floats(fake, MSEC(5), frame->dst, cell, 2);
	fake_floats(fake, MSEC(5), 2, cell, 2);
}

/* The units of a master are no peers: what they say is taken for nobody's, and not asked for again. */
static void test_master_among_others(void **state)
{
	struct bms bms = { .identity = IDENTITY, .odd = answer_as_master };
	struct world *world = clear_world(&bms);
	struct peer *second;
	struct ask ask;

	(void)state;
	assert_int_equal(bus_add_peer(world->bus, &second, 2, &world_observer, world), 0);
	bms.odd_times = 1;
	assert_int_equal(world_ask(world, "CELL", NULL), -EIO);
	assert_int_equal(bms.odd_times, 0);
	assert_non_null(strstr(peer_last_error(world->peer), "mount it without other addresses"));
	ask_init(&ask, world, second, "CELL");
	bus_submit(world->bus, &ask.transaction);
	run(world, 10 * NSEC_PER_SEC);
	assert_int_equal(ask.error, 0);
	assert_int_equal(world_ask(world, "CMAX", NULL), 0);
	assert_int_equal(world_ask(world, "CELL", NULL), -EIO);
	world_free(world);
}

/* The state of the line is that of each. */
static void test_one_of_two_is_silent(void **state)
{
	struct bms bms = { .identity = IDENTITY, .only = 1 };
	struct world *world = clear_world(&bms);
	struct peer *second;
	struct ask ask;

	(void)state;
	assert_int_equal(bus_add_peer(world->bus, &second, 2, &world_observer, world), 0);
	ask_init(&ask, world, second, "CMAX");
	bus_submit(world->bus, &ask.transaction);
	run(world, 10 * NSEC_PER_SEC);
	assert_int_equal(ask.error, -ETIMEDOUT);
	assert_int_equal(peer_state(world->bus, world->peer), BUS_ONLINE);
	assert_int_equal(peer_state(world->bus, second), BUS_SILENT);
	world_free(world);
}

/* Address 1 is well; 2 says nothing, or never who it is, or answers late. */
static void request_beside_silent(struct fake_link *fake, const struct frame *frame)
{
	if (frame->dst == 2)
		return;
	bms_request(fake, frame);
}

static void request_beside_mute(struct fake_link *fake, const struct frame *frame)
{
	if (frame->dst == 2 && frame_asks(frame, "*IDN?"))
		fake_text(fake, MSEC(5), 2, "ERROR1");
	else
		bms_request(fake, frame);
}

static void request_beside_late(struct fake_link *fake, const struct frame *frame)
{
	if (frame->dst == 2 && frame_asks(frame, "*IDN?"))
		fake_text(fake, MSEC(100), 2, IDENTITY);
	else if (frame->dst == 2)
		answer(fake, frame, MSEC(400));
	else
		bms_request(fake, frame);
}

/* Address 2 is asked first and address 1 at the same time, again and again. */
static int ask_beside(void (*request)(struct fake_link *, const struct frame *), int64_t *longest)
{
	struct bms bms = { .identity = IDENTITY };
	struct world *world = world_new(request);
	int64_t end = world->fake.now + 8 * NSEC_PER_SEC;
	struct ask troubled, well;
	struct peer *second;

	world->user = &bms;
	assert_int_equal(world_ask(world, "CMAX", NULL), 0);
	assert_int_equal(bus_add_peer(world->bus, &second, 2, &world_observer, world), 0);
	ask_init(&troubled, world, second, "CMAX");
	bus_submit(world->bus, &troubled.transaction);
	*longest = 0;
	while (world->fake.now < end) {
		int64_t begin = world->fake.now;

		ask_init(&well, world, world->peer, "BVOL");
		bus_submit(world->bus, &well.transaction);
		while (!well.times)
			run(world, MSEC(5));
		assert_int_equal(well.error, 0);
		if (well.when - begin > *longest)
			*longest = well.when - begin;
	}
	assert_int_equal(troubled.times, 1);
	world_free(world);
	return troubled.error;
}

/* What another BMS does not answer once is all that anybody waits for. */
static void test_others_go_first(void **state)
{
	int64_t longest;

	(void)state;
	assert_int_equal(ask_beside(request_beside_silent, &longest), -ETIMEDOUT);
	assert_in_range(longest, MSEC(350), MSEC(400));
	assert_int_equal(ask_beside(request_beside_mute, &longest), 0);
	assert_in_range(longest, MSEC(350), MSEC(400));
	/* What is late is not unknown, though others have had the line since it was asked. */
	assert_int_equal(ask_beside(request_beside_late, &longest), 0);
	assert_in_range(longest, MSEC(350), MSEC(700));
}

static void test_link_that_does_not_open(void **state)
{
	struct bms bms = { .identity = IDENTITY };
	struct world *world = world_new(bms_request);

	(void)state;
	world->user = &bms;
	world->fake.open_result = -ENOENT;
	for (unsigned i = 0; i < 10; i++) {
		int64_t begin = world->fake.now;

		assert_int_equal(world_ask(world, "CMAX", NULL), -ENODEV);
		assert_true(world->fake.now == begin);
		assert_int_equal(world->fake.opens, 1 + i / 5);
		assert_int_equal(peer_state(world->bus, world->peer), BUS_ABSENT);
		run(world, MSEC(100));
	}
	assert_non_null(strstr(peer_last_error(world->peer), "no such device"));
	run(world, 60 * NSEC_PER_SEC);
	assert_int_equal(world->fake.opens, 2);
	assert_true(bus_wake(world->bus) == NSEC_NEVER);
	world->fake.open_result = 1;
	assert_int_equal(world_ask(world, "CMAX", NULL), 0);
	assert_int_equal(bus_baud(world->bus), 56000);
	world_free(world);
}

static void test_opening_takes_time(void **state)
{
	static const struct {
		int result, error;
		enum bus_state state;
	} row[] = { { 1, 0, BUS_ONLINE }, { -ECONNREFUSED, -ENODEV, BUS_ABSENT } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct bms bms = { .identity = IDENTITY };
		struct world *world = world_new(bms_request);

		world->user = &bms;
		world->fake.open_result = 0;
		world_submit(world, "CMAX", NULL);
		run(world, NSEC_PER_SEC);
		assert_false(world->done);
		assert_int_equal(peer_state(world->bus, world->peer), BUS_OPENING);
		assert_true(bus_wake(world->bus) == NSEC_NEVER);
		assert_int_equal(world->fake.requests, 0);
		world->fake.open_result = row[i].result;
		fake_run(&world->fake, world->bus, NULL, NSEC_PER_SEC, &world->done);
		assert_true(world->done);
		assert_int_equal(world->error, row[i].error);
		assert_int_equal(peer_state(world->bus, world->peer), row[i].state);
		world_free(world);
	}
}

static void test_hang_up(void **state)
{
	/* After 1 ms a reply is awaited; after 400 ms an answer to the fence. */
	static const int64_t when[] = { 0, MSEC(1), MSEC(400) };

	(void)state;
	for (size_t w = 0; w < ARRAY_SIZE(when); w++) {
		struct bms bms = { .identity = IDENTITY };
		struct world *world = clear_world(&bms);
		struct ask ask[3];

		bms.dead = true;
		for (size_t i = 0; i < ARRAY_SIZE(ask); i++) {
			ask_init(&ask[i], world, world->peer, "CMAX");
			bus_submit(world->bus, &ask[i].transaction);
		}
		if (when[w])
			run(world, when[w]);
		world->fake.hung_up = true;
		run(world, MSEC(1));
		for (size_t i = 0; i < ARRAY_SIZE(ask); i++) {
			assert_int_equal(ask[i].times, 1);
			assert_int_equal(ask[i].error, -ENODEV);
		}
		assert_int_equal(world->losses, 1);
		assert_int_equal(peer_state(world->bus, world->peer), BUS_CLOSED);
		assert_int_equal(world->fake.closes, 1);
		assert_int_equal(world_ask(world, "CMAX", NULL), -ENODEV);
		bms.dead = false;
		run(world, NSEC_PER_SEC);
		assert_int_equal(world->fake.opens, 1);
		world->fake.log[0] = '\0';
		assert_int_equal(world_ask(world, "CMAX", NULL), 0);
		assert_string_equal(world->fake.log, "*IDN? *IDN? CMAX? ");
		assert_int_equal(world->fake.opens, 2);
		world_free(world);
	}
}

static void test_half_writes(void **state)
{
	struct bms bms = { .identity = IDENTITY };
	struct world *world = clear_world(&bms);

	(void)state;
	world->fake.write_max = 5;
	world_submit(world, "CMAX", "3.75");
	bus_run(world->bus);
	assert_string_equal(world->fake.log, "");
	fake_run(&world->fake, world->bus, NULL, NSEC_PER_SEC, &world->done);
	assert_int_equal(world->error, 0);
	assert_string_equal(world->fake.log, "CMAX 3.75 ");
	world_free(world);
}

/* Another master asks, then we: ours is held until its reply has passed or cannot come. */
static void test_foreign_before(void **state)
{
	static const struct {
		const char *asks, *reply;
		uint8_t address;
		int64_t held;
		const char *log;
	} row[] = {
		{ "CMIN?", "2.75", 1, MSEC(100), "BVOL? " },
		{ "CMIN 2.75", "SET", 1, MSEC(100), "BVOL? " },
		{ "CMIN?", "ERROR1", 1, MSEC(100), "BVOL? " },
		{ "CMIN?", NULL, 1, MSEC(350), "*IDN? BVOL? " },
		{ "WHAT?", "2.75", 1, MSEC(350), "*IDN? BVOL? " },
		{ "CMIN?", "none", 1, MSEC(350), "*IDN? BVOL? " },
		{ "*IDN?", IDENTITY, 1, MSEC(100), "BVOL? " },
		{ "*IDN?", NULL, 1, MSEC(350), "*IDN? *IDN? BVOL? " },
		{ "CMIN?", "2.75", 7, MSEC(100), "BVOL? " },
		{ "CMIN?", NULL, 7, MSEC(350), "BVOL? " },
		/* The same as we asked last, on an adapter without echo. */
		{ "CMAX?", "2.75", 1, MSEC(100), "BVOL? " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct bms bms = { .identity = IDENTITY };
		struct world *world = clear_world(&bms);
		int64_t begin;

		assert_false(bus_shared(world->bus));
		fake_frame(&world->fake, 0, row[i].address, FRAME_HOST, row[i].asks,
			   strlen(row[i].asks));
		run(world, 0);
		begin = world->fake.now;
		if (row[i].reply)
			fake_text(&world->fake, MSEC(100), row[i].address, row[i].reply);
		assert_true(bus_shared(world->bus));
		assert_int_equal(world_ask(world, "BVOL", NULL), 0);
		assert_true(world->sample.number[0] == 3.5);
		assert_string_equal(world->fake.log, row[i].log);
		assert_true(world->transaction.asked >= begin + row[i].held);
		assert_true(world->transaction.asked <= begin + row[i].held + MSEC(20));
		run(world, 61 * NSEC_PER_SEC);
		assert_false(bus_shared(world->bus));
		world_free(world);
	}
}

/* An array for another master: its header would be a number for us. */
static void test_foreign_array(void **state)
{
	struct bms bms = { .identity = IDENTITY };
	struct world *world = clear_world(&bms);
	static const float cell[] = { 3.25f, 3.25f };

	(void)state;
	fake_frame(&world->fake, 0, 1, FRAME_HOST, "CELL?", 5);
	fake_text(&world->fake, MSEC(50), 1, "1");
	fake_floats(&world->fake, MSEC(80), 1, cell, 2);
	run(world, 0);
	assert_int_equal(world_ask(world, "BVOL", NULL), 0);
	assert_true(world->sample.number[0] == 3.5);
	assert_string_equal(world->fake.log, "BVOL? ");
	world_free(world);
}

static unsigned told_sent, told_received;

static void told(void *user, bool sent, const struct frame *frame, const char *meaning,
		 int64_t when)
{
	struct world *world = user;

	assert_true(frame->len > 0 && meaning[0] != '\0');
	assert_true(when == world->fake.now);
	*(sent ? &told_sent : &told_received) += 1;
}

static void test_observer_and_counters(void **state)
{
	struct bms bms = { .identity = IDENTITY };
	struct world *world = clear_world(&bms);
	uint64_t before[BUS_COUNTERS];

	(void)state;
	for (size_t i = 0; i < BUS_COUNTERS; i++)
		assert_non_null(bus_counter_name[i]);
	memcpy(before, bus_counters(world->bus), sizeof(before));
	bus_observe(world->bus, told, world);
	told_sent = told_received = 0;
	assert_int_equal(world_ask(world, "CELL", NULL), 0);
	assert_int_equal(told_sent, 1);
	assert_int_equal(told_received, 2);
	assert_int_equal(bus_counters(world->bus)[BUS_BYTES_SENT] - before[BUS_BYTES_SENT], 12);
	assert_int_equal(bus_counters(world->bus)[BUS_BYTES_RECEIVED] - before[BUS_BYTES_RECEIVED],
			 8 + 15);
	assert_int_equal(bus_counters(world->bus)[BUS_REPLIES] - before[BUS_REPLIES], 1);
	world_free(world);
}

/* A text that no frame can carry whole is never sent in part. */
static void test_text_too_long(void **state)
{
	struct bms bms = { .identity = IDENTITY };
	struct world *world = clear_world(&bms);
	char text[VALUE_TEXT_MAX];
	struct ask next;

	(void)state;
	memset(text, '9', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	world_submit(world, "CMAX", text);
	ask_init(&next, world, world->peer, "BVOL");
	bus_submit(world->bus, &next.transaction);
	run(world, NSEC_PER_SEC);
	assert_true(world->done);
	assert_int_equal(world->error, -EINVAL);
	assert_int_equal(next.times, 1);
	assert_string_equal(world->fake.log, "BVOL? ");
	world_free(world);
}

/* The loop was held up, or the machine slept: what came in time is still good. */
static void test_held_up(void **state)
{
	struct bms bms = { .identity = IDENTITY };
	struct world *world = clear_world(&bms);

	(void)state;
	world_submit(world, "CELL", NULL);
	bus_run(world->bus);
	world->fake.now += 3600 * NSEC_PER_SEC;
	bus_run(world->bus);
	assert_true(world->done);
	assert_int_equal(world->error, 0);
	assert_string_equal(world->fake.log, "CELL? ");
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tries),
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_idle_is_silent),
		cmocka_unit_test(test_surplus),
		cmocka_unit_test(test_silence_fails_all_at_once),
		cmocka_unit_test(test_suspend_is_no_silence),
		cmocka_unit_test(test_mute),
		cmocka_unit_test(test_identity_after_a_lost_one),
		cmocka_unit_test(test_exchanged_bms),
		cmocka_unit_test(test_withdraw),
		cmocka_unit_test(test_done_may_do_anything),
		cmocka_unit_test(test_two_peers),
		cmocka_unit_test(test_others_go_first),
		cmocka_unit_test(test_master_among_others),
		cmocka_unit_test(test_one_of_two_is_silent),
		cmocka_unit_test(test_link_that_does_not_open),
		cmocka_unit_test(test_opening_takes_time),
		cmocka_unit_test(test_hang_up),
		cmocka_unit_test(test_half_writes),
		cmocka_unit_test(test_foreign_before),
		cmocka_unit_test(test_foreign_array),
		cmocka_unit_test(test_observer_and_counters),
		cmocka_unit_test(test_text_too_long),
		cmocka_unit_test(test_held_up),
	};

	return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}

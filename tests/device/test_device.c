// SPDX-License-Identifier: LGPL-3.0-or-later
/* Freshness, queries, shape and identity of a device. */
#include "device_test.h"

#define ABMS "REC ACTIVE BMS"

struct call {
	struct device_query query;
	unsigned times;
	int64_t when;
	struct world *world;
};

static void call_done(struct device_query *query)
{
	struct call *call = query->user;

	call->times++;
	call->when = call->world->fake.now;
}

/* Starts a query that arrives now; returns what device_query() said. */
static bool call_start(struct call *call, struct world *world, const char *mnemonic, bool direct)
{
	*call = (struct call){ .world = world };
	call->query = (struct device_query){
		.fresh = { .call = world->fake.now, .direct = direct },
		.done = call_done,
		.user = call,
	};
	row_set_add(&call->query.need, row_of(world, mnemonic));
	return device_query(world->device, &call->query);
}

static int call_result(const struct call *call, const char *mnemonic)
{
	const struct sample *sample;

	return device_sample(call->world->device, row_of(call->world, mnemonic), &call->query.fresh,
			     &sample);
}

/* A query from its start to its end; what it gave. */
static int ask(struct world *world, const char *mnemonic, bool direct)
{
	struct call call;

	if (!call_start(&call, world, mnemonic, direct)) {
		for (int i = 0; i < 100 && !call.times; i++)
			run(world, MSEC(100));
		assert_int_equal(call.times, 1);
	}
	return call_result(&call, mnemonic);
}

static void test_one_transaction_for_all(void **state)
{
	struct world *world = world_started(&plain, "REC 1Q");
	struct call call[100];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(call); i++)
		assert_false(call_start(&call[i], world, "CMAX", false));
	assert_int_equal(call[0].times, 0);
	run(world, SECOND);
	for (size_t i = 0; i < ARRAY_SIZE(call); i++) {
		assert_int_equal(call[i].times, 1);
		assert_int_equal(call_result(&call[i], "CMAX"), 0);
	}
	assert_string_equal(world->fake.log, "CMAX? ");
	assert_true(device_wake(world->device) == NSEC_NEVER);
	world_free(world);
}

/* A sample answers a call if it was asked for no earlier than call - ttl, to the nanosecond. */
static void test_ttl(void **state)
{
	static const struct {
		const char *mnemonic;
		bool direct;
		int64_t ttl;
	} row[] = {
		{ "CELL", false, SECOND },
		{ "CMAX", false, 10 * SECOND },
		{ "SWVR", false, 1000000 * SECOND },
		{ "CELL", true, 0 },
		{ "CMAX", true, 0 },
		{ "SWVR", true, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct world *world = world_started(&plain, "REC 1Q");
		struct call call;
		int64_t asked;

		assert_int_equal(ask(world, row[i].mnemonic, true), 0);
		asked = device_asked(world->device, row_of(world, row[i].mnemonic));
		forget_log(world);
		world->fake.now = asked + row[i].ttl;
		assert_true(call_start(&call, world, row[i].mnemonic, row[i].direct));
		assert_int_equal(call_result(&call, row[i].mnemonic), 0);
		world->fake.now++;
		if (row[i].ttl < 1000000 * SECOND) {
			assert_false(call_start(&call, world, row[i].mnemonic, row[i].direct));
			assert_int_equal(call_result(&call, row[i].mnemonic), -ETIMEDOUT);
			run(world, SECOND);
			assert_int_equal(call_result(&call, row[i].mnemonic), 0);
		}
		world_free(world);
	}
}

static void test_joining_a_transaction_in_flight(void **state)
{
	static const struct {
		bool direct;
		const char *log;
	} row[] = { { false, "CMAX? " }, { true, "CMAX? CMAX? " } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct world *world = world_started(&plain, "REC 1Q");
		struct call first, second;

		assert_false(call_start(&first, world, "CMAX", false));
		run(world, MSEC(2));
		assert_false(call_start(&second, world, "CMAX", row[i].direct));
		run(world, SECOND);
		assert_int_equal(first.times, 1);
		assert_int_equal(second.times, 1);
		assert_int_equal(call_result(&second, "CMAX"), 0);
		assert_true((second.when > first.when) == row[i].direct);
		assert_string_equal(world->fake.log, row[i].log);
		world_free(world);
	}
}

static void test_failure_is_shared(void **state)
{
	struct world *world = world_started(&plain, "REC 1Q");
	struct call call[3], later;

	(void)state;
	world->dead = true;
	for (size_t i = 0; i < ARRAY_SIZE(call); i++)
		assert_false(call_start(&call[i], world, i ? "CMAX" : "CMIN", false));
	run(world, 3 * SECOND);
	assert_string_equal(world->fake.log, "CMIN? *IDN? *IDN? *IDN? ");
	for (size_t i = 0; i < ARRAY_SIZE(call); i++) {
		assert_int_equal(call[i].times, 1);
		assert_true(call[i].when == call[0].when);
		assert_int_equal(call_result(&call[i], i ? "CMAX" : "CMIN"), -ETIMEDOUT);
	}
	world->fake.now = call[0].when + SECOND;
	assert_true(call_start(&later, world, "CMAX", false));
	assert_int_equal(call_result(&later, "CMAX"), -ETIMEDOUT);
	world->fake.now++;
	world->dead = false;
	assert_false(call_start(&later, world, "CMAX", false));
	run(world, SECOND);
	assert_int_equal(call_result(&later, "CMAX"), 0);
	world_free(world);
}

static void test_grace(void **state)
{
	struct device_config config = plain;
	struct world *world;
	struct call call;
	int64_t asked;

	(void)state;
	config.grace = 60 * SECOND;
	world = world_started(&config, "REC 1Q");
	assert_int_equal(ask(world, "CMAX", false), 0);
	asked = device_asked(world->device, row_of(world, "CMAX"));
	world->dead = true;
	run(world, 20 * SECOND);
	assert_int_equal(ask(world, "CMAX", false), 0);
	assert_int_equal(ask(world, "CMIN", false), -ETIMEDOUT);
	assert_true(device_asked(world->device, row_of(world, "CMAX")) == asked);
	world->fake.now = asked + 70 * SECOND;
	call_start(&call, world, "CMAX", false);
	assert_int_equal(call_result(&call, "CMAX"), 0);
	device_query_cancel(world->device, &call.query);
	world->fake.now++;
	call_start(&call, world, "CMAX", false);
	assert_int_equal(call_result(&call, "CMAX"), -ETIMEDOUT);
	world_free(world);
}

static int online(const struct world *world)
{
	const struct freshness now = { .call = world->fake.now };

	return device_online(world->device, &now);
}

static void online_is_an_answer_no_older_than_ttl(void **state)
{
	struct world *world = world_new(&plain, "REC 1Q");
	int64_t asked;

	(void)state;
	assert_int_equal(online(world), -ENODEV);
	device_start(world->device);
	run(world, SECOND);
	assert_int_equal(ask(world, "CMAX", true), 0);
	asked = device_asked(world->device, row_of(world, "CMAX"));
	world->fake.now = asked + SECOND;
	assert_int_equal(online(world), 0);
	world->fake.now++;
	assert_int_equal(online(world), -ETIMEDOUT);
	assert_int_equal(ask(world, "CELL", false), 0);
	assert_int_equal(online(world), 0);
	world_free(world);
}

static void with_grace_a_silent_bms_shows_values_and_is_not_online(void **state)
{
	struct device_config config = plain;
	struct world *world;

	(void)state;
	config.grace = 60 * SECOND;
	world = world_started(&config, "REC 1Q");
	assert_int_equal(ask(world, "CMAX", false), 0);
	assert_int_equal(online(world), 0);
	world->dead = true;
	run(world, 20 * SECOND);
	assert_int_equal(ask(world, "CMAX", false), 0);
	assert_int_equal(online(world), -ETIMEDOUT);
	world->dead = false;
	assert_int_equal(ask(world, "CMAX", true), 0);
	assert_int_equal(online(world), 0);
	world_free(world);
}

static void a_bms_is_online_while_the_reply_to_LCD1_is_longer_than_expected(void **state)
{
	struct world *world = world_started(&plain, "REC 1Q");

	(void)state;
	world->longer = "LCD1";
	run(world, 20 * SECOND);
	assert_int_equal(ask(world, "LCD1", false), -EIO);
	assert_int_equal(online(world), 0);
	assert_int_equal(ask(world, "CELL", false), 0);
	assert_int_equal(online(world), 0);
	world_free(world);
}

/* Whatever the bus does: here it opens for ever. */
static void test_deadline(void **state)
{
	struct world *world = world_new(&plain, "REC 1Q");
	struct call call;
	int64_t begin = world->fake.now;

	(void)state;
	world->fake.open_result = 0;
	assert_false(call_start(&call, world, "CMAX", false));
	assert_true(device_wake(world->device) == begin + 5 * SECOND);
	run(world, 5 * SECOND - 1);
	assert_int_equal(call.times, 0);
	run(world, 1);
	assert_int_equal(call.times, 1);
	assert_int_equal(call_result(&call, "CMAX"), -ETIMEDOUT);
	world->fake.open_result = 1;
	run(world, 10 * SECOND);
	assert_string_equal(world->fake.log, "*IDN? *IDN? CELL? PTEM? "); /* who is there, once */
	assert_int_equal(ask(world, "CMAX", false), 0);
	world_free(world);
}

static void test_interrupted_query(void **state)
{
	struct world *world = world_started(&plain, "REC 1Q");
	struct call call;

	(void)state;
	assert_false(call_start(&call, world, "CMAX", false));
	device_query_cancel(world->device, &call.query);
	run(world, SECOND / 2);
	assert_int_equal(call.times, 0);
	assert_string_equal(world->fake.log, "CMAX? ");
	assert_true(call_start(&call, world, "CMAX", false));
	world_free(world);
}

static void test_unknown_instruction(void **state)
{
	(void)state;
	for (int refused = 0; refused <= 1; refused++) {
		struct world *world = world_started(&plain, "REC 1Q");
		struct call call;
		int64_t failed;

		world->refuse = refused;
		assert_int_equal(ask(world, "RAZL", false), -EOPNOTSUPP);
		assert_string_equal(world->fake.log,
				    refused ? "RAZL? RAZL? RAZL? "
					    : "RAZL? *IDN? RAZL? *IDN? RAZL? *IDN? ");
		failed = world->fake.now;
		forget_log(world);
		world->fake.now = failed + 590 * SECOND;
		assert_true(call_start(&call, world, "RAZL", true));
		assert_int_equal(call_result(&call, "RAZL"), -EOPNOTSUPP);
		world->fake.now = failed + 601 * SECOND;
		bms_store(world, "RAZL", "0.25");
		assert_int_equal(ask(world, "RAZL", false), 0);
		world_free(world);
	}
}

static void test_unknown_is_forgotten_with_the_link(void **state)
{
	struct world *world = world_started(&plain, "REC 1Q");

	(void)state;
	assert_int_equal(ask(world, "RAZL", false), -EOPNOTSUPP);
	world->fake.hung_up = true;
	run(world, SECOND);
	bms_store(world, "RAZL", "0.25");
	assert_int_equal(ask(world, "RAZL", true), 0);
	world_free(world);
}

/* What has answered once is known, and silent or refusing for another reason. */
static void test_known_instruction(void **state)
{
	struct world *world = world_started(&plain, "REC 1Q");

	(void)state;
	assert_int_equal(ask(world, "CMAX", false), 0);
	world->mute = "CMAX";
	assert_int_equal(ask(world, "CMAX", true), -ETIMEDOUT);
	world->mute = NULL;
	assert_int_equal(ask(world, "CMAX", true), 0);
	memset(bms_find(world, "CMAX"), 0, sizeof(struct stored));
	world->refuse = true;
	assert_int_equal(ask(world, "CMAX", true), -EREMOTEIO);
	world_free(world);
}

static void test_errors_of_the_link(void **state)
{
	struct world *world = world_new(&plain, "REC 1Q");
	struct freshness any = { 0 };
	const struct sample *sample;

	(void)state;
	assert_int_equal(device_sample(world->device, 0, &any, &sample), -ENODATA);
	world->fake.open_result = -ENOENT;
	assert_int_equal(ask(world, "CMAX", false), -ENODEV);
	world->fake.open_result = 1;
	run(world, 2 * SECOND);
	bms_store(world, "CMAX", "on");
	assert_int_equal(ask(world, "CMAX", false), -EIO);
	assert_int_equal(device_sample(world->device, row_of(world, "CMAX"), &any, &sample), -EIO);
	bms_store(world, "CMAX", "3.5");
	assert_int_equal(ask(world, "CMAX", true), 0);
	assert_int_equal(device_sample(world->device, row_of(world, "CMAX"), &any, &sample), 0);
	assert_true(sample->number[0] == 3.5);
	world_free(world);
}

static void test_identity_until_forgotten(void **state)
{
	struct world *world = world_started(&plain, "REC 1Q");
	struct call call;

	(void)state;
	assert_int_equal(ask(world, "SWVR", false), 0);
	run(world, 86400 * SECOND);
	assert_true(call_start(&call, world, "SWVR", false));
	assert_true(call_start(&call, world, "*IDN", false));
	world->dead = true;
	assert_int_equal(ask(world, "CMAX", false), -ETIMEDOUT);
	world->dead = false;
	assert_true(call_start(&call, world, "SWVR", false));
	assert_int_equal(call_result(&call, "SWVR"), -ETIMEDOUT);
	run(world, 2 * SECOND);
	assert_false(call_start(&call, world, "SWVR", false));
	run(world, SECOND);
	assert_int_equal(call_result(&call, "SWVR"), 0);
	world_free(world);
}

static void test_consuming(void **state)
{
	static const char *const entries[] = { "1,2;10:00:00;01.01.2024", "1,2;10:00:00",
					       "1,2;10:00:00;01.01.2024", "", NULL };
	struct world *world = world_started(&plain, ABMS);
	unsigned row = row_of(world, "ERRL");

	(void)state;
	world->entry = entries;
	assert_string_equal(device_log(world->device, row), "");
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(ask(world, "ERRL", false), 0);
	assert_string_equal(world->fake.log, "ERRL? ERRL? ERRL? ERRL? ERRL? ERRL? ");
	assert_string_equal(device_log(world->device, row),
			    "1,2;10:00:00;01.01.2024\n1,2;10:00:00\n");
	forget_log(world);
	world->mute = "ERRL";
	assert_int_equal(ask(world, "ERRL", false), -ETIMEDOUT);
	assert_string_equal(world->fake.log, "ERRL? *IDN? ");
	world_free(world);
}

static void test_consuming_overflow(void **state)
{
	struct world *world = world_started(&plain, ABMS);
	unsigned row = row_of(world, "ERRL");
	static char text[400][24];
	const char *entries[401] = { NULL };
	const char *log;

	(void)state;
	for (size_t i = 0; i < 400; i++) {
		snprintf(text[i], sizeof(text[i]), "entry number %zu", i);
		entries[i] = text[i];
	}
	world->entry = entries;
	for (size_t i = 0; i < 400; i++)
		assert_int_equal(ask(world, "ERRL", false), 0);
	log = device_log(world->device, row);
	assert_true(strlen(log) < 4096 && strlen(log) > 4000);
	assert_memory_equal(log, "entry number ", 13);
	assert_string_equal(log + strlen(log) - 17, "entry number 399\n");
	world_free(world);
}

/* What was popped late is kept, even if who asked has gone. */
static void test_consuming_late(void **state)
{
	static const char *const entries[] = { "1,2", NULL };
	struct world *world = world_started(&plain, ABMS);
	struct call call;

	(void)state;
	world->entry = entries;
	world->delay = MSEC(250);
	call = (struct call){ .world = world };
	call.query = (struct device_query){ .fresh.call = world->fake.now,
					    .deadline = world->fake.now + MSEC(100),
					    .done = call_done,
					    .user = &call };
	row_set_add(&call.query.need, row_of(world, "ERRL"));
	assert_false(device_query(world->device, &call.query));
	run(world, MSEC(100));
	assert_int_equal(call.times, 1);
	assert_int_equal(call_result(&call, "ERRL"), -ETIMEDOUT);
	run(world, SECOND);
	assert_string_equal(device_log(world->device, row_of(world, "ERRL")), "1,2\n");
	world_free(world);
}

static void test_shape(void **state)
{
	struct world *world = world_new(&plain, "REC MASTER");
	const struct shape *shape = device_shape(world->device);
	unsigned reshaped;

	(void)state;
	world->units = 3;
	assert_false(shape->known);
	device_start(world->device);
	run(world, SECOND);
	assert_true(shape->known);
	assert_int_equal(shape->units, 3);
	for (unsigned i = 0; i < SAMPLE_UNIT_MAX; i++) {
		assert_int_equal(shape->cells[i], i < 3 ? 14 - i : 0);
		assert_int_equal(shape->sensors[i], i < 3 ? 3 - i : 0);
	}
	reshaped = world->reshaped;
	assert_true(reshaped > 0);
	assert_int_equal(ask(world, "CELL", true), 0);
	assert_int_equal(world->reshaped, reshaped);
	world->units = 1;
	assert_int_equal(ask(world, "CELL", true), 0);
	assert_int_equal(world->reshaped, reshaped + 1);
	assert_int_equal(shape->units, 1);
	assert_int_equal(shape->cells[1], 0);
	world->fake.hung_up = true;
	run(world, MSEC(1));
	assert_false(shape->known);
	assert_int_equal(shape->sensors[0], 0);
	assert_int_equal(device_model(world->device), MODEL_UNKNOWN);
	assert_true(world->reshaped > reshaped + 1);
	/* The next call finds the link again, and with it the shape. */
	run(world, SECOND);
	assert_int_equal(ask(world, "CMAX", false), 0);
	run(world, SECOND);
	assert_true(shape->known);
	world_free(world);
}

static void test_model(void **state)
{
	static const struct {
		const char *identity, *model;
		bool has_log;
	} row[] = {
		{ "REC BMS 1Q VICTRON", "1q", false },
		{ ABMS, "abms", true },
		{ "REC BATTERY MANAGEMENT", NULL, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct world *world = world_started(&plain, row[i].identity);
		int model = row[i].model ? model_find(&world->table, row[i].model) : MODEL_UNKNOWN;
		struct call call;

		assert_int_equal(device_model(world->device), model);
		assert_int_equal(device_has(world->device, row_of(world, "ERRL")), row[i].has_log);
		assert_int_equal(call_start(&call, world, "ERRL", false), !row[i].has_log);
		assert_int_equal(call_result(&call, "ERRL"),
				 row[i].has_log ? -ETIMEDOUT : -EOPNOTSUPP);
		world_free(world);
	}
}

/* How many sensors the reply to PTEM shows, of which the BMS sends four. */
static unsigned sensors_shown(const struct device_config *config, const char *identity, int option)
{
	struct world *world = world_new(config, identity);
	unsigned sensors;

	if (option >= 0)
		instruction_table_set_sensors(&world->table, (uint8_t)option);
	world->sensors = 4;
	device_start(world->device);
	run(world, SECOND);
	assert_int_equal(ask(world, "PTEM", true), 0);
	sensors = device_shape(world->device)->sensors[0];
	world_free(world);
	return sensors;
}

static void test_padding_is_no_sensor(void **state)
{
	static const struct {
		const char *identity;
		int option;
		unsigned shown;
	} row[] = {
		{ .identity = ABMS, .option = -1, .shown = 1 },
		{ .identity = ABMS, .option = 2, .shown = 2 },
		{ .identity = ABMS, .option = 0, .shown = 0 },
		{ .identity = ABMS, .option = 8, .shown = 4 },
		{ .identity = "REC BMS 1Q VICTRON", .option = -1, .shown = 4 },
		{ .identity = "REC BMS 1Q VICTRON", .option = 3, .shown = 3 },
		{ .identity = "REC MASTER", .option = -1, .shown = 4 },
		{ .identity = "REC MASTER", .option = 2, .shown = 2 },
		/* It may be an Active BMS. */
		{ .identity = "REC BATTERY MANAGEMENT", .option = -1, .shown = 1 },
		{ .identity = "REC BATTERY MANAGEMENT", .option = 4, .shown = 4 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		assert_int_equal(sensors_shown(&plain, row[i].identity, row[i].option),
				 row[i].shown);
}

/* What was read as of an unknown model is read again once the model is known. */
static void test_padding_is_judged_by_the_model(void **state)
{
	struct world *world = world_new(&plain, "REC BATTERY MANAGEMENT");
	const struct shape *shape = device_shape(world->device);

	(void)state;
	device_start(world->device);
	run(world, SECOND);
	assert_int_equal(shape->sensors[0], 1);
	world->identity = "REC BMS 1Q VICTRON";
	world->fake.hung_up = true;
	run(world, MSEC(1));
	run(world, SECOND);
	assert_int_equal(ask(world, "CMAX", false), 0);
	run(world, SECOND);
	assert_int_equal(shape->sensors[0], 3);
	world_free(world);
}

static void test_configured_model(void **state)
{
	struct device_config config = plain;
	struct world *world;

	(void)state;
	config.model = 2;
	world = world_started(&config, "REC BMS 1Q VICTRON");
	assert_int_equal(device_model(world->device), model_find(&world->table, "abms"));
	world->fake.hung_up = true;
	run(world, SECOND);
	assert_int_equal(device_model(world->device), 2);
	assert_true(device_writable(world->device, row_of(world, "CMAX")));
	assert_false(device_writable(world->device, row_of(world, "CELL")));
	assert_false(device_writable(world->device, row_of(world, "RSBR")));
	world_free(world);
	config.unlock = true;
	world = world_started(&config, "REC BMS 1Q VICTRON");
	assert_true(device_writable(world->device, row_of(world, "RSBR")));
	world_free(world);
}

/* The machine slept with a request on the wire: the reply is good, but not fresh. */
static void test_suspend(void **state)
{
	struct world *world = world_started(&plain, "REC 1Q");
	struct call call, after;

	(void)state;
	assert_false(call_start(&call, world, "CMAX", false));
	bus_run(world->bus);
	assert_string_equal(world->fake.log, "CMAX? ");
	world->fake.now += 3600 * SECOND;
	assert_false(call_start(&after, world, "CMAX", false));
	run(world, SECOND);
	assert_string_equal(world->fake.log, "CMAX? CMAX? ");
	assert_int_equal(call.times, 1);
	assert_int_equal(after.times, 1);
	assert_int_equal(call_result(&after, "CMAX"), 0);
	world_free(world);
}

static void test_another_bms(void **state)
{
	static const char *const entries[] = { "1,2", NULL };
	struct world *world = world_started(&plain, ABMS);
	struct call call;

	(void)state;
	world->entry = entries;
	assert_int_equal(ask(world, "ERRL", false), 0);
	assert_int_equal(ask(world, "CMAX", false), 0);
	world->identity = "REC BMS 2Q";
	world->cells = 7;
	fake_text(&world->fake, 0, 1, "stray"); /* so that the line is looked at */
	run(world, MSEC(1));
	assert_int_equal(ask(world, "CMIN", false), 0);
	assert_int_equal(device_model(world->device), model_find(&world->table, "2q"));
	assert_string_equal(device_log(world->device, row_of(world, "ERRL")), "");
	assert_false(call_start(&call, world, "CMAX", false));
	run(world, SECOND);
	assert_int_equal(call_result(&call, "CMAX"), 0);
	assert_true(device_shape(world->device)->known);
	assert_int_equal(device_shape(world->device)->cells[0], 7);
	world_free(world);
}

/* A setting that was written meanwhile is asked for again, not reported as missing. */
static void written(struct device_write *write, int error)
{
	assert_int_equal(error, 0);
	assert_non_null(write);
}

static void test_settings_dropped_under_a_query(void **state)
{
	struct world *world = world_started(&plain, "REC 1Q");
	struct device_write write = { .row = row_of(world, "CAPA"), .done = written };
	struct call call, other;

	(void)state;
	assert_int_equal(setting_parse(&world->table.row[write.row], MODEL_UNKNOWN, "460", 3,
				       &write.setting),
			 0);
	assert_false(call_start(&other, world, "CMAX", false));
	device_write(world->device, &write);
	call = (struct call){ .world = world };
	call.query = (struct device_query){ .fresh.call = world->fake.now,
					    .done = call_done,
					    .user = &call };
	row_set_add(&call.query.need, row_of(world, "CMAX"));
	row_set_add(&call.query.need, row_of(world, "SOCH"));
	assert_false(device_query(world->device, &call.query));
	run(world, SECOND);
	assert_string_equal(world->fake.log, "CMAX? CAPA? CAPA 460 CAPA? SOCH? CMAX? ");
	assert_int_equal(call.times, 1);
	assert_int_equal(call_result(&call, "CMAX"), 0);
	assert_int_equal(call_result(&call, "SOCH"), 0);
	world_free(world);
}

static void test_two_devices(void **state)
{
	struct world *world = world_new(&plain, "REC 1Q");
	struct device *second;

	(void)state;
	assert_int_equal(device_new(&second, world->bus, &world->table, &plain), -EBUSY);
	assert_ptr_equal(device_bus(world->device), world->bus);
	assert_ptr_equal(device_table(world->device), &world->table);
	assert_true(device_config(world->device)->ttl == SECOND);
	device_free(NULL);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_transaction_for_all),
		cmocka_unit_test(test_ttl),
		cmocka_unit_test(test_joining_a_transaction_in_flight),
		cmocka_unit_test(test_failure_is_shared),
		cmocka_unit_test(test_grace),
		cmocka_unit_test(online_is_an_answer_no_older_than_ttl),
		cmocka_unit_test(with_grace_a_silent_bms_shows_values_and_is_not_online),
		cmocka_unit_test(a_bms_is_online_while_the_reply_to_LCD1_is_longer_than_expected),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_interrupted_query),
		cmocka_unit_test(test_unknown_instruction),
		cmocka_unit_test(test_unknown_is_forgotten_with_the_link),
		cmocka_unit_test(test_known_instruction),
		cmocka_unit_test(test_errors_of_the_link),
		cmocka_unit_test(test_identity_until_forgotten),
		cmocka_unit_test(test_consuming),
		cmocka_unit_test(test_consuming_overflow),
		cmocka_unit_test(test_consuming_late),
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_padding_is_no_sensor),
		cmocka_unit_test(test_padding_is_judged_by_the_model),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_configured_model),
		cmocka_unit_test(test_suspend),
		cmocka_unit_test(test_another_bms),
		cmocka_unit_test(test_settings_dropped_under_a_query),
		cmocka_unit_test(test_two_devices),
	};

	return cmocka_run_group_tests_name("device", tests, NULL, NULL);
}

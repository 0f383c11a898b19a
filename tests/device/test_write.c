// SPDX-License-Identifier: LGPL-3.0-or-later
/* Writes: what is asked, in which order, what is refused, and what one may believe afterwards. */
#include "device_test.h"

#define ABMS "REC ACTIVE BMS"

struct job_call {
	struct device_write write;
	unsigned times;
	int error;
	int64_t when;
	struct world *world;
};

static void call_done(struct device_write *write, int error)
{
	struct job_call *call = write->user;

	call->times++;
	call->error = error;
	call->when = call->world->fake.now;
}

static void call_start(struct job_call *call, struct world *world, const char *name,
		       const char *value)
{
	unsigned row = row_of(world, name);

	*call = (struct job_call){ .world = world };
	call->write = (struct device_write){ .row = row, .done = call_done, .user = call };
	assert_int_equal(setting_parse(&world->table.row[row], device_model(world->device), value,
				       strlen(value), &call->write.setting),
			 0);
	device_write(world->device, &call->write);
	assert_int_equal(call->times, 0);
}

static char reason[BUS_REASON_MAX]; /* of the last put() */

/* A write from its start to its end; its error. */
static int put(struct world *world, const char *name, const char *value)
{
	struct job_call call;

	call_start(&call, world, name, value);
	run(world, 6 * SECOND);
	assert_int_equal(call.times, 1);
	snprintf(reason, sizeof(reason), "%s", call.write.reason);
	return call.error;
}

static void query_done(struct device_query *query)
{
	*(unsigned *)query->user += 1;
}

static void query_start(struct world *world, struct device_query *query, const char *name,
			unsigned *times)
{
	*times = 0;
	*query = (struct device_query){ .fresh.call = world->fake.now,
					.done = query_done,
					.user = times };
	row_set_add(&query->need, row_of(world, name));
	assert_false(device_query(world->device, query));
}

static void test_order_of_transactions(void **state)
{
	struct world *world = world_started(&plain, "REC 1Q");
	struct device_query query[4];
	unsigned times[4];
	struct job_call call;

	(void)state;
	/* BVOL, an operand, is read for somebody else too, after the write has come. */
	query_start(world, &query[0], "CMIN", &times[0]);
	query_start(world, &query[1], "BVOL", &times[1]);
	call_start(&call, world, "CMAX", "3.7");
	query_start(world, &query[2], "CAPA", &times[2]);
	run(world, MSEC(17));
	query_start(world, &query[3], "SOCH", &times[3]);
	run(world, SECOND);
	assert_string_equal(world->fake.log,
			    "CMIN? BVOL? CMAX? BVOL? CHAR? CMAX 3.7 CMAX? CAPA? SOCH? ");
	assert_int_equal(call.times, 1);
	assert_int_equal(call.error, 0);
	assert_string_equal(call.write.before, "3.85");
	assert_string_equal(call.write.after, "3.7");
	assert_true(call.write.sent);
	assert_int_equal(world->wrote, 1);
	assert_int_equal(world->wrote_error, 0);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		assert_int_equal(times[i], 1);
	world_free(world);
}

static void test_rules(void **state)
{
	static const struct {
		const char *file, *value;
		struct stored other[3];
		const char *missing;
		int error;
		const char *sentence;
	} row[] = {
		{ "CMAX", "3.58", { { "", "" } }, NULL, 0, "" },
		{ "CMAX",
		  "3.57",
		  { { "", "" } },
		  NULL,
		  -EINVAL,
		  "3.57 is refused because it must be above or equal to BVOL, which is "
		  "3.58" },
		{ "CMAX",
		  "3.59",
		  { { "CHAR", "3.6" } },
		  NULL,
		  -EINVAL,
		  "or equal to CHAR, which is 3.6" },
		{ "BVOL", "3.45", { { "", "" } }, NULL, 0, "" },
		{ "BVOL",
		  "3.86",
		  { { "", "" } },
		  NULL,
		  -EINVAL,
		  "below or equal to CMAX, which is 3.85" },
		{ "CLOW", "3.44", { { "", "" } }, NULL, 0, "" },
		{ "CLOW",
		  "3.45",
		  { { "", "" } },
		  NULL,
		  -EINVAL,
		  "must be below BMIN, which is 3.45" },
		{ "CLOW",
		  "2.8",
		  { { "", "" } },
		  NULL,
		  -EINVAL,
		  "must be above CMIN, which is 2.8" },
		/* The next nearest takes the place of one that is not known; one "<" is enough. */
		{ "BVOL", "2.91", { { "", "" } }, "BMIN", 0, "" },
		{ "BVOL",
		  "2.9",
		  { { "", "" } },
		  "BMIN",
		  -EINVAL,
		  "must be above CLOW, which is 2.9" },
		{ "CLOW",
		  "3.58",
		  { { "CHAR", "4" } },
		  "BMIN",
		  -EINVAL,
		  "must be below BVOL, which is 3.58" },
		/* What is wrong already may stay, but not grow. */
		{ "CMAX", "3.7", { { "CMAX", "3.6" }, { "BVOL", "3.9" } }, NULL, 0, "" },
		{ "CMAX", "3.6", { { "CMAX", "3.6" }, { "BVOL", "3.9" } }, NULL, 0, "" },
		{ "CMAX", "3.59", { { "CMAX", "3.6" }, { "BVOL", "3.9" } }, NULL, -EINVAL, "BVOL" },
		/* One pair is wrong; another must not become so. */
		{ "CLOW", "3", { { "CLOW", "2.7" }, { "BMIN", "2.95" } }, NULL, -EINVAL, "BMIN" },
		{ "CLOW", "2.75", { { "CLOW", "2.7" } }, NULL, 0, "" },
		/* No rule knows it. */
		{ "CAPA", "460", { { "", "" } }, NULL, 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct world *world = world_started(&plain, "REC 1Q");
		int error;

		for (size_t o = 0; o < 3 && row[i].other[o].name[0]; o++)
			bms_store(world, row[i].other[o].name, row[i].other[o].value);
		world->mute = row[i].missing;
		error = put(world, row[i].file, row[i].value);
		if (error != row[i].error)
			fail_msg("%s %s: %d, %s", row[i].file, row[i].value, error, reason);
		if (error) {
			assert_non_null(strstr(reason, row[i].sentence));
			assert_null(strchr(world->fake.log, '3'));
			assert_int_equal(world->wrote, 0);
		}
		world_free(world);
	}
}

/* An operand that has answered before and does not now: nothing is sent. */
static void test_operand_not_readable(void **state)
{
	static const struct {
		const char *mute, *value;
		int error;
	} row[] = {
		{ "BVOL", "3.58", -ETIMEDOUT },
		{ "CMAX", "3.85", -ETIMEDOUT },
		{ NULL, "on", -EIO },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct world *world = world_started(&plain, "REC 1Q");
		struct device_query query;
		unsigned times;

		query_start(world, &query, "BVOL", &times);
		run(world, SECOND);
		query_start(world, &query, "CMAX", &times);
		run(world, SECOND);
		bms_store(world, "BVOL", row[i].value);
		world->mute = row[i].mute;
		assert_int_equal(put(world, "CMAX", "3.7"), row[i].error);
		assert_null(strstr(world->fake.log, "CMAX 3.7"));
		assert_int_equal(world->wrote, 0);
		world_free(world);
	}
}

static void test_unknown_setting(void **state)
{
	struct world *world = world_started(&plain, "REC 1Q");

	(void)state;
	assert_int_equal(put(world, "RAZL", "0.3"), -EOPNOTSUPP);
	assert_null(strchr(world->fake.log, '.'));
	world_free(world);
}

static void test_verdicts(void **state)
{
	static const struct {
		const char *file, *value;
		bool refuse;
		const char *clamp;
		int error;
		const char *log, *sentence;
	} row[] = {
		{ "CAPA", "460", true, NULL, -EREMOTEIO, "CAPA? CAPA 460 ", "refused" },
		{ "CAPA", "460", false, "4.55000e2", -EIO, "CAPA? CAPA 460 CAPA? ",
		  "460 was written, but the BMS says 455" },
		{ "CAPA", "460", false, "4.50000e2", -EIO, "CAPA? CAPA 460 CAPA? ", "says 450" },
		{ "CAPA", "460.00001", false, "4.60000e2", 0, "CAPA? CAPA 460 CAPA? ", NULL },
		{ "CHEM", "4", false, "3", -EIO, "CHEM? CHEM 4 CHEM? ", "says 3" },
		{ "SOCS", "0.6", false, "0.61", 0, "SOCS? SOCS 0.6 SOCS? ", NULL },
		{ "SOCS", "0.6", false, "0.63", -EIO, "SOCS? SOCS 0.6 SOCS? ", "says 0.63" },
		{ "ERLD", "1", false, NULL, 0, "ERLD 1 ", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct world *world = world_started(&plain, ABMS);
		int error;

		world->refuse = row[i].refuse;
		world->clamp = row[i].clamp;
		error = put(world, row[i].file, row[i].value);
		if (error != row[i].error)
			fail_msg("%s %s: %d", row[i].file, row[i].value, error);
		assert_string_equal(world->fake.log, row[i].log);
		if (row[i].sentence)
			assert_non_null(strstr(reason, row[i].sentence));
		assert_int_equal(world->wrote, 1);
		assert_int_equal(world->wrote_error, row[i].error);
		world_free(world);
	}
}

/* A BMS that keeps to its own limits, or replies with few digits, does not pass for one that obeys. */
static void test_a_clamped_or_rounded_setting_is_not_in_force(void **state)
{
	static const struct {
		const char *file, *written, *replied, *message;
	} cases[] = {
		{ .file = "CMAX",
		  .written = "4.2",
		  .replied = "4.1",
		  .message = "4.2 was written, but the BMS says 4.1" },
		{ .file = "SOCH",
		  .written = "0.04",
		  .replied = "0.0",
		  .message = "0.04 was written, but the BMS says 0; write no more digits" },
		{ .file = "CMAX",
		  .written = "3.94",
		  .replied = "3.94001e0",
		  .message = "3.94 was written, but the BMS says 3.94001" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *world = world_started(&plain, ABMS);

		world->clamp = cases[i].replied;
		assert_int_equal(put(world, cases[i].file, cases[i].written), -EIO);
		assert_non_null(strstr(reason, cases[i].message));
		world_free(world);
	}
}

static void test_lost_replies(void **state)
{
	static const struct {
		unsigned lose, ignore;
		const char *clamp;
		int error;
		const char *log;
	} row[] = {
		{ 1, 0, NULL, 0, "CAPA? CAPA 460 *IDN? CAPA? " },
		{ 0, 1, NULL, 0, "CAPA? CAPA 460 *IDN? CAPA? CAPA 460 CAPA? " },
		{ 0, 2, NULL, 0,
		  "CAPA? CAPA 460 *IDN? CAPA? CAPA 460 *IDN? CAPA? CAPA 460 CAPA? " },
		{ 0, 3, NULL, -ETIMEDOUT,
		  "CAPA? CAPA 460 *IDN? CAPA? CAPA 460 *IDN? CAPA? CAPA 460 *IDN? CAPA? " },
		{ 1, 0, "455", -EIO, "CAPA? CAPA 460 *IDN? CAPA? " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct world *world = world_started(&plain, "REC 1Q");

		world->lose = row[i].lose;
		world->ignore = row[i].ignore;
		world->clamp = row[i].clamp;
		assert_int_equal(put(world, "CAPA", "460"), row[i].error);
		assert_string_equal(world->fake.log, row[i].log);
		world_free(world);
	}
}

/* A write without reading back is sent once, whatever becomes of its reply. */
static void test_lost_reply_without_reading_back(void **state)
{
	struct world *world = world_started(&plain, ABMS);

	(void)state;
	world->ignore = 1;
	assert_int_equal(put(world, "ERLD", "1"), -ETIMEDOUT);
	assert_string_equal(world->fake.log, "ERLD 1 *IDN? ");
	world_free(world);
}

static void test_cancel(void **state)
{
	static const struct {
		int64_t when;
		bool possible;
		const char *log;
	} row[] = {
		{ 0, true, "" },
		{ MSEC(2), true, "CMAX? " },       /* while it reads itself */
		{ MSEC(7), true, "CMAX? BVOL? " }, /* an operand */
		{ MSEC(17), false, "CMAX? BVOL? CHAR? CMAX 3.7 CMAX? " },
		{ MSEC(22), false, "CMAX? BVOL? CHAR? CMAX 3.7 CMAX? " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct world *world = world_started(&plain, "REC 1Q");
		struct job_call call;

		call_start(&call, world, "CMAX", "3.7");
		if (row[i].when)
			run(world, row[i].when);
		assert_int_equal(device_write_cancel(world->device, &call.write), row[i].possible);
		run(world, SECOND);
		assert_int_equal(call.times, !row[i].possible);
		assert_int_equal(world->wrote, !row[i].possible);
		assert_string_equal(world->fake.log, row[i].log);
		assert_int_equal(put(world, "CAPA", "460"), 0);
		world_free(world);
	}
}

static void test_cancel_of_a_waiting_write(void **state)
{
	struct world *world = world_started(&plain, "REC 1Q");
	struct job_call call[3];

	(void)state;
	call_start(&call[0], world, "CAPA", "460");
	call_start(&call[1], world, "CHEM", "4");
	call_start(&call[2], world, "SOCH", "0.1");
	assert_true(device_write_cancel(world->device, &call[1].write));
	run(world, SECOND);
	assert_string_equal(world->fake.log, "CAPA? CAPA 460 CAPA? SOCH? SOCH 0.1 SOCH? ");
	assert_int_equal(call[0].times + call[2].times, 2);
	assert_int_equal(call[1].times, 0);
	assert_true(call[0].when < call[2].when);
	world_free(world);
}

/* Before the first byte: nothing is sent any more. */
static void test_deadline_before(void **state)
{
	struct world *world = world_new(&plain, "REC 1Q");
	struct job_call call[2];
	int64_t begin = world->fake.now;

	(void)state;
	world->fake.open_result = 0;
	call_start(&call[0], world, "CAPA", "460");
	call_start(&call[1], world, "CHEM", "4");
	assert_true(device_wake(world->device) == begin + 5 * SECOND);
	run(world, 5 * SECOND);
	for (size_t i = 0; i < ARRAY_SIZE(call); i++) {
		assert_int_equal(call[i].times, 1);
		assert_int_equal(call[i].error, -ETIMEDOUT);
		assert_true(call[i].when == begin + 5 * SECOND);
		assert_false(call[i].write.sent);
	}
	world->fake.open_result = 1;
	run(world, 10 * SECOND);
	assert_string_equal(world->fake.log, "*IDN? *IDN? CELL? PTEM? "); /* who is there, once */
	assert_int_equal(world->wrote, 0);
	assert_int_equal(put(world, "CAPA", "460"), 0);
	world_free(world);
}

/* After it: the caller is told, the SET is not repeated, and what was known is known no more. */
static void test_deadline_after(void **state)
{
	struct world *world = world_started(&plain, "REC 1Q");
	struct device_query query;
	struct job_call call;
	unsigned times;

	(void)state;
	query_start(world, &query, "CMAX", &times);
	run(world, SECOND);
	forget_log(world);
	world->ignore = 1;
	call_start(&call, world, "CAPA", "460");
	call.write.deadline = world->fake.now + MSEC(200);
	run(world, MSEC(200));
	assert_int_equal(call.times, 1);
	assert_int_equal(call.error, -ETIMEDOUT);
	assert_true(call.write.sent);
	assert_int_equal(world->wrote, 1);
	run(world, SECOND);
	assert_string_equal(world->fake.log, "CAPA? CAPA 460 *IDN? ");
	query_start(world, &query, "CMAX", &times);
	run(world, SECOND);
	assert_int_equal(times, 1);
	assert_int_equal(put(world, "CAPA", "460"), 0);
	world_free(world);
}

static void test_dead_link(void **state)
{
	struct world *world = world_new(&plain, "REC 1Q");

	(void)state;
	world->fake.open_result = -ENOENT;
	assert_int_equal(put(world, "CAPA", "460"), -ENODEV);
	world->fake.open_result = 1;
	assert_int_equal(put(world, "CAPA", "460"), 0);
	world->dead = true;
	assert_int_equal(put(world, "CAPA", "470"), -ETIMEDOUT);
	assert_null(strstr(world->fake.log, "CAPA 470"));
	world_free(world);
}

/* The adapter is unplugged with the SET on the wire. */
static void test_unplugged(void **state)
{
	struct world *world = world_started(&plain, "REC 1Q");
	struct job_call call[2];

	(void)state;
	call_start(&call[0], world, "CAPA", "460");
	call_start(&call[1], world, "CHEM", "4");
	run(world, MSEC(7));
	assert_string_equal(world->fake.log, "CAPA? CAPA 460 ");
	world->fake.hung_up = true;
	run(world, SECOND / 4);
	for (size_t i = 0; i < ARRAY_SIZE(call); i++) {
		assert_int_equal(call[i].times, 1);
		assert_int_equal(call[i].error, -ENODEV);
		assert_int_equal(call[i].write.sent, i == 0);
	}
	assert_int_equal(world->wrote, 1);
	assert_int_equal(world->wrote_error, -ENODEV);
	world_free(world);
}

/* A write makes every cached setting old, and what is live too. */
static void test_cached_values_are_dropped(void **state)
{
	struct world *world = world_started(&plain, "REC 1Q");
	const struct sample *sample;
	struct device_query query;
	struct freshness fresh;
	unsigned times;

	(void)state;
	query_start(world, &query, "CMIN", &times);
	run(world, MSEC(10));
	fresh = (struct freshness){ .call = world->fake.now };
	assert_int_equal(device_sample(world->device, row_of(world, "CMIN"), &fresh, &sample), 0);
	assert_int_equal(device_sample(world->device, row_of(world, "CELL"), &fresh, &sample), 0);
	assert_int_equal(put(world, "CAPA", "460"), 0);
	assert_int_equal(device_sample(world->device, row_of(world, "CMIN"), &fresh, &sample),
			 -ETIMEDOUT);
	assert_int_equal(device_sample(world->device, row_of(world, "CELL"), &fresh, &sample),
			 -ETIMEDOUT);
	assert_int_equal(device_sample(world->device, row_of(world, "*IDN"), &fresh, &sample), 0);
	assert_int_equal(device_sample(world->device, row_of(world, "CAPA"), &fresh, &sample), 0);
	assert_true(sample->number[0] == 460);
	world_free(world);
}

/* Another BMS answers between the reading of the operands and the SET: they are read again. */
static void test_exchanged_before_the_set(void **state)
{
	struct world *world = world_started(&plain, "REC 1Q");
	uint8_t bytes[FRAME_MAX];
	struct frame frame;
	struct job_call call;
	size_t size;

	(void)state;
	call_start(&call, world, "CLOW", "3.2");
	run(world, MSEC(18));
	assert_string_equal(world->fake.log, "CLOW? CMIN? BMIN? CHAR? ");
	/* The start of a frame too many makes the SET wait, its end puts the line in doubt. */
	frame_make(&frame, FRAME_HOST, 1, "3.58", 4);
	size = frame_encode(&frame, bytes);
	fake_bytes(&world->fake, MSEC(2), bytes, 4);
	fake_bytes(&world->fake, MSEC(50), bytes + 4, size - 4);
	run(world, MSEC(30));
	assert_string_equal(world->fake.log, "CLOW? CMIN? BMIN? CHAR? ");
	world->identity = "REC 2Q";
	bms_store(world, "BMIN", "3.1");
	run(world, SECOND);
	assert_int_equal(call.times, 1);
	assert_int_equal(call.error, -EINVAL);
	assert_null(strstr(world->fake.log, "CLOW 3.2"));
	world_free(world);
}

/* A lost SET is not made good by an old value that could pass for the new one. */
static void test_lost_set_beside_a_close_value(void **state)
{
	static const struct {
		const char *identity, *mnemonic, *before, *value;
	} row[] = {
		{ ABMS, "SOCS", "0.61", "0.6" },
		{ "REC 1Q", "CMAX", "3.60", "3.61" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct world *world = world_started(&plain, row[i].identity);

		bms_store(world, row[i].mnemonic, row[i].before);
		world->ignore = 99;
		assert_int_equal(put(world, row[i].mnemonic, row[i].value), -ETIMEDOUT);
		assert_string_equal(bms_find(world, row[i].mnemonic)->value, row[i].before);
		world_free(world);
		world = world_started(&plain, row[i].identity);
		bms_store(world, row[i].mnemonic, row[i].before);
		world->ignore = 1;
		assert_int_equal(put(world, row[i].mnemonic, row[i].value), 0);
		assert_string_equal(bms_find(world, row[i].mnemonic)->value, row[i].value);
		world_free(world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lost_set_beside_a_close_value),
		cmocka_unit_test(test_order_of_transactions),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_operand_not_readable),
		cmocka_unit_test(test_unknown_setting),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_a_clamped_or_rounded_setting_is_not_in_force),
		cmocka_unit_test(test_lost_replies),
		cmocka_unit_test(test_lost_reply_without_reading_back),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_cancel_of_a_waiting_write),
		cmocka_unit_test(test_deadline_before),
		cmocka_unit_test(test_deadline_after),
		cmocka_unit_test(test_dead_link),
		cmocka_unit_test(test_unplugged),
		cmocka_unit_test(test_cached_values_are_dropped),
		cmocka_unit_test(test_exchanged_before_the_set),
	};

	return cmocka_run_group_tests_name("write", tests, NULL, NULL);
}

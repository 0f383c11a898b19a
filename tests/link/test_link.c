// SPDX-License-Identifier: LGPL-3.0-or-later
/* Which device name makes which link, and the built-in BMS as one. */
#include "link/link.h"

#include <errno.h>
#include <string.h>

#include "link/backends.h"
#include "nsec.h"
#include "protocol/frame.h"
#include "test.h"

struct fixture {
	struct instruction_table table;
	struct link_config config;
};

static struct fixture fixture;

static int setup(void **state)
{
	struct table_error error;

	assert_int_equal(instruction_table_init(&fixture.table, &error), 0);
	fixture.config = (struct link_config){
		.baud = 56000,
		.table = &fixture.table,
		.now = link_boottime(NULL),
	};
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	instruction_table_free(&fixture.table);
	return 0;
}

static void test_kinds(void **state)
{
	static const struct {
		const char *device, *name;
	} cases[] = {
		{ "/dev/ttyUSB0", "serial" },
		{ "/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0-port0", "serial" },
		{ "./ttyUSB0", "serial" },
		{ "tcp:gateway:4001", "tcp" },
		{ "tcp:[::1]:4001", "tcp" },
		{ "unix:/run/bms", "unix" },
		{ "sim:", "sim" },
		{ "sim:seed=7", "sim" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct link *link = NULL;
		char reason[256] = "";

		if (link_new(&link, cases[i].device, &f->config, reason, sizeof(reason)))
			fail_msg("%s: %s", cases[i].device, reason);
		assert_string_equal(link->ops->name, cases[i].name);
		link_free(link);
	}
}

static void test_no_kind(void **state)
{
	static const struct {
		const char *device, *sentence;
	} cases[] = {
		{ "", "no device given" },
		{ "udp:gateway:4001", "udp: is no kind of device" },
		{ "TCP:gateway:4001", "TCP: is no kind of device" },
		{ ":4001", ": is no kind of device" },
		{ "ttyNONE7", "give a path (/dev/ttyNONE7)" },
		{ "sim", "give a path" },
		{ "tcp:", "PORT" },
		{ "unix:", "path" },
		{ "sim:nonsense=1", "nonsense" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct link *link = NULL;
		char reason[256] = "";

		assert_int_equal(
			link_new(&link, cases[i].device, &f->config, reason, sizeof(reason)),
			-EINVAL);
		if (!strstr(reason, cases[i].sentence))
			fail_msg("%s: \"%s\"", cases[i].device, reason);
		assert_null(link);
	}
}

static int64_t now;

static int64_t test_now(const struct link *link)
{
	(void)link;
	return now;
}

/* Goes from one appointment of the link to the next until a frame has come. */
static void await_frame(struct link *link, struct frame *frame)
{
	struct frame_decoder decoder = { .start = 0 };

	while (!frame_decoder_next(&decoder, frame)) {
		int64_t wake = link->ops->wake(link);
		char bytes[64];
		ssize_t count;

		assert_true(wake != NSEC_NEVER);
		now = wake > now ? wake : now;
		count = link->ops->read(link, bytes, sizeof(bytes));
		assert_true(count > 0);
		frame_decoder_feed(&decoder, bytes, (size_t)count);
	}
}

static void ask(struct link *link, const char *text)
{
	uint8_t bytes[FRAME_MAX];
	struct frame frame;
	size_t size;

	frame_make(&frame, 1, FRAME_HOST, text, (uint8_t)strlen(text));
	size = frame_encode(&frame, bytes);
	assert_int_equal(link->ops->write(link, bytes, size), size);
}

static void test_sim_answers(void **state)
{
	struct fixture *f = *state;
	struct link_ops ops;
	struct frame frame;
	struct link *link;
	char reason[256], byte;
	short events;

	now = f->config.now;
	assert_int_equal(link_new(&link, "sim:address=1", &f->config, reason, sizeof(reason)), 0);
	ops = *link->ops;
	ops.now = test_now;
	link->ops = &ops;
	assert_int_equal(link->ops->fd(link, &events), -1);
	assert_int_equal(link->ops->read(link, &byte, 1), -ENODEV);
	assert_int_equal(link->ops->write(link, &byte, 1), -ENODEV);
	assert_true(link->ops->wake(link) == NSEC_NEVER);

	for (int i = 0; i < 2; i++) {
		assert_int_equal(link_open(link), 1);
		assert_int_equal(link->actual_baud, link->baud);
		ask(link, "*IDN?");
		await_frame(link, &frame);
		assert_int_equal(frame.snd, 1);
		assert_int_equal(link->ops->read(link, &byte, 1), 0);
		ask(link, "*IDN?");
		link_close(link);
		/* What nobody listened to is not there after reopening. */
		now += 60 * NSEC_PER_SEC;
	}
	assert_int_equal(link_open(link), 1);
	assert_int_equal(link->ops->read(link, &byte, 1), 0);
	link_free(link);
}

static void test_words(void **state)
{
	(void)state;
	assert_non_null(strstr(link_strerror(ECONNREFUSED), "refused"));
	assert_string_equal(link_strerror(EINVAL), "Invalid argument");
	assert_string_equal(link_strerror(99999), "unknown error");
}

static void test_fail_cuts(void **state)
{
	struct link link;

	(void)state;
	assert_int_equal(link_fail(&link, EIO, "%300s", "x"), -EIO);
	assert_int_equal(strlen(link.error), sizeof(link.error) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),       cmocka_unit_test(test_no_kind),
		cmocka_unit_test(test_sim_answers), cmocka_unit_test(test_words),
		cmocka_unit_test(test_fail_cuts),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

// SPDX-License-Identifier: LGPL-3.0-or-later
/* The recording link around one that does what a test tells it, on a clock that a test turns. */
#include "link/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "nsec.h"
#include "test.h"

static struct child {
	struct link link;
	int64_t now;
	int open_result;
	const char *input; /* what read() gives next; NULL: nothing */
	bool gone;
	size_t takes; /* bytes in one write() */
	bool freed;
} child;

static char said[256];
static unsigned told;

__attribute__((format(printf, 1, 2))) static void log_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(said, sizeof(said), format, args);
	va_end(args);
	told++;
}

static int child_open(struct link *link)
{
	link->actual_baud = 55944;
	snprintf(link->error, sizeof(link->error), "%s", child.open_result < 0 ? "no\nport" : "");
	return child.open_result;
}

static void child_close(struct link *link)
{
	(void)link;
}

static ssize_t child_read(struct link *link, void *bytes, size_t size)
{
	size_t length;

	if (child.gone) {
		snprintf(link->error, sizeof(link->error), "it is gone");
		return -ENODEV;
	}
	if (!child.input)
		return 0;
	length = strlen(child.input);
	assert_true(length <= size);
	memcpy(bytes, child.input, length);
	child.input = NULL;
	return (ssize_t)length;
}

static ssize_t child_write(struct link *link, const void *bytes, size_t size)
{
	(void)link;
	(void)bytes;
	return (ssize_t)(size < child.takes ? size : child.takes);
}

static int child_fd(const struct link *link, short *events)
{
	(void)link;
	*events = 3;
	return 42;
}

static int64_t child_now(const struct link *link)
{
	(void)link;
	return child.now;
}

static void child_free(struct link *link)
{
	(void)link;
	child.freed = true;
}

static const struct link_ops child_ops = {
	.name = "child",
	.open = child_open,
	.poll = child_open,
	.close = child_close,
	.read = child_read,
	.write = child_write,
	.fd = child_fd,
	.now = child_now,
	.free = child_free,
};

static char path[64];

static struct link *start(void)
{
	struct capture_config config = { .name = "FILE", .device = "a\ndevice", .log = log_line };
	struct link *link = &child.link;

	child = (struct child){ .link = { .ops = &child_ops, .baud = 56000 },
				.now = 5 * NSEC_PER_SEC,
				.open_result = 1,
				.takes = 1000 };
	told = 0;
	snprintf(path, sizeof(path), "/tmp/test_capture.XXXXXX");
	config.fd = mkstemp(path);
	assert_true(config.fd >= 0);
	fcntl(config.fd, F_SETFL, O_APPEND);
	assert_int_equal(capture_link_new(&link, &config), 0);
	assert_ptr_not_equal(link, &child.link);
	return link;
}

/* What is in the file below its first line. */
static const char *recorded(void)
{
	static char text[8192];
	FILE *file = fopen(path, "r");
	size_t size;

	assert_non_null(file);
	size = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[size] = '\0';
	assert_int_equal(text[0], '#');
	assert_non_null(strstr(text, " on a?device, at 5 seconds"));
	return strchr(text, '\n') + 1;
}

static void end(struct link *link)
{
	link_free(link);
	assert_true(child.freed);
	unlink(path);
}

static void receive(struct link *link, const char *bytes, int64_t later_ms)
{
	char buffer[1024];

	child.now += later_ms * NSEC_PER_MSEC;
	child.input = bytes;
	assert_int_equal(link->ops->read(link, buffer, sizeof(buffer)), bytes ? strlen(bytes) : 0);
}

static void test_a_session(void **state)
{
	struct link *link = start();
	short events;

	(void)state;
	assert_int_equal(link->baud, 56000);
	assert_int_equal(link_open(link), 1);
	assert_int_equal(link->actual_baud, 55944);
	assert_int_equal(link->ops->fd(link, &events), 42);
	assert_int_equal(events, 3);
	assert_true(link->ops->wake(link) == NSEC_NEVER);
	link->ops->flush(link);
	assert_int_equal(link->ops->write(link, "abc", 3), 3);
	receive(link, "1", 7);
	receive(link, "2", 1);
	receive(link, "3", 10);
	assert_true(link->ops->wake(link) == child.now + 10 * NSEC_PER_MSEC + 1);
	receive(link, NULL, 1);
	receive(link, "4", 10);
	receive(link, NULL, 11);
	assert_true(link->ops->wake(link) == NSEC_NEVER);
	assert_string_equal(recorded(), "5.000000 = open at 55944 baud\n"
					"5.000000 > 616263 3 bytes of no frame\n"
					"5.007000 < 313233 3 bytes of no frame\n"
					"5.029000 < 34 1 bytes of no frame\n");
	receive(link, "5", 0);
	link_close(link);
	assert_non_null(strstr(recorded(), "5.040000 < 35 1 bytes of no frame\n"
					   "5.040000 = closed\n"));
	end(link);
}

static void test_portions(void **state)
{
	struct link *link = start();
	char flood[601];

	(void)state;
	link_open(link);
	/* A request that is taken in two goes is one. */
	child.takes = 2;
	assert_int_equal(link->ops->write(link, "abc", 3), 2);
	assert_int_equal(link->ops->write(link, "c", 1), 1);
	/* Sending ends what was received, and two requests are two. */
	receive(link, "x", 1);
	assert_int_equal(link->ops->write(link, "de", 2), 2);
	assert_int_equal(link->ops->write(link, "f", 1), 1);
	assert_string_equal(strchr(recorded(), '\n') + 1, "5.000000 > 616263 3 bytes of no frame\n"
							  "5.001000 < 78 1 bytes of no frame\n"
							  "5.001000 > 6465 2 bytes of no frame\n"
							  "5.001000 > 66 1 bytes of no frame\n");
	memset(flood, 'x', 600);
	flood[600] = '\0';
	receive(link, flood, 1);
	receive(link, NULL, 11);
	assert_non_null(strstr(recorded(), "78 512 bytes of no frame\n5.002000 < 7878"));
	assert_non_null(strstr(recorded(), "78 88 bytes of no frame\n"));
	end(link);
}

static void test_absent_and_gone(void **state)
{
	struct link *link = start();
	char buffer[8];

	(void)state;
	child.open_result = -ENOENT;
	for (int i = 0; i < 3; i++)
		assert_int_equal(link_open(link), -ENOENT);
	assert_string_equal(link->error, "no\nport");
	assert_string_equal(recorded(), "5.000000 = no?port\n");
	child.open_result = 0;
	assert_int_equal(link_open(link), 0);
	child.open_result = -ENOENT;
	assert_int_equal(link->ops->poll(link), -ENOENT);
	assert_string_equal(recorded(), "5.000000 = no?port\n");
	child.open_result = 1;
	assert_int_equal(link_open(link), 1);
	child.gone = true;
	assert_int_equal(link->ops->read(link, buffer, sizeof(buffer)), -ENODEV);
	assert_string_equal(link->error, "it is gone");
	link_close(link);
	assert_string_equal(recorded(), "5.000000 = no?port\n5.000000 = open at 55944 baud\n"
					"5.000000 = it is gone\n");
	end(link);
}

/* As a full disk would: it is told of once, in the log and in the file, and all else goes on. */
static void test_full(void **state)
{
	const struct rlimit roomy = { RLIM_INFINITY, RLIM_INFINITY };
	static const char line[] = "5.000000 > 616263 3 bytes of no frame\n";
	const char *at;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	/* Whatever part of a line still has room, all lines are whole in the end. */
	for (rlim_t size = 300; size < 300 + 2 * sizeof(line); size++) {
		const struct rlimit full = { size, RLIM_INFINITY };
		struct link *link = start();

		link_open(link);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
		for (int i = 0; i < 20; i++)
			assert_int_equal(link->ops->write(link, "abc", 3), 3);
		assert_int_equal(told, 1);
		assert_non_null(strstr(said, "FILE: "));
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &roomy), 0);
		assert_int_equal(link->ops->write(link, "xyz", 3), 3);
		assert_int_equal(link->ops->write(link, "XYZ", 3), 3);
		assert_int_equal(told, 1);
		at = strchr(recorded(), '\n') + 1;
		while (!strncmp(at, line, strlen(line)))
			at += strlen(line);
		assert_string_equal(at, "5.000000 = lines are missing here\n"
					"5.000000 > 78797A 3 bytes of no frame\n"
					"5.000000 > 58595A 3 bytes of no frame\n");
		end(link);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_session),
		cmocka_unit_test(test_portions),
		cmocka_unit_test(test_absent_and_gone),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

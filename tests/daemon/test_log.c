// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "test.h"

static void say(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct log *log, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_vline(log, format, args);
	va_end(args);
}

/* A pipe or a stream socket with a log at its writing end; nothing waits at the reading end. */
struct channel {
	int in, out;
	struct log log;
};

static void channel_open(struct channel *channel, bool is_socket)
{
	int ends[2];

	assert_int_equal(is_socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends), 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	channel->in = ends[0];
	channel->out = ends[1];
	log_open(&channel->log, channel->out);
}

static void channel_close(struct channel *channel)
{
	int fd = channel->log.fd;

	log_close(&channel->log);
	if (fd != channel->out)
		close(channel->out);
	if (channel->in >= 0)
		close(channel->in);
}

static size_t channel_read(struct channel *channel, char *text, size_t size)
{
	size_t used = 0;
	ssize_t got;

	while (used < size - 1 && (got = read(channel->in, text + used, size - 1 - used)) > 0)
		used += (size_t)got;
	text[used] = '\0';
	return used;
}

static void assert_said(struct channel *channel, const char *expected)
{
	char text[4096];

	channel_read(channel, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void test_line(void **state)
{
	(void)state;
	for (int is_socket = 0; is_socket < 2; is_socket++) {
		struct channel channel;

		channel_open(&channel, is_socket);
		errno = ENOTTY;
		say(&channel.log, "%s at %d baud", "online", 56000);
		assert_int_equal(errno, ENOTTY);
		assert_said(&channel, "bmsfs: online at 56000 baud\n");
		channel_close(&channel);
	}
}

/* A program may be called anything; it may neither forge a line nor turn a terminal red. */
static void test_one_line(void **state)
{
	struct channel channel;

	(void)state;
	channel_open(&channel, false);
	say(&channel.log, "by %s", "evil\nbmsfs: all is \033[31mwell\177");
	assert_said(&channel, "bmsfs: by evil?bmsfs: all is ?[31mwell?\n");
	channel_close(&channel);
}

static void test_long_line(void **state)
{
	char text[2 * LOG_LINE_MAX], expected[LOG_LINE_MAX + 1] = "bmsfs: ";
	struct channel channel;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memset(expected + 7, 'x', LOG_LINE_MAX - 8);
	expected[LOG_LINE_MAX - 1] = '\n';
	channel_open(&channel, false);
	say(&channel.log, "%s", text);
	assert_said(&channel, expected);
	channel_close(&channel);
}

/* Writes until lines are dropped, reads it all, and looks for the sentence that counts them. */
static void check_full(bool is_socket)
{
	static char text[4 << 20];
	struct channel channel;
	unsigned long lost;
	unsigned said = 0;
	char expected[64];

	channel_open(&channel, is_socket);
	while (channel.log.lost < 5 && said < 100000)
		say(&channel.log, "line %u of many that nobody reads", said++);
	assert_int_equal(channel.log.lost, 5);
	channel_read(&channel, text, sizeof(text));
	lost = channel.log.lost;
	say(&channel.log, "here again");
	assert_int_equal(channel.log.lost, 0);
	snprintf(expected, sizeof(expected), "bmsfs: %lu lines lost\nbmsfs: here again\n", lost);
	/* What was left of a line that got through in part comes before. */
	channel_read(&channel, text, sizeof(text));
	assert_true(strlen(text) >= strlen(expected));
	assert_string_equal(text + strlen(text) - strlen(expected), expected);
	channel_close(&channel);
}

static void test_full(void **state)
{
	(void)state;
	check_full(false);
	check_full(true);
}

/* The same where the description cannot be our own and must be asked before each write. */
static void test_full_shared(void **state)
{
	struct channel channel;
	unsigned said = 0;

	(void)state;
	channel_open(&channel, false);
	if (channel.log.fd != channel.out)
		close(channel.log.fd);
	channel.log.fd = channel.out;
	channel.log.kind = LOG_POLLED;
	while (!channel.log.lost && said < 100000)
		say(&channel.log, "line %u", said++);
	assert_int_equal(channel.log.lost, 1);
	channel_close(&channel);
}

/* Whoever shares our stderr finds it as before. */
static void test_flags_kept(void **state)
{
	(void)state;
	for (int is_socket = 0; is_socket < 2; is_socket++) {
		struct channel channel;

		channel_open(&channel, is_socket);
		say(&channel.log, "a line");
		assert_false(fcntl(channel.out, F_GETFL) & O_NONBLOCK);
		channel_close(&channel);
	}
}

static void test_reader_gone(void **state)
{
	(void)state;
	for (int is_socket = 0; is_socket < 2; is_socket++) {
		struct channel channel;

		channel_open(&channel, is_socket);
		close(channel.in);
		channel.in = -1;
		say(&channel.log, "a line");
		assert_int_equal(channel.log.lost, 1);
		channel_close(&channel);
	}
}

/* Others write to the same file, at the same offset. */
static void test_file(void **state)
{
	char name[] = "/tmp/bmsfs-test-XXXXXX", text[64] = "";
	struct log log;
	int fd = mkstemp(name);

	(void)state;
	assert_true(fd >= 0);
	unlink(name);
	log_open(&log, fd);
	say(&log, "ours");
	assert_int_equal(write(fd, "theirs\n", 7), 7);
	say(&log, "ours again");
	assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, "bmsfs: ours\ntheirs\nbmsfs: ours again\n");
	log_close(&log);
}

static void test_closed(void **state)
{
	struct log log;

	(void)state;
	log_open(&log, -1);
	assert_int_equal(log.kind, LOG_NOWHERE);
	say(&log, "to nobody");
	assert_int_equal(log.lost, 0);
	log_close(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),        cmocka_unit_test(test_one_line),
		cmocka_unit_test(test_long_line),   cmocka_unit_test(test_full),
		cmocka_unit_test(test_full_shared), cmocka_unit_test(test_flags_kept),
		cmocka_unit_test(test_reader_gone), cmocka_unit_test(test_file),
		cmocka_unit_test(test_closed),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}

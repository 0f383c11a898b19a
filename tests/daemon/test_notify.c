// SPDX-License-Identifier: LGPL-3.0-or-later
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "notify.h"
#include "nsec.h"
#include "test.h"

#define SELF 77 /* whom the watchdog is meant for */

/* A service manager with a socket of the abstract kind, and what the module has logged. */
struct manager {
	int fd;
	char name[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	struct notify notify;
};

static char logged[512];

void log_print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(logged, sizeof(logged), format, args);
	va_end(args);
}

static int make_manager(void **state)
{
	struct manager *manager = calloc(1, sizeof(*manager));
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(address.sun_family);

	assert_non_null(manager);
	manager->fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_true(manager->fd >= 0);
	/* The kernel finds a name that nobody has. */
	assert_int_equal(bind(manager->fd, (struct sockaddr *)&address, size), 0);
	size = sizeof(address);
	assert_int_equal(getsockname(manager->fd, (struct sockaddr *)&address, &size), 0);
	address.sun_path[0] = '@';
	memcpy(manager->name, address.sun_path, size - offsetof(struct sockaddr_un, sun_path));
	assert_int_equal(setenv("NOTIFY_SOCKET", manager->name, 1), 0);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	logged[0] = '\0';
	*state = manager;
	return 0;
}

static int drop_manager(void **state)
{
	struct manager *manager = *state;

	notify_close(&manager->notify);
	close(manager->fd);
	free(manager);
	return 0;
}

static void expect_message(const struct manager *manager, const char *wanted)
{
	struct pollfd ready = { .fd = manager->fd, .events = POLLIN };
	char text[600];
	ssize_t size;

	assert_int_equal(poll(&ready, 1, 10000), 1);
	size = recv(manager->fd, text, sizeof(text) - 1, 0);
	assert_true(size >= 0);
	text[size] = '\0';
	assert_string_equal(text, wanted);
}

static void expect_silence(const struct manager *manager)
{
	struct pollfd ready = { .fd = manager->fd, .events = POLLIN };

	assert_int_equal(poll(&ready, 1, 0), 0);
}

static void test_messages(void **state)
{
	struct manager *manager = *state;

	notify_open(&manager->notify, SELF);
	assert_true(manager->notify.due == NSEC_NEVER);
	notify_send(&manager->notify, "READY=1");
	expect_message(manager, "READY=1");
	notify_send(&manager->notify, "STATUS=%s is online", "sim:");
	expect_message(manager, "STATUS=sim: is online");
	notify_alive(&manager->notify, 3600 * NSEC_PER_SEC);
	expect_silence(manager);
	assert_string_equal(logged, "");
}

static void test_one_line(void **state)
{
	struct manager *manager = *state;
	char text[1000], wanted[512];

	notify_open(&manager->notify, SELF);
	notify_send(&manager->notify, "STATUS=%s", "a\nMAINPID=1\x7F");
	expect_message(manager, "STATUS=a?MAINPID=1?");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memcpy(wanted, text, sizeof(wanted) - 1);
	wanted[sizeof(wanted) - 1] = '\0';
	notify_send(&manager->notify, "%s", text);
	expect_message(manager, wanted);
}

static void test_watchdog(void **state)
{
	struct manager *manager = *state;
	const int64_t start = 1000 * NSEC_PER_SEC;

	setenv("WATCHDOG_USEC", "30000000", 1);
	setenv("WATCHDOG_PID", "77", 1);
	notify_open(&manager->notify, SELF);
	notify_alive(&manager->notify, start);
	expect_message(manager, "WATCHDOG=1");
	assert_int_equal(manager->notify.due, start + 15 * NSEC_PER_SEC);
	notify_alive(&manager->notify, start + 15 * NSEC_PER_SEC - 1);
	expect_silence(manager);
	/* However late the turn of the loop comes, one sign of life is enough. */
	notify_alive(&manager->notify, start + 60 * NSEC_PER_SEC);
	expect_message(manager, "WATCHDOG=1");
	expect_silence(manager);
}

static void test_no_watchdog(void **state)
{
	static const char *const cases[][2] = {
		{ "30000000", "78" }, { "0", "77" },     { "-1", "77" },
		{ "30 s", "77" },     { "", "77" },      { "9223372036854775807", "77" },
		{ "1e9", "" },        { "1.5", "none" },
	};
	struct manager *manager = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		setenv("WATCHDOG_USEC", cases[i][0], 1);
		setenv("WATCHDOG_PID", cases[i][1], 1);
		notify_open(&manager->notify, SELF);
		assert_true(manager->notify.due == NSEC_NEVER);
		notify_alive(&manager->notify, NSEC_NEVER - 1);
		notify_close(&manager->notify);
	}
	expect_silence(manager);
}

static void test_nobody(void **state)
{
	struct manager *manager = *state;

	notify_open(&manager->notify, 0);
	notify_send(&manager->notify, "READY=1");
	unsetenv("NOTIFY_SOCKET");
	notify_open(&manager->notify, SELF);
	notify_send(&manager->notify, "READY=1");
	assert_true(manager->notify.due == NSEC_NEVER);
	expect_silence(manager);
	assert_string_equal(logged, "");
}

static void test_unusable(void **state)
{
	/* One more than an address can hold. */
	char long_name[sizeof(((struct sockaddr_un *)0)->sun_path) + 1] = "/";
	const char *const names[] = {
		"",
		"run/socket",
		"vsock:2:1",
		"/no/such/socket",
		"@bmsfs-nobody-has-this-name",
		long_name,
	};
	struct manager *manager = *state;

	memset(long_name + 1, 'x', sizeof(long_name) - 2);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		setenv("NOTIFY_SOCKET", names[i], 1);
		logged[0] = '\0';
		notify_open(&manager->notify, SELF);
		assert_true(manager->notify.fd < 0);
		if (!strstr(logged, "cannot tell the service manager"))
			fail_msg("%s: \"%s\"", names[i], logged);
	}
}

/* The manager takes nothing more: the message is lost, and nobody waits. */
static void test_full(void **state)
{
	struct manager *manager = *state;

	notify_open(&manager->notify, SELF);
	for (int i = 0; i < 100000 && !*logged; i++)
		notify_send(&manager->notify, "STATUS=%d", i);
	assert_non_null(strstr(logged, "cannot tell the service manager STATUS="));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_messages, make_manager, drop_manager),
		cmocka_unit_test_setup_teardown(test_one_line, make_manager, drop_manager),
		cmocka_unit_test_setup_teardown(test_watchdog, make_manager, drop_manager),
		cmocka_unit_test_setup_teardown(test_no_watchdog, make_manager, drop_manager),
		cmocka_unit_test_setup_teardown(test_nobody, make_manager, drop_manager),
		cmocka_unit_test_setup_teardown(test_unusable, make_manager, drop_manager),
		cmocka_unit_test_setup_teardown(test_full, make_manager, drop_manager),
	};

	return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}

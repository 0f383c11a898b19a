// SPDX-License-Identifier: LGPL-3.0-or-later
#include "link/resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define PATIENCE_MS 20000

/* No name server can be asked for it: a label has 63 characters at most. */
#define IMPOSSIBLE \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.invalid"

static int wait_answer(struct resolver *resolver, struct socket_list *list)
{
	struct pollfd poller = { .fd = resolver->fd, .events = POLLIN };

	assert_int_equal(poll(&poller, 1, PATIENCE_MS), 1);
	return resolver_poll(resolver, list);
}

static void assert_no_child(const struct resolver *resolver)
{
	assert_int_equal(resolver->pid, 0);
	assert_int_equal(resolver->fd, -1);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void test_numbers_at_once(void **state)
{
	static const struct {
		const char *host;
		int err, family;
	} cases[] = {
		{ "127.0.0.1", 0, AF_INET },   { "::1", 0, AF_INET6 },
		{ "localhost", -ENOENT, 0 },   { "gateway.example", -ENOENT, 0 },
		{ "127.0.0.256", -ENOENT, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct socket_list list;

		assert_int_equal(resolver_parse(cases[i].host, "4001", &list), cases[i].err);
		assert_int_equal(list.count, cases[i].err ? 0 : 1);
		if (list.count)
			assert_int_equal(list.address[0].name.ss_family, cases[i].family);
	}
}

static void test_name(void **state)
{
	struct resolver resolver = { .fd = -1 };
	struct socket_list list;

	(void)state;
	assert_int_equal(resolver_start(&resolver, "localhost", "4001"), 0);
	assert_int_equal(wait_answer(&resolver, &list), 1);
	assert_in_range(list.count, 1, SOCKET_ADDRESS_MAX);
	for (unsigned i = 0; i < list.count; i++) {
		const struct sockaddr_in *name = (const void *)&list.address[i].name;

		/* The port is at the same place in both families. */
		assert_int_equal(ntohs(name->sin_port), 4001);
	}
	assert_no_child(&resolver);
}

static void test_unknown_name(void **state)
{
	struct resolver resolver = { .fd = -1 };
	struct socket_list list;
	int err;

	(void)state;
	assert_int_equal(resolver_start(&resolver, IMPOSSIBLE, "4001"), 0);
	err = wait_answer(&resolver, &list);
	assert_true(err == -ENOENT || err == -EAGAIN);
	assert_no_child(&resolver);
}

static void test_stopped_early(void **state)
{
	struct resolver resolver = { .fd = -1 };

	(void)state;
	assert_int_equal(resolver_start(&resolver, "localhost", "4001"), 0);
	resolver_stop(&resolver);
	assert_no_child(&resolver);
	resolver_stop(&resolver);
}

/* The child may be killed after its answer, but until that is read nobody can tell which came
 * first. */
static void test_killed_child(void **state)
{
	struct resolver resolver = { .fd = -1 };
	struct socket_list list;
	int result;

	(void)state;
	assert_int_equal(resolver_start(&resolver, "localhost", "4001"), 0);
	kill(resolver.pid, SIGKILL);
	result = wait_answer(&resolver, &list);
	assert_true(result == -EIO || result == 1);
	assert_no_child(&resolver);
}

static void test_no_descriptor_left(void **state)
{
	struct resolver resolver = { .fd = -1 };
	int probe, end;

	(void)state;
	probe = dup(STDERR_FILENO);
	close(probe);
	assert_int_equal(resolver_start(&resolver, "localhost", "4001"), 0);
	resolver_stop(&resolver);
	end = dup(STDERR_FILENO);
	close(end);
	assert_int_equal(probe, end);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_at_once), cmocka_unit_test(test_name),
		cmocka_unit_test(test_unknown_name),    cmocka_unit_test(test_stopped_early),
		cmocka_unit_test(test_killed_child),    cmocka_unit_test(test_no_descriptor_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

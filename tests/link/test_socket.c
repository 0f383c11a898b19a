// SPDX-License-Identifier: LGPL-3.0-or-later
/* Links over TCP and over Unix sockets. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "link_test.h"
#include "nsec.h"

/* A server on loopback and one behind a path, in a folder of its own. */
struct fixture {
	int tcp, local;
	unsigned port;
	char folder[32], path[64];
};

static int listen_tcp(unsigned *port)
{
	struct sockaddr_in name = { .sin_family = AF_INET };
	socklen_t size = sizeof(name);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, size), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &size), 0);
	*port = ntohs(name.sin_port);
	return fd;
}

static int listen_unix(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->folder, sizeof(f->folder), "/tmp/test_socket.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/bms", f->folder);
	f->tcp = listen_tcp(&f->port);
	f->local = listen_unix(f->path);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->tcp);
	close(f->local);
	unlink(f->path);
	rmdir(f->folder);
	free(f);
	return 0;
}

static struct link *make_tcp(const char *host, unsigned port)
{
	char target[96];

	snprintf(target, sizeof(target), "%s:%u", host, port);
	return make_link(tcp_link_new, target);
}

static void exchange(struct link *link, int server)
{
	char bytes[8];
	int peer;

	assert_int_equal(open_link(link), 1);
	assert_true(link->ops->wake(link) == NSEC_NEVER);
	peer = accept(server, NULL, NULL);
	assert_int_equal(link->ops->read(link, bytes, sizeof(bytes)), 0);
	assert_int_equal(link->ops->write(link, "ask", 3), 3);
	assert_int_equal(recv(peer, bytes, 3, MSG_WAITALL), 3);
	assert_memory_equal(bytes, "ask", 3);
	assert_int_equal(send(peer, "old", 3, 0), 3);
	assert_int_equal(wait_for(descriptor(link), POLLIN), POLLIN);
	link->ops->flush(link);
	assert_int_equal(send(peer, "new", 3, 0), 3);
	assert_int_equal(read_link(link, bytes, sizeof(bytes)), 3);
	assert_memory_equal(bytes, "new", 3);

	close(peer);
	assert_int_equal(read_link(link, bytes, sizeof(bytes)), -ENODEV);
	assert_says(link, "the other end closed the connection");
	link_close(link);
	assert_int_equal(descriptor(link), -1);
	assert_int_equal(link->ops->read(link, bytes, sizeof(bytes)), -ENODEV);
	assert_int_equal(link->ops->write(link, "x", 1), -ENODEV);
	assert_says(link, "is not open");
}

static void test_exchange_and_reopen(void **state)
{
	struct fixture *f = *state;
	struct link *links[] = {
		make_tcp("127.0.0.1", f->port),
		make_tcp("localhost", f->port),
		make_link(unix_link_new, f->path),
	};

	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		int server = i == 2 ? f->local : f->tcp;

		exchange(links[i], server);
		exchange(links[i], server);
		link_free(links[i]);
	}
}

static void test_tcp_options(void **state)
{
	struct fixture *f = *state;
	struct link *link = make_tcp("127.0.0.1", f->port);
	socklen_t size = sizeof(int);
	int value = 0;

	assert_int_equal(open_link(link), 1);
	assert_int_equal(getsockopt(descriptor(link), IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
	assert_true(value);
	assert_int_equal(getsockopt(descriptor(link), SOL_SOCKET, SO_KEEPALIVE, &value, &size), 0);
	assert_true(value);
	link_free(link);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	struct link *link;
	char expected[64];

	close(f->tcp);
	f->tcp = -1;
	link = make_tcp("127.0.0.1", f->port);
	snprintf(expected, sizeof(expected), "tcp 127.0.0.1:%u: connection refused", f->port);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(open_link(link), -ECONNREFUSED);
		assert_says(link, expected);
		assert_int_equal(descriptor(link), -1);
	}
	link_free(link);

	close(f->local);
	f->local = -1;
	link = make_link(unix_link_new, f->path);
	assert_int_equal(open_link(link), -ECONNREFUSED);
	assert_says(link, "connection refused");
	unlink(f->path);
	assert_int_equal(open_link(link), -ENOENT);
	assert_says(link, "no such socket");
	link_free(link);
}

static void test_unknown_host(void **state)
{
	static const char label[] =
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	struct link *link = make_tcp(label, 4001);
	int err;

	(void)state;
	err = open_link(link);
	assert_true(err == -ENOENT || err == -EAGAIN);
	assert_says(link, err == -ENOENT ? "no such host" : "no name server answers");
	link_free(link);
}

static int64_t late(const struct link *link)
{
	return link_boottime(link) + 60 * NSEC_PER_SEC;
}

static void test_time_limits(void **state)
{
	static const struct {
		const char *host, *sentence;
	} cases[] = {
		{ "localhost", "no name server answers" },
		{ "127.0.0.1", "no answer in time" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct link *link = make_tcp(cases[i].host, f->port);
		struct link_ops ops = *link->ops;

		assert_int_equal(link_open(link), 0);
		assert_in_range(link->ops->wake(link), 1, late(link));
		ops.now = late;
		link->ops = &ops;
		assert_int_equal(link->ops->poll(link), -ETIMEDOUT);
		assert_says(link, cases[i].sentence);
		assert_int_equal(descriptor(link), -1);
		link_free(link);
	}
}

static void test_poll_too_early(void **state)
{
	struct fixture *f = *state;
	struct link *link = make_tcp("localhost", f->port);

	assert_int_equal(link_open(link), 0);
	for (int result = 0; result != 1;) {
		result = link->ops->poll(link);
		assert_in_range(result, 0, 1);
	}
	assert_int_equal(link->ops->poll(link), 1);
	link_free(link);
}

static void test_close_while_opening(void **state)
{
	struct fixture *f = *state;
	struct link *link = make_tcp("localhost", f->port);

	assert_int_equal(link_open(link), 0);
	link_close(link);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_true(link->ops->wake(link) == NSEC_NEVER);
	assert_int_equal(link->ops->poll(link), -ENODEV);
	link_free(link);
}

static void test_write_to_nobody(void **state)
{
	struct fixture *f = *state;
	struct link *links[] = { make_tcp("127.0.0.1", f->port),
				 make_link(unix_link_new, f->path) };

	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		const struct linger reset = { .l_onoff = 1 };
		int peer, result;

		assert_int_equal(open_link(links[i]), 1);
		peer = accept(i ? f->local : f->tcp, NULL, NULL);
		setsockopt(peer, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(peer);
		assert_true(wait_for(descriptor(links[i]), POLLIN) & POLLHUP);
		result = (int)links[i]->ops->write(links[i], "x", 1);
		if (result >= 0)
			result = (int)links[i]->ops->write(links[i], "x", 1);
		assert_int_equal(result, -ENODEV);
		assert_says(links[i], "dropped the connection");
		link_free(links[i]);
	}
}

static void test_full_socket_takes_nothing(void **state)
{
	struct fixture *f = *state;
	struct link *link = make_link(unix_link_new, f->path);
	char bytes[4096] = { 0 };
	ssize_t count;

	assert_int_equal(open_link(link), 1);
	do {
		count = link->ops->write(link, bytes, sizeof(bytes));
	} while (count > 0);
	assert_int_equal(count, 0);
	link_free(link);
}

static void test_targets(void **state)
{
	static const struct {
		link_constructor *constructor;
		const char *target;
		int err;
	} cases[] = {
		{ tcp_link_new, "gateway:4001", 0 },
		{ tcp_link_new, "10.0.0.9:1", 0 },
		{ tcp_link_new, "[::1]:65535", 0 },
		{ tcp_link_new, "[fe80::1%lo]:4001", 0 },
		{ tcp_link_new, "", -EINVAL },
		{ tcp_link_new, ":", -EINVAL },
		{ tcp_link_new, ":4001", -EINVAL },
		{ tcp_link_new, "[]:4001", -EINVAL },
		{ tcp_link_new, "gateway", -EINVAL },
		{ tcp_link_new, "gateway:", -EINVAL },
		{ tcp_link_new, "gateway:0", -EINVAL },
		{ tcp_link_new, "gateway:65536", -EINVAL },
		{ tcp_link_new, "gateway:100000", -EINVAL },
		{ tcp_link_new, "gateway:http", -EINVAL },
		{ tcp_link_new, "gateway:-1", -EINVAL },
		{ tcp_link_new, "::1:4001", -EINVAL },
		{ tcp_link_new, "[::1:4001", -EINVAL },
		{ tcp_link_new, "[::1]4001", -EINVAL },
		{ unix_link_new, "", -EINVAL },
		{ unix_link_new,
		  "/123456789/123456789/123456789/123456789/123456789/123456789/123456789/123456789"
		  "/123456789/123456789/1234567",
		  -EINVAL },
		{ unix_link_new,
		  "/123456789/123456789/123456789/123456789/123456789/123456789/123456789/123456789"
		  "/123456789/123456789/123456",
		  0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct link *link = NULL;
		char reason[256] = "";
		int err = cases[i].constructor(&link, cases[i].target, &test_config, reason,
					       sizeof(reason));

		if (err != cases[i].err)
			fail_msg("\"%s\" gives %d: %s", cases[i].target, err, reason);
		assert_int_equal(!*reason, !err);
		link_free(link);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_exchange_and_reopen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tcp_options, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test(test_unknown_host),
		cmocka_unit_test_setup_teardown(test_time_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_poll_too_early, setup, teardown),
		cmocka_unit_test_setup_teardown(test_close_while_opening, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_to_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_socket_takes_nothing, setup, teardown),
		cmocka_unit_test(test_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

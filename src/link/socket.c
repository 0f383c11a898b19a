// SPDX-License-Identifier: LGPL-3.0-or-later
#include "link/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "link/backends.h"
#include "nsec.h"

#define CONNECT_LIMIT  (5 * NSEC_PER_SEC) /* to each address */
#define FLUSH_LIMIT    64                 /* portions: a flood must not hold the caller */
#define KEEPALIVE_IDLE 10                 /* s */
#define KEEPALIVE_STEP 5                  /* s */
#define KEEPALIVE_TRY  3
#define UNSENT_LIMIT   10000 /* ms that bytes may go without acknowledgement */

static struct socket_link *to_socket(const struct link *link)
{
	return (struct socket_link *)link;
}

/*
 * Frames go out at once, and a gateway that lost its power is noticed although it says nothing. A
 * system that lacks one of these works without.
 */
static void set_tcp_options(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE },
		{ IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_STEP },
		{ IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_TRY },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, UNSENT_LIMIT },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		setsockopt(fd, options[i].level, options[i].name, &options[i].value,
			   sizeof(options[i].value));
}

/* Returns 1 when connected, 0 when that takes time, -errno. */
static int connect_address(struct socket_link *socket_link, const struct socket_address *address)
{
	const struct sockaddr *name = (const struct sockaddr *)&address->name;
	int err;

	socket_link->fd = socket(name->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (socket_link->fd < 0)
		return -errno;
	if (name->sa_family != AF_UNIX)
		set_tcp_options(socket_link->fd);
	if (connect(socket_link->fd, name, address->size) == 0) {
		socket_link->connected = true;
		return 1;
	}
	err = errno;
	if (err == EINPROGRESS || err == EINTR)
		return 0;
	close(socket_link->fd);
	socket_link->fd = -1;
	return -err;
}

/* The next address that does not fail at once; @err is how the one before it failed. */
static int connect_next(struct socket_link *socket_link, int err)
{
	struct link *link = &socket_link->link;

	while (socket_link->next < socket_link->list.count) {
		int result = connect_address(socket_link,
					     &socket_link->list.address[socket_link->next++]);

		if (result >= 0) {
			socket_link->deadline = link->ops->now(link) + CONNECT_LIMIT;
			return result;
		}
		err = -result;
	}
	return link_fail(link, err, "%s: %s", socket_link->name, link_strerror(err));
}

int socket_connect(struct socket_link *socket_link)
{
	socket_link->next = 0;
	socket_link->connected = false;
	return connect_next(socket_link, ENOENT);
}

int socket_poll(struct link *link)
{
	struct socket_link *socket_link = to_socket(link);
	struct pollfd poller = { .fd = socket_link->fd, .events = POLLOUT };
	socklen_t size = sizeof(int);
	int err = ETIMEDOUT;

	if (socket_link->connected)
		return 1;
	if (socket_link->fd < 0)
		return link_fail(link, ENODEV, "%s is not open", socket_link->name);
	if (link->ops->now(link) < socket_link->deadline) {
		if (poll(&poller, 1, 0) <= 0)
			return 0;
		if (getsockopt(socket_link->fd, SOL_SOCKET, SO_ERROR, &err, &size) < 0)
			err = errno;
		if (!err) {
			socket_link->connected = true;
			return 1;
		}
	}
	close(socket_link->fd);
	socket_link->fd = -1;
	return connect_next(socket_link, err);
}

void socket_close(struct link *link)
{
	struct socket_link *socket_link = to_socket(link);

	if (socket_link->fd >= 0)
		close(socket_link->fd);
	socket_link->fd = -1;
	socket_link->connected = false;
}

/* What a read or a write returns, given what recv() or send() did. */
static ssize_t moved(struct link *link, ssize_t count, int err)
{
	struct socket_link *socket_link = to_socket(link);

	if (count >= 0)
		return count;
	if (err == EAGAIN || err == EINTR)
		return 0;
	if (!socket_link->connected)
		return link_fail(link, ENODEV, "%s is not open", socket_link->name);
	return link_fail(link, ENODEV, "%s: %s", socket_link->name, link_strerror(err));
}

ssize_t socket_read(struct link *link, void *bytes, size_t size)
{
	struct socket_link *socket_link = to_socket(link);
	ssize_t count = recv(socket_link->fd, bytes, size, 0);

	if (count == 0 && size > 0)
		return link_fail(link, ENODEV, "%s: the other end closed the connection",
				 socket_link->name);
	return moved(link, count, errno);
}

ssize_t socket_write(struct link *link, const void *bytes, size_t size)
{
	ssize_t count = send(to_socket(link)->fd, bytes, size, MSG_NOSIGNAL);

	if (count < 0 && errno == EPIPE)
		errno = ECONNRESET;
	return moved(link, count, errno);
}

void socket_flush(struct link *link)
{
	char waste[4096];

	for (int i = 0; i < FLUSH_LIMIT; i++)
		if (recv(to_socket(link)->fd, waste, sizeof(waste), 0) <= 0)
			return;
}

int socket_fd(const struct link *link, short *opening_events)
{
	*opening_events = POLLOUT;
	return to_socket(link)->fd;
}

int64_t socket_wake(const struct link *link)
{
	const struct socket_link *socket_link = to_socket(link);

	if (socket_link->fd < 0 || socket_link->connected)
		return NSEC_NEVER;
	return socket_link->deadline;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link/backends.h"
#include "link/resolver.h"
#include "link/socket.h"
#include "nsec.h"

#define RESOLVE_LIMIT (10 * NSEC_PER_SEC)

struct tcp_link {
	struct socket_link socket;
	char *host;
	char port[8];
	struct resolver resolver; /* runs while the name is looked up */
};

static struct tcp_link *to_tcp(const struct link *link)
{
	return (struct tcp_link *)link;
}

static int fail_resolve(struct tcp_link *tcp, int err)
{
	struct link *link = &tcp->socket.link;
	const char *name = tcp->socket.name;

	switch (err) {
	case ENOENT:
		return link_fail(link, err, "%s: no such host; is the name right?", name);
	case EAGAIN:
	case ETIMEDOUT:
		return link_fail(link, err,
				 "%s: no name server answers; is the network up? A numeric "
				 "address needs none",
				 name);
	default:
		return link_fail(link, err, "%s: cannot look the name up: %s", name,
				 link_strerror(err));
	}
}

static int tcp_open(struct link *link)
{
	struct tcp_link *tcp = to_tcp(link);
	int err;

	link->error[0] = '\0';
	if (resolver_parse(tcp->host, tcp->port, &tcp->socket.list) == 0)
		return socket_connect(&tcp->socket);
	err = resolver_start(&tcp->resolver, tcp->host, tcp->port);
	if (err < 0)
		return link_fail(link, -err, "%s: no process can be started to look the name up",
				 tcp->socket.name);
	tcp->socket.deadline = link->ops->now(link) + RESOLVE_LIMIT;
	return 0;
}

static int tcp_poll(struct link *link)
{
	struct tcp_link *tcp = to_tcp(link);
	int result;

	if (!tcp->resolver.pid)
		return socket_poll(link);
	if (link->ops->now(link) >= tcp->socket.deadline) {
		resolver_stop(&tcp->resolver);
		return fail_resolve(tcp, ETIMEDOUT);
	}
	result = resolver_poll(&tcp->resolver, &tcp->socket.list);
	if (result < 0)
		return fail_resolve(tcp, -result);
	return result ? socket_connect(&tcp->socket) : 0;
}

static void tcp_close(struct link *link)
{
	resolver_stop(&to_tcp(link)->resolver);
	socket_close(link);
}

static int tcp_fd(const struct link *link, short *opening_events)
{
	const struct tcp_link *tcp = to_tcp(link);

	if (!tcp->resolver.pid)
		return socket_fd(link, opening_events);
	*opening_events = POLLIN;
	return tcp->resolver.fd;
}

static int64_t tcp_wake(const struct link *link)
{
	const struct tcp_link *tcp = to_tcp(link);

	return tcp->resolver.pid ? tcp->socket.deadline : socket_wake(link);
}

static void tcp_free(struct link *link)
{
	struct tcp_link *tcp = to_tcp(link);

	tcp_close(link);
	free(tcp->socket.name);
	free(tcp->host);
	free(tcp);
}

static const struct link_ops tcp_ops = {
	.name = "tcp",
	.open = tcp_open,
	.poll = tcp_poll,
	.close = tcp_close,
	.read = socket_read,
	.write = socket_write,
	.flush = socket_flush,
	.fd = tcp_fd,
	.wake = tcp_wake,
	.now = link_boottime,
	.free = tcp_free,
};

static bool is_port(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits >= 1 && digits <= 5 && !text[digits] && strtol(text, NULL, 10) >= 1 &&
	       strtol(text, NULL, 10) <= UINT16_MAX;
}

/*
 * Cuts "HOST:PORT" or "[v6]:PORT". Returns where the port starts, or NULL. An IPv6 address without
 * brackets is refused: nobody could tell its last part from a port.
 */
static const char *split(const char *target, const char **host, size_t *length)
{
	const char *colon = strrchr(target, ':');

	if (!colon || !is_port(colon + 1))
		return NULL;
	*host = target;
	*length = colon - target;
	if (*length > 2 && target[0] == '[' && colon[-1] == ']') {
		*host += 1;
		*length -= 2;
	} else if (memchr(target, ':', *length) || memchr(target, '[', *length)) {
		return NULL;
	}
	return *length ? colon + 1 : NULL;
}

int tcp_link_new(struct link **link, const char *target, const struct link_config *config,
		 char *reason, size_t size)
{
	size_t length;
	const char *host, *port = split(target, &host, &length);
	struct tcp_link *tcp;

	(void)config;
	if (!port) {
		snprintf(reason, size,
			 "tcp:%s: write tcp:HOST:PORT (tcp:[ADDRESS]:PORT for IPv6), PORT 1 to "
			 "65535",
			 target);
		return -EINVAL;
	}
	tcp = calloc(1, sizeof(*tcp));
	if (!tcp)
		return -ENOMEM;
	tcp->socket.link.ops = &tcp_ops;
	tcp->socket.fd = -1;
	tcp->resolver.fd = -1;
	snprintf(tcp->port, sizeof(tcp->port), "%s", port);
	tcp->host = strndup(host, length);
	if (!tcp->host || asprintf(&tcp->socket.name, "tcp %s", target) < 0) {
		free(tcp->host);
		free(tcp);
		return -ENOMEM;
	}
	*link = &tcp->socket.link;
	return 0;
}

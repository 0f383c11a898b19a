/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Host names without waiting: a child process asks, and its answer comes through a pipe that can be
 * polled. The child holds no descriptor of ours but that and the standard ones, and dies with us.
 */
#ifndef BMSFS_LINK_RESOLVER_H
#define BMSFS_LINK_RESOLVER_H

#include <sys/types.h>

#include "link/socket.h"

struct resolver {
	pid_t pid; /* 0: none runs */
	int fd;    /* readable when the answer is there; -1 */
};

/* An address in numbers, at once. Returns 0, or -ENOENT if @host is a name. */
int resolver_parse(const char *host, const char *port, struct socket_list *list);

/* Starts to look @host up. Returns 0 or -errno as pipe2(2) and fork(2). */
int resolver_start(struct resolver *resolver, const char *host, const char *port);

/*
 * Returns 1 and the addresses, 0 if there is no answer yet, or -errno: -ENOENT for an unknown name,
 * -EAGAIN when no name server answers, others for failures of this machine. The child is gone
 * then unless 0 was returned.
 */
int resolver_poll(struct resolver *resolver, struct socket_list *list);

/* Ends a child that still asks. */
void resolver_stop(struct resolver *resolver);

#endif

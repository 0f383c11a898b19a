/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A stream socket that connects to the first address of a list which answers. */
#ifndef BMSFS_LINK_SOCKET_H
#define BMSFS_LINK_SOCKET_H

#include <sys/socket.h>

#include "link/link.h"

#define SOCKET_ADDRESS_MAX 8

struct socket_address {
	socklen_t size;
	struct sockaddr_storage name;
};

struct socket_list {
	unsigned count;
	struct socket_address address[SOCKET_ADDRESS_MAX];
};

struct socket_link {
	struct link link;
	char *name; /* "tcp gateway:4001", how sentences start; owned */
	int fd;     /* -1 unless connecting or connected */
	bool connected;
	int64_t deadline; /* while opening */
	unsigned next;    /* address to try after the present one */
	struct socket_list list;
};

/*
 * Starts to connect to the addresses of list from the first on; socket_poll() goes on with it. Both
 * return as open() and poll() of struct link_ops, -errno when the last address has failed.
 */
int socket_connect(struct socket_link *socket_link);
int socket_poll(struct link *link);

void socket_close(struct link *link);
ssize_t socket_read(struct link *link, void *bytes, size_t size);
ssize_t socket_write(struct link *link, const void *bytes, size_t size);
void socket_flush(struct link *link);
int socket_fd(const struct link *link, short *opening_events);
int64_t socket_wake(const struct link *link);

#endif

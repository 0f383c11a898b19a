// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "denied.h"
#include "link/backends.h"
#include "link/socket.h"

#define PREFIX "unix " /* how sentences start */

static int unix_open(struct link *link)
{
	const char *name = ((struct socket_link *)link)->name;
	int err;

	link->error[0] = '\0';
	err = socket_connect((struct socket_link *)link);
	return err == -EACCES ? link_fail_denied(link, EACCES, name, name + strlen(PREFIX)) : err;
}

static void unix_free(struct link *link)
{
	struct socket_link *socket = (struct socket_link *)link;

	socket_close(link);
	free(socket->name);
	free(socket);
}

static const struct link_ops unix_ops = {
	.name = "unix",
	.open = unix_open,
	.poll = socket_poll,
	.close = socket_close,
	.read = socket_read,
	.write = socket_write,
	.flush = socket_flush,
	.fd = socket_fd,
	.wake = socket_wake,
	.now = link_boottime,
	.free = unix_free,
};

static void set_address(struct socket_list *list, const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	memcpy(name.sun_path, path, strlen(path) + 1);
	memcpy(&list->address[0].name, &name, sizeof(name));
	list->address[0].size = sizeof(name);
	list->count = 1;
}

int unix_link_new(struct link **link, const char *target, const struct link_config *config,
		  char *reason, size_t size)
{
	struct socket_link *socket;
	char *path;

	(void)config;
	path = link_absolute_path(target);
	if (!path)
		return -ENOMEM;
	if (!*target || strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
		snprintf(reason, size, "unix:%s: give the path of a socket, at most %zu characters",
			 target, sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
		free(path);
		return -EINVAL;
	}
	socket = calloc(1, sizeof(*socket));
	if (!socket || asprintf(&socket->name, PREFIX "%s", path) < 0) {
		free(socket);
		free(path);
		return -ENOMEM;
	}
	socket->link.ops = &unix_ops;
	socket->fd = -1;
	set_address(&socket->list, path);
	free(path);
	*link = &socket->link;
	return 0;
}

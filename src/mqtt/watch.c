// SPDX-License-Identifier: LGPL-3.0-or-later
#include "mqtt/watch.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/*
 * The first three are made of one reply, so they cost the line one question; an error comes alone.
 * Cells do not move without the pack, and settings are read along with whatever moves. The state of
 * the line is there for a BMS that has none of the others.
 */
static const char *const files[WATCH_FILES] = {
	"pack/voltage", "pack/current", "pack/soc", "pack/error", "bus/state",
};

static const char *const attributes[] = { "name", "unit", "type", "min", "max", "category" };

void watch_init(struct watch *watch, const char *mount)
{
	watch->mount = mount;
	for (size_t i = 0; i < WATCH_FILES; i++)
		watch->fd[i] = -1;
}

static void close_file(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void watch_close(struct watch *watch)
{
	for (size_t i = 0; i < WATCH_FILES; i++)
		close_file(&watch->fd[i]);
}

/* False if the descriptor tells no value; that may be the BMS, or that its mount has ended. */
static bool read_again(int fd)
{
	char text[256];

	return fd >= 0 && pread(fd, text, sizeof(text), 0) >= 0;
}

static void arm_file(const struct watch *watch, const char *name, int *fd)
{
	char path[PATH_MAX];

	if (read_again(*fd))
		return;
	close_file(fd);
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", watch->mount, name) < sizeof(path))
		*fd = open(path, O_RDONLY | O_CLOEXEC);
	read_again(*fd);
}

void watch_arm(struct watch *watch)
{
	for (size_t i = 0; i < WATCH_FILES; i++)
		arm_file(watch, files[i], &watch->fd[i]);
}

nfds_t watch_fds(const struct watch *watch, struct pollfd fds[WATCH_FILES])
{
	nfds_t count = 0;

	for (size_t i = 0; i < WATCH_FILES; i++)
		if (watch->fd[i] >= 0)
			fds[count++] = (struct pollfd){ .fd = watch->fd[i], .events = POLLPRI };
	return count;
}

static void describe_attribute(json_t *entry, const char *path, const char *attribute)
{
	char name[32], text[256];
	ssize_t length;

	snprintf(name, sizeof(name), "user.bms.%s", attribute);
	length = getxattr(path, name, text, sizeof(text));
	if (length >= 0)
		json_object_set_new(entry, attribute, json_stringn(text, (size_t)length));
}

json_t *watch_describe(void *user, const char *name)
{
	const struct watch *watch = user;
	char path[PATH_MAX];
	struct stat stat_;
	json_t *entry;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", watch->mount, name) >= sizeof(path) ||
	    stat(path, &stat_) < 0)
		return NULL;
	entry = json_object();
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
		describe_attribute(entry, path, attributes[i]);
	if (stat_.st_mode & (S_IWUSR | S_IWGRP))
		json_object_set_new(entry, "writable", json_true());
	return entry;
}

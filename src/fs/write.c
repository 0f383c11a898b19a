// SPDX-License-Identifier: LGPL-3.0-or-later
/* Writes to open files: each is a write job of the device, and is logged. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "fs/session.h"

/* The name of the program that waits in write(2): it is still there. */
static void program_name(pid_t pid, char *name, size_t size)
{
	char path[32];
	ssize_t length = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0) {
		length = read(fd, name, size - 1);
		close(fd);
	}
	if (length > 0 && name[length - 1] == '\n')
		length--;
	name[length > 0 ? length : 0] = '\0';
	for (char *c = name; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

static void write_log(const struct parked *parked, int error)
{
	const struct fs *fs = parked->fs;
	const struct device_write *write = &parked->write;
	const struct fuse_ctx *who = fuse_req_ctx(parked->req);
	const char *after = write->after;
	char name[32], path[FS_PATH_MAX];

	program_name(who->pid, name, sizeof(name));
	forest_path(fs->forest, parked->ino, path, sizeof(path));
	if (error || !*after)
		after = write->setting.text;
	fs->config.log("uid %u pid %d (%s) set %s %s -> %s%s%s", (unsigned)who->uid, (int)who->pid,
		       *name ? name : "?", path, *write->before ? write->before : "?", after,
		       error ? " failed: " : "", error ? error_words(error) : "");
}

void write_abandon(struct parked *parked)
{
	if (device_write_cancel(parked->handle->branch->device, &parked->write)) {
		parked_fail(parked, -ENODEV);
		return;
	}
	write_log(parked, -ENODEV);
	reply_error(parked->req, parked->ino, -ENODEV);
	parked->req = NULL;
	parked->handle = NULL;
}

static void write_done(struct device_write *write, int error)
{
	struct parked *parked = write->user;

	if (!parked->req) {
		parked_free(parked);
		return;
	}
	write_log(parked, error);
	if (error) {
		parked_fail(parked, error);
		return;
	}
	answer_tell(parked->fs, parked->ino, "written");
	fuse_reply_write(parked->req, parked->size);
	parked_free(parked);
}

static void write_interrupted(fuse_req_t req, void *user)
{
	struct parked *parked = user;

	(void)req;
	if (!device_write_cancel(parked->handle->branch->device, &parked->write))
		return;
	write_log(parked, -EINTR);
	parked_fail(parked, -EINTR);
}

/* Not a value in one piece: the BMS is not told, and whoever wonders finds why in bus/last_error. */
static void refuse(fuse_req_t req, fuse_ino_t ino)
{
	const struct branch *branch = branch_of(fs_of(req), ino);
	char path[FS_PATH_MAX];

	tree_path(branch->tree, ino, path, sizeof(path));
	device_explain(branch->device, "%s: takes one value in one write", path);
	reply_error(req, ino, -EINVAL);
}

static void store(fuse_req_t req, fuse_ino_t ino, const char *text, size_t size,
		  const struct fuse_file_info *info)
{
	struct parked *parked = parked_new(req, ino, PARKED_WRITE, info);
	const struct branch *branch = handle_of(info)->branch;
	int error;

	if (!parked) {
		reply_error(req, ino, -ENOMEM);
		return;
	}
	parked->size = size;
	error = tree_accept(branch->tree, ino, text, size, &parked->write);
	if (error) {
		parked_fail(parked, error);
		return;
	}
	parked->write.done = write_done;
	parked->write.user = parked;
	device_write(branch->device, &parked->write);
	fuse_req_interrupt_func(req, write_interrupted, parked);
}

/*
 * The whole value comes in one write and its offset means nothing. But a program that goes on to
 * write at a later offset writes piece by piece, and its pieces are no values.
 */
void file_write(fuse_req_t req, fuse_ino_t ino, const char *text, size_t size, off_t offset,
		struct fuse_file_info *info)
{
	struct handle *handle = handle_of(info);
	bool goes_on = handle->written && offset && !(info->flags & O_APPEND);

	piece_tell(req, ino, "write", size, offset, "");
	if (size > FS_WRITE_MAX || goes_on || info->writepage) {
		refuse(req, ino);
	} else if (fuse_req_interrupted(req)) {
		reply_error(req, ino, -EINTR);
	} else {
		handle->written = true;
		store(req, ino, text, size, info);
	}
}

// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * Open files. Reading at offset 0 takes a snapshot that serves all later offsets; a request that
 * must wait for the device is parked, and answered exactly once: by the device, by an interrupt, or
 * because the server ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fs/session.h"
#include "link/holder.h"

#define ENDED       "the mount ended before the BMS answered"
#define INTERRUPTED "a signal ended the read; read the file again"
#define PAGE_CACHE  "sendfile(), splice() and mmap() tear values; use read()"

static void opened(fuse_req_t req, struct handle *handle, const struct fuse_file_info *info)
{
	answer_tell(handle->fs, handle->ino, "ok");
	/* The opener was killed meanwhile: there will be no release. */
	if (fuse_reply_open(req, info) == -ENOENT)
		handle_free(handle);
}

/* A process that closes such a handle waits for us, even in execve(2). */
static void count_flushed(struct fs *fs, int change)
{
	fs->flushed += change;
	holder_pause(fs->flushed);
}

void handle_free(struct handle *handle)
{
	struct fs *fs = handle->fs;

	TAILQ_REMOVE(&fs->handles, handle, entry);
	if (handle->flushed)
		count_flushed(fs, -1);
	if (handle->poll)
		fuse_pollhandle_destroy(handle->poll);
	free(handle->text);
	free(handle);
}

/* The kernel releases a file when its last request has been answered; be sure all the same. */
void file_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	struct handle *handle = handle_of(info);
	struct parked *parked, *next;

	request_tell(req, ino, "close", "");
	for (parked = TAILQ_FIRST(&fs->parked); parked; parked = next) {
		next = TAILQ_NEXT(parked, entry);
		if (parked->handle == handle)
			parked_abandon(parked);
	}
	held_drop(handle, "the process that opened the file did not close it; "
			  "write the value with a newline at its end");
	poll_end(handle);
	handle_free(handle);
	reply_error(req, ino, 0);
}

struct parked *parked_new(fuse_req_t req, uint64_t ino, enum parked_kind kind,
			  const struct fuse_file_info *info)
{
	struct parked *parked = calloc(1, sizeof(*parked));

	if (!parked)
		return NULL;
	parked->req = req;
	parked->kind = kind;
	parked->fs = fs_of(req);
	parked->ino = ino;
	parked->handle = handle_of(info);
	TAILQ_INSERT_TAIL(&parked->fs->parked, parked, entry);
	return parked;
}

void parked_free(struct parked *parked)
{
	TAILQ_REMOVE(&parked->fs->parked, parked, entry);
	free(parked);
}

static enum access parked_access(const struct parked *parked)
{
	switch (parked->kind) {
	case PARKED_OPEN:
	case PARKED_READ:
		return ACCESS_READ;
	case PARKED_WRITE:
	case PARKED_FLUSH:
		break;
	}
	return ACCESS_WRITE;
}

/*
 * Programs read all of class/, and most of it is not defined at some time: bus/last_error shows that
 * only if there is a reason behind it.
 */
static bool is_recorded(const struct handle *handle, enum access access, const char *reason)
{
	return access == ACCESS_WRITE || (!handle->about_mount && (*reason || !handle->patient));
}

void parked_fail(struct parked *parked, int error, const char *reason)
{
	enum access access = parked_access(parked);

	if (is_recorded(parked->handle, access, reason))
		failure_record(parked->fs, parked->ino, access, error, reason);
	reply_error(parked->req, parked->ino, error);
	/* A file that cannot be opened will not be released either. */
	if (parked->kind == PARKED_OPEN)
		handle_free(parked->handle);
	parked_free(parked);
}

void parked_abandon(struct parked *parked)
{
	if (!parked->req)
		return;
	if (parked->kind == PARKED_WRITE || parked->kind == PARKED_FLUSH) {
		write_abandon(parked);
		return;
	}
	device_query_cancel(parked->handle->branch->device, &parked->query);
	parked_fail(parked, -ENODEV, ENDED);
}

static void serve(fuse_req_t req, const struct handle *handle, size_t size, off_t offset)
{
	size_t start = (uint64_t)offset < handle->size ? (size_t)offset : handle->size;
	size_t left = handle->size - start;

	reply_text(req, handle->ino, handle->text + start, size < left ? size : left);
}

/* Keeps what a rendering gave, a length or an error, as what this file has read. Takes @text over. */
static int keep(struct handle *handle, char *text, ssize_t length)
{
	if (length < 0) {
		free(text);
		text = NULL;
	}
	free(handle->text);
	handle->text = text;
	handle->size = length < 0 ? 0 : (size_t)length;
	handle->error = length < 0 ? (int)length : 0;
	handle->rendered = true;
	handle->revision = tree_revision(handle->branch->tree, handle->ino);
	return handle->error;
}

/* Into a buffer that doubles until the text fits. */
static ssize_t render_long(const struct parked *parked, char **text)
{
	size_t size = sizeof(parked->fs->scratch);
	ssize_t length = -ENOSPC;

	while (length == -ENOSPC && size < TREE_TEXT_MAX) {
		size *= 2;
		free(*text);
		*text = malloc(size);
		if (!*text)
			return -ENOMEM;
		length = tree_render(parked->handle->branch->tree, parked->ino,
				     &parked->query.fresh, *text, size);
	}
	return length;
}

/* Makes *@text what the file shows now, for free(). Returns its length or an error. */
static ssize_t render(const struct parked *parked, char **text)
{
	struct fs *fs = parked->fs;
	ssize_t length = tree_render(parked->handle->branch->tree, parked->ino,
				     &parked->query.fresh, fs->scratch, sizeof(fs->scratch));

	if (length == -ENOSPC)
		return render_long(parked, text);
	if (length < 0)
		return length;
	/* One more, because malloc(0) may be NULL. */
	*text = malloc((size_t)length + 1);
	if (!*text)
		return -ENOMEM;
	memcpy(*text, fs->scratch, (size_t)length);
	return length;
}

static void read_answer(struct parked *parked)
{
	char *text = NULL;
	ssize_t length = render(parked, &text);
	int error = keep(parked->handle, text, length);
	char reason[TREE_REASON_MAX];

	if (error) {
		tree_reason(parked->handle->branch->tree, parked->ino, &parked->query.fresh, error,
			    reason, sizeof(reason));
		parked_fail(parked, error, reason);
		return;
	}
	forest_succeeded(parked->fs->forest, parked->ino, ACCESS_READ);
	if (parked->kind == PARKED_OPEN)
		opened(parked->req, parked->handle, &parked->info);
	else
		serve(parked->req, parked->handle, parked->size, parked->offset);
	parked_free(parked);
}

static void read_done(struct device_query *query)
{
	read_answer(query->user);
}

/* The transaction itself runs on to its end. */
static void read_interrupted(fuse_req_t req, void *user)
{
	struct parked *parked = user;

	(void)req;
	device_query_cancel(parked->handle->branch->device, &parked->query);
	parked_fail(parked, -EINTR, INTERRUPTED);
}

/* Asks the device for what a file is made of, and then read_answer(). */
static void ask(struct parked *parked, const struct fuse_file_info *info)
{
	const struct branch *branch = parked->handle->branch;

	parked->query = (struct device_query){
		.fresh = { .call = fs_now(parked->fs), .direct = info->flags & O_DIRECT },
		.done = read_done,
		.user = parked,
	};
	tree_needs(branch->tree, parked->ino, &parked->query.need);
	if (device_query(branch->device, &parked->query))
		read_answer(parked);
	else if (!parked->handle->patient)
		fuse_req_interrupt_func(parked->req, read_interrupted, parked);
}

static void snapshot(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		     const struct fuse_file_info *info)
{
	struct parked *parked = parked_new(req, ino, PARKED_READ, info);

	if (!parked) {
		reply_error(req, ino, -ENOMEM);
		return;
	}
	parked->size = size;
	parked->offset = offset;
	ask(parked, info);
}

static void open_long(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *info)
{
	struct parked *parked = parked_new(req, ino, PARKED_OPEN, info);

	if (!parked) {
		reply_error(req, ino, -ENOMEM);
		handle_free(handle_of(info));
		return;
	}
	parked->info = *info;
	parked->handle->lengthy = true;
	ask(parked, info);
}

void file_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	struct tree_stat stat;
	struct handle *handle = NULL;
	int error = forest_stat(fs->forest, ino, &stat);

	request_tell(req, ino, "open", "");
	/* The kernel's own check lets root pass. */
	if (!error && info->flags & (O_ACCMODE | O_TRUNC) && !(stat.mode & 0222))
		error = -EACCES;
	if (!error)
		handle = calloc(1, sizeof(*handle));
	if (!error && !handle)
		error = -ENOMEM;
	if (error == -EACCES) {
		reply_failure(req, ino, ACCESS_WRITE, error,
			      tree_read_only_reason(branch_of(fs, ino)->tree, ino));
		return;
	}
	if (error) {
		reply_error(req, ino, error);
		return;
	}
	handle->fs = fs;
	handle->branch = branch_of(fs, ino);
	handle->ino = ino;
	handle->patient = stat.patient;
	handle->about_mount = stat.about_mount;
	handle->held.opener = fuse_req_ctx(req)->pid;
	TAILQ_INSERT_TAIL(&fs->handles, handle, entry);
	info->fh = (uintptr_t)handle;
	info->direct_io = 1;
	info->noflush = (info->flags & O_ACCMODE) == O_RDONLY;
	handle->flushed = !info->noflush;
	if (handle->flushed)
		count_flushed(fs, 1);
	if (stat.kind == TREE_LONG)
		open_long(req, ino, info);
	else
		opened(req, handle, info);
}

static void refuse_read(fuse_req_t req, const struct handle *handle, int error, const char *reason)
{
	if (is_recorded(handle, ACCESS_READ, reason))
		failure_record(handle->fs, handle->ino, ACCESS_READ, error, reason);
	reply_error(req, handle->ino, error);
}

/*
 * A read without lock owner fills the page cache (sendfile, splice, mmap), where a text that
 * changes its length is torn; EINVAL makes those who ask fall back on read(2).
 */
void file_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	       struct fuse_file_info *info)
{
	const struct handle *handle = handle_of(info);

	piece_tell(req, ino, "read", size, offset,
		   info->lock_owner ? "" : " through the page cache");
	if (!info->lock_owner)
		refuse_read(req, handle, -EINVAL, PAGE_CACHE);
	else if (fuse_req_interrupted(req) && !handle->patient)
		refuse_read(req, handle, -EINTR, INTERRUPTED);
	else if (handle->lengthy || (offset > 0 && handle->rendered && !handle->error))
		serve(req, handle, size, offset);
	else
		snapshot(req, ino, size, offset, info);
}

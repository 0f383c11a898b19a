// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * poll(2) as in sysfs: a value file is always readable and writable, and has POLLPRI and POLLERR
 * once it differs from what this descriptor last read.
 *
 * Whoever polls for POLLPRI waits, and waiting keeps the value fresh: every ttl the device is
 * asked, then the kernel is told. It polls again if and only if somebody is still there. One waiter
 * speaks for all who need no more than he does, so that a thousand cost one question and one
 * notification every ttl; they take turns. When the one before has not come back, all are told, and
 * only those who are there wait on: however many went away, they cost two questions.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "fs/session.h"
#include "nsec.h"

#define PERIOD_MIN (100 * NSEC_PER_MSEC) /* with ttl 0 */
#define READY      (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM)

/* What was never asked for, or was forgotten since, is no change but nothing to compare with. */
static bool unknown(const struct device *device, const struct row_set *needs)
{
	const struct freshness any = { .call = 0 };
	const struct sample *sample;

	row_set_foreach (row, needs)
		if (device_sample(device, row, &any, &sample) == -ENODATA)
			return true;
	return false;
}

static bool changed(const struct handle *handle)
{
	const struct freshness any = { .call = 0 };
	struct fs *fs = handle->fs;
	uint32_t revision = tree_revision(handle->branch->tree, handle->ino);
	ssize_t length;

	if (!handle->rendered)
		return true;
	if (revision)
		return revision != handle->revision;
	if (unknown(handle->branch->device, &handle->needs))
		return false;
	length = tree_render(handle->branch->tree, handle->ino, &any, fs->scratch,
			     sizeof(fs->scratch));
	if (length < 0)
		return handle->error != length;
	return handle->error || handle->size != (size_t)length ||
	       memcmp(handle->text, fs->scratch, handle->size) != 0;
}

/* What reading takes away from the BMS is not read for somebody who waits only. */
static void refresh_needs(struct handle *handle)
{
	const struct instruction_table *table = device_table(handle->branch->device);

	tree_needs(handle->branch->tree, handle->ino, &handle->needs);
	row_set_foreach (row, &handle->needs)
		if (table->row[row].consuming)
			row_set_remove(&handle->needs, (unsigned)row);
}

static int64_t period(const struct handle *handle)
{
	const struct device *device = handle->branch->device;
	int64_t shortest = NSEC_NEVER;

	row_set_foreach (row, &handle->needs)
		shortest = nsec_min(shortest, device_ttl(device, row));
	if (shortest == NSEC_NEVER)
		shortest = device_config(device)->ttl;
	return shortest > PERIOD_MIN ? shortest : PERIOD_MIN;
}

static int64_t after(int64_t now, int64_t time)
{
	return time < NSEC_NEVER - now ? now + time : NSEC_NEVER;
}

/* Takes the handle off whichever list it is on. */
static void leave(struct handle *handle)
{
	if (handle->poll)
		TAILQ_REMOVE(&handle->fs->waiters, handle, waiting);
	else if (handle->told)
		TAILQ_REMOVE(&handle->fs->told, handle, waiting);
	handle->told = false;
}

static void wait_for(struct handle *handle, struct fuse_pollhandle *poll)
{
	struct fs *fs = handle->fs;

	if (handle->poll) {
		fuse_pollhandle_destroy(handle->poll);
	} else {
		leave(handle);
		handle->due = after(fs_now(fs), period(handle));
		fs->poll_due = nsec_min(fs->poll_due, handle->due);
		TAILQ_INSERT_TAIL(&fs->waiters, handle, waiting);
	}
	handle->poll = poll;
}

void poll_begin(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info,
		struct fuse_pollhandle *poll)
{
	struct handle *handle = handle_of(info);
	unsigned events = READY;

	request_tell(req, ino, "poll", info->poll_events & POLLPRI ? "for a change" : "");
	refresh_needs(handle);
	if (!handle->lengthy && changed(handle))
		events |= POLLPRI | POLLERR;
	if (poll && !handle->lengthy && info->poll_events & POLLPRI)
		wait_for(handle, poll);
	else if (poll)
		fuse_pollhandle_destroy(poll);
	answer_tell(handle->fs, ino, events & POLLPRI ? "changed" : "unchanged");
	fuse_reply_poll(req, events);
}

void poll_end(struct handle *handle)
{
	if (handle->asking)
		device_query_cancel(handle->branch->device, &handle->query);
	handle->asking = false;
	handle->asked = false;
	leave(handle);
	if (handle->poll)
		fuse_pollhandle_destroy(handle->poll);
	handle->poll = NULL;
}

/* He stays known until he comes back, closes the file, or is missed. */
static void tell(struct handle *handle)
{
	fuse_lowlevel_notify_poll(handle->poll);
	poll_end(handle);
	handle->told = true;
	TAILQ_INSERT_TAIL(&handle->fs->told, handle, waiting);
}

/* Whether asking for one answers the other, too. What is made of no rows is looked at by itself. */
static bool speaks_for(const struct handle *handle, const struct handle *other)
{
	return handle != other && handle->branch == other->branch &&
	       !row_set_empty(&other->needs) && row_set_contains(&handle->needs, &other->needs);
}

/* Nobody has to ask for what has just been asked for. */
static void put_off(const struct handle *handle)
{
	struct fs *fs = handle->fs;
	int64_t now = fs_now(fs);
	struct handle *other;

	TAILQ_FOREACH (other, &fs->waiters, waiting)
		if (speaks_for(handle, other))
			other->due = after(now, period(other));
}

/* Whether somebody was told and has not come back, and then he is forgotten. */
static bool misses(const struct handle *handle)
{
	struct handle *other, *next;
	bool missed = false;

	for (other = TAILQ_FIRST(&handle->fs->told); other; other = next) {
		next = TAILQ_NEXT(other, waiting);
		if (!speaks_for(handle, other))
			continue;
		leave(other);
		missed = true;
	}
	return missed;
}

static void tell_others(const struct handle *handle)
{
	struct handle *other;

	TAILQ_FOREACH (other, &handle->fs->waiters, waiting)
		if (speaks_for(handle, other) && !other->asking)
			other->asked = true;
}

static void poll_asked(struct device_query *query)
{
	struct handle *handle = query->user;

	handle->asking = false;
	handle->asked = true;
	handle->fs->poll_due = 0;
	put_off(handle);
}

static void ask(struct handle *handle)
{
	struct fs *fs = handle->fs;

	refresh_needs(handle);
	handle->query = (struct device_query){
		.fresh = { .call = fs_now(fs) },
		.need = handle->needs,
		.done = poll_asked,
		.user = handle,
	};
	handle->asked = row_set_empty(&handle->needs) || changed(handle) ||
			device_query(handle->branch->device, &handle->query);
	handle->asking = !handle->asked;
	fs->submitted |= handle->asking;
	if (misses(handle))
		tell_others(handle);
	else
		put_off(handle);
}

static int64_t next_due(const struct fs *fs)
{
	int64_t due = NSEC_NEVER;
	const struct handle *handle;

	TAILQ_FOREACH (handle, &fs->waiters, waiting)
		if (!handle->asking)
			due = nsec_min(due, handle->due);
	return due;
}

void poll_run(struct fs *fs)
{
	int64_t now = fs_now(fs);
	struct handle *handle, *next;

	TAILQ_FOREACH (handle, &fs->waiters, waiting) {
		if (!handle->asking && !handle->asked && handle->due <= now)
			ask(handle);
		/* Those he speaks for may see a change, too, for time has passed. */
		if (handle->asked)
			row_set_join(&handle->branch->dirty, &handle->needs);
	}
	for (handle = TAILQ_FIRST(&fs->waiters); handle; handle = next) {
		next = TAILQ_NEXT(handle, waiting);
		if (!handle->asked && row_set_meets(&handle->needs, &handle->branch->dirty))
			handle->asked = changed(handle);
		if (handle->asked)
			tell(handle);
	}
	fs->poll_due = next_due(fs);
}

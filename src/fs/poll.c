// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * poll(2) as in sysfs: a value file is always readable and writable, and has POLLPRI and POLLERR
 * once it differs from what this descriptor last read.
 *
 * Whoever polls for POLLPRI waits, and waiting keeps the value fresh: every ttl the device is
 * asked, then the kernel is told and the handle waits no more. The kernel polls again if and only
 * if somebody is still there, so that a waiter who went away costs one question and one
 * notification.
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
	ssize_t length;

	if (!handle->rendered)
		return true;
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
	for (unsigned row = 0; row < table->rows; row++)
		if (table->row[row].consuming)
			row_set_remove(&handle->needs, row);
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

static void wait_for(struct handle *handle, struct fuse_pollhandle *poll)
{
	struct fs *fs = handle->fs;

	if (handle->poll) {
		fuse_pollhandle_destroy(handle->poll);
	} else {
		handle->due = after(fs_now(fs), period(handle));
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
	struct fs *fs = handle->fs;

	if (!handle->poll)
		return;
	if (handle->asking)
		device_query_cancel(handle->branch->device, &handle->query);
	handle->asking = false;
	handle->asked = false;
	fuse_pollhandle_destroy(handle->poll);
	handle->poll = NULL;
	TAILQ_REMOVE(&fs->waiters, handle, waiting);
}

static void poll_asked(struct device_query *query)
{
	struct handle *handle = query->user;

	handle->asking = false;
	handle->asked = true;
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
}

void poll_run(struct fs *fs)
{
	int64_t now = fs_now(fs);
	struct handle *handle, *next;

	for (handle = TAILQ_FIRST(&fs->waiters); handle; handle = next) {
		next = TAILQ_NEXT(handle, waiting);
		if (!handle->asking && !handle->asked && handle->due <= now)
			ask(handle);
		if (!handle->asked && row_set_meets(&handle->needs, &handle->branch->dirty))
			handle->asked = changed(handle);
		if (!handle->asked)
			continue;
		fuse_lowlevel_notify_poll(handle->poll);
		poll_end(handle);
	}
}

int64_t poll_wake(const struct fs *fs)
{
	int64_t wake = NSEC_NEVER;
	const struct handle *handle;

	TAILQ_FOREACH (handle, &fs->waiters, waiting) {
		if (handle->asked)
			return fs_now(fs);
		if (!handle->asking)
			wake = nsec_min(wake, handle->due);
	}
	return wake;
}

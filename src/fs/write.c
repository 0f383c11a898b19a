// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * Writes are whole or nothing. A value that ends with a newline is set by the write() that brings the
 * newline. A value without a newline is checked, held, and set when the process that opened the file
 * closes it. Any other way to write spends the handle, which then takes no more text.
 *
 *	request   condition                                     effect
 *	WRITE     the handle is spent                           the error that spent it, or EINVAL
 *	WRITE     not behind the text held (O_APPEND: anywhere) EINVAL, spent
 *	WRITE     the text held and the data end with a newline the write job; nothing is held
 *	WRITE     nothing held, and a value of this setting     held
 *	WRITE     any other piece                               EINVAL, ERANGE or EACCES; spent
 *	FLUSH     nothing held                                  none
 *	FLUSH     by a process that a signal ends               dropped, spent
 *	FLUSH     by another process than the opener            none
 *	FLUSH     by the opener                                 the write job; spent
 *	RELEASE   text held                                     dropped
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/session.h"

static const char in_pieces[] =
	"the value came in pieces; write the value and its newline with one write()";
static const char not_at_start[] =
	"a value must be written at offset 0; open the file again or seek to its start";
static const char unseen[] =
	"the process of the writer cannot be seen; write the value with a newline at its end";
static const char ended[] = "the mount ended before the value was set";
static const char interrupted[] = "a signal came before anything was sent; write the value again";

static void write_log(const struct parked *parked, int error)
{
	const struct fs *fs = parked->fs;
	const struct device_write *write = &parked->write;
	const struct fuse_ctx *who = fuse_req_ctx(parked->req);
	const char *after = write->after;
	char name[32], path[FOREST_PATH_MAX];

	caller_name(who->pid, name, sizeof(name));
	forest_path(fs->forest, parked->ino, path, sizeof(path));
	if (error || !*after)
		after = write->setting.text;
	fs->config.log("uid %u pid %d (%s) set %s %s -> %s%s%s", (unsigned)who->uid, (int)who->pid,
		       *name ? name : "?", path, *write->before ? write->before : "?", after,
		       error ? " failed: " : "", error ? error_words(error, write->reason) : "");
}

void write_abandon(struct parked *parked)
{
	bool withdrawn = device_write_cancel(parked->handle->branch->device, &parked->write);

	write_explain(&parked->write, "%s", ended);
	write_log(parked, -ENODEV);
	if (withdrawn) {
		parked_fail(parked, -ENODEV, ended);
		return;
	}
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
		parked_fail(parked, error, write->reason);
		return;
	}
	forest_succeeded(parked->fs->forest, parked->ino, ACCESS_WRITE);
	answer_tell(parked->fs, parked->ino, "written");
	if (parked->completes)
		parked->handle->held.spent = 0;
	if (parked->kind == PARKED_FLUSH)
		fuse_reply_err(parked->req, 0);
	else
		fuse_reply_write(parked->req, parked->size);
	parked_free(parked);
}

static void write_interrupted(fuse_req_t req, void *user)
{
	struct parked *parked = user;

	(void)req;
	if (!device_write_cancel(parked->handle->branch->device, &parked->write))
		return;
	write_explain(&parked->write, "%s", interrupted);
	write_log(parked, -EINTR);
	parked_fail(parked, -EINTR, interrupted);
}

/* Checks @text and starts the write job, whose result answers the request. */
static void store(struct parked *parked, const char *text, size_t size)
{
	const struct branch *branch = parked->handle->branch;
	struct device_write *write = &parked->write;
	int err = tree_accept(branch->tree, parked->ino, text, size, write);

	if (!err && fuse_req_interrupted(parked->req)) {
		write_explain(write, "%s", interrupted);
		err = -EINTR;
	}
	if (err) {
		/* Many programs do not look at the result of close(). */
		if (parked->kind == PARKED_FLUSH) {
			snprintf(write->setting.text, sizeof(write->setting.text), "%.*s",
				 (int)size, text);
			write_log(parked, err);
		}
		parked_fail(parked, err, write->reason);
		return;
	}
	write->done = write_done;
	write->user = parked;
	device_write(branch->device, write);
	fuse_req_interrupt_func(parked->req, write_interrupted, parked);
}

/* Takes no more text: any further piece gets @err. */
static void spend(struct held *held, int err, bool told)
{
	held->size = 0;
	held->spent = err;
	held->told = told;
}

/*
 * Refuses a piece, and with it whatever is still to be written to this handle. @reason is NULL if
 * bus/last_error has had it. The next piece gets the same error: a program that writes its buffer
 * once more in close(), as Python does, reports the last one.
 */
static void refuse(fuse_req_t req, struct handle *handle, int err, const char *reason)
{
	spend(&handle->held, err, true);
	if (reason)
		reply_failure(req, handle->ino, ACCESS_WRITE, err, reason);
	else
		reply_error(req, handle->ino, err);
}

/* The newline is there: sets the text held and @text. If that fails, no part is left to be set. */
static void finish_line(fuse_req_t req, const char *text, size_t size,
			const struct fuse_file_info *info)
{
	struct handle *handle = handle_of(info);
	struct held *held = &handle->held;
	struct parked *parked = parked_new(req, handle->ino, PARKED_WRITE, info);
	char *line = handle->fs->scratch;
	size_t before = held->size;

	spend(held, before ? -EINVAL : 0, false);
	if (!parked) {
		reply_failure(req, handle->ino, ACCESS_WRITE, -ENOMEM, "");
		return;
	}
	parked->size = size;
	parked->completes = before;
	memcpy(line, held->text, before);
	memcpy(line + before, text, size);
	store(parked, line, before + size);
}

static void hold(fuse_req_t req, struct handle *handle, const char *text, size_t size)
{
	struct held *held = &handle->held;
	struct device_write checked;
	int err = tree_accept(handle->branch->tree, handle->ino, text, size, &checked);

	if (!err && size > sizeof(held->text))
		err = -EINVAL;
	if (err) {
		refuse(req, handle, err, checked.reason);
		return;
	}
	held->process = caller_process(held->opener);
	if (!held->process) {
		refuse(req, handle, -EINVAL, unseen);
		return;
	}
	memcpy(held->text, text, size);
	held->size = size;
	answer_tell(handle->fs, handle->ino, "held");
	fuse_reply_write(req, size);
}

void file_write(fuse_req_t req, fuse_ino_t ino, const char *text, size_t size, off_t offset,
		struct fuse_file_info *info)
{
	struct handle *handle = handle_of(info);
	struct held *held = &handle->held;
	bool in_place = (uint64_t)offset == held->size || info->flags & O_APPEND;

	piece_tell(req, ino, "write", size, offset, "");
	if (held->spent)
		refuse(req, handle, held->spent, held->told ? NULL : in_pieces);
	else if (info->writepage)
		refuse(req, handle, -EINVAL, in_pieces);
	else if (!in_place)
		refuse(req, handle, -EINVAL, held->size ? in_pieces : not_at_start);
	else if (size && text[size - 1] == '\n')
		finish_line(req, text, size, info);
	else if (held->size)
		refuse(req, handle, -EINVAL, in_pieces);
	else
		hold(req, handle, text, size);
}

void held_drop(struct handle *handle, const char *why)
{
	struct held *held = &handle->held;
	char name[32], path[FOREST_PATH_MAX], reason[BUS_REASON_MAX];

	if (!held->size)
		return;
	snprintf(reason, sizeof(reason), "%.*s was dropped because %s", (int)held->size, held->text,
		 why);
	failure_record(handle->fs, handle->ino, ACCESS_WRITE, -EINTR, reason);
	caller_name(held->process, name, sizeof(name));
	forest_path(handle->fs->forest, handle->ino, path, sizeof(path));
	handle->fs->config.log("pid %d (%s): %s: %s", (int)held->process, *name ? name : "?", path,
			       reason);
	spend(held, -EINVAL, true);
}

/* The last chance to set the text held: close() has the result. */
static void finish_text(fuse_req_t req, const struct fuse_file_info *info)
{
	struct handle *handle = handle_of(info);
	struct held *held = &handle->held;
	struct parked *parked = parked_new(req, handle->ino, PARKED_FLUSH, info);
	size_t size = held->size;

	if (!parked) {
		held_drop(handle, "memory is short; write it again");
		reply_error(req, handle->ino, -ENOMEM);
		return;
	}
	spend(held, -EINVAL, false);
	store(parked, held->text, size);
}

void file_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct handle *handle = handle_of(info);
	const struct held *held = &handle->held;
	pid_t thread = fuse_req_ctx(req)->pid;
	bool by_opener;
	int killed;

	request_tell(req, ino, "flush", "");
	if (!held->size) {
		reply_error(req, ino, 0);
		return;
	}
	/* A program that is killed may have been about to write more, also if another opened the file. */
	by_opener = caller_is_of(thread, held->process);
	killed = caller_was_killed(thread, by_opener ? held->process : caller_process(thread));
	if (killed <= 0 && !by_opener) {
		reply_error(req, ino, 0);
		return;
	}
	if (!killed) {
		finish_text(req, info);
		return;
	}
	held_drop(handle,
		  killed > 0 ? "the program was killed before it closed the file; write it again"
			     : unseen);
	reply_error(req, ino, killed > 0 ? 0 : -EINVAL);
}

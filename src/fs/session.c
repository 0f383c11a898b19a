// SPDX-License-Identifier: LGPL-3.0-or-later
#include "fs/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fs/mount.h"

#define RECEIVE_MAX 64 /* requests of one fs_receive() */

#if defined(__SANITIZE_ADDRESS__)
#define LEAKS_ARE_SOUGHT 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEAKS_ARE_SOUGHT 1
#endif
#endif

#ifdef LEAKS_ARE_SOUGHT
const char *__lsan_default_suppressions(void);

/* See fs_free(). */
const char *__lsan_default_suppressions(void)
{
	return "leak:fuse_session_mount\n";
}
#endif

/* libfuse's logger has no room for a pointer of ours. */
static void (*library_log)(const char *format, ...);

__attribute__((format(printf, 2, 0))) static void log_library(enum fuse_log_level level,
							      const char *format, va_list arguments)
{
	char line[256];

	(void)level;
	vsnprintf(line, sizeof(line), format, arguments);
	line[strcspn(line, "\n")] = '\0';
	library_log("%s", line);
}

/* Adds "-o OPTIONS"; fuse_opt_add_opt_escaped() has been applied where commas may occur. */
static int add_options(struct fuse_args *args, const char *options)
{
	if (!*options)
		return 0;
	return fuse_opt_add_arg(args, "-o") || fuse_opt_add_arg(args, options) ? -ENOMEM : 0;
}

static int add_source(struct fuse_args *args, const char *source)
{
	size_t size = strlen("fsname=") + strlen(source) + 1;
	char *option = malloc(size), *escaped = NULL;
	int error = -ENOMEM;

	if (!option)
		return -ENOMEM;
	snprintf(option, size, "fsname=%s", source);
	if (!fuse_opt_add_opt_escaped(&escaped, option))
		error = add_options(args, escaped);
	free(escaped);
	free(option);
	return error;
}

static int add_all(struct fuse_args *args, const struct fs_config *config)
{
	int error = fuse_opt_add_arg(args, "bmsfs") ? -ENOMEM : 0;

	if (!error)
		error = add_source(args, config->source);
	if (!error)
		error = add_options(args, "subtype=bmsfs,default_permissions");
	if (!error && config->allow_other)
		error = add_options(args, "allow_other");
	if (!error && config->read_only)
		error = add_options(args, "ro");
	if (!error)
		error = add_options(args, config->options);
	return error;
}

static int session_mount(struct fs *fs, const char *mountpoint)
{
	errno = 0;
	if (fuse_session_mount(fs->session, mountpoint))
		return errno ? -errno : -EIO;
	if (fcntl(fuse_session_fd(fs->session), F_SETFL, O_NONBLOCK)) {
		int error = -errno;

		mount_detach(mountpoint, NULL);
		return error;
	}
	return 0;
}

int fs_mount(struct fs **made, const struct fs_config *config, const char *mountpoint)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fs *fs = calloc(1, sizeof(*fs));
	int error = -ENOMEM;

	if (!fs)
		return -ENOMEM;
	fs->config = *config;
	TAILQ_INIT(&fs->handles);
	TAILQ_INIT(&fs->waiters);
	TAILQ_INIT(&fs->parked);
	library_log = config->log;
	fuse_set_log_func(log_library);

	error = add_all(&args, config);
	if (error)
		goto out_free;
	fs->session = fuse_session_new(&args, &fs_ops, sizeof(fs_ops), fs);
	error = fs->session ? session_mount(fs, mountpoint) : -EINVAL;
	if (error)
		goto out_free;
	clock_gettime(CLOCK_REALTIME, &fs->mounted);
	fuse_opt_free_args(&args);
	*made = fs;
	return 0;

out_free:
	fuse_opt_free_args(&args);
	fs_free(fs);
	return error;
}

static void on_sampled(void *user, unsigned row)
{
	struct fs *fs = user;

	row_set_add(&fs->dirty, row);
}

static void on_reshaped(void *user)
{
	struct fs *fs = user;

	fs->reshaped = true;
}

static void on_wrote(void *user, const struct device_write *write, int error)
{
	(void)error;
	on_sampled(user, write->row);
}

int fs_attach(struct fs *fs, struct device *device, struct tree *tree)
{
	static const struct device_observer observer = {
		.sampled = on_sampled,
		.reshaped = on_reshaped,
		.wrote = on_wrote,
	};

	fs->device = device;
	fs->tree = tree;
	device_observe(device, &observer, fs);
	return 0;
}

int fs_fd(const struct fs *fs)
{
	return fuse_session_fd(fs->session);
}

int fs_receive(struct fs *fs)
{
	for (unsigned i = 0; i < RECEIVE_MAX; i++) {
		int received = fuse_session_receive_buf(fs->session, &fs->buffer);

		if (received == -EAGAIN)
			return 0;
		if (received == -EINTR)
			continue;
		if (received <= 0)
			return received ? received : -ENODEV;
		fuse_session_process_buf(fs->session, &fs->buffer);
	}
	return 0;
}

bool fs_ready(const struct fs *fs)
{
	return fs->ready;
}

void fs_run(struct fs *fs)
{
	fs->submitted = false;
	attr_notify(fs);
	poll_run(fs);
	fs->dirty = (struct row_set){ 0 };
	fs->reshaped = false;
}

int64_t fs_wake(const struct fs *fs)
{
	if (fs->submitted || fs->reshaped || !row_set_empty(&fs->dirty))
		return fs_now(fs);
	return poll_wake(fs);
}

void fs_stop(struct fs *fs)
{
	struct parked *parked, *next;

	for (parked = TAILQ_FIRST(&fs->parked); parked; parked = next) {
		next = TAILQ_NEXT(parked, entry);
		parked_abandon(parked);
	}
	while (!TAILQ_EMPTY(&fs->waiters))
		poll_end(TAILQ_FIRST(&fs->waiters));
}

/*
 * fuse_session_destroy() closes the descriptor and unmounts nothing. fuse_session_unmount() would,
 * and by the name of the place, whatever is mounted there by now; so it is not called, and the copy
 * of the mount point that libfuse keeps is lost with the session.
 */
void fs_free(struct fs *fs)
{
	if (!fs)
		return;
	while (!TAILQ_EMPTY(&fs->handles))
		handle_free(TAILQ_FIRST(&fs->handles));
	while (!TAILQ_EMPTY(&fs->parked)) {
		struct parked *parked = TAILQ_FIRST(&fs->parked);

		TAILQ_REMOVE(&fs->parked, parked, entry);
		free(parked);
	}
	if (fs->session)
		fuse_session_destroy(fs->session);
	free(fs->buffer.mem);
	free(fs);
}

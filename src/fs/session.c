// SPDX-License-Identifier: LGPL-3.0-or-later
#include "fs/session.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fuse.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "fs/mount.h"
#include "nsec.h"

#define RECEIVE_MAX 64 /* requests of one fs_receive() */
#define SEND_TRIES  3

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
	if (!error && config->labels)
		error = add_options(args, config->labels);
	return error;
}

/*
 * ECONNABORTED: the mount went while the kernel handed a request over. That is no other end. Failures
 * are kept from libfuse, which prints them past our log, even on a stderr that nobody reads.
 */
static ssize_t receive_message(int fd, void *bytes, size_t size, void *user)
{
	struct fs *fs = user;
	ssize_t got = read(fd, bytes, size);

	if (got < 0 && errno == ECONNABORTED)
		errno = ENODEV;
	if (got >= 0 || errno == ENODEV || errno == ENOENT || errno == EINTR || errno == EAGAIN)
		return got;
	fs->broken = -errno;
	errno = EAGAIN;
	return -1;
}

/*
 * Whatever the kernel is told. ENOENT is no failure: nobody waits for it any more. Any other leaves a
 * caller waiting for an answer that libfuse cannot give again, so when trying again does not help,
 * the connection is given up, and the kernel answers all.
 */
static ssize_t send_message(int fd, struct iovec *part, int parts, void *user)
{
	const struct fuse_out_header *header = part->iov_base;
	struct fs *fs = user;

	/* Of a kernel that was not welcomed nobody gets through any more. */
	if (header->error && !fs->ready)
		fs->broken = header->error;
	for (unsigned i = 0; i < SEND_TRIES; i++) {
		ssize_t sent = writev(fd, part, parts);

		if (sent >= 0 || errno == ENOENT)
			return sent;
	}
	fs->broken = -errno;
	errno = ENOENT;
	return -1;
}

static int session_prepare(struct fs *fs)
{
	static const struct fuse_custom_io io = {
		.read = receive_message,
		.writev = send_message,
	};
	int fd = fuse_session_fd(fs->session);

	if (fcntl(fd, F_SETFL, O_NONBLOCK))
		return -errno;
	return fuse_session_custom_io(fs->session, &io, fd) ? -ENOMEM : 0;
}

static int session_mount(struct fs *fs, const char *mountpoint)
{
	struct mount_id id;
	int error;

	errno = 0;
	if (fuse_session_mount(fs->session, mountpoint))
		return errno ? -errno : -EIO;
	error = session_prepare(fs);
	if (error && !mount_identify(mountpoint, &id))
		mount_detach(&id);
	return error;
}

int fs_mount(struct fs **made, const struct fs_config *config, const char *mountpoint)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fs *fs = calloc(1, sizeof(*fs));
	int error = -ENOMEM;

	if (!fs)
		goto out_log;
	fs->config = *config;
	TAILQ_INIT(&fs->handles);
	TAILQ_INIT(&fs->waiters);
	TAILQ_INIT(&fs->told);
	TAILQ_INIT(&fs->parked);
	library_log = config->log;
	fuse_set_log_func(log_library);

	error = add_all(&args, config);
	if (error)
		goto out_free;
	errno = 0;
	fs->session = fuse_session_new(&args, &fs_ops, sizeof(fs_ops), fs);
	error = fs->session ? session_mount(fs, mountpoint) : errno ? -errno : -EINVAL;
	if (error)
		goto out_free;
	fuse_opt_free_args(&args);
	*made = fs;
	return 0;

out_free:
	fuse_opt_free_args(&args);
	fs_free(fs);
out_log:
	/* Of most failures libfuse has told more, of some nothing. */
	config->log("%s: cannot be mounted on: %s", mountpoint, strerror(-error));
	return error;
}

static void on_sampled(void *user, unsigned row)
{
	struct branch *branch = user;

	row_set_add(&branch->dirty, row);
}

static void on_reshaped(void *user)
{
	struct branch *branch = user;

	branch->reshaped = true;
}

static void on_wrote(void *user, const struct device_write *write, int error)
{
	(void)error;
	on_sampled(user, write->row);
}

void fs_attach(struct fs *fs, struct forest *forest)
{
	static const struct device_observer observer = {
		.sampled = on_sampled,
		.reshaped = on_reshaped,
		.wrote = on_wrote,
	};

	fs->forest = forest;
	for (unsigned i = 0; i < forest_count(forest); i++) {
		struct branch *branch = &fs->branch[i];

		branch->tree = forest_tree(forest, i);
		branch->device = tree_device(branch->tree);
		device_observe(branch->device, &observer, branch);
	}
	fs->mounted = fs_now(fs);
	/* The kernel has no times of ours yet. */
	attr_check_clock(fs);
	fs->refreshes = 0;
	fs->refresh_due = NSEC_NEVER;
}

/* Of a number that no descriptor has, poll(2) says at once that something is the matter. */
int fs_fd(const struct fs *fs)
{
	return fs->broken ? INT_MAX : fuse_session_fd(fs->session);
}

int fs_receive(struct fs *fs)
{
	for (unsigned i = 0; i < RECEIVE_MAX && !fs->broken; i++) {
		int received = fuse_session_receive_buf(fs->session, &fs->buffer);

		if (received == -EAGAIN)
			break;
		if (received == -EINTR)
			continue;
		if (received <= 0)
			return received ? received : -ENODEV;
		fuse_session_process_buf(fs->session, &fs->buffer);
	}
	return fs->broken;
}

bool fs_ready(const struct fs *fs)
{
	return fs->ready;
}

/* Whether something was sampled, or changed its shape, since the last fs_run(). */
static bool has_news(const struct fs *fs)
{
	for (unsigned i = 0; i < forest_count(fs->forest); i++)
		if (fs->branch[i].reshaped || !row_set_empty(&fs->branch[i].dirty))
			return true;
	return false;
}

void fs_clock_was_set(struct fs *fs)
{
	attr_check_clock(fs);
}

void fs_run(struct fs *fs)
{
	bool news = has_news(fs);

	fs->submitted = false;
	if (fs->refresh_due <= fs_now(fs))
		attr_refresh(fs);
	if (news)
		attr_notify(fs);
	if (news || fs->poll_due <= fs_now(fs))
		poll_run(fs);
	for (unsigned i = 0; i < forest_count(fs->forest); i++) {
		fs->branch[i].dirty = (struct row_set){ 0 };
		fs->branch[i].reshaped = false;
	}
}

int64_t fs_wake(const struct fs *fs)
{
	if (fs->submitted || has_news(fs))
		return fs_now(fs);
	return nsec_min(fs->poll_due, fs->refresh_due);
}

void fs_stop(struct fs *fs)
{
	struct parked *parked, *next;
	struct handle *handle;

	for (parked = TAILQ_FIRST(&fs->parked); parked; parked = next) {
		next = TAILQ_NEXT(parked, entry);
		parked_abandon(parked);
	}
	TAILQ_FOREACH (handle, &fs->handles, entry)
		held_drop(handle, "the mount ended before the file was closed; write it again");
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

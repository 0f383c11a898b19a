// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * Load on a mount, by one process: load [-n COUNT] [-m MODE] FILE=TEXT[|TEXT]...
 *
 * Deals with the files in turn until COUNT calls are done, SIGTERM comes, or the mount has gone. A
 * file may show only the texts given for it, whole; MODE says how it is read. The mode "write" sets
 * the texts in turn, and after a write that succeeded the file must show just that. Prints one line
 * of NAME=NUMBER: calls, wrong, changes (how often a file showed another text than the last time),
 * slowest_ms, and each errno that occurred. Exits 1 if anything was wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX 16
#define TEXTS_MAX 8
#define ERRNO_MAX 200
#define POLL_ms   1000
#define RETRY_us  20000 /* a failure is shared, and comes at once to who asks again at once */

struct file {
	const char *path;
	const char *text[TEXTS_MAX];
	unsigned texts, next;
	int last; /* which text it showed, -1 before the first */
	int fd;   /* of the modes that keep it open, else -1 */
};

struct load {
	struct file file[FILES_MAX];
	unsigned files;
	uint64_t calls, wrong, changes, wanted;
	int64_t slowest_us;
	uint64_t error[ERRNO_MAX];
	bool gone;
};

/* How a file is read: the bytes got, or -errno. */
struct mode {
	const char *name;
	ssize_t (*read)(struct file *file, char *text, size_t size);
};

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

static int64_t now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * INT64_C(1000000) + time.tv_nsec / 1000;
}

/* Reads on to the end in pieces of @piece bytes. */
static ssize_t read_pieces(int fd, char *text, size_t size, size_t piece)
{
	size_t done = 0;

	while (done < size) {
		size_t room = size - done;
		ssize_t got = read(fd, text + done, piece < room ? piece : room);

		if (got < 0)
			return -errno;
		if (!got)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

static ssize_t read_anew(struct file *file, char *text, size_t size, size_t piece, int flags)
{
	int fd = open(file->path, O_RDONLY | O_CLOEXEC | flags);
	ssize_t got;

	if (fd < 0)
		return -errno;
	got = read_pieces(fd, text, size, piece);
	close(fd);
	return got;
}

static ssize_t mode_read(struct file *file, char *text, size_t size)
{
	return read_anew(file, text, size, size, 0);
}

static ssize_t mode_pieces(struct file *file, char *text, size_t size)
{
	return read_anew(file, text, size, 3, 0);
}

static ssize_t mode_direct(struct file *file, char *text, size_t size)
{
	return read_anew(file, text, size, size, O_DIRECT);
}

static int keep_open(struct file *file)
{
	if (file->fd < 0)
		file->fd = open(file->path, O_RDONLY | O_CLOEXEC);
	return file->fd < 0 ? -errno : 0;
}

static ssize_t mode_pread(struct file *file, char *text, size_t size)
{
	int error = keep_open(file);
	ssize_t got;

	if (error)
		return error;
	got = pread(file->fd, text, size, 0);
	return got < 0 ? -errno : got;
}

/* As busybox cat: tries to let the kernel copy, which must be refused, and reads. */
static ssize_t mode_sendfile(struct file *file, char *text, size_t size)
{
	int fd = open(file->path, O_RDONLY | O_CLOEXEC), pipe_fd[2];
	ssize_t got;

	if (fd < 0)
		return -errno;
	if (pipe2(pipe_fd, O_CLOEXEC)) {
		close(fd);
		return -errno;
	}
	got = sendfile(pipe_fd[1], fd, NULL, size);
	if (got > 0)
		got = read(pipe_fd[0], text, size);
	else
		got = got < 0 && errno == EINVAL ? read_pieces(fd, text, size, size) : -EPROTO;
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	close(fd);
	return got;
}

/* Waits for a change as one does in sysfs, and reads it. */
static ssize_t mode_poll(struct file *file, char *text, size_t size)
{
	struct pollfd wait = { .events = POLLPRI };
	int error = keep_open(file);

	if (error)
		return error;
	wait.fd = file->fd;
	poll(&wait, 1, POLL_ms);
	return mode_pread(file, text, size);
}

static const struct mode modes[] = {
	{ "read", mode_read },     { "pread", mode_pread },       { "pieces", mode_pieces },
	{ "direct", mode_direct }, { "sendfile", mode_sendfile }, { "poll", mode_poll },
};

static const struct mode *find_mode(const char *name)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(name, modes[i].name))
			return &modes[i];
	return NULL;
}

static int take_file(struct load *load, char *argument)
{
	char *texts = strrchr(argument, '='), *text;
	struct file *file = &load->file[load->files];

	if (!texts || load->files == FILES_MAX)
		return -EINVAL;
	*texts++ = '\0';
	*file = (struct file){ .path = argument, .last = -1, .fd = -1 };
	while ((text = strsep(&texts, "|")))
		if (file->texts < TEXTS_MAX)
			file->text[file->texts++] = text;
	load->files++;
	return 0;
}

/* Which of the texts it is, all of it and the newline, or -1. */
static int find_text(const struct file *file, const char *text, size_t size)
{
	for (unsigned i = 0; i < file->texts; i++)
		if (size == strlen(file->text[i]) + 1 && text[size - 1] == '\n' &&
		    !memcmp(text, file->text[i], size - 1))
			return (int)i;
	return -1;
}

static void count_error(struct load *load, struct file *file, int error)
{
	/* The signal that ends us also ends the call that waits. */
	if (error != EINTR || !ended)
		load->error[error < ERRNO_MAX ? error : 0]++;
	if (error == ENOTCONN || error == ECONNABORTED || error == ENOENT)
		load->gone = true;
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	usleep(RETRY_us);
}

static void report_wrong(struct load *load, const struct file *file, const char *text, ssize_t size)
{
	load->wrong++;
	fprintf(stderr, "load: %s: %zd bytes \"%.*s\"\n", file->path, size, (int)size, text);
}

static void read_once(struct load *load, const struct mode *mode, struct file *file)
{
	char text[4096];
	ssize_t size = mode->read(file, text, sizeof(text));
	int which;

	if (size < 0) {
		count_error(load, file, (int)-size);
		return;
	}
	which = find_text(file, text, (size_t)size);
	if (which < 0)
		report_wrong(load, file, text, size);
	else if (file->last >= 0 && which != file->last)
		load->changes++;
	file->last = which;
}

static int write_text(const struct file *file, const char *text)
{
	int fd = open(file->path, O_WRONLY | O_CLOEXEC), error = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		error = errno;
	/* A value without a newline is set here. */
	if (close(fd) < 0 && !error)
		error = errno;
	return error;
}

static void write_once(struct load *load, struct file *file)
{
	int next = (int)(file->next++ % file->texts), error = write_text(file, file->text[next]);
	char text[4096];
	ssize_t size;

	if (error) {
		count_error(load, file, error);
		return;
	}
	load->changes++;
	size = mode_direct(file, text, sizeof(text));
	if (size < 0)
		count_error(load, file, (int)-size);
	else if (find_text(file, text, (size_t)size) != next)
		report_wrong(load, file, text, size);
}

static void run(struct load *load, const struct mode *mode)
{
	while (!ended && !load->gone && load->calls < load->wanted) {
		struct file *file = &load->file[load->calls % load->files];
		int64_t start = now_us(), took;

		if (mode)
			read_once(load, mode, file);
		else
			write_once(load, file);
		took = now_us() - start;
		if (took > load->slowest_us)
			load->slowest_us = took;
		load->calls++;
	}
}

static void print_result(const struct load *load)
{
	printf("calls=%llu wrong=%llu changes=%llu slowest_ms=%lld",
	       (unsigned long long)load->calls, (unsigned long long)load->wrong,
	       (unsigned long long)load->changes, (long long)load->slowest_us / 1000);
	for (int i = 0; i < ERRNO_MAX; i++)
		if (load->error[i])
			printf(" %s=%llu", strerrorname_np(i) ? strerrorname_np(i) : "?",
			       (unsigned long long)load->error[i]);
	putchar('\n');
}

int main(int argc, char *argv[])
{
	struct sigaction action = { .sa_handler = end, .sa_flags = SA_RESTART };
	struct load load = { .wanted = UINT64_MAX };
	const char *name = "read";
	const struct mode *mode;
	int option;

	while ((option = getopt(argc, argv, "n:m:")) != -1) {
		if (option == 'n')
			load.wanted = strtoull(optarg, NULL, 10);
		else if (option == 'm')
			name = optarg;
		else
			return 2;
	}
	while (optind < argc)
		if (take_file(&load, argv[optind++]))
			return 2;
	mode = find_mode(name);
	if (!load.files || (!mode && strcmp(name, "write") != 0))
		return 2;
	sigaction(SIGTERM, &action, NULL);
	run(&load, mode);
	print_result(&load);
	return load.wrong ? 1 : 0;
}

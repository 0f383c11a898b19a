// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/utf8.h"
#include "log.h"

#define SYSLOG_PRIORITY "<30>" /* facility daemon, severity informational */

static struct log process_log = { .kind = LOG_NOWHERE, .fd = -1 };

/*
 * A second description of the same terminal or pipe, so that O_NONBLOCK is ours alone. That may
 * fail: a pipe of another user, a terminal that is not visible here.
 */
static int open_again(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void log_open(struct log *log, int fd)
{
	struct stat stat;

	*log = (struct log){ .kind = LOG_POLLED, .fd = fd };
	if (fstat(fd, &stat) < 0) {
		log->kind = LOG_NOWHERE;
	} else if (S_ISREG(stat.st_mode)) {
		/* Not opened again: we share the offset with whoever else writes to it. */
		log->kind = LOG_FILE;
	} else if (S_ISSOCK(stat.st_mode)) {
		log->kind = LOG_SOCKET;
	} else {
		int own = open_again(fd);

		if (own >= 0) {
			log->kind = LOG_FILE;
			log->fd = own;
		}
	}
}

void log_close(struct log *log)
{
	if (log->fd > STDERR_FILENO)
		close(log->fd);
	log->kind = LOG_NOWHERE;
	log->fd = -1;
}

static void connect_syslog(struct log *log)
{
	static const struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };

	if (log->fd >= 0)
		close(log->fd);
	log->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (log->fd >= 0 && connect(log->fd, (const struct sockaddr *)&name, sizeof(name)) < 0) {
		close(log->fd);
		log->fd = -1;
	}
}

/* A log daemon that was started anew has another socket behind the same name. */
static ssize_t send_syslog(struct log *log, const char *bytes, size_t size)
{
	ssize_t sent = -1;

	if (log->fd >= 0)
		sent = send(log->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent >= 0 || (log->fd >= 0 && (errno == EAGAIN || errno == ENOBUFS)))
		return sent;
	connect_syslog(log);
	return send(log->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Returns the bytes taken, 0 or less for none. */
static ssize_t put(struct log *log, const char *bytes, size_t size)
{
	struct pollfd room = { .fd = log->fd, .events = POLLOUT };

	switch (log->kind) {
	case LOG_NOWHERE:
		break;
	case LOG_POLLED:
		if (poll(&room, 1, 0) <= 0 || !(room.revents & POLLOUT))
			return 0;
		return write(log->fd, bytes, size);
	case LOG_FILE:
		return write(log->fd, bytes, size);
	case LOG_SOCKET:
		return send(log->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	case LOG_SYSLOG:
		return send_syslog(log, bytes, size);
	}
	return (ssize_t)size;
}

static bool put_tail(struct log *log)
{
	ssize_t done;

	if (!log->rest)
		return true;
	done = put(log, log->tail, log->rest);
	if (done <= 0)
		return false;
	log->rest -= (size_t)done;
	memmove(log->tail, log->tail + done, log->rest);
	return !log->rest;
}

/* A terminal and a stream socket may take a part of a line: the rest goes first next time. */
static bool put_line(struct log *log, const char *line, size_t size)
{
	ssize_t done = put(log, line, size);

	if (done <= 0)
		return false;
	log->rest = size - (size_t)done;
	memcpy(log->tail, line + done, log->rest);
	return true;
}

static size_t start_line(const struct log *log, char line[LOG_LINE_MAX])
{
	if (log->kind == LOG_SYSLOG)
		return (size_t)snprintf(line, LOG_LINE_MAX,
					SYSLOG_PRIORITY "bmsfs[%d]: ", getpid());
	return (size_t)snprintf(line, LOG_LINE_MAX, "bmsfs: ");
}

/* @size is what snprintf() would have liked to write; returns the length of the whole line. */
static size_t end_line(char line[LOG_LINE_MAX], size_t start, size_t size)
{
	size_t end = start + size;

	if (end > LOG_LINE_MAX - 1)
		end = LOG_LINE_MAX - 1;
	/* Names of files and programs are other people's: one line stays one line. */
	line[end] = '\0';
	utf8_clean(line + start);
	line[end] = '\n';
	return end + 1;
}

static bool put_lost(struct log *log)
{
	char line[LOG_LINE_MAX];
	size_t start = start_line(log, line);
	int size = snprintf(line + start, sizeof(line) - start, "%lu lines lost", log->lost);

	return put_line(log, line, end_line(line, start, (size_t)size));
}

void log_vline(struct log *log, const char *format, va_list args)
{
	char line[LOG_LINE_MAX];
	size_t start = start_line(log, line);
	int error = errno, size = vsnprintf(line + start, sizeof(line) - start, format, args);

	if (!put_tail(log) || (log->lost && !put_lost(log))) {
		log->lost++;
		goto out;
	}
	log->lost = 0;
	if (size < 0 || log->rest || !put_line(log, line, end_line(line, start, (size_t)size)))
		log->lost++;
out:
	errno = error;
}

void log_start(void)
{
	log_open(&process_log, STDERR_FILENO);
}

void log_print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_vline(&process_log, format, args);
	va_end(args);
}

/* systemd tells its services which device and inode their journal has. */
static bool is_journal(const struct stat *stat)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char here[48];

	snprintf(here, sizeof(here), "%ju:%ju", (uintmax_t)stat->st_dev, (uintmax_t)stat->st_ino);
	return stream && !strcmp(stream, here);
}

void log_leave(void)
{
	struct stat stat;
	int null;

	if (!fstat(STDERR_FILENO, &stat) && (S_ISREG(stat.st_mode) || is_journal(&stat)))
		return;
	log_close(&process_log);
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDERR_FILENO);
		close(null);
	}
	process_log.rest = 0;
	process_log.kind = LOG_SYSLOG;
	connect_syslog(&process_log);
}

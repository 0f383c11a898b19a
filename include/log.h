/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Lines for people. Writing one never waits: what the reader of stderr does not take is dropped and
 * counted, and "N lines lost" comes before the next line that gets through.
 */
#ifndef BMSFS_LOG_H
#define BMSFS_LOG_H

#include <stdarg.h>
#include <stddef.h>

#define LOG_LINE_MAX 1024 /* a longer line is cut */

enum log_kind {
	LOG_NOWHERE,
	LOG_FILE, /* a descriptor that does not wait: a regular file, or a description of our own */
	LOG_POLLED, /* one that may, and is shared with others: asked before each write */
	LOG_SOCKET, /* a stream socket, as journald gives to its services */
	LOG_SYSLOG, /* /dev/log */
};

struct log {
	enum log_kind kind;
	int fd;
	unsigned long lost; /* lines since the last one that got through */
	size_t rest;        /* bytes of tail: the end of a line of which a part is out already */
	char tail[LOG_LINE_MAX];
};

/*
 * Makes a log of @fd without changing its open file description, which other programs may share.
 * @fd stays the caller's; log_close() closes what was opened besides it.
 */
void log_open(struct log *log, int fd);
void log_close(struct log *log);
void log_vline(struct log *log, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* The log of this process, on stderr. */
void log_start(void);
void log_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * The process goes to the background: stderr stays if it is a regular file or the journal, or else
 * whoever started us would never see the end of it; then the lines go to syslog.
 */
void log_leave(void);

#endif

// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * The recording link. What is sent is written at once, what is received when the BMS pauses, so that
 * a reply is a line or two and not one for each byte.
 */
#include "link/capture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "nsec.h"
#include "protocol/capture.h"

#define PAUSE     (10 * NSEC_PER_MSEC) /* bytes that come later are another line */
#define EVENT_MAX (sizeof(((struct link *)0)->error) + 64)

struct capture_link {
	struct link link;
	struct link *child;
	int fd;
	char *name;
	void (*log)(const char *format, ...) __attribute__((format(printf, 1, 2)));
	bool failing; /* the last write did not take all */
	bool missing; /* lines are, since the last one that is in the file */
	size_t rest_size;
	char rest[CAPTURE_LINE_MAX]; /* of a line that is in the file in part */
	bool open;
	bool absent;              /* which is told once */
	struct capture_line part; /* not yet written */
	int64_t part_last;        /* when its last byte came */
};

static struct capture_link *to_capture(const struct link *link)
{
	return (struct capture_link *)link;
}

/* Returns how much of it is in the file. */
static size_t put(struct capture_link *capture, const char *text, size_t size)
{
	ssize_t done = write(capture->fd, text, size);
	int err = done < 0 ? errno : ENOSPC;

	if (done != (ssize_t)size && !capture->failing)
		capture->log("%s: %s: what follows is not captured", capture->name,
			     strerrordesc_np(err));
	capture->failing = done != (ssize_t)size;
	return done < 0 ? 0 : (size_t)done;
}

/* A line of which a part is in the file is ended before the next. */
static void put_begin(struct capture_link *capture, const char *text, size_t size)
{
	size_t done = put(capture, text, size);

	capture->missing = capture->missing || !done;
	capture->rest_size = done ? size - done : 0;
	memcpy(capture->rest, text + done, capture->rest_size);
}

/* A line for what happened to the link, without its newline. Returns its length. */
static size_t print_event(const struct capture_link *capture, char text[EVENT_MAX],
			  const char *what)
{
	int64_t now = capture->link.ops->now(&capture->link);

	return (size_t)snprintf(text, EVENT_MAX, "%lld.%06lld = %s",
				(long long)(now / NSEC_PER_SEC),
				(long long)(now % NSEC_PER_SEC / 1000), what);
}

/* That lines are missing is told in the file as well: a request may be among them. */
static void put_line(struct capture_link *capture, const char *text, size_t size)
{
	char gap[EVENT_MAX];
	size_t done;

	if (capture->rest_size) {
		done = put(capture, capture->rest, capture->rest_size);
		capture->rest_size -= done;
		memmove(capture->rest, capture->rest + done, capture->rest_size);
	}
	if (!capture->rest_size && capture->missing) {
		capture->missing = false;
		done = print_event(capture, gap, "lines are missing here\n");
		put_begin(capture, gap, done);
	}
	if (capture->rest_size || capture->missing)
		capture->missing = true;
	else
		put_begin(capture, text, size);
}

static void put_part(struct capture_link *capture)
{
	char text[CAPTURE_LINE_MAX];

	if (!capture->part.size)
		return;
	put_line(capture, text,
		 capture_format(text, capture->part.kind, capture->part.when, capture->part.bytes,
				capture->part.size));
	capture->part.size = 0;
}

/* @words are a line, without its newline but with room for it; names in it are other people's. */
static void put_words(struct capture_link *capture, char *words)
{
	size_t size = 0;

	for (; words[size]; size++)
		if ((unsigned char)words[size] < ' ' || words[size] == 0x7F)
			words[size] = '?';
	words[size] = '\n';
	put_line(capture, words, size + 1);
}

static void put_event(struct capture_link *capture, const char *what)
{
	char text[EVENT_MAX];

	put_part(capture);
	print_event(capture, text, what);
	put_words(capture, text);
}

static void record(struct capture_link *capture, enum capture_kind kind, const uint8_t *bytes,
		   size_t size, int64_t now)
{
	struct capture_line *part = &capture->part;

	if (part->kind != kind || now - capture->part_last > PAUSE)
		put_part(capture);
	while (size) {
		size_t room = sizeof(part->bytes) - part->size;
		size_t taken = size < room ? size : room;

		if (!part->size)
			part->when = now;
		part->kind = kind;
		memcpy(part->bytes + part->size, bytes, taken);
		part->size += taken;
		bytes += taken;
		size -= taken;
		if (part->size == sizeof(part->bytes))
			put_part(capture);
	}
	capture->part_last = now;
}

/* What others read in the link itself is that of the child. */
static void mirror(struct capture_link *capture)
{
	const struct link_ops *ops = capture->link.ops;

	capture->link = *capture->child;
	capture->link.ops = ops;
}

static int opened(struct link *link, int result)
{
	struct capture_link *capture = to_capture(link);
	char what[64];

	mirror(capture);
	if (result == 0)
		return 0;
	if (result < 0 && !capture->absent)
		put_event(capture, link->error);
	capture->absent = result < 0;
	capture->open = result > 0;
	if (result < 0)
		return result;
	if (link->actual_baud)
		snprintf(what, sizeof(what), "open at %u baud", link->actual_baud);
	else
		snprintf(what, sizeof(what), "open");
	put_event(capture, what);
	return result;
}

static int capture_open(struct link *link)
{
	struct link *child = to_capture(link)->child;

	return opened(link, child->ops->open(child));
}

static int capture_poll(struct link *link)
{
	struct link *child = to_capture(link)->child;

	return opened(link, child->ops->poll(child));
}

static void capture_close(struct link *link)
{
	struct capture_link *capture = to_capture(link);

	if (capture->open)
		put_event(capture, "closed");
	capture->open = false;
	capture->child->ops->close(capture->child);
}

/* Whatever moved: the link may have gone. */
static ssize_t moved(struct capture_link *capture, ssize_t count)
{
	if (count < 0) {
		mirror(capture);
		put_event(capture, capture->link.error);
		capture->open = false;
	}
	return count;
}

static ssize_t capture_read(struct link *link, void *bytes, size_t size)
{
	struct capture_link *capture = to_capture(link);
	ssize_t count = capture->child->ops->read(capture->child, bytes, size);
	int64_t now = link->ops->now(link);

	if (count > 0)
		record(capture, CAPTURE_RECEIVED, bytes, (size_t)count, now);
	else if (now - capture->part_last > PAUSE)
		put_part(capture);
	return moved(capture, count);
}

/* What the child takes in portions is one request all the same. */
static ssize_t capture_write(struct link *link, const void *bytes, size_t size)
{
	struct capture_link *capture = to_capture(link);
	int64_t now = link->ops->now(link);
	ssize_t count = capture->child->ops->write(capture->child, bytes, size);

	if (count > 0)
		record(capture, CAPTURE_SENT, bytes, (size_t)count, now);
	if (count == (ssize_t)size)
		put_part(capture);
	return moved(capture, count);
}

static void capture_flush(struct link *link)
{
	struct link *child = to_capture(link)->child;

	if (child->ops->flush)
		child->ops->flush(child);
}

static int capture_fd(const struct link *link, short *opening_events)
{
	const struct link *child = to_capture(link)->child;

	return child->ops->fd(child, opening_events);
}

static int64_t capture_wake(const struct link *link)
{
	const struct capture_link *capture = to_capture(link);
	const struct link *child = capture->child;
	int64_t wake = child->ops->wake ? child->ops->wake(child) : NSEC_NEVER;

	return capture->part.size ? nsec_min(wake, capture->part_last + PAUSE + 1) : wake;
}

static int64_t capture_now(const struct link *link)
{
	const struct link *child = to_capture(link)->child;

	return child->ops->now(child);
}

static void capture_free(struct link *link)
{
	struct capture_link *capture = to_capture(link);

	put_part(capture);
	link_free(capture->child);
	close(capture->fd);
	free(capture->name);
	free(capture);
}

static const struct link_ops capture_ops = {
	.name = "capture",
	.open = capture_open,
	.poll = capture_poll,
	.close = capture_close,
	.read = capture_read,
	.write = capture_write,
	.flush = capture_flush,
	.fd = capture_fd,
	.wake = capture_wake,
	.now = capture_now,
	.free = capture_free,
};

/* Which moment of the calendar the times of this capture count from is known from here. */
static void put_head(struct capture_link *capture, const char *device)
{
	int64_t now = capture->link.ops->now(&capture->link);
	time_t real = time(NULL);
	char date[32] = "", text[512];
	struct tm tm;

	if (gmtime_r(&real, &tm))
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
	snprintf(text, sizeof(text) - 1,
		 "# bmsfs " BMSFS_VERSION " on %.200s, at %lld seconds of its clock, which was %s; "
		 "bmsfs-sim(1) explains these lines and plays them.",
		 device, (long long)(now / NSEC_PER_SEC), date);
	put_words(capture, text);
}

int capture_link_new(struct link **link, const struct capture_config *config)
{
	struct capture_link *capture = calloc(1, sizeof(*capture));

	if (!capture)
		return -ENOMEM;
	capture->name = strdup(config->name);
	if (!capture->name) {
		free(capture);
		return -ENOMEM;
	}
	capture->link.ops = &capture_ops;
	capture->child = *link;
	capture->fd = config->fd;
	capture->log = config->log;
	mirror(capture);
	put_head(capture, config->device);
	*link = &capture->link;
	return 0;
}

/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A link: a byte stream to the BMS and a clock, behind one small table of operations. Nothing here
 * blocks. A backend embeds struct link as its first member; a decorator does too and passes on to a
 * child.
 *
 *	closed --open()--> opening --poll()--> open --read() or write() fails, close()--> closed
 *
 * A backend whose open() does all the work at once goes from closed to open.
 */
#ifndef BMSFS_LINK_LINK_H
#define BMSFS_LINK_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/instruction.h"

struct link;

struct link_ops {
	const char *name; /* "serial" */

	/*
	 * Starts to open. Returns 1 when open, 0 when that takes time (then poll() decides), or
	 * -errno: what is not there is -ENOENT, -ENODEV, -ECONNREFUSED ..., busy is -EBUSY.
	 */
	int (*open)(struct link *link);

	/* The link is opening and its descriptor is ready or its wake time has come. As open(). */
	int (*poll)(struct link *link);

	void (*close)(struct link *link);

	/*
	 * Returns the bytes read, 0 when there are none now, -errno when the link is gone: -ENODEV
	 * for a hang-up, an end of file or an unplugged adapter.
	 */
	ssize_t (*read)(struct link *link, void *bytes, size_t size);

	/* Returns the bytes taken, 0 when none fit now, -errno as read(). */
	ssize_t (*write)(struct link *link, const void *bytes, size_t size);

	/*
	 * Empties what was received and not read, and what was written and not sent. May be NULL.
	 */
	void (*flush)(struct link *link);

	/*
	 * The descriptor to poll and the events to poll it for while opening; -1 if there is none.
	 */
	int (*fd)(const struct link *link, short *opening_events);

	/*
	 * When to call read() or poll() although no descriptor says so, or NSEC_NEVER. May be NULL.
	 */
	int64_t (*wake)(const struct link *link);

	/* CLOCK_BOOTTIME in nanoseconds, or whatever a test takes for it. */
	int64_t (*now)(const struct link *link);

	void (*free)(struct link *link);
};

struct link {
	const struct link_ops *ops;
	uint32_t baud;        /* asked for; 0 where there is none */
	uint32_t actual_baud; /* what the adapter took, known once open; 0 where there is none */
	bool low_latency;     /* the adapter took it */
	char error[256];      /* one sentence on why it is not open, with what to do about it */
};

struct link_config {
	uint32_t baud;
	const struct instruction_table *table; /* for "sim:" */
	int64_t now;                           /* for "sim:" */
};

enum link_kind { LINK_TTY, LINK_TCP, LINK_UNIX, LINK_SIM };

/* What DEVICE is by its prefix; *@target is what follows that. */
enum link_kind link_kind(const char *device, const char **target);

/*
 * Makes the link for DEVICE: "/dev/ttyUSB0", "/dev/serial/by-id/...", a pty or a symbolic link to
 * any of them; "tcp:HOST:PORT" ("tcp:[::1]:PORT"); "unix:PATH"; "sim:" or "sim:KEY=VALUE,...".
 * Opens nothing: a device that is not there yet is no error. Returns 0; -EINVAL with a sentence in
 * @reason; -ENOMEM.
 */
int link_new(struct link **link, const char *device, const struct link_config *config, char *reason,
	     size_t size);

/* CLOCK_BOOTTIME, for the now() of backends. */
int64_t link_boottime(const struct link *link);

static inline int link_open(struct link *link)
{
	return link->ops->open(link);
}

static inline void link_close(struct link *link)
{
	link->ops->close(link);
}

static inline void link_free(struct link *link)
{
	if (link)
		link->ops->free(link);
}

#endif

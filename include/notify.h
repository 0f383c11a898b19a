/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What a service manager wants to know: datagrams to $NOTIFY_SOCKET, as sd_notify(3) has them. Where
 * nobody wants to know, all of this does nothing, and costs no wake-up.
 */
#ifndef BMSFS_NOTIFY_H
#define BMSFS_NOTIFY_H

#include <stdint.h>
#include <sys/types.h>

struct notify {
	int fd;           /* negative: nobody listens */
	int64_t interval; /* ns from one sign of life to the next; 0: none is wanted */
	int64_t due;      /* when the next one is; NSEC_NEVER if none is wanted */
};

/*
 * Connects to the service manager, which $NOTIFY_SOCKET names; $WATCHDOG_USEC counts if it is meant
 * for @process. With 0 nobody listens. What goes wrong is logged.
 */
void notify_open(struct notify *notify, pid_t process);
void notify_close(struct notify *notify);

/* One line. Never waits: what is not taken at once is lost, and that is logged. */
void notify_send(struct notify *notify, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Gives a sign of life if one is due at @now. */
void notify_alive(struct notify *notify, int64_t now);

#endif

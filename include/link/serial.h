/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A serial port through libserialport, and what that does not do. */
#ifndef BMSFS_LINK_SERIAL_H
#define BMSFS_LINK_SERIAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "link/link.h"

struct sp_port;

/*
 * Makes a port of @device, which may not be a symbolic link, without opening it. Returns 0, or
 * -ENOTTY if it is no serial port.
 */
int serial_find(struct sp_port **port, const char *device);

/*
 * Opens it: @baud, 8N1, no flow control, DTR on, and low latency where that can be had. Sets
 * link->actual_baud and link->low_latency. Returns 0; -EINVAL, with the sentence in link->error,
 * for a rate that the adapter cannot do; -ENOTTY for what turns out to be no serial port; -errno as
 * open(2).
 */
int serial_start(struct sp_port *port, struct link *link, uint32_t baud);

int serial_fd(const struct sp_port *port);

/* Bytes moved, 0 if none can be now, or -errno: then the adapter is gone. */
ssize_t serial_read(struct sp_port *port, void *bytes, size_t size);
ssize_t serial_write(struct sp_port *port, const void *bytes, size_t size);

/* Closes it if it is open, and frees it. */
void serial_free(struct sp_port *port);

/* Whether a BMS at @asked baud understands an adapter at @actual: within 2 %. */
bool serial_baud_fits(uint32_t asked, uint32_t actual);

/*
 * The rate in baud that the driver of @fd says it took, which may be any number. Returns 0 or
 * -errno.
 */
int termios2_get_speed(int fd, uint32_t *baud);

#endif

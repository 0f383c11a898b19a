/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A link around another that records in a file what goes over it, as protocol/capture.h has it. */
#ifndef BMSFS_LINK_CAPTURE_H
#define BMSFS_LINK_CAPTURE_H

#include "link/link.h"

struct capture_config {
	int fd;           /* of a regular file, opened to append; the link's from now on */
	const char *name; /* of the file, for the log */
	const char *device;
	void (*log)(const char *format, ...) __attribute__((format(printf, 1, 2)));
};

/*
 * Puts a recording link around *@link, which it takes over. A file that cannot be written (its disk
 * is full) is told of once until it can be again, and changes nothing else. -ENOMEM, and *@link and
 * the descriptor are the caller's still.
 */
int capture_link_new(struct link **link, const struct capture_config *config);

#endif

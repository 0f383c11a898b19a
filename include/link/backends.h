/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The backends behind link_new(), and what they share. */
#ifndef BMSFS_LINK_BACKENDS_H
#define BMSFS_LINK_BACKENDS_H

#include "link/link.h"

/*
 * Writes the sentence to link->error and returns -@err, so that a failure is one statement.
 */
int link_fail(struct link *link, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* What errno @err means in a few words, the same in every locale. */
const char *link_strerror(int err);

/*
 * A copy of @path, made absolute because a daemon leaves its working directory; for free(). NULL
 * when there is no memory.
 */
char *link_absolute_path(const char *path);

/* As link_new(), of which these are the rows; @target is what follows the prefix in DEVICE. */
typedef int link_constructor(struct link **link, const char *target,
			     const struct link_config *config, char *reason, size_t size);

/*
 * A path: decided at each open, for it may be another thing after a replug. A pty is opened as a
 * stream (libserialport refuses those), everything else through libserialport.
 */
link_constructor tty_link_new;
link_constructor tcp_link_new;
link_constructor unix_link_new;
link_constructor sim_link_new;

#endif

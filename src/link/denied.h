/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Who may open a port or a socket, in words. */
#ifndef BMSFS_LINK_DENIED_H
#define BMSFS_LINK_DENIED_H

#include "link/link.h"

/*
 * Fails with @err, EACCES or EPERM, and one sentence that begins with @name and says how this
 * process could be allowed to open @path. Returns -@err.
 */
int link_fail_denied(struct link *link, int err, const char *name, const char *path);

#endif

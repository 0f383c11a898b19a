/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef BMSFS_LINK_HOLDER_H
#define BMSFS_LINK_HOLDER_H

#include <stddef.h>

/*
 * Writes who has @device (a real path, no link) open: "minicom (pid 123)", or "another program" if
 * that cannot be seen. It walks all of /proc: only for telling why something failed.
 */
void holder_name(const char *device, char *text, size_t size);

#endif

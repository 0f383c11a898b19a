/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef BMSFS_LINK_HOLDER_H
#define BMSFS_LINK_HOLDER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Returns whether a process that we may look into has @device (a real path, no link) open, and
 * writes which: "minicom (pid 123)", or "another program" if none is seen. It walks all of /proc.
 */
bool holder_name(const char *device, char *text, size_t size);

/*
 * While @paused, holder_name() looks into no process. Looking waits for a process in execve(2), and that
 * waits for the caller if it closes a file of the caller's mount.
 */
void holder_pause(bool paused);

#endif

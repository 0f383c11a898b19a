/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What is mounted where: replacing a dead mount of our own, and unmounting. */
#ifndef BMSFS_FS_MOUNT_H
#define BMSFS_FS_MOUNT_H

#include <stdbool.h>
#include <stddef.h>

enum mount_state {
	MOUNT_FREE,    /* a directory, nothing mounted on it */
	MOUNT_DEAD,    /* a mount of bmsfs whose server is gone: stat says ENOTCONN */
	MOUNT_LIVE,    /* a mount of bmsfs that answers */
	MOUNT_HANGING, /* a mount of bmsfs that does not answer within a second */
	MOUNT_FOREIGN, /* something else is mounted there */
};

/* The mount at the absolute path @mountpoint; stat(2) on it is done in a child, for it may hang. */
enum mount_state mount_examine(const char *mountpoint);

/*
 * The identity of the topmost mount at @mountpoint ("mountid major:minor") into @id: so that only
 * the very mount we made is ever unmounted by us. -ENOENT if nothing is mounted there.
 */
int mount_identify(const char *mountpoint, char *id, size_t size);

/*
 * Detaches the mount at @mountpoint if it is still @id (NULL: whatever it is): umount2(2), or
 * fusermount3 -uz for those who may not. Returns 0, also if it is gone already, or -errno.
 */
int mount_detach(const char *mountpoint, const char *id);

/* Resolves @path to an absolute one without touching its last component, which may be a dead mount. */
int mount_resolve(const char *path, char *absolute, size_t size);

/* Whether @path lies at or below @mountpoint, links followed. */
bool mount_contains(const char *mountpoint, const char *path);

#endif

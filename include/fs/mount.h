/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What is mounted where: replacing a dead mount of our own, and unmounting. */
#ifndef BMSFS_FS_MOUNT_H
#define BMSFS_FS_MOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum mount_state {
	MOUNT_FREE,    /* a directory, nothing mounted on it */
	MOUNT_DEAD,    /* a mount of bmsfs whose server is gone: stat says ENOTCONN */
	MOUNT_LIVE,    /* a mount of bmsfs that answers */
	MOUNT_HANGING, /* a mount of bmsfs that does not answer within a second */
	MOUNT_FOREIGN, /* something else is mounted there */
};

/* One mount, so that only the very mount we made is ever unmounted by us. */
struct mount_id {
	uint64_t number;       /* as in the table; the kernel gives it again to a later mount */
	uint64_t unique;       /* never given again; 0 if not known (before Linux 6.8) */
	unsigned major, minor; /* of its file system */
};

/*
 * The topmost mount at the absolute path @mountpoint, with its @id unless it is MOUNT_FREE. stat(2)
 * on it is done in a child, which may hang.
 */
enum mount_state mount_examine(const char *mountpoint, struct mount_id *id);

/*
 * Detaches the topmost mount at @mountpoint if it is MOUNT_DEAD. Returns 0, also if another start has
 * removed or replaced it meanwhile; -errno.
 */
int mount_remove_dead(const char *mountpoint);

/* The topmost mount at @mountpoint. -ENOENT if nothing is mounted there. */
int mount_identify(const char *mountpoint, struct mount_id *id);

/*
 * Locks the directory @mountpoint, on which nothing is mounted, against other starts: flock(2).
 * Returns a descriptor for mount_release(), for which the end of the process does as well;
 * -EWOULDBLOCK if another program has locked it; -EEXIST if something has been mounted there
 * meanwhile; another -errno if the directory cannot be locked.
 */
int mount_claim(const char *mountpoint);
void mount_release(int claim); /* negative: nothing to release */

/*
 * Opens the table of mounts of this mount namespace, for mount_find(). Its descriptor reports
 * POLLPRI once after each change of a mount. Returns 0 or -errno.
 */
int mount_table_open(FILE **table);

/*
 * Whether the mount is in the namespace, wherever it was moved to: 0; -ENOENT if it is gone, even
 * if open files or other namespaces still hold it; -EIO if the table cannot be read.
 */
int mount_find(FILE *table, const struct mount_id *id);

/*
 * Detaches the mount, wherever it was moved to: umount2(2), or fusermount3 -uz for those who may
 * not. Returns 0, also if it is gone already; -EBUSY if another mount covers it; -errno.
 */
int mount_detach(const struct mount_id *id);

/*
 * Changes the flags that the kernel keeps of the mount to these of mount(2), MS_NOSUID and MS_NODEV
 * besides. -EBUSY: MS_RDONLY while a file is open for writing, or another mount covers it.
 */
int mount_change(const struct mount_id *id, unsigned long flags);

/* Resolves @path to an absolute one without touching its last component, which may be a dead mount. */
int mount_resolve(const char *path, char *absolute, size_t size);

/* Whether @path lies at or below @mountpoint, links followed. */
bool mount_contains(const char *mountpoint, const char *path);

#endif

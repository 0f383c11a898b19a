/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What is found out before the mount, so that it fails with a sentence instead of an errno. */
#ifndef BMSFS_CHECKS_H
#define BMSFS_CHECKS_H

#include <stddef.h>

/*
 * Whether @path can be mounted on: a directory with nothing on it, or with a dead mount of our own,
 * which is removed. Writes its absolute path, and to @claim what keeps other starts away until
 * mount_release(); negative on file systems that know no locks. Returns 0, or -errno, the reason
 * logged.
 */
int checks_mountpoint(const char *path, char *absolute, size_t size, int *claim);

/* Whether DEVICE stays in reach when @mountpoint is covered. */
int checks_device(const char *device, const char *mountpoint);

/*
 * Opens @file, which is made if it is not there, to append a capture. It must be a regular file and
 * not at or below @mountpoint. Returns the descriptor, or -errno, the reason logged.
 */
int checks_open_capture(const char *file, const char *mountpoint);

/* Whether this user can use FUSE here. */
int checks_fuse(void);

/* After a mount that failed: logs the remedy if AppArmor is likely to have refused it. */
void checks_explain_refusal(const char *mountpoint);

#endif

/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Files that people write, read whole. */
#ifndef BMSFS_BASE_TEXTFILE_H
#define BMSFS_BASE_TEXTFILE_H

#include <stddef.h>

/*
 * Reads @file, which must be a regular file of at most @max bytes, into @text, which the caller
 * frees. Nothing else is even opened: opening some devices has consequences. Returns 0; -EINVAL with
 * "FILE: why not" in @reason; -ENOMEM.
 */
int textfile_read(const char *file, size_t max, char **text, size_t *length, char *reason,
		  size_t size);

#endif

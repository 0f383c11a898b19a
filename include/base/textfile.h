/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Files that people write, read whole. */
#ifndef BMSFS_BASE_TEXTFILE_H
#define BMSFS_BASE_TEXTFILE_H

#include <stddef.h>
#include <sys/types.h>

struct textfile {
	char *text; /* not ended by NUL */
	size_t length;
	uid_t owner;
	mode_t mode;
};

/*
 * Reads the file at @path, which must be a regular file of at most @max bytes. Nothing else is even
 * opened: opening some devices has consequences. Returns 0; -ENOMEM; -EINVAL if it is another kind of
 * file or longer; or the -errno of stat(2), open(2) or read(2). Then @reason has "PATH: why not".
 */
int textfile_read(struct textfile *file, const char *path, size_t max, char *reason, size_t size);

/* Frees the text, and overwrites it first: it may hold a secret. */
void textfile_free(struct textfile *file);

#endif

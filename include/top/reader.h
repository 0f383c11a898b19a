/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Reads a mount's snapshot in a process of its own: a read takes as long as the BMS does, and for
 * ever where a mount is broken, which must not stop the keys.
 */
#ifndef BMSFS_TOP_READER_H
#define BMSFS_TOP_READER_H

#include <jansson.h>
#include <stddef.h>

#define READER_LIMIT_S 10 /* then a reader gives up, if the mount lets go of it */

struct reader {
	int process; /* readable when it is done; -1: none runs */
	int result;
};

/* 0 or -errno. */
int reader_start(struct reader *reader, const char *mount);

/*
 * What it read, once it is done; the caller ends that with json_decref(). NULL, with a sentence in
 * @reason, or with "" if it gave up.
 */
json_t *reader_take(struct reader *reader, char *reason, size_t size);

/* Ends one that may run still. */
void reader_stop(struct reader *reader);

#endif

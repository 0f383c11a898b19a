/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A mount as a program sees it that knows nothing but its files: one reading of snapshot.json. Paths
 * are those of the tree: "pack/soc", "units/1/cells/3/voltage", "CMAX".
 */
#ifndef BMSFS_CLIENT_SNAPSHOT_H
#define BMSFS_CLIENT_SNAPSHOT_H

#include <jansson.h>
#include <stddef.h>

/*
 * Reads @mount's snapshot.json, which takes as long as the BMS does, at most the deadline of the
 * mount. NULL, with a sentence in @reason, if no bmsfs is there or it cannot be read. The caller
 * ends it with json_decref().
 */
json_t *snapshot_read(const char *mount, char *reason, size_t size);

/* The same from an open file. */
json_t *snapshot_load(int fd, char *reason, size_t size);

/* The object of a value, {"value": ..., "unit": ..., "age": ...}, or NULL if it is not known. */
const json_t *snapshot_find(const json_t *snapshot, const char *path);

/* Its number, in the unit that docs/ABI states. 0, or -ENODATA if it is not known or no number. */
int snapshot_number(const json_t *snapshot, const char *path, double *number);

/* Its text, or NULL. */
const char *snapshot_text(const json_t *snapshot, const char *path);

/* The name of the errno that reading it gives ("ETIMEDOUT"), or NULL if it did not fail. */
const char *snapshot_failure(const json_t *snapshot, const char *path);

/* "online", "silent", "absent" ...: the first word of bus/state, or "" in something that is no snapshot. */
const char *snapshot_link(const json_t *snapshot);

#endif

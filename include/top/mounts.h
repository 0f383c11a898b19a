/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef BMSFS_TOP_MOUNTS_H
#define BMSFS_TOP_MOUNTS_H

#include <stddef.h>
#include <stdio.h>

#define MOUNTS_MAX 64

/*
 * Finds where a bmsfs is mounted in @table, of the form of /proc/self/mounts. Returns how many
 * places these are, which the caller frees.
 */
size_t mounts_find(FILE *table, char *place[MOUNTS_MAX]);

#endif

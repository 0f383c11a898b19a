/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Users' own instruction files on top of the built-in table. */
#ifndef BMSFS_TABLES_H
#define BMSFS_TABLES_H

#include "protocol/instruction.h"

#define TABLES_DIRECTORY BMSFS_CONFIG_DIRECTORY "/instructions.d/*.ini"
#define TABLES_FILE_MAX  (1024 * 1024) /* bytes of one file */

/*
 * Adds one file. Files at or below @mountpoint (absolute, or NULL) are refused: once it is mounted,
 * they would be ours to serve. Returns 0; -EINVAL with file, line and reason in @error, also for
 * what is not a regular file or is too long; -ENOMEM; -errno if it cannot be read.
 */
int tables_add_file(struct instruction_table *table, const char *file, const char *mountpoint,
		    struct table_error *error);

/* Adds the files that @pattern (as glob(7)) matches, in the order of their names. As above. */
int tables_add_matching(struct instruction_table *table, const char *pattern,
			const char *mountpoint, struct table_error *error);

#endif

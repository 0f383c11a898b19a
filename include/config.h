/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Configuration files: lines "name = value", blank lines and comments. */
#ifndef BMSFS_CONFIG_H
#define BMSFS_CONFIG_H

#include <stddef.h>

#define CONFIG_FILE_MAX (16 * 1024) /* bytes */

/*
 * Calls @take for each pair in @file, which lives no longer than the call. @take returns 0, or
 * -EINVAL with one sentence in @reason, which ends the reading. Returns 0; -EINVAL with file, line
 * and what is wrong in @reason; -ENOMEM.
 */
int config_read(const char *file, int (*take)(void *user, const char *name, const char *value),
		void *user, char *reason, size_t size);

#endif

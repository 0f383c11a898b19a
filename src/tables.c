// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <glob.h>
#include <stdio.h>

#include "base/textfile.h"
#include "fs/mount.h"
#include "tables.h"

static int refuse(struct table_error *error, const char *file, const char *reason)
{
	snprintf(error->text, sizeof(error->text), "%s: %s", file, reason);
	return -EINVAL;
}

int tables_add_file(struct instruction_table *table, const char *file, const char *mountpoint,
		    struct table_error *error)
{
	struct textfile text;
	int err;

	if (mountpoint && mount_contains(mountpoint, file))
		return refuse(error, file, "is at or below MOUNTPOINT, keep it elsewhere");
	err = textfile_read(&text, file, TABLES_FILE_MAX, error->text, sizeof(error->text));
	if (err)
		return err;
	err = instruction_table_add(table, file, text.text, text.length, error);
	textfile_free(&text);
	return err;
}

int tables_add_matching(struct instruction_table *table, const char *pattern,
			const char *mountpoint, struct table_error *error)
{
	glob_t found;
	int err = 0;

	switch (glob(pattern, 0, NULL, &found)) {
	case 0:
		break;
	case GLOB_NOMATCH:
		return 0;
	default:
		return refuse(error, pattern, "cannot be searched");
	}
	for (size_t i = 0; !err && i < found.gl_pathc; i++)
		err = tables_add_file(table, found.gl_pathv[i], mountpoint, error);
	globfree(&found);
	return err;
}

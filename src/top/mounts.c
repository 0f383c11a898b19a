// SPDX-License-Identifier: LGPL-3.0-or-later
#include "top/mounts.h"

#include <mntent.h>
#include <stdbool.h>
#include <string.h>

static bool is_known(const char *name, char *const *place, size_t places)
{
	for (size_t i = 0; i < places; i++)
		if (!strcmp(place[i], name))
			return true;
	return false;
}

size_t mounts_find(FILE *table, char *place[MOUNTS_MAX])
{
	const struct mntent *entry;
	size_t places = 0;

	while (places < MOUNTS_MAX && (entry = getmntent(table))) {
		if (strcmp(entry->mnt_type, "fuse.bmsfs") ||
		    is_known(entry->mnt_dir, place, places))
			continue;
		place[places] = strdup(entry->mnt_dir);
		places += place[places] != NULL;
	}
	return places;
}

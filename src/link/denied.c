// SPDX-License-Identifier: LGPL-3.0-or-later
#include "denied.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "link/backends.h"

#define NAME_SIZE 64

/* Straight from the file: the services behind getpwuid() may be slow or across a network. */
static void user_name(uid_t uid, char text[NAME_SIZE])
{
	FILE *file = fopen("/etc/passwd", "re");
	struct passwd *user;

	snprintf(text, NAME_SIZE, "%u", (unsigned)uid);
	while (file && (user = fgetpwent(file)))
		if (user->pw_uid == uid) {
			snprintf(text, NAME_SIZE, "%s", user->pw_name);
			break;
		}
	if (file)
		fclose(file);
}

static void group_name(gid_t gid, char text[NAME_SIZE])
{
	FILE *file = fopen("/etc/group", "re");
	struct group *group;

	snprintf(text, NAME_SIZE, "%u", (unsigned)gid);
	while (file && (group = fgetgrent(file)))
		if (group->gr_gid == gid) {
			snprintf(text, NAME_SIZE, "%s", group->gr_name);
			break;
		}
	if (file)
		fclose(file);
}

int link_fail_denied(struct link *link, int err, const char *name, const char *path)
{
	char user[NAME_SIZE], other[NAME_SIZE];
	struct stat st;

	/* Permissions of files give EACCES. */
	if (err == EPERM)
		return link_fail(
			link, err,
			"%s: device rules forbid it; restart the unit, or give the container "
			"this device",
			name);
	user_name(geteuid(), user);
	if (!stat(path, &st) && (st.st_mode & 060) == 060) {
		group_name(st.st_gid, other);
		return link_fail(link, err,
				 "%s: permission denied to user %s; add it to the group %s "
				 "(usermod -aG %s %s)",
				 name, user, other, other, user);
	}
	/* A link in a folder such as /tmp is followed for its owner alone. */
	if (lstat(path, &st) < 0)
		return link_fail(
			link, err,
			"%s: permission denied to user %s on the way there; see namei -l %s", name,
			user, path);
	user_name(st.st_uid, other);
	return link_fail(
		link, err,
		"%s: permission denied to user %s; let root mount with -o user=%s, or let a "
		"group use it (chgrp, chmod g+rw)",
		name, user, other);
}

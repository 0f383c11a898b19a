/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Rights: as whom the server runs, and what server and keeper give up. docs/security.md says against
 * what this helps.
 */
#ifndef BMSFS_CONFINE_H
#define BMSFS_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CONFINE_USER "bmsfs" /* serves root's mounts where there is such a user */

struct confine_user {
	bool other; /* than who mounts; the rest counts only then */
	uid_t uid;
	gid_t gid;
	gid_t *group; /* all groups, allocated */
	int groups;
	char name[64];
};

/*
 * Finds who is to serve: @name, a user's name or number, or NULL for CONFINE_USER if root mounts and
 * there is one, else who mounts. Returns 0, or with one sentence in @reason -EAGAIN if the user is
 * not known, perhaps not yet; -EPERM; -ENOMEM.
 */
int confine_user_find(struct confine_user *user, const char *name, char *reason, size_t size);
void confine_user_free(struct confine_user *user);

/*
 * In the server, for good: becomes @user, gives up all capabilities, can never regain any, and
 * unless @filter is false may make only those system calls that serving @device needs; any other
 * one ends the process by SIGSYS. Returns 0, or -errno with the reason logged.
 */
int confine_server(const struct confine_user *user, const char *device, bool filter);

/*
 * In the keeper, for good: keeps the right to unmount, and the right to send signals if the server
 * is another user's. Whoever is not root has none to give up. Returns 0 or -errno.
 */
int confine_keeper(const struct confine_user *user);

#endif

/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The processes of a mount:
 *
 *	launcher --fork--> keeper --mount, fork--> server
 *
 * The launcher returns to the shell when the mount answers. The keeper keeps the rights it needs to
 * unmount, does nothing but wait, and unmounts when the server has ended, however that came. The
 * server has no rights. In the foreground the launcher is the keeper.
 */
#ifndef BMSFS_KEEPER_H
#define BMSFS_KEEPER_H

#include "server.h"

/* Mounts, starts the server, waits for its end, unmounts. Returns the exit status, in both
 * processes. */
int keeper_run(const struct service *service);

/*
 * Starts a keeper in the background and waits until the mount answers. Returns the exit status: to
 * the launcher then, to keeper and server at their ends.
 */
int keeper_launch(struct service *service);

#endif

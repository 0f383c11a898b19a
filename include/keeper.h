/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The processes of a mount:
 *
 *	launcher --fork--> keeper --mount, fork--> server
 *
 * The launcher returns to the shell when the mount answers. The keeper is the supervisor: it has the
 * rights to unmount, ends the server on a signal or when the mount is gone from its namespace, and
 * unmounts when the server has ended. The server has no rights; it ends when the supervisor is gone.
 * In the foreground the launcher is the supervisor.
 */
#ifndef BMSFS_KEEPER_H
#define BMSFS_KEEPER_H

#include "server.h"

/* Mounts, starts the server, waits for its end, unmounts. Returns the exit status, in both
 * processes. */
int keeper_run(struct service *service);

/*
 * Starts a keeper in the background and waits until the mount answers. Returns the exit status: to
 * the launcher then, to keeper and server at their ends.
 */
int keeper_launch(struct service *service);

#endif

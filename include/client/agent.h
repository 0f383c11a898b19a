/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A process of its own that works on the files of a mount. Where the server of a mount hangs, a
 * system call on its files cannot be ended, not even by SIGKILL. So a program leaves these calls to
 * its agent, and can itself end at any time.
 */
#ifndef BMSFS_CLIENT_AGENT_H
#define BMSFS_CLIENT_AGENT_H

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>

/* One side of the connection of program and agent: each message is a JSON object. */
struct channel {
	int fd; /* readable when there is a message, or when the other side has ended */
	char *text;
	size_t used, size;
};

/* Sends @message, which becomes the channel's. Returns 0, -EPIPE if the other side ended, or -errno. */
int channel_send(struct channel *channel, json_t *message);

/*
 * Takes the next message, which becomes the caller's. Returns 1; 0 if none is whole yet; -EPIPE if
 * the other side has ended; or -errno. To be called until it returns 0 before the next poll(2), which
 * knows nothing of what was read already.
 */
int channel_take(struct channel *channel, json_t **message);

/* @text as JSON; bytes that are not UTF-8, as a path may have, become '?'. */
json_t *channel_text(const char *text);

struct agent {
	pid_t process; /* 0: none */
	struct channel channel;
};

/* What the agent does; it ends when this returns. The program ends it in any case. */
typedef void agent_run(struct channel *channel, void *user);

/*
 * Starts the agent with /dev/null as its standard files. To be called before there are threads.
 * Returns 0 or -errno.
 */
int agent_start(struct agent *agent, agent_run *run, void *user);

/* Begins to end the agent, which agent_stop() then waits for. */
void agent_kill(const struct agent *agent);

/* Ends the agent. One that the mount holds ends when the mount does. */
void agent_stop(struct agent *agent);

/*
 * Leaves the working directory if it is in a mount of bmsfs, which it would keep busy. Returns a copy
 * of @path that stays valid: the caller frees it. NULL if there is no memory. No system call on the
 * files of a mount is made.
 */
char *agent_leave_mount(const char *path);

#endif

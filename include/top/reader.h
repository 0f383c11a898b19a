/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Reads a mount's snapshot in an agent: a read takes as long as the BMS does, and for ever where a
 * mount hangs, which must not stop the keys.
 */
#ifndef BMSFS_TOP_READER_H
#define BMSFS_TOP_READER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "client/agent.h"

struct reader {
	const char *mount; /* the caller's */
	struct agent agent;
	bool waiting; /* for the answer to reader_ask() */
};

/* Asks for a reading, if none is waited for. Starts the agent if there is none. 0 or -errno. */
int reader_ask(struct reader *reader);

/* Readable when the answer is there; -1 if there is no agent. */
int reader_fd(const struct reader *reader);

/*
 * Takes what is there of the answer; reader->waiting is false once it is whole. Returns the snapshot,
 * which the caller ends with json_decref(), or NULL; then @reason has a sentence once it is whole.
 */
json_t *reader_take(struct reader *reader, char *reason, size_t size);

/* Ends the agent, whatever it is doing. */
void reader_stop(struct reader *reader);

#endif

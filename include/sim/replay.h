/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A capture (protocol/capture.h) as what a BMS answers: each request that was sent, with what came
 * from then until the next one.
 */
#ifndef BMSFS_SIM_REPLAY_H
#define BMSFS_SIM_REPLAY_H

#include <stdio.h>
#include <sys/queue.h>

#include "protocol/frame.h"

/* Bytes that came without a gap. */
struct replay_chunk {
	TAILQ_ENTRY(replay_chunk) next;
	int64_t delay; /* ns from the first byte of the request to the first of these */
	size_t size;
	uint8_t bytes[];
};

TAILQ_HEAD(replay_chunks, replay_chunk);

struct replay;

/*
 * Reads a capture; @name is that of the file. Returns 0; -EINVAL with a sentence in @reason, also
 * for a file without any request; -ENOMEM.
 */
int replay_read(struct replay **replay, FILE *file, const char *name, char *reason, size_t size);

/* The same for a regular file that is to be opened. */
int replay_open(struct replay **replay, const char *name, char *reason, size_t size);
void replay_free(struct replay *replay);

/*
 * What came the next time that @request was sent; after the last time comes the first again. NULL
 * if it was never sent; empty if nothing came.
 */
const struct replay_chunks *replay_next(struct replay *replay, const struct frame *request);

#endif

/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The trace: what went over the wire last, the newest TRACE_MAX requests with all that came after
 * each of them, in a ring of bytes. Nothing is allocated, and nobody has to be there to read it.
 */
#ifndef BMSFS_BUS_TRACE_H
#define BMSFS_BUS_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/frame.h"

#define TRACE_MAX 256

/*
 * The ring is this large as a rule, and doubles so often while it cannot hold TRACE_MAX requests. The
 * longest reply, CELL of a master's 15 units with 16 cells each, makes events of 1.7 KiB.
 */
#define TRACE_BYTES   65536
#define TRACE_DOUBLES 3

enum trace_outcome {
	TRACE_RECEIVED, /* no request */
	TRACE_WAITING,
	TRACE_OK,
	TRACE_REFUSED,
	TRACE_TIMEOUT,
	TRACE_DAMAGED, /* what came was no frame */
	TRACE_UNFIT,
	TRACE_FOREIGN, /* another master spoke meanwhile */
	TRACE_LOST,    /* the link went away */
	TRACE_OUTCOMES,
};

extern const char *const trace_outcome_name[TRACE_OUTCOMES];

struct trace_event {
	int64_t when;        /* of its first byte, as far as that is known */
	int64_t took;        /* ns, of a request: until its outcome */
	const char *meaning; /* "request", "late identity": a few words, good as long as the bus */
	const char *detail;  /* of a request that was not ok: more words on why, or NULL */
	uint16_t size;
	uint8_t address; /* of the unit; 0 where nobody knows */
	uint8_t outcome; /* enum trace_outcome */
	uint8_t bytes[FRAME_MAX];
};

struct trace {
	/* Positions count all bytes ever written; in the ring they are taken modulo its size. */
	uint64_t tail, head;
	uint64_t asked; /* of the last request */
	unsigned requests;
	unsigned doubled;

	/* Bytes received that no frame has explained yet. */
	int64_t raw_at; /* when the first of them came */
	size_t raw_size;
	uint8_t raw[4 * FRAME_MAX];

	/* What is beyond its size is not touched, and so takes no memory. */
	uint8_t ring[TRACE_BYTES << TRACE_DOUBLES];
};

/* A request is sent. @meaning must be good as long as the trace, here and below. */
void trace_send(struct trace *trace, const struct frame *frame, const char *meaning, int64_t when);

/* The last request is over, if it was not before. @detail may be NULL. */
void trace_end(struct trace *trace, enum trace_outcome outcome, const char *detail, int64_t when);

/* Bytes came; then, frame by frame and in order, what was in them. */
void trace_take(struct trace *trace, const uint8_t *bytes, size_t size, int64_t when);
void trace_receive(struct trace *trace, const struct frame *frame, const char *meaning,
		   int64_t when);

/* The event at *@at, from 0 for the oldest, and moves *@at on; false behind the newest. */
bool trace_next(const struct trace *trace, uint64_t *at, struct trace_event *event);

#endif

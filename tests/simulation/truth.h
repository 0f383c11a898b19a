/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What the simulated BMS has really said: for each instruction the last replies, before anything
 * happened to them on the line. A reply is kept as a hash of its content, made from its bytes
 * without the code under test.
 */
#ifndef BMSFS_SIMULATION_TRUTH_H
#define BMSFS_SIMULATION_TRUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/instruction.h"
#include "protocol/reply.h"

#define TRUTH_DEPTH 64

struct truth_reply {
	int64_t asked; /* when the first byte of the request was sent */
	uint64_t hash;
	double number;       /* of a scalar */
	unsigned generation; /* of the BMS */
	bool delivered;      /* whole and undamaged, to the last byte */
};

struct truth_row {
	uint64_t count;  /* of all replies; number i is at [i % TRUTH_DEPTH] */
	int64_t changed; /* when the value changed other than by a write of ours */
	struct truth_reply reply[TRUTH_DEPTH];
};

struct truth {
	const struct instruction_table *table;
	unsigned sensors;    /* that PTEM really tells of; 0: all numbers are sensors */
	unsigned generation; /* how many BMSs there have been */
	struct truth_row row[INSTRUCTION_MAX];
};

/* Where a reply is: still the same one if row and number fit. */
struct truth_place {
	unsigned row;
	uint64_t number;
	bool valid;
};

/* Adds the reply to a query of @row, whole frames; an ERROR is no value and not kept. */
struct truth_place truth_add(struct truth *truth, unsigned row, int64_t asked, const uint8_t *bytes,
			     size_t size);
void truth_deliver(struct truth *truth, const struct truth_place *place);

/* The hash of what the device holds, to be compared with that of replies. */
uint64_t truth_hash(const struct instruction *row, const struct sample *sample);

/* The newest reply to @row that was delivered and asked for at @since or later; with that hash. */
const struct truth_reply *truth_find(const struct truth *truth, unsigned row, int64_t since,
				     uint64_t hash);
const struct truth_reply *truth_newest(const struct truth *truth, unsigned row, int64_t since);

#endif

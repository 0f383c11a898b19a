/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Which faults hit a reply, drawn from a seeded generator, and what they do to bytes. */
#ifndef BMSFS_SIM_FAULTS_H
#define BMSFS_SIM_FAULTS_H

#include "sim/random.h"
#include "sim/sim.h"

#define FAULT_GARBAGE_MAX 20

struct faults {
	double rate[SIM_FAULTS];
	struct sim_random random;
	int64_t silent_until;
};

/* What is in store for one reply. */
struct fault_plan {
	bool hit[SIM_FAULTS];
	int64_t delay;            /* of SIM_DELAY and SIM_LATE together */
	struct sim_random detail; /* for what is drawn about the bytes */
};

void faults_init(struct faults *faults, const double rate[SIM_FAULTS], uint64_t seed);

/* The fault of that name, or -ENOENT. */
int fault_find(const char *name);

/*
 * Draws the plan of a reply to a request that arrived at @now. It always draws equally often, so
 * that one fault's rate does not move the others.
 */
void faults_draw(struct faults *faults, struct fault_plan *plan, int64_t now);

/* Which bit of @size bytes flips. */
size_t fault_corrupt(struct fault_plan *plan, size_t size);

/* How many of @size bytes still come: at least one, never all. */
size_t fault_truncate(struct fault_plan *plan, size_t size);

/* Makes 1 to FAULT_GARBAGE_MAX bytes and returns their number. */
size_t fault_garbage(struct fault_plan *plan, uint8_t bytes[FAULT_GARBAGE_MAX]);

#endif

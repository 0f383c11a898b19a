/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Numbers by chance that are the same for the same seed on every machine (SplitMix64). */
#ifndef BMSFS_SIM_RANDOM_H
#define BMSFS_SIM_RANDOM_H

#include <stdint.h>

struct sim_random {
	uint64_t state;
};

static inline uint64_t sim_random_next(struct sim_random *random)
{
	uint64_t z = random->state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

/* At least @from, less than @to. */
static inline double sim_random_between(struct sim_random *random, double from, double to)
{
	return from + (to - from) * (double)(sim_random_next(random) >> 11) * 0x1p-53;
}

/* 0 to @limit - 1; @limit is at least 1. */
static inline uint32_t sim_random_below(struct sim_random *random, uint32_t limit)
{
	return (uint32_t)(sim_random_next(random) % limit);
}

#endif

/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Time in all rooms: int64_t nanoseconds on CLOCK_BOOTTIME, given by whoever calls.
 * 0 means "never", NSEC_NEVER "no appointment".
 */
#ifndef BMSFS_NSEC_H
#define BMSFS_NSEC_H

#include <stdint.h>

#define NSEC_PER_SEC  INT64_C(1000000000)
#define NSEC_PER_MSEC INT64_C(1000000)
#define NSEC_NEVER    INT64_MAX

static inline int64_t nsec_min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

#endif

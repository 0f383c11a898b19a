/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef BMSFS_MQTT_BACKOFF_H
#define BMSFS_MQTT_BACKOFF_H

#include <stdint.h>

#define BACKOFF_MAX_MS 60000
#define BACKOFF_STEPS  6 /* until the wait no longer grows */

/* Failures in a row, one more included: a connection that lasted @lasted_ms was a success if long. */
static inline unsigned backoff_failures(unsigned before, int64_t lasted_ms)
{
	return lasted_ms < BACKOFF_MAX_MS ? before + 1 : 1;
}

/*
 * Milliseconds to wait before the next attempt to connect, after @failures in a row: 1 s after the
 * first, then twice as long each time, up to a minute. Of that, @random takes away up to half, so that
 * many clients of a broker that comes back do not connect in the same moment.
 */
static inline int backoff_ms(unsigned failures, uint32_t random)
{
	int whole = failures <= BACKOFF_STEPS ? 500 << failures : BACKOFF_MAX_MS;

	return whole - (int)(random % (uint32_t)(whole / 2 + 1));
}

#endif

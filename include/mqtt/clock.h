/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef BMSFS_MQTT_CLOCK_H
#define BMSFS_MQTT_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds since the machine was started, the time that it slept included. */
static inline int64_t clock_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * (int64_t)1000 + now.tv_nsec / 1000000;
}

#endif

/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef BMSFS_MQTT_DISCOVERY_H
#define BMSFS_MQTT_DISCOVERY_H

#include <jansson.h>

#include "mqtt/config.h"

/*
 * Home Assistant's discovery message for one device. What @old (or NULL), the message before, had
 * and this one has not, is told to be removed. The caller ends it with json_decref().
 */
json_t *discovery_make(const struct mqtt_config *config, const json_t *catalogue,
		       const json_t *snapshot, const json_t *old);

/* The step in which a number from @min to @max is set: a power of ten, 0.001 to 1. */
double discovery_step(double min, double max);

#endif

/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef BMSFS_MQTT_STATE_H
#define BMSFS_MQTT_STATE_H

#include <jansson.h>

/*
 * The values of everything in @catalogue, for the state topic. What has none now is null, by which
 * Home Assistant knows that it is unknown. Besides, "problem" is whether the BMS reports an error.
 */
json_t *state_make(const json_t *catalogue, const json_t *snapshot);

#endif

/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The mount as bmsfs-mqtt uses it, in an agent (client/agent.h). The requests and their answers:
 *
 *	{"read": {"again": BOOL}}	{"snapshot": {...}, "catalogue": {...} or null}
 *					or {"reason": TEXT}; with "again" all files are described anew
 *	{"set": {"name": TEXT, "text": TEXT, "came_ms": INTEGER}}
 *					{"error": 0 or -errno, "reason": TEXT}
 *	{"rest": true}			none
 *
 * From a reading on the agent waits for changes, and its open files keep the mount busy. It closes
 * them and sends {"changed": true} at the first change, and closes them at "rest".
 */
#ifndef BMSFS_MQTT_MOUNT_H
#define BMSFS_MQTT_MOUNT_H

#include "client/agent.h"
#include "mqtt/setting.h"

/* Starts the agent for the mount at @place, which stays the caller's. As agent_start(). */
int mount_start(struct agent *agent, const char *place);

/* The requests. NULL if there is no memory. */
json_t *mount_read(bool again);
json_t *mount_set(const struct setting_wish *wish);
json_t *mount_rest(void);

#endif

/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The connection to the broker, in a thread of its own: it keeps itself alive while a file is read,
 * and comes back by itself, at growing distances. What it has to tell comes through a pipe, so that
 * nothing is shared but the library's own queue.
 */
#ifndef BMSFS_MQTT_BROKER_H
#define BMSFS_MQTT_BROKER_H

#include <jansson.h>
#include <stdbool.h>

#include "mqtt/config.h"
#include "mqtt/setting.h"

enum broker_event_type {
	BROKER_CONNECTED,
	BROKER_LOST,
	BROKER_BIRTH,  /* Home Assistant has started */
	BROKER_TOLD,   /* what Home Assistant was told in an earlier life of the program */
	BROKER_WISH,   /* somebody wants something set */
	BROKER_FAILED, /* it cannot be tried again: a certificate that does not fit */
};

struct broker_event {
	enum broker_event_type type;
	json_t *told; /* the receiver's */
	struct setting_wish wish;
};

struct broker;

/* Returns 0, -EINVAL with a line on stderr if TLS is not as it must be, or -errno. */
int broker_open(struct broker **broker, const struct mqtt_config *config);

/*
 * Says that the program ends, if it is connected, and ends the connection. False if the thread still
 * waits for a broker: then the program may only _exit(2), as exit(3) would take away what that thread
 * uses.
 */
bool broker_close(struct broker *broker);

/* Readable while there are events. */
int broker_fd(const struct broker *broker);

/* Takes the next event; false if there is none. */
bool broker_next(struct broker *broker, struct broker_event *event);

/*
 * Publishes at a topic of the battery ("state"). What is published while there is no connection is
 * lost: all is published again afterwards.
 */
void broker_publish(struct broker *broker, const char *topic, const char *text, bool retain);
void broker_publish_json(struct broker *broker, const char *topic, const json_t *message,
			 bool retain);
void broker_publish_discovery(struct broker *broker, const json_t *message);

#endif

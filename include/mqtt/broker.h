/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The connection to the broker, in a thread of its own: it is kept alive while a file is read, and
 * made anew after it was lost, at growing intervals. Each connection starts with nothing that an
 * earlier one left. The thread reports through a pipe.
 */
#ifndef BMSFS_MQTT_BROKER_H
#define BMSFS_MQTT_BROKER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "mqtt/config.h"
#include "mqtt/setting.h"

enum broker_event_type {
	BROKER_CONNECTED,
	BROKER_LOST,
	BROKER_BIRTH,   /* Home Assistant has started */
	BROKER_TOLD,    /* what Home Assistant was told in an earlier life of the program */
	BROKER_WISH,    /* somebody wants something set */
	BROKER_REFUSED, /* a message; broker_next() itself takes this one */
	BROKER_FAILED,  /* it cannot be tried again: a certificate that does not fit */
};

struct broker_event {
	enum broker_event_type type;
	json_t *told; /* the receiver's */
	struct setting_wish wish;
	int message, reason; /* of a refusal: its number, and MQTT's reason code */
	uint32_t packet_max; /* of a connection: bytes of a message; 0: no limit */
};

/* What is published. */
enum broker_topic {
	TOPIC_STATE,
	TOPIC_DAEMON,    /* retained */
	TOPIC_LINK,      /* retained */
	TOPIC_RESULT,    /* below it one for each setting */
	TOPIC_DISCOVERY, /* retained, at Home Assistant's own prefix */
	TOPICS,
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
 * Publishes a message. What is published while there is no connection is lost: all is published
 * again afterwards. A message that the broker refuses is reported once for each topic and reason.
 */
void broker_publish(struct broker *broker, enum broker_topic topic, const char *text);
void broker_publish_json(struct broker *broker, enum broker_topic topic, const json_t *message);

/* The same at the result topic of the setting @name. */
void broker_publish_result(struct broker *broker, const char *name, const json_t *message);

#endif

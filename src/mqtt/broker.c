// SPDX-License-Identifier: LGPL-3.0-or-later
#include "mqtt/broker.h"

#include <errno.h>
#include <fcntl.h>
#include <mosquitto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "mqtt/clock.h"
#include "mqtt/say.h"

#define KEEPALIVE_S     30
#define RECONNECT_MIN_S 1
#define RECONNECT_MAX_S 60
#define FAREWELL_S      1 /* for the last messages */
#define WISHES_MAX      32
#define TOPIC_MAX       256

/* Where OpenSSL looks by itself; libmosquitto wants a place named before it takes a certificate. */
#define SYSTEM_CERTIFICATES "/etc/ssl/certs"

struct broker {
	const struct mqtt_config *config;
	struct mosquitto *mosq;
	pthread_t thread;
	int read_end, write_end;
	int refused; /* the last reason, so that it is told once */
	bool failed; /* the thread has ended, or is about to */
};

static void tell(struct broker *broker, const struct broker_event *event)
{
	if (write(broker->write_end, event, sizeof(*event)) >= 0)
		return;
	say("an event was lost: %s", strerror(errno));
	json_decref(event->told);
}

/* Wishes must neither crowd out other events nor come true long after. */
static bool is_crowded(const struct broker *broker)
{
	int waiting;

	return ioctl(broker->read_end, FIONREAD, &waiting) < 0 ||
	       (size_t)waiting >= WISHES_MAX * sizeof(struct broker_event);
}

static void topic_of(const struct broker *broker, const char *end, char topic[TOPIC_MAX])
{
	snprintf(topic, TOPIC_MAX, "%s/%s/%s", broker->config->prefix, broker->config->name, end);
}

static void birth_topic(const struct broker *broker, char topic[TOPIC_MAX])
{
	snprintf(topic, TOPIC_MAX, "%s/status", broker->config->discovery);
}

static void discovery_topic(const struct broker *broker, char topic[TOPIC_MAX])
{
	snprintf(topic, TOPIC_MAX, "%s/device/bmsfs_%s/config", broker->config->discovery,
		 broker->config->name);
}

static void subscribe(struct broker *broker)
{
	char topic[TOPIC_MAX];

	/* Quality 0: a wish must come at most once. */
	topic_of(broker, "set/+", topic);
	mosquitto_subscribe(broker->mosq, NULL, topic, 0);
	if (*broker->config->discovery) {
		birth_topic(broker, topic);
		mosquitto_subscribe(broker->mosq, NULL, topic, 0);
		discovery_topic(broker, topic);
		mosquitto_subscribe(broker->mosq, NULL, topic, 0);
	}
}

/* --- in the thread --- */

static void on_connect(struct mosquitto *mosq, void *user, int refused)
{
	struct broker *broker = user;

	(void)mosq;
	if (refused && refused != broker->refused)
		say("the broker refuses: %s", mosquitto_connack_string(refused));
	broker->refused = refused;
	if (refused)
		return;
	say("connected to the broker");
	subscribe(broker);
	tell(broker, &(struct broker_event){ .type = BROKER_CONNECTED });
}

static void on_disconnect(struct mosquitto *mosq, void *user, int error)
{
	struct broker *broker = user;

	(void)mosq;
	if (error && !broker->refused)
		say("the broker is gone: %s", mosquitto_strerror(error));
	tell(broker, &(struct broker_event){ .type = BROKER_LOST });
}

static void take_wish(struct broker *broker, const char *name,
		      const struct mosquitto_message *message)
{
	struct broker_event event = { .type = BROKER_WISH, .wish.came_ms = clock_now_ms() };
	size_t length = (size_t)message->payloadlen;

	if (!setting_is_name(name) || is_crowded(broker)) {
		say("dropped: a message to set %s",
		    setting_is_name(name) ? name : "what can be no setting");
		return;
	}
	snprintf(event.wish.name, sizeof(event.wish.name), "%s", name);
	event.wish.length = length;
	event.wish.retained = message->retain;
	if (length)
		memcpy(event.wish.text, message->payload,
		       length > SETTING_TEXT_MAX ? SETTING_TEXT_MAX : length);
	tell(broker, &event);
}

/* The first message is the retained one, if there is any; our own would follow. */
static void take_told(struct broker *broker, const struct mosquitto_message *message)
{
	struct broker_event event = { .type = BROKER_TOLD };

	mosquitto_unsubscribe(broker->mosq, NULL, message->topic);
	if (message->retain)
		event.told = json_loadb(message->payload, (size_t)message->payloadlen, 0, NULL);
	if (event.told)
		tell(broker, &event);
}

static void on_message(struct mosquitto *mosq, void *user, const struct mosquitto_message *message)
{
	struct broker *broker = user;
	char topic[TOPIC_MAX];

	(void)mosq;
	topic_of(broker, "set/", topic);
	if (!strncmp(message->topic, topic, strlen(topic))) {
		take_wish(broker, message->topic + strlen(topic), message);
		return;
	}
	discovery_topic(broker, topic);
	if (!strcmp(message->topic, topic)) {
		take_told(broker, message);
		return;
	}
	birth_topic(broker, topic);
	if (!strcmp(message->topic, topic) && message->payloadlen == 6 &&
	    !memcmp(message->payload, "online", 6))
		tell(broker, &(struct broker_event){ .type = BROKER_BIRTH });
}

/* What is behind "a TLS error". */
static void on_log(struct mosquitto *mosq, void *user, int level, const char *line)
{
	(void)mosq;
	(void)user;
	if (level == MOSQ_LOG_ERR)
		say("%s", line);
}

/* The first try is made here and may fail; what the library tries again, it does not tell of. */
static void *serve(void *user)
{
	struct broker *broker = user;
	const struct mqtt_config *config = broker->config;
	bool local = config->host[0] == '/';
	int error = mosquitto_connect(broker->mosq, config->host, local ? 0 : config->port,
				      KEEPALIVE_S);

	if (error && error != MOSQ_ERR_TLS)
		say("the broker %s: %s; will try again", config->host,
		    error == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(error));
	if (error != MOSQ_ERR_TLS)
		error = mosquitto_loop_forever(broker->mosq, -1, 1);
	if (error)
		say("the broker %s: %s", config->host, mosquitto_strerror(error));
	tell(broker, &(struct broker_event){ .type = BROKER_FAILED });
	return NULL;
}

/* --- in the program's own --- */

static int configure_tls(struct broker *broker)
{
	const struct mqtt_config *config = broker->config;
	const char *cert = *config->cert ? config->cert : NULL;
	const char *key = *config->key ? config->key : NULL;
	int error;

	if (!config->tls)
		return 0;
	error = mosquitto_tls_set(broker->mosq, *config->ca ? config->ca : NULL,
				  *config->ca ? NULL : SYSTEM_CERTIFICATES, cert, key, NULL);
	if (!error && !*config->ca)
		error = mosquitto_int_option(broker->mosq, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
	if (!error)
		return 0;
	say("ca, cert or key: %s",
	    error == MOSQ_ERR_INVAL ? "cannot be read" : mosquitto_strerror(error));
	return -EINVAL;
}

static int configure(struct broker *broker)
{
	const struct mqtt_config *config = broker->config;
	char topic[TOPIC_MAX];

	mosquitto_threaded_set(broker->mosq, true);
	mosquitto_connect_callback_set(broker->mosq, on_connect);
	mosquitto_disconnect_callback_set(broker->mosq, on_disconnect);
	mosquitto_message_callback_set(broker->mosq, on_message);
	mosquitto_log_callback_set(broker->mosq, on_log);
	mosquitto_reconnect_delay_set(broker->mosq, RECONNECT_MIN_S, RECONNECT_MAX_S, true);
	topic_of(broker, "daemon", topic);
	if (mosquitto_will_set(broker->mosq, topic, 7, "offline", 1, true))
		return -ENOMEM;
	if (*config->username &&
	    mosquitto_username_pw_set(broker->mosq, config->username,
				      *config->password ? config->password : NULL))
		return -ENOMEM;
	return configure_tls(broker);
}

/*
 * The name goes into the client's: a program that starts anew takes the place of the one before it,
 * whose last will would otherwise come late and stay.
 */
static struct mosquitto *client_new(struct broker *broker)
{
	char id[TOPIC_MAX];

	snprintf(id, sizeof(id), "bmsfs-mqtt-%s", broker->config->name);
	return mosquitto_new(id, true, broker);
}

static int start(struct broker *broker)
{
	int ends[2], ret;

	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0)
		return -errno;
	broker->read_end = ends[0];
	broker->write_end = ends[1];
	ret = -pthread_create(&broker->thread, NULL, serve, broker);
	if (ret) {
		close(ends[0]);
		close(ends[1]);
	}
	return ret;
}

int broker_open(struct broker **opened, const struct mqtt_config *config)
{
	struct broker *broker = calloc(1, sizeof(*broker));
	int ret = -ENOMEM;

	if (!broker)
		return ret;
	broker->config = config;
	mosquitto_lib_init();
	broker->mosq = client_new(broker);
	if (!broker->mosq)
		goto out_free;
	ret = configure(broker);
	if (!ret)
		ret = start(broker);
	if (ret)
		goto out_destroy;
	*opened = broker;
	return 0;

out_destroy:
	mosquitto_destroy(broker->mosq);
out_free:
	mosquitto_lib_cleanup();
	free(broker);
	return ret;
}

bool broker_close(struct broker *broker)
{
	struct broker_event event;
	struct timespec until;

	broker_publish(broker, "daemon", "offline", true);
	clock_gettime(CLOCK_MONOTONIC, &until);
	if (!mosquitto_disconnect(broker->mosq) || broker->failed)
		until.tv_sec += FAREWELL_S;
	if (pthread_clockjoin_np(broker->thread, NULL, CLOCK_MONOTONIC, &until))
		return false;
	while (broker_next(broker, &event))
		json_decref(event.told);
	mosquitto_destroy(broker->mosq);
	mosquitto_lib_cleanup();
	close(broker->read_end);
	close(broker->write_end);
	free(broker);
	return true;
}

int broker_fd(const struct broker *broker)
{
	return broker->read_end;
}

bool broker_next(struct broker *broker, struct broker_event *event)
{
	if (read(broker->read_end, event, sizeof(*event)) != sizeof(*event))
		return false;
	broker->failed |= event->type == BROKER_FAILED;
	return true;
}

static void publish(struct broker *broker, const char *topic, const char *text, bool retain)
{
	/* Quality 0: what could not be sent is not sent later, when it is no longer true. */
	mosquitto_publish(broker->mosq, NULL, topic, (int)strlen(text), text, 0, retain);
}

void broker_publish(struct broker *broker, const char *end, const char *text, bool retain)
{
	char topic[TOPIC_MAX];

	topic_of(broker, end, topic);
	publish(broker, topic, text, retain);
}

/* 15 digits are what a double keeps of any decimal: 3.3461 stays 3.3461. */
static char *dump(const json_t *message)
{
	return json_dumps(message, JSON_COMPACT | JSON_REAL_PRECISION(15));
}

void broker_publish_json(struct broker *broker, const char *end, const json_t *message, bool retain)
{
	char *text = dump(message);

	if (text)
		broker_publish(broker, end, text, retain);
	free(text);
}

void broker_publish_discovery(struct broker *broker, const json_t *message)
{
	char topic[TOPIC_MAX], *text = dump(message);

	discovery_topic(broker, topic);
	if (text)
		publish(broker, topic, text, true);
	free(text);
}

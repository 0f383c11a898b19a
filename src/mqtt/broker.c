// SPDX-License-Identifier: LGPL-3.0-or-later
#include "mqtt/broker.h"

#include <errno.h>
#include <fcntl.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "mqtt/backoff.h"
#include "mqtt/clock.h"
#include "mqtt/say.h"

#define KEEPALIVE_S 30
#define LOOP_MS     (KEEPALIVE_S * 1000)
#define FAREWELL_S  1 /* for the last messages */
#define WISHES_MAX  32
#define TOPIC_MAX   256
#define REASON_MAX  160

/* Where OpenSSL looks by itself; libmosquitto wants a place named before it takes a certificate. */
#define SYSTEM_CERTIFICATES "/etc/ssl/certs"

/* A refused message arrives as a reason code of MQTT 5, from this on. */
#define REASON_REFUSED 0x80

struct broker {
	const struct mqtt_config *config;
	pthread_t thread;
	int read_end, write_end; /* of the pipe for events */
	int stop_fd;             /* readable once the program ends */

	/* Shared by both threads. */
	pthread_mutex_t lock;
	struct mosquitto *mosq; /* the connection; NULL between two */
	bool stopping;

	/* The thread's own. */
	int protocol;            /* MQTT_PROTOCOL_V5 or, with an old broker, _V311 */
	char reason[REASON_MAX]; /* why this connection ended */
	char said[REASON_MAX];   /* the last reason that was logged */

	/* The program's own. */
	bool failed;         /* the thread has ended, or is about to */
	uint32_t packet_max; /* bytes that the broker takes; 0: as many as MQTT allows */
	struct {
		int message; /* the number of the last one; 0: none */
		int reason;  /* why the last refused one was; 0: none since the connection began */
	} sent[TOPICS];
};

static const struct {
	const char *name;
	bool retain;
} topics[TOPICS] = {
	[TOPIC_STATE] = { "state", false }, [TOPIC_DAEMON] = { "daemon", true },
	[TOPIC_LINK] = { "link", true },    [TOPIC_RESULT] = { "result", false },
	[TOPIC_DISCOVERY] = { NULL, true },
};

static const struct {
	int reason;
	const char *remedy;
} remedies[] = {
	{ MQTT_RC_BAD_USERNAME_OR_PASSWORD, "check username and password" },
	{ MQTT_RC_NOT_AUTHORIZED, "check username, password and the broker's access list" },
	{ MQTT_RC_SESSION_TAKEN_OVER, "another program uses this name; give one another name" },
	{ MQTT_RC_PACKET_TOO_LARGE, "raise the limit of the broker" },
	{ MQTT_RC_RETAIN_NOT_SUPPORTED, "let the broker keep retained messages" },
};

static const char *remedy_of(int reason)
{
	for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++)
		if (remedies[i].reason == reason)
			return remedies[i].remedy;
	return "see the log of the broker";
}

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

/* --- in the thread --- */

enum { WANT_SET, WANT_BIRTH, WANT_DISCOVERY, WANTED };

static int wanted_topics(const struct broker *broker, char topic[WANTED][TOPIC_MAX])
{
	topic_of(broker, "set/+", topic[WANT_SET]);
	birth_topic(broker, topic[WANT_BIRTH]);
	discovery_topic(broker, topic[WANT_DISCOVERY]);
	return *broker->config->discovery ? WANTED : WANT_BIRTH;
}

static void subscribe(struct broker *broker, struct mosquitto *mosq)
{
	char topic[WANTED][TOPIC_MAX], *list[WANTED];
	int count = wanted_topics(broker, topic);

	for (int i = 0; i < count; i++)
		list[i] = topic[i];
	/* Quality 0: a wish must come at most once. */
	mosquitto_subscribe_multiple(mosq, NULL, count, list, 0, 0, NULL);
}

static void on_subscribe(struct mosquitto *mosq, void *user, int message, int count,
			 const int *granted, const mosquitto_property *properties)
{
	char topic[WANTED][TOPIC_MAX];
	int wanted = wanted_topics(user, topic);

	(void)mosq;
	(void)message;
	(void)properties;
	for (int i = 0; i < count && i < wanted; i++)
		if (granted[i] >= REASON_REFUSED)
			say("the broker refuses to deliver %s: %s; %s", topic[i],
			    mosquitto_reason_string(granted[i]), remedy_of(granted[i]));
}

/* The first reason is the cause of those that follow. */
static void set_reason(struct broker *broker, const char *what, const char *why, const char *remedy)
{
	size_t length = strlen(why);

	if (*broker->reason)
		return;
	if (length && why[length - 1] == '.')
		length--;
	snprintf(broker->reason, sizeof(broker->reason), "%s%.*s%s%s", what, (int)length, why,
		 *remedy ? "; " : "", remedy);
}

static void use_mqtt_3(struct broker *broker, const char *why)
{
	broker->protocol = MQTT_PROTOCOL_V311;
	set_reason(broker, "", why, "using MQTT 3.1.1, which gives no reasons");
}

static void refuse_connection(struct broker *broker, int reason)
{
	if (broker->protocol != MQTT_PROTOCOL_V5) {
		set_reason(broker, "", mosquitto_connack_string(reason),
			   "check username and password");
		return;
	}
	if (reason == MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION) {
		use_mqtt_3(broker, "it does not speak MQTT 5");
		return;
	}
	set_reason(broker, "the connection is refused: ", mosquitto_reason_string(reason),
		   remedy_of(reason));
}

static void on_connect(struct mosquitto *mosq, void *user, int refused, int flags,
		       const mosquitto_property *properties)
{
	struct broker_event event = { .type = BROKER_CONNECTED };
	struct broker *broker = user;

	(void)flags;
	if (refused) {
		refuse_connection(broker, refused);
		return;
	}
	say("connected to the broker with MQTT %s",
	    broker->protocol == MQTT_PROTOCOL_V5 ? "5" : "3.1.1");
	mosquitto_property_read_int32(properties, MQTT_PROP_MAXIMUM_PACKET_SIZE, &event.packet_max,
				      false);
	subscribe(broker, mosq);
	tell(broker, &event);
}

static void on_disconnect(struct mosquitto *mosq, void *user, int error,
			  const mosquitto_property *properties)
{
	struct broker *broker = user;

	(void)mosq;
	(void)properties;
	if (error >= REASON_REFUSED)
		set_reason(broker, "the connection is ended: ", mosquitto_reason_string(error),
			   remedy_of(error));
	tell(broker, &(struct broker_event){ .type = BROKER_LOST });
}

static void on_publish(struct mosquitto *mosq, void *user, int message, int reason,
		       const mosquitto_property *properties)
{
	(void)mosq;
	(void)properties;
	if (reason >= REASON_REFUSED)
		tell(user, &(struct broker_event){
				   .type = BROKER_REFUSED, .message = message, .reason = reason });
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
static void take_told(struct broker *broker, struct mosquitto *mosq,
		      const struct mosquitto_message *message)
{
	struct broker_event event = { .type = BROKER_TOLD };

	mosquitto_unsubscribe(mosq, NULL, message->topic);
	if (message->retain)
		event.told = json_loadb(message->payload, (size_t)message->payloadlen, 0, NULL);
	if (event.told)
		tell(broker, &event);
}

static void on_message(struct mosquitto *mosq, void *user, const struct mosquitto_message *message,
		       const mosquitto_property *properties)
{
	struct broker *broker = user;
	char topic[TOPIC_MAX];

	(void)properties;
	topic_of(broker, "set/", topic);
	if (!strncmp(message->topic, topic, strlen(topic))) {
		take_wish(broker, message->topic + strlen(topic), message);
		return;
	}
	discovery_topic(broker, topic);
	if (!strcmp(message->topic, topic)) {
		take_told(broker, mosq, message);
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

static int configure_tls(const struct broker *broker, struct mosquitto *mosq)
{
	const struct mqtt_config *config = broker->config;
	const char *cert = *config->cert ? config->cert : NULL;
	const char *key = *config->key ? config->key : NULL;
	int error;

	if (!config->tls)
		return MOSQ_ERR_SUCCESS;
	error = mosquitto_tls_set(mosq, *config->ca ? config->ca : NULL,
				  *config->ca ? NULL : SYSTEM_CERTIFICATES, cert, key, NULL);
	if (!error && !*config->ca)
		error = mosquitto_int_option(mosq, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
	return error;
}

static int configure(const struct broker *broker, struct mosquitto *mosq)
{
	const struct mqtt_config *config = broker->config;
	char topic[TOPIC_MAX];
	int error;

	mosquitto_threaded_set(mosq, true);
	mosquitto_connect_v5_callback_set(mosq, on_connect);
	mosquitto_disconnect_v5_callback_set(mosq, on_disconnect);
	mosquitto_publish_v5_callback_set(mosq, on_publish);
	mosquitto_subscribe_v5_callback_set(mosq, on_subscribe);
	mosquitto_message_v5_callback_set(mosq, on_message);
	mosquitto_log_callback_set(mosq, on_log);
	topic_of(broker, topics[TOPIC_DAEMON].name, topic);
	error = mosquitto_int_option(mosq, MOSQ_OPT_PROTOCOL_VERSION, broker->protocol);
	if (!error)
		error = mosquitto_will_set(mosq, topic, 7, "offline", 1, true);
	if (!error && *config->username)
		error = mosquitto_username_pw_set(mosq, config->username,
						  *config->password ? config->password : NULL);
	return error ? error : configure_tls(broker, mosq);
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

/* Lets the program publish at @mosq, or nowhere; false if it ends. */
static bool publish_at(struct broker *broker, struct mosquitto *mosq)
{
	bool stopping;

	pthread_mutex_lock(&broker->lock);
	stopping = broker->stopping;
	broker->mosq = mosq;
	pthread_mutex_unlock(&broker->lock);
	return !stopping;
}

/*
 * libmosquitto 2.0.21 takes the refusal by an old broker for a malformed packet, and ends the
 * connection when the broker refuses a message for its size.
 */
static void explain_end(struct broker *broker, int error)
{
	if (broker->protocol == MQTT_PROTOCOL_V5 && error == MOSQ_ERR_MALFORMED_PACKET)
		use_mqtt_3(broker, "it does not speak MQTT 5");
	else if (broker->protocol == MQTT_PROTOCOL_V5 && error == MOSQ_ERR_PROTOCOL)
		use_mqtt_3(broker, "a message may be over its limit, which should be raised");
	else
		set_reason(broker, "", mosquitto_strerror(error), "");
}

/* One connection from its start to its end. Returns how it ended, as libmosquitto says it. */
static int serve_once(struct broker *broker)
{
	const char *host = broker->config->host;
	struct mosquitto *mosq = client_new(broker);
	int error = mosq ? configure(broker, mosq) : MOSQ_ERR_NOMEM;

	broker->reason[0] = '\0';
	if (!error)
		error = mosquitto_connect(mosq, host, host[0] == '/' ? 0 : broker->config->port,
					  KEEPALIVE_S);
	if (error)
		set_reason(broker, "",
			   error == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(error),
			   "");
	if (!error && publish_at(broker, mosq))
		while (!error)
			error = mosquitto_loop(mosq, LOOP_MS, 1);
	publish_at(broker, NULL);
	mosquitto_destroy(mosq);
	explain_end(broker, error);
	return error;
}

/* Waits before the next attempt, and says so while the wait grows; false if the program ends. */
static bool wait_to_retry(struct broker *broker, unsigned failures)
{
	struct pollfd fd = { .fd = broker->stop_fd, .events = POLLIN };
	uint32_t random = 0;
	int wait;

	getrandom(&random, sizeof(random), 0);
	wait = backoff_ms(failures, random);
	if (failures <= BACKOFF_STEPS || strcmp(broker->reason, broker->said) != 0)
		say("the broker %s: %s; next attempt in %d s", broker->config->host, broker->reason,
		    (wait + 999) / 1000);
	memcpy(broker->said, broker->reason, sizeof(broker->said));
	return !poll(&fd, 1, wait);
}

static void *serve(void *user)
{
	struct broker *broker = user;
	unsigned failures = 0;
	int64_t began;
	int error;

	do {
		began = clock_now_ms();
		error = serve_once(broker);
		failures = backoff_failures(failures, clock_now_ms() - began);
	} while (error != MOSQ_ERR_TLS && wait_to_retry(broker, failures));
	if (error == MOSQ_ERR_TLS)
		say("the broker %s: %s", broker->config->host, broker->reason);
	tell(broker, &(struct broker_event){ .type = BROKER_FAILED });
	return NULL;
}

/* --- in the program's own --- */

/* What a connection needs besides the broker itself is tried before there is a thread. */
static int check_configuration(struct broker *broker)
{
	struct mosquitto *mosq = client_new(broker);
	int error = mosq ? configure(broker, mosq) : MOSQ_ERR_NOMEM;

	mosquitto_destroy(mosq);
	if (!error)
		return 0;
	if (error == MOSQ_ERR_NOMEM)
		return -ENOMEM;
	say("ca, cert or key: %s",
	    error == MOSQ_ERR_INVAL ? "cannot be read" : mosquitto_strerror(error));
	return -EINVAL;
}

static int start(struct broker *broker)
{
	int ends[2], err;

	broker->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (broker->stop_fd < 0)
		return -errno;
	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0) {
		err = -errno;
		close(broker->stop_fd);
		return err;
	}
	broker->read_end = ends[0];
	broker->write_end = ends[1];
	err = -pthread_create(&broker->thread, NULL, serve, broker);
	if (err) {
		close(ends[0]);
		close(ends[1]);
		close(broker->stop_fd);
	}
	return err;
}

int broker_open(struct broker **opened, const struct mqtt_config *config)
{
	struct broker *broker = calloc(1, sizeof(*broker));
	int err;

	if (!broker)
		return -ENOMEM;
	broker->config = config;
	broker->protocol = MQTT_PROTOCOL_V5;
	pthread_mutex_init(&broker->lock, NULL);
	mosquitto_lib_init();
	err = check_configuration(broker);
	if (!err)
		err = start(broker);
	if (err) {
		mosquitto_lib_cleanup();
		free(broker);
		return err;
	}
	*opened = broker;
	return 0;
}

bool broker_close(struct broker *broker)
{
	struct broker_event event;
	struct timespec until;

	broker_publish(broker, TOPIC_DAEMON, "offline");
	pthread_mutex_lock(&broker->lock);
	broker->stopping = true;
	if (broker->mosq)
		mosquitto_disconnect(broker->mosq);
	pthread_mutex_unlock(&broker->lock);
	eventfd_write(broker->stop_fd, 1);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += FAREWELL_S;
	if (pthread_clockjoin_np(broker->thread, NULL, CLOCK_MONOTONIC, &until))
		return false;
	while (broker_next(broker, &event))
		json_decref(event.told);
	mosquitto_lib_cleanup();
	close(broker->read_end);
	close(broker->write_end);
	close(broker->stop_fd);
	pthread_mutex_destroy(&broker->lock);
	free(broker);
	return true;
}

int broker_fd(const struct broker *broker)
{
	return broker->read_end;
}

static void publication_topic(const struct broker *broker, enum broker_topic topic,
			      char text[TOPIC_MAX])
{
	if (topic == TOPIC_DISCOVERY)
		discovery_topic(broker, text);
	else
		topic_of(broker, topics[topic].name, text);
}

/* Reports a refusal by the broker, once for each topic and reason of a connection. */
static void report(struct broker *broker, enum broker_topic topic, int reason, const char *why,
		   const char *remedy)
{
	char text[TOPIC_MAX];

	if (broker->sent[topic].reason == reason)
		return;
	broker->sent[topic].reason = reason;
	publication_topic(broker, topic, text);
	say("the broker refuses %s: %s; %s", text, why, remedy);
}

static void take_refusal(struct broker *broker, const struct broker_event *event)
{
	for (int topic = 0; topic < TOPICS; topic++)
		if (broker->sent[topic].message == event->message)
			report(broker, (enum broker_topic)topic, event->reason,
			       mosquitto_reason_string(event->reason), remedy_of(event->reason));
}

bool broker_next(struct broker *broker, struct broker_event *event)
{
	do {
		if (read(broker->read_end, event, sizeof(*event)) != sizeof(*event))
			return false;
		if (event->type == BROKER_REFUSED)
			take_refusal(broker, event);
	} while (event->type == BROKER_REFUSED);
	if (event->type == BROKER_CONNECTED) {
		memset(broker->sent, 0, sizeof(broker->sent));
		broker->packet_max = event->packet_max;
	}
	broker->failed |= event->type == BROKER_FAILED;
	return true;
}

/* Publishes at a topic, or at @name below it. */
static void publish(struct broker *broker, enum broker_topic topic, const char *name,
		    const char *text)
{
	int error = MOSQ_ERR_NO_CONN, message = 0, length = (int)strlen(text);
	char place[2 * TOPIC_MAX], why[64];

	publication_topic(broker, topic, place);
	if (name)
		snprintf(place + strlen(place), TOPIC_MAX, "/%s", name);
	pthread_mutex_lock(&broker->lock);
	/* Quality 1: only then does the broker say that it refuses a message. */
	if (broker->mosq)
		error = mosquitto_publish(broker->mosq, &message, place, length, text, 1,
					  topics[topic].retain);
	pthread_mutex_unlock(&broker->lock);
	if (error == MOSQ_ERR_OVERSIZE_PACKET) {
		snprintf(why, sizeof(why), "%d bytes and its limit is %u", length,
			 broker->packet_max);
		report(broker, topic, -error, why, remedy_of(MQTT_RC_PACKET_TOO_LARGE));
	} else if (error && error != MOSQ_ERR_NO_CONN) {
		report(broker, topic, -error, mosquitto_strerror(error), remedy_of(0));
	}
	broker->sent[topic].message = message;
}

void broker_publish(struct broker *broker, enum broker_topic topic, const char *text)
{
	publish(broker, topic, NULL, text);
}

/* 15 digits are what a double keeps of any decimal: 3.3461 stays 3.3461. */
static void publish_json(struct broker *broker, enum broker_topic topic, const char *name,
			 const json_t *message)
{
	char *text = json_dumps(message, JSON_COMPACT | JSON_REAL_PRECISION(15));

	if (text)
		publish(broker, topic, name, text);
	free(text);
}

void broker_publish_json(struct broker *broker, enum broker_topic topic, const json_t *message)
{
	publish_json(broker, topic, NULL, message);
}

void broker_publish_result(struct broker *broker, const char *name, const json_t *message)
{
	publish_json(broker, TOPIC_RESULT, name, message);
}

// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * The configuration of bmsfs-mqtt. Its messages name file, line and key and repeat no value: any
 * line may hold the password by mistake.
 */
#include "mqtt/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <mosquitto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ini.h"
#include "mqtt/topic.h"

#define HOST_CHARACTERS TOPIC_CHARACTERS ".:%"

#define PORT           1883
#define PORT_TLS       8883
#define EXPIRE_AFTER_S 30
#define REPEATED       3 /* as often as a value is told before it expires */

enum kind { TEXT, SECRET, HOST, TOPIC, NAME, NUMBER, YES_NO };

static const struct key {
	const char *name;
	enum kind kind;
	size_t offset;
	int min, max; /* of a NUMBER; of a text its length */
} keys[] = {
#define NUMBER_KEY(field, min, max) \
	{ #field, NUMBER, offsetof(struct mqtt_config, field), min, max }
#define KEY(field, kind, min)                                     \
	{ #field, kind, offsetof(struct mqtt_config, field), min, \
	  sizeof(((struct mqtt_config *)0)->field) - 1 }
	KEY(host, HOST, 1),
	NUMBER_KEY(port, 1, 65535),
	KEY(username, TEXT, 0),
	KEY(password, SECRET, 0),
	KEY(tls, YES_NO, 0),
	KEY(ca, TEXT, 0),
	KEY(cert, TEXT, 0),
	KEY(key, TEXT, 0),
	KEY(allow_clear_text, YES_NO, 0),
	KEY(prefix, TOPIC, 1),
	KEY(discovery, TOPIC, 0),
	KEY(name, NAME, 1),
	KEY(title, TEXT, 1),
	NUMBER_KEY(expire_after, 3, 86400),
	NUMBER_KEY(interval, 1, 3600),
	NUMBER_KEY(patience, 1, 3600),
	KEY(allow_write, YES_NO, 0),
#undef KEY
#undef NUMBER_KEY
};

/* What a value of each kind must be, behind its least and greatest number or length. */
static const char *const rules[] = {
	[TEXT] = " bytes of UTF-8",
	[SECRET] = " bytes",
	[HOST] = " characters of a host name, an IP address or the path of a Unix socket",
	[TOPIC] = " letters, digits, _ and -, with single slashes between",
	[NAME] = " letters, digits, _ and -",
	[NUMBER] = ", a whole number",
};

struct reading {
	struct mqtt_config *config;
	char *reason;
	size_t size;
};

__attribute__((format(printf, 3, 4))) static int refuse(char *reason, size_t size,
							const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reason, size, format, args);
	va_end(args);
	return -EINVAL;
}

void config_init(struct mqtt_config *config)
{
	*config = (struct mqtt_config){
		.host = "localhost",
		.prefix = "bmsfs",
		.discovery = "homeassistant",
		.interval = 1,
		.patience = 120,
	};
}

static const struct key *find_key(const char *name)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!strcmp(keys[i].name, name))
			return &keys[i];
	return NULL;
}

static bool is_made_of(const char *text, const char *characters)
{
	return !text[strspn(text, characters)];
}

static bool fits(enum kind kind, const char *value)
{
	switch (kind) {
	case TEXT:
		return !mosquitto_validate_utf8(value, (int)strlen(value));
	case HOST:
		return value[0] == '/' || is_made_of(value, HOST_CHARACTERS);
	case TOPIC:
		return !*value || topic_is_path(value);
	case NAME:
		return topic_is_level(value);
	case SECRET:
	case NUMBER:
	case YES_NO:
		break;
	}
	return true;
}

static int set_text(const struct key *key, char *target, const char *value)
{
	size_t length = strlen(value);

	if (length < (size_t)key->min || length > (size_t)key->max || !fits(key->kind, value))
		return -EINVAL;
	memcpy(target, value, length + 1);
	return 0;
}

static int set_number(const struct key *key, int *target, const char *value)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(value, &end, 10);
	if (errno || end == value || *end || number < key->min || number > key->max)
		return -EINVAL;
	*target = (int)number;
	return 0;
}

static int set_yes_no(bool *target, const char *value)
{
	*target = !strcmp(value, "yes");
	return *target || !strcmp(value, "no") ? 0 : -EINVAL;
}

static int set_value(const struct key *key, void *target, const char *value)
{
	switch (key->kind) {
	case TEXT:
	case SECRET:
	case HOST:
	case TOPIC:
	case NAME:
		return set_text(key, target, value);
	case NUMBER:
		return set_number(key, target, value);
	case YES_NO:
		return set_yes_no(target, value);
	}
	return -EINVAL;
}

int config_set(struct mqtt_config *config, const char *name, const char *value, char *reason,
	       size_t size)
{
	const struct key *key = find_key(name);

	if (!key)
		return refuse(reason, size, "unknown key; bmsfs-mqtt(1) lists the keys");
	if (!set_value(key, (char *)config + key->offset, value))
		return key->kind == SECRET && *value ? INI_SECRET : 0;
	if (key->kind == YES_NO)
		return refuse(reason, size, "%s: must be yes or no", name);
	return refuse(reason, size, "%s: must be %d to %d%s", name, key->min, key->max,
		      rules[key->kind]);
}

static int take_pair(void *user, const char *name, const char *value)
{
	struct reading *reading = user;

	return config_set(reading->config, name, value, reading->reason, reading->size);
}

int config_read(struct mqtt_config *config, const char *file, char *reason, size_t size)
{
	struct reading reading = { .config = config, .reason = reason, .size = size };

	return ini_read(file, NULL, take_pair, &reading, reason, size);
}

static const char *last_part(const char *path, size_t *length)
{
	const char *end = path + strlen(path), *start;

	while (end > path && end[-1] == '/')
		end--;
	for (start = end; start > path && start[-1] != '/';)
		start--;
	*length = (size_t)(end - start);
	return start;
}

/* Whether what is sent to @host stays on this machine. */
static bool is_local(const char *host)
{
	struct in6_addr six;
	struct in_addr four;

	if (host[0] == '/' || !strcasecmp(host, "localhost"))
		return true;
	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

static int finish_security(struct mqtt_config *config, char *reason, size_t size)
{
	config->tls |= *config->ca != '\0';
	if (!config->port)
		config->port = config->tls ? PORT_TLS : PORT;
	if (config->port == PORT_TLS && !config->tls)
		return refuse(reason, size, "port: %d is for TLS; add tls = yes", PORT_TLS);
	if (!*config->cert != !*config->key)
		return refuse(reason, size, "cert and key: one is missing; give both");
	if (*config->cert && !config->tls)
		return refuse(reason, size, "cert and key: of use with TLS only; add tls = yes");
	if (*config->password && !config->tls && !is_local(config->host) &&
	    !config->allow_clear_text)
		return refuse(reason, size,
			      "password: would reach another machine in clear text; add tls = yes, "
			      "or allow_clear_text = yes");
	return 0;
}

int config_finish(struct mqtt_config *config, const char *mount, char *reason, size_t size)
{
	int least = REPEATED * config->interval;
	char name[CONFIG_TEXT_MAX];
	size_t length;
	const char *last = last_part(mount, &length);

	if (!config->expire_after)
		config->expire_after = least > EXPIRE_AFTER_S ? least : EXPIRE_AFTER_S;
	if (config->expire_after < least)
		return refuse(reason, size,
			      "expire_after: less than %d times interval; make it %d or more",
			      REPEATED, least);
	if (!*config->name) {
		snprintf(name, sizeof(name), "%.*s", (int)length, last);
		if (config_set(config, "name", name, reason, size))
			return -EINVAL;
	}
	if (!*config->title)
		memcpy(config->title, config->name, sizeof(config->name));
	return finish_security(config, reason, size);
}

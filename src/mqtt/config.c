// SPDX-License-Identifier: LGPL-3.0-or-later
#include "mqtt/config.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

#define EXPIRE_AFTER_S 30
#define REPEATED       3 /* as often as a value is told before it expires */

enum kind { TEXT, TOPIC, NAME, NUMBER, YES_NO };

static const struct key {
	const char *name;
	enum kind kind;
	size_t offset;
	int min, max; /* of a NUMBER; of a text its length */
} keys[] = {
#define NUMBER_KEY(field, min, max)                                           \
	{                                                                     \
#field, NUMBER, offsetof(struct mqtt_config, field), min, max \
	}
#define KEY(field, kind, min)                                           \
	{                                                               \
#field, kind, offsetof(struct mqtt_config, field), min, \
			sizeof(((struct mqtt_config *)0)->field) - 1    \
	}
	KEY(host, TEXT, 1),
	NUMBER_KEY(port, 1, 65535),
	KEY(username, TEXT, 0),
	KEY(password, TEXT, 0),
	KEY(ca, TEXT, 0),
	KEY(cert, TEXT, 0),
	KEY(key, TEXT, 0),
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

struct reading {
	struct mqtt_config *config;
	FILE *file;
	char *reason;
	size_t size;
	bool failed, long_line;
};

__attribute__((format(printf, 4, 5))) static int refuse(int error, char *reason, size_t size,
							const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reason, size, format, args);
	va_end(args);
	return error;
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

/* Levels that are neither empty nor wildcards. */
static bool is_topic(const char *text)
{
	size_t length = strlen(text);

	if (!length)
		return true;
	return strspn(text, NAME_CHARACTERS "/") == length && text[0] != '/' &&
	       text[length - 1] != '/' && !strstr(text, "//");
}

static bool is_name(const char *text)
{
	return text[strspn(text, NAME_CHARACTERS)] == '\0';
}

static int set_text(const struct key *key, char *target, const char *value)
{
	size_t length = strlen(value);

	if (length < (size_t)key->min || length > (size_t)key->max)
		return -EINVAL;
	if ((key->kind == TOPIC && !is_topic(value)) || (key->kind == NAME && !is_name(value)))
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
		return refuse(-EINVAL, reason, size, "there is no key \"%s\"", name);
	if (!set_value(key, (char *)config + key->offset, value))
		return 0;
	switch (key->kind) {
	case NUMBER:
		return refuse(-EINVAL, reason, size, "%s: \"%s\" is no number from %d to %d", name,
			      value, key->min, key->max);
	case YES_NO:
		return refuse(-EINVAL, reason, size, "%s: neither yes nor no", name);
	case TOPIC:
	case NAME:
		return refuse(-EINVAL, reason, size,
			      "%s: \"%s\" is not letters, digits, _ and -%s, %d to %d of them",
			      name, value, key->kind == TOPIC ? " between slashes" : "", key->min,
			      key->max);
	case TEXT:
		break;
	}
	/* The value may be a secret. */
	return refuse(-EINVAL, reason, size, "%s: shorter or longer than it may be", name);
}

static int take_pair(void *user, const char *section, const char *name, const char *value)
{
	struct reading *reading = user;

	if (reading->failed)
		return 0;
	if (*section)
		refuse(0, reading->reason, reading->size, "there are no sections here");
	else if (!config_set(reading->config, name, value, reading->reason, reading->size))
		return 1;
	reading->failed = true;
	return 0;
}

/* As fgets(3) for inih, which takes what is behind its longest line for another one. */
static char *next_line(char *buffer, int size, void *user)
{
	struct reading *reading = user;
	char *line = reading->long_line ? NULL : fgets(buffer, size, reading->file);

	if (line && !strchr(line, '\n') && strlen(line) == (size_t)size - 1)
		reading->long_line = true;
	return line;
}

static int check_secret(const struct reading *reading, const char *file)
{
	struct stat stat;
	mode_t others;

	if (!*reading->config->password)
		return 0;
	if (fstat(fileno(reading->file), &stat) < 0)
		return -errno;
	/* A group, or the access list that shows as one, may be how somebody else lets us read it. */
	others = S_IRWXO | (stat.st_uid == geteuid() ? S_IRWXG : 0);
	if (stat.st_mode & others)
		return refuse(-EACCES, reading->reason, reading->size,
			      "%s has a password, but not only its owner can read it: chmod 600",
			      file);
	return 0;
}

static int read_pairs(struct reading *reading, const char *file)
{
	char copy[256];
	int line = ini_parse_stream(next_line, reading, take_pair, reading);

	if (reading->long_line)
		return refuse(-EINVAL, reading->reason, reading->size, "%s: a line is too long",
			      file);
	if (line && !reading->failed)
		return refuse(-EINVAL, reading->reason, reading->size,
			      "%s:%d: not a line \"name = value\"", file, line);
	if (line) {
		snprintf(copy, sizeof(copy), "%s", reading->reason);
		return refuse(-EINVAL, reading->reason, reading->size, "%s:%d: %s", file, line,
			      copy);
	}
	return check_secret(reading, file);
}

int config_read(struct mqtt_config *config, const char *file, char *reason, size_t size)
{
	struct reading reading = { .config = config, .reason = reason, .size = size };
	int ret;

	reading.file = fopen(file, "re");
	if (!reading.file) {
		ret = -errno;
		return refuse(ret, reason, size, "%s: %s", file, strerror(-ret));
	}
	ret = read_pairs(&reading, file);
	fclose(reading.file);
	return ret;
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

int config_finish(struct mqtt_config *config, const char *mount, char *reason, size_t size)
{
	int least = REPEATED * config->interval;
	char name[CONFIG_TEXT_MAX];
	size_t length;
	const char *last = last_part(mount, &length);

	if (!config->port)
		config->port = *config->ca ? 8883 : 1883;
	if (!config->expire_after)
		config->expire_after = least > EXPIRE_AFTER_S ? least : EXPIRE_AFTER_S;
	if (config->expire_after < least)
		return refuse(-EINVAL, reason, size, "expire_after is less than %d times interval",
			      REPEATED);
	if (!*config->name) {
		snprintf(name, sizeof(name), "%.*s", (int)length, last);
		if (config_set(config, "name", name, reason, size))
			return -EINVAL;
	}
	if (!*config->title)
		memcpy(config->title, config->name, sizeof(config->name));
	if (!*config->cert != !*config->key)
		return refuse(-EINVAL, reason, size, "cert and key go together");
	if (*config->cert && !*config->ca)
		return refuse(-EINVAL, reason, size, "cert and key need ca");
	return 0;
}

/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef BMSFS_MQTT_CONFIG_H
#define BMSFS_MQTT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#define CONFIG_TEXT_MAX 192 /* no line of the file holds a longer value */

struct mqtt_config {
	char host[CONFIG_TEXT_MAX]; /* a name, an address, or the path of a Unix socket */
	char username[CONFIG_TEXT_MAX], password[CONFIG_TEXT_MAX];
	char ca[CONFIG_TEXT_MAX], cert[CONFIG_TEXT_MAX], key[CONFIG_TEXT_MAX];
	char prefix[64];    /* of the topics */
	char discovery[64]; /* Home Assistant's prefix, or "" for none */
	char name[33], title[64];
	int port, expire_after, interval, patience; /* times in seconds */
	bool tls;              /* with the system's authorities, unless ca names others */
	bool allow_clear_text; /* the password may reach another machine without TLS */
	bool allow_write;
};

/* The defaults; what has none is "" or 0 until config_finish(). */
void config_init(struct mqtt_config *config);

/*
 * Reads @file. Returns 0; -ENOENT; -EACCES if it holds a password and others can read it; -EINVAL if
 * a line of it is wrong; or what else reading a file returns. Then @reason has a sentence, which
 * repeats no value.
 */
int config_read(struct mqtt_config *config, const char *file, char *reason, size_t size);

/* Takes one pair as the file would. As an ini_take. */
int config_set(struct mqtt_config *config, const char *key, const char *value, char *reason,
	       size_t size);

/*
 * Derives what was not given, the name from the last part of @mount, and checks the whole. Returns 0,
 * or -EINVAL with a sentence.
 */
int config_finish(struct mqtt_config *config, const char *mount, char *reason, size_t size);

#endif

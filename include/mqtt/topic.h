/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Topics of MQTT. What is ours in them is letters, digits, _ and -: no wildcard, no level without a
 * name, none that starts with $, and nothing that an access list would have to quote.
 */
#ifndef BMSFS_MQTT_TOPIC_H
#define BMSFS_MQTT_TOPIC_H

#include <stdbool.h>

#define TOPIC_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

/* Whether @text can be one level; whether it can be levels with single slashes between them. */
bool topic_is_level(const char *text);
bool topic_is_path(const char *text);

#endif

/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Home Assistant's templates. Values are taken by subscript only: after a dot a name must be an
 * identifier, and "items" or "values" is a method of the object before it.
 */
#ifndef BMSFS_MQTT_JINJA_H
#define BMSFS_MQTT_JINJA_H

#include <stddef.h>

/*
 * Each adds one step to the path in @text, of @size bytes: ['KEY'], quoted, or [INDEX]. Returns 0;
 * -ENOSPC if it does not fit, and then nothing is added.
 */
int jinja_key(char *text, size_t size, const char *key);
int jinja_index(char *text, size_t size, unsigned index);

#endif

/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef BMSFS_MQTT_SAY_H
#define BMSFS_MQTT_SAY_H

/* One line on stderr, whole, from whichever thread. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

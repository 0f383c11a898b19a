/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Waiting for changes of a mount, by poll(2) with POLLPRI as in sysfs. Waiting keeps the values
 * fresh, each change ends it, and between changes nothing happens here.
 */
#ifndef BMSFS_MQTT_WATCH_H
#define BMSFS_MQTT_WATCH_H

#include <jansson.h>
#include <poll.h>

#define WATCH_FILES 5

struct watch {
	const char *mount;
	int fd[WATCH_FILES];
};

void watch_init(struct watch *watch, const char *mount);
void watch_close(struct watch *watch);

/*
 * Reads each file anew, so that what changes from now on is a change; opens what was not open or is
 * of a mount that has ended. It takes as long as the BMS does.
 */
void watch_arm(struct watch *watch);

/* Fills @fds and returns how many there are. */
nfds_t watch_fds(const struct watch *watch, struct pollfd fds[WATCH_FILES]);

/* The attributes of the file at @path of the mount, as catalogue_describe(). */
json_t *watch_describe(void *watch, const char *path);

#endif

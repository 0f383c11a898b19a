/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef BMSFS_MQTT_SETTING_H
#define BMSFS_MQTT_SETTING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETTING_NAME_MAX 16
#define SETTING_TEXT_MAX 24 /* as the files take it */
#define SETTING_WAIT_S   30

/* What somebody wants to be set. What came longer is cut, and @length tells. */
struct setting_wish {
	char name[SETTING_NAME_MAX];
	char text[SETTING_TEXT_MAX + 1];
	size_t length;
	int64_t came_ms; /* as clock_now_ms() */
	bool retained;
};

/* Whether @name can be the name of an instruction: 1 to 4 capitals and digits. */
bool setting_is_name(const char *name);

/*
 * Whether a wish may go to its file: 0; -EACCES if writing is not allowed; -EINVAL if it is
 * retained (the broker would bring it again at each connect) or no plain decimal number; -ENOENT if
 * there is no such number to set; -ETIMEDOUT if it had to wait for longer than SETTING_WAIT_S, as its
 * sender has long done something else. Then @reason has a sentence.
 */
int setting_check(const struct setting_wish *wish, const json_t *catalogue, bool allowed,
		  char *reason, size_t size);

/* Writes to the file. Returns 0 or -errno, with the sentence of bus/last_error. */
int setting_write(const char *mount, const struct setting_wish *wish, char *reason, size_t size);

/*
 * The answer: {"value": ..., "result": "ok"}, or the errno's name and "reason". The value is null if
 * it is no text, or longer than any that can be set.
 */
json_t *setting_result(const struct setting_wish *wish, int error, const char *reason);

#endif

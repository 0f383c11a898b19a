// SPDX-License-Identifier: LGPL-3.0-or-later
#include "mqtt/setting.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mqtt/catalogue.h"
#include "mqtt/clock.h"

#define DIGITS   "0123456789"
#define TOO_LATE "not set: it came too long ago"
#define MSEC     1000

bool setting_is_name(const char *name)
{
	size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS);

	return length >= 1 && length <= 4 && !name[length];
}

/* -?[0-9]+(\.[0-9]+)? */
static bool is_number(const char *text)
{
	size_t digits;

	text += *text == '-';
	digits = strspn(text, DIGITS);
	if (!digits)
		return false;
	text += digits;
	if (*text != '.')
		return !*text;
	digits = strspn(++text, DIGITS);
	return digits && !text[digits];
}

static int refuse(int error, char *reason, size_t size, const char *why)
{
	snprintf(reason, size, "%s", why);
	return error;
}

int setting_check(const struct setting_wish *wish, const json_t *catalogue, bool allowed,
		  char *reason, size_t size)
{
	if (wish->retained)
		return refuse(-EINVAL, reason, size, "a retained message sets nothing; remove it");
	if (!allowed)
		return refuse(-EACCES, reason, size, "bmsfs-mqtt runs without --allow-write");
	if (!setting_is_name(wish->name) ||
	    !catalogue_is_settable(json_object_get(catalogue, wish->name)))
		return refuse(-ENOENT, reason, size, "there is no such number that can be set");
	if (wish->length > SETTING_TEXT_MAX || strlen(wish->text) != wish->length ||
	    !is_number(wish->text))
		return refuse(-EINVAL, reason, size, "not a plain decimal number");
	if (clock_now_ms() - wish->came_ms > SETTING_WAIT_S * MSEC)
		return refuse(-ETIMEDOUT, reason, size, TOO_LATE);
	return 0;
}

static void read_reason(const char *mount, int error, char *reason, size_t size)
{
	char path[PATH_MAX], *age;
	ssize_t length = -1;
	int fd;

	snprintf(path, sizeof(path), "%s/bus/last_error", mount);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		length = read(fd, reason, size - 1);
		close(fd);
	}
	if (length <= 0) {
		snprintf(reason, size, "%s", strerror(error));
		return;
	}
	reason[length - (reason[length - 1] == '\n')] = '\0';
	/* " (0 s ago)": the failure is that of just now. */
	age = strrchr(reason, '(');
	if (age && age > reason && strstr(age, " ago)"))
		age[-1] = '\0';
}

int setting_write(const char *mount, const struct setting_wish *wish, char *reason, size_t size)
{
	char path[PATH_MAX], line[SETTING_TEXT_MAX + sizeof("\n")];
	int length = snprintf(line, sizeof(line), "%s\n", wish->text);
	int fd, error = 0;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", mount, wish->name) >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && clock_now_ms() - wish->came_ms > SETTING_WAIT_S * MSEC) {
		close(fd);
		return refuse(-ETIMEDOUT, reason, size, TOO_LATE);
	}
	/* With the newline, the result of write() is that of the setting. */
	if (fd < 0 || write(fd, line, (size_t)length) < 0)
		error = errno;
	if (fd >= 0)
		close(fd);
	/* Of rights the BMS knows nothing. */
	if (error == EACCES || error == EROFS)
		snprintf(reason, size, "%s", strerror(error));
	else if (error)
		read_reason(mount, error, reason, size);
	return -error;
}

json_t *setting_result(const struct setting_wish *wish, int error, const char *reason)
{
	bool whole = strlen(wish->text) == wish->length;
	json_t *value = whole ? json_string(wish->text) : NULL, *result;
	const char *name = error ? strerrorname_np(-error) : "ok";

	result = json_pack("{s:o, s:s}", "value", value ? value : json_null(), "result",
			   name ? name : "EIO");
	if (error)
		json_object_set_new(result, "reason", json_string(reason));
	return result;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include "client/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATH_LONGEST 4096
#define READ_LIMIT_S 1 /* as old may a text be beyond its ages */
#define READ_TRIES   3

static const char *explain(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return "no bmsfs is mounted there";
	case ENOTCONN:
	case ECONNABORTED:
		return "the mount is dead: bmsfs has ended";
	default:
		return strerror(error);
	}
}

/* A mount of several BMSs has a directory for each, and no snapshot of its own. */
static void explain_missing(const char *mount, int error, char *reason, size_t size)
{
	char pattern[PATH_LONGEST + 32];
	glob_t found;
	char *one;

	snprintf(reason, size, "%s: %s", mount, explain(error));
	snprintf(pattern, sizeof(pattern), "%s/[0-9]*/snapshot.json", mount);
	if (error != ENOENT || glob(pattern, 0, NULL, &found))
		return;
	one = found.gl_pathv[0];
	snprintf(reason, size, "%s: several BMSs are there, name one of them, as %.*s", mount,
		 (int)(strlen(one) - strlen("/snapshot.json")), one);
	globfree(&found);
}

struct source {
	int fd, error;
};

static size_t take(void *buffer, size_t size, void *user)
{
	struct source *source = user;
	ssize_t length = read(source->fd, buffer, size);

	if (length >= 0)
		return (size_t)length;
	source->error = errno;
	return (size_t)-1;
}

/* json_loadfd() would ask for each byte alone, and take an error for the end. */
json_t *snapshot_load(int fd, char *reason, size_t size)
{
	struct source source = { .fd = fd };
	json_error_t error;
	json_t *snapshot = json_load_callback(take, &source, JSON_REJECT_DUPLICATES, &error);

	if (!snapshot)
		snprintf(reason, size, "%s", source.error ? explain(source.error) : error.text);
	return snapshot;
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Sets @aged if the text, which is made when the file is opened, waited for its reader. */
static json_t *read_once(const char *mount, const char *path, bool *aged, char *reason, size_t size)
{
	char why[256];
	json_t *snapshot;
	double opened_s;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		explain_missing(mount, errno, reason, size);
		return NULL;
	}
	opened_s = now_s();
	snapshot = snapshot_load(fd, why, sizeof(why));
	*aged = now_s() - opened_s > READ_LIMIT_S;
	close(fd);
	if (!snapshot)
		snprintf(reason, size, "%s: %s", path, why);
	return snapshot;
}

json_t *snapshot_read(const char *mount, char *reason, size_t size)
{
	char path[PATH_LONGEST];
	json_t *snapshot = NULL;
	bool aged = true;

	if ((size_t)snprintf(path, sizeof(path), "%s/snapshot.json", mount) >= sizeof(path)) {
		snprintf(reason, size, "%s", strerror(ENAMETOOLONG));
		return NULL;
	}
	for (int i = 0; i < READ_TRIES && aged; i++) {
		json_decref(snapshot);
		aged = false;
		snapshot = read_once(mount, path, &aged, reason, size);
	}
	if (!aged)
		return snapshot;
	json_decref(snapshot);
	snprintf(reason, size, "%s: the mount answers too slowly", path);
	return NULL;
}

static const json_t *step(const json_t *object, const char *name, size_t length)
{
	char key[64];

	if (length >= sizeof(key))
		return NULL;
	memcpy(key, name, length);
	key[length] = '\0';
	return json_object_get(object, key);
}

/* What is no directory is an instruction. */
const json_t *snapshot_find(const json_t *snapshot, const char *path)
{
	const json_t *found = snapshot;

	if (!strchr(path, '/'))
		found = json_object_get(snapshot, "instructions");
	for (size_t length; found && *path; path += length + (path[length] == '/')) {
		length = strcspn(path, "/");
		found = step(found, path, length);
	}
	return json_object_get(found, "value") ? found : NULL;
}

int snapshot_number(const json_t *snapshot, const char *path, double *number)
{
	const json_t *value = json_object_get(snapshot_find(snapshot, path), "value");

	if (!json_is_number(value))
		return -ENODATA;
	*number = json_number_value(value);
	return 0;
}

const char *snapshot_text(const json_t *snapshot, const char *path)
{
	return json_string_value(json_object_get(snapshot_find(snapshot, path), "value"));
}

const char *snapshot_failure(const json_t *snapshot, const char *path)
{
	return json_string_value(json_object_get(json_object_get(snapshot, "failed"), path));
}

const char *snapshot_link(const json_t *snapshot)
{
	const char *state =
		json_string_value(json_object_get(json_object_get(snapshot, "link"), "state"));

	return state ? state : "";
}

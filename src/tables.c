// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/mount.h"
#include "tables.h"

static int refuse(struct table_error *error, const char *file, const char *reason)
{
	snprintf(error->text, sizeof(error->text), "%s: %s", file, reason);
	return -EINVAL;
}

/* Reads to the end; a file that grows meanwhile is cut at @size. Returns the bytes, or -errno. */
static ssize_t read_all(int fd, char *text, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t got = read(fd, text + done, size - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

static int check_regular(const char *file, int result, const struct stat *stat,
			 struct table_error *error)
{
	if (result < 0)
		return refuse(error, file, strerror(errno));
	return S_ISREG(stat->st_mode) ? 0 : refuse(error, file, "not a regular file");
}

static int add_open_file(struct instruction_table *table, const char *file, int fd,
			 struct table_error *error)
{
	struct stat stat;
	ssize_t size;
	char *text;
	int err = check_regular(file, fstat(fd, &stat), &stat, error);

	if (err)
		return err;
	if (stat.st_size > TABLES_FILE_MAX)
		return refuse(error, file, "longer than 1 MiB");
	text = malloc((size_t)stat.st_size + 1);
	if (!text)
		return -ENOMEM;
	size = read_all(fd, text, (size_t)stat.st_size);
	if (size < 0)
		err = refuse(error, file, strerror((int)-size));
	else
		err = instruction_table_add(table, file, text, (size_t)size, error);
	free(text);
	return err;
}

int tables_add_file(struct instruction_table *table, const char *file, const char *mountpoint,
		    struct table_error *error)
{
	struct stat before;
	int fd, err;

	if (mountpoint && mount_contains(mountpoint, file))
		return refuse(error, file, "is at or below MOUNTPOINT, keep it elsewhere");
	/* Opening some devices has consequences. */
	err = check_regular(file, stat(file, &before), &before, error);
	if (err)
		return err;
	/* Not to wait for the writer of a FIFO, should it have become one. */
	fd = open(file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return refuse(error, file, strerror(errno));
	err = add_open_file(table, file, fd, error);
	close(fd);
	return err;
}

int tables_add_matching(struct instruction_table *table, const char *pattern,
			const char *mountpoint, struct table_error *error)
{
	glob_t found;
	int err = 0;

	switch (glob(pattern, 0, NULL, &found)) {
	case 0:
		break;
	case GLOB_NOMATCH:
		return 0;
	default:
		return refuse(error, pattern, "cannot be searched");
	}
	for (size_t i = 0; !err && i < found.gl_pathc; i++)
		err = tables_add_file(table, found.gl_pathv[i], mountpoint, error);
	globfree(&found);
	return err;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include "base/textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)

/* Where the reason for a refusal goes. */
struct refusal {
	const char *file;
	char *reason;
	size_t size;
};

static int refuse(const struct refusal *refusal, const char *why)
{
	snprintf(refusal->reason, refusal->size, "%s: %s", refusal->file, why);
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

static int check_regular(const struct refusal *refusal, int result, const struct stat *stat)
{
	if (result < 0)
		return refuse(refusal, strerror(errno));
	return S_ISREG(stat->st_mode) ? 0 : refuse(refusal, "not a regular file");
}

static int read_open(const struct refusal *refusal, int fd, size_t max, char **text, size_t *length)
{
	struct stat stat;
	ssize_t got;
	int err = check_regular(refusal, fstat(fd, &stat), &stat);
	bool mega = max % MIB == 0;
	char why[64];

	if (err)
		return err;
	if (stat.st_size > (off_t)max) {
		snprintf(why, sizeof(why), "longer than %zu %s", max / (mega ? MIB : KIB),
			 mega ? "MiB" : "KiB");
		return refuse(refusal, why);
	}
	*text = malloc((size_t)stat.st_size + 1);
	if (!*text)
		return -ENOMEM;
	got = read_all(fd, *text, (size_t)stat.st_size);
	if (got < 0) {
		free(*text);
		return refuse(refusal, strerror((int)-got));
	}
	*length = (size_t)got;
	return 0;
}

int textfile_read(const char *file, size_t max, char **text, size_t *length, char *reason,
		  size_t size)
{
	const struct refusal refusal = { .file = file, .reason = reason, .size = size };
	struct stat before;
	int fd, err = check_regular(&refusal, stat(file, &before), &before);

	if (err)
		return err;
	/* Not to wait for the writer of a FIFO, should it have become one. */
	fd = open(file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return refuse(&refusal, strerror(errno));
	err = read_open(&refusal, fd, max, text, length);
	close(fd);
	return err;
}

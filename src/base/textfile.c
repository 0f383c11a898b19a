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
	const char *path;
	char *reason;
	size_t size;
};

static int refuse(const struct refusal *refusal, int err, const char *why)
{
	snprintf(refusal->reason, refusal->size, "%s: %s", refusal->path, why);
	return err;
}

static int refuse_errno(const struct refusal *refusal, int number)
{
	return refuse(refusal, -number, strerror(number));
}

static int refuse_length(const struct refusal *refusal, size_t max)
{
	bool mega = max % MIB == 0;
	char why[64];

	snprintf(why, sizeof(why), "longer than %zu %s", max / (mega ? MIB : KIB),
		 mega ? "MiB" : "KiB");
	return refuse(refusal, -EINVAL, why);
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
		return refuse_errno(refusal, errno);
	return S_ISREG(stat->st_mode) ? 0 : refuse(refusal, -EINVAL, "not a regular file");
}

static int read_open(const struct refusal *refusal, int fd, size_t max, struct textfile *file)
{
	struct stat stat;
	ssize_t got;
	int err = check_regular(refusal, fstat(fd, &stat), &stat);

	if (err)
		return err;
	if (stat.st_size > (off_t)max)
		return refuse_length(refusal, max);
	*file = (struct textfile){ .owner = stat.st_uid, .mode = stat.st_mode };
	file->text = malloc((size_t)stat.st_size + 1);
	if (!file->text)
		return refuse_errno(refusal, ENOMEM);
	got = read_all(fd, file->text, (size_t)stat.st_size);
	if (got < 0) {
		free(file->text);
		return refuse_errno(refusal, (int)-got);
	}
	file->length = (size_t)got;
	return 0;
}

int textfile_read(struct textfile *file, const char *path, size_t max, char *reason, size_t size)
{
	const struct refusal refusal = { .path = path, .reason = reason, .size = size };
	struct stat before;
	int fd, err = check_regular(&refusal, stat(path, &before), &before);

	if (err)
		return err;
	/* O_NONBLOCK: if it has become a FIFO meanwhile, open must not wait for its writer. */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return refuse_errno(&refusal, errno);
	err = read_open(&refusal, fd, max, file);
	close(fd);
	return err;
}

void textfile_free(struct textfile *file)
{
	explicit_bzero(file->text, file->length);
	free(file->text);
	file->text = NULL;
}

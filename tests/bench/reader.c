// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * Reads a file again and again and times it: reader MODE FILE COUNT [PROCESSOR]. MODE is
 *	cycle	open, one read, close
 *	whole	open, read to the end, close
 *	pread	one read on a descriptor that is kept
 * Prints nanoseconds of one time, on average, and the bytes that the last one gave. PROCESSOR is the
 * one to run on, and nowhere else.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char text[65536];

static int64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static ssize_t read_kept(const char *path)
{
	static int fd = -1;

	if (fd < 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	return pread(fd, text, sizeof(text), 0);
}

static ssize_t read_cycle(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = read(fd, text, sizeof(text));

	close(fd);
	return got;
}

static ssize_t read_whole(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got, all = 0;

	while ((got = read(fd, text, sizeof(text))) > 0)
		all += got;
	close(fd);
	return got < 0 ? got : all;
}

static const struct {
	const char *name;
	ssize_t (*read)(const char *path);
} modes[] = {
	{ "cycle", read_cycle },
	{ "whole", read_whole },
	{ "pread", read_kept },
};

static int pin(const char *number)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(strtoul(number, NULL, 10), &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

int main(int argc, char **argv)
{
	ssize_t (*read_one)(const char *path) = NULL;
	ssize_t got = 0;
	int64_t start;
	long count;

	for (size_t i = 0; argc >= 4 && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(argv[1], modes[i].name))
			read_one = modes[i].read;
	count = read_one ? strtol(argv[3], NULL, 10) : 0;
	if (count <= 0) {
		fprintf(stderr, "usage: reader cycle|whole|pread FILE COUNT [PROCESSOR]\n");
		return 2;
	}
	if (argc > 4 && pin(argv[4])) {
		perror(argv[4]);
		return 1;
	}
	start = now_ns();
	for (long i = 0; i < count && got >= 0; i++)
		got = read_one(argv[2]);
	if (got < 0) {
		perror(argv[2]);
		return 1;
	}
	printf("%.1f %zd\n", (double)(now_ns() - start) / (double)count, got);
	return 0;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
/* Files, attributes, listings and poll(2) of a real mount, against a fake device. */
#include "stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static bool read_fails(const char *path, int error)
{
	char text[16];
	int fd = open(path, O_RDONLY);
	bool failed = fd >= 0 && read(fd, text, sizeof(text)) < 0 && errno == error;

	close(fd);
	return failed;
}

/* Both return the errno. */
static int read_one(int fd)
{
	char text[64];

	interruptible();
	return pread(fd, text, sizeof(text), 0) < 0 ? errno : 0;
}

static int write_one(int fd)
{
	interruptible();
	return pwrite(fd, "9.9\n", 4, 0) < 0 ? errno : 0;
}

static int wait_for_change(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLPRI };

	return poll(&wait, 1, -1) == 1 ? wait.revents : 0;
}

static int snapshot_client(int server)
{
	int fd = open("SOC", O_RDONLY), other = open("SOC", O_RDONLY | O_DIRECT);
	int64_t queries;

	CHECK(fd >= 0 && other >= 0);
	CHECK(reads(fd, 0, "78.46\n"));
	TELL(.wish = SET_VALUE, .row = ROW_SOC, .text = "9");
	CHECK(reads(fd, 3, "46\n"));
	CHECK(reads(fd, 0, "78.46\n")); /* still fresh */
	TELL(.wish = MOVE_CLOCK, .number = FAKE_TTL);
	CHECK(reads(fd, 0, "78.46\n"));
	TELL(.wish = MOVE_CLOCK, .number = 1);
	CHECK(reads(fd, 3, "46\n"));
	CHECK(reads(fd, 6, ""));
	CHECK(reads(fd, 1 << 20, ""));
	CHECK(reads(fd, 0, "9\n"));
	CHECK(reads(fd, 3, ""));
	queries = TELL(.wish = GET_QUERIES);
	CHECK(reads(fd, 1, "\n"));
	CHECK(TELL(.wish = GET_QUERIES) == queries);

	/* O_DIRECT wants it asked after the call. */
	TELL(.wish = SET_VALUE, .row = ROW_SOC, .text = "8");
	CHECK(reads(fd, 0, "9\n"));
	TELL(.wish = MOVE_CLOCK, .number = 1);
	CHECK(reads(other, 1, "\n")); /* the first read takes one, wherever it is */
	CHECK(reads(other, 0, "8\n"));
	return 0;
}

static void test_snapshot(void **state)
{
	(void)state;
	play(snapshot_client);
}

static int long_client(int server)
{
	static char text[FAKE_LENGTH + 4096];
	int fd = open("LONG", O_RDONLY);
	size_t have = 0;
	ssize_t length;

	while ((length = read(fd, text + have, 4096)) > 0) {
		have += (size_t)length;
		TELL(.wish = SET_VALUE, .row = ROW_LONG, .text = "b");
		TELL(.wish = MOVE_CLOCK, .number = 2 * FAKE_TTL);
	}
	CHECK(have == FAKE_LENGTH);
	CHECK(!memchr(text, 'b', have));
	return 0;
}

static void test_long_text_is_of_one_piece(void **state)
{
	(void)state;
	play(long_client);
}

static off_t size_of(int fd)
{
	struct stat attr;

	return fstat(fd, &attr) ? -1 : attr.st_size;
}

/* What is rendered when it is opened stays, and its size is known. */
static int shot_client(int server)
{
	struct pollfd wait = { .events = POLLIN | POLLPRI };
	struct stat attr;
	int first, second;

	CHECK(stat("shot", &attr) == 0 && attr.st_size == 0);
	CHECK(TELL(.wish = GET_QUERIES) == 0);
	first = open("shot", O_RDONLY);
	CHECK(first >= 0 && TELL(.wish = GET_QUERIES) == 1);
	CHECK(size_of(first) == 6 && lseek(first, 0, SEEK_END) == 6);
	TELL(.wish = SET_VALUE, .row = ROW_SOC, .text = "9");
	TELL(.wish = MOVE_CLOCK, .number = 2 * FAKE_TTL);
	CHECK(reads(first, 0, "78.46\n") && reads(first, 3, "46\n") && reads(first, 6, ""));
	CHECK(TELL(.wish = GET_QUERIES) == 1);

	/* A shorter one: nobody is told less than there is, and whoever seeks is told exactly. */
	second = open("shot", O_RDONLY);
	CHECK(reads(second, 0, "9\n") && reads(first, 0, "78.46\n"));
	CHECK(size_of(first) == 6 && size_of(second) == 6);
	CHECK(lseek(second, 0, SEEK_END) == 2);
	close(first);
	CHECK(size_of(second) == 2);
	close(second);
	CHECK(stat("shot", &attr) == 0 && attr.st_size == 2);

	/* It does not change, so nobody can wait for that. */
	wait.fd = open("shot", O_RDONLY);
	TELL(.wish = SAMPLE, .row = ROW_SOC);
	CHECK(poll(&wait, 1, -1) == 1 && wait.revents == POLLIN);
	CHECK(TELL(.wish = GET_WAITERS) == 0);
	CHECK(open("shot", O_RDWR) < 0 && errno == EACCES);
	return 0;
}

static void test_shot(void **state)
{
	(void)state;
	play(shot_client);
}

static int open_one(int unused)
{
	(void)unused;
	interruptible();
	return open("shot", O_RDONLY) < 0 ? errno : 0;
}

static int parked_open_client(int server)
{
	pid_t opener;

	TELL(.wish = SET_HOLD, .number = 1);
	opener = begin(open_one, -1);
	TELL(.wish = AWAIT_PARKED, .number = 1);
	CHECK(access("CMAX", R_OK) == 0);
	CHECK(kill(opener, SIGUSR1) == 0);
	CHECK(end(opener) == EINTR);

	opener = begin(open_one, -1);
	TELL(.wish = AWAIT_PARKED, .number = 1);
	CHECK(kill(opener, SIGKILL) == 0);
	CHECK(end(opener) == -1);

	opener = begin(open_one, -1);
	TELL(.wish = AWAIT_PARKED, .number = 1);
	TELL(.wish = STOP);
	CHECK(end(opener) == ENODEV);

	opener = begin(open_one, -1);
	TELL(.wish = AWAIT_PARKED, .number = 1);
	TELL(.wish = SET_ERROR, .row = ROW_SOC, .number = -EIO);
	TELL(.wish = SET_HOLD, .number = 0);
	CHECK(end(opener) == EIO);
	TELL(.wish = MOVE_CLOCK, .number = 2 * FAKE_TTL);
	TELL(.wish = SET_ERROR, .row = ROW_SOC, .number = 0);
	CHECK(open_one(-1) == 0);
	CHECK(TELL(.wish = GET_PARKED) == 0);
	return 0;
}

static void test_parked_open(void **state)
{
	(void)state;
	play(parked_open_client);
}

static int parked_client(int server)
{
	int fd = open("SOC", O_RDONLY);
	pid_t first, second;

	TELL(.wish = SET_HOLD, .number = 1);
	first = begin(read_one, fd);
	second = begin(read_one, open("SOC", O_RDONLY));
	TELL(.wish = AWAIT_PARKED, .number = 2);
	CHECK(access("CMAX", R_OK) == 0); /* others are served meanwhile */
	TELL(.wish = SET_HOLD, .number = 0);
	CHECK(end(first) == 0 && end(second) == 0);
	return 0;
}

static void test_parked_read(void **state)
{
	(void)state;
	play(parked_client);
}

static int error_client(int server)
{
	static const int errors[] = {
		EIO, ETIMEDOUT, ENODEV, EREMOTEIO, ENODATA, EINVAL, EOPNOTSUPP
	};
	int fd = open("SOC", O_RDONLY);

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		TELL(.wish = MOVE_CLOCK, .number = 2 * FAKE_TTL);
		TELL(.wish = SET_ERROR, .row = ROW_SOC, .number = -errors[i]);
		CHECK(read_fails("SOC", errors[i]));
		CHECK(!reads(fd, 3, "") && errno == errors[i]);
	}
	TELL(.wish = MOVE_CLOCK, .number = 2 * FAKE_TTL);
	TELL(.wish = SET_ERROR, .row = ROW_SOC, .number = 0);
	CHECK(reads(fd, 0, "78.46\n"));
	return 0;
}

static void test_read_error(void **state)
{
	(void)state;
	play(error_client);
}

static int read_interrupt_client(int server)
{
	int fd = open("SOC", O_RDONLY);
	pid_t reader;

	TELL(.wish = SET_HOLD, .number = 1);
	reader = begin(read_one, fd);
	TELL(.wish = AWAIT_PARKED, .number = 1);
	CHECK(kill(reader, SIGUSR1) == 0);
	CHECK(end(reader) == EINTR);
	TELL(.wish = SET_HOLD, .number = 0);
	CHECK(reads(fd, 0, "78.46\n"));

	/* A killed one ends at once, too. */
	TELL(.wish = MOVE_CLOCK, .number = 2 * FAKE_TTL);
	TELL(.wish = SET_HOLD, .number = 1);
	reader = begin(read_one, fd);
	TELL(.wish = AWAIT_PARKED, .number = 1);
	CHECK(kill(reader, SIGKILL) == 0);
	CHECK(end(reader) == -1);
	return 0;
}

static void test_interrupted_read(void **state)
{
	(void)state;
	play(read_interrupt_client);
}

static int patient_client(int server)
{
	pid_t reader;

	TELL(.wish = SET_HOLD, .number = 1);
	reader = begin(read_one, open("class", O_RDONLY));
	TELL(.wish = AWAIT_PARKED, .number = 1);
	CHECK(kill(reader, SIGUSR1) == 0);
	for (unsigned i = 0; i < 10; i++)
		CHECK(access("SOC", R_OK) == 0); /* the interrupt has been taken by now */
	CHECK(TELL(.wish = GET_PARKED) == 1);
	TELL(.wish = SET_HOLD, .number = 0);
	CHECK(end(reader) == 0);
	return 0;
}

static void test_patient_read(void **state)
{
	(void)state;
	play(patient_client);
}

static int refusal_client(int server)
{
	const struct timespec times[2] = { 0 };

	(void)server;
	CHECK(open("SOC", O_WRONLY) < 0 && errno == EACCES);
	CHECK(open("SOC", O_RDWR) < 0 && errno == EACCES);
	CHECK(open("SOC", O_RDONLY | O_TRUNC) < 0 && errno == EACCES);
	CHECK(truncate("SOC", 0) < 0 && errno == EACCES);
	CHECK(truncate("CMAX", 0) == 0);
	CHECK(open("none", O_RDONLY) < 0 && errno == ENOENT);
	CHECK(open("none", O_WRONLY | O_CREAT, 0644) < 0 && errno == EACCES);
	CHECK(open(".", O_TMPFILE | O_RDWR, 0644) < 0 && errno == EOPNOTSUPP);
	CHECK(chmod("CMAX", 0666) < 0 && errno == EPERM);
	CHECK(chown("CMAX", 1, 1) < 0 && errno == EPERM);
	CHECK(utimensat(AT_FDCWD, "CMAX", times, 0) < 0 && errno == EPERM);
	CHECK(utimensat(AT_FDCWD, "CMAX", NULL, 0) < 0 && errno == EPERM);
	CHECK(mkdir("none", 0755) < 0 && errno == EPERM);
	CHECK(mknod("none", S_IFIFO | 0644, 0) < 0 && errno == EPERM);
	CHECK(unlink("SOC") < 0 && errno == EPERM);
	CHECK(rmdir("units") < 0 && errno == EPERM);
	CHECK(rename("SOC", "SOH") < 0 && errno == EPERM);
	CHECK(symlink("SOC", "SOH") < 0 && errno == EPERM);
	CHECK(link("SOC", "SOH") < 0 && errno == EPERM);
	CHECK(setxattr("SOC", "user.bms.unit", "V", 1, 0) < 0 && errno == EPERM);
	CHECK(removexattr("SOC", "user.bms.unit") < 0 && errno == EPERM);
	return 0;
}

static void test_refusals(void **state)
{
	(void)state;
	play(refusal_client);
}

static int read_only_client(int server)
{
	int fd = open("SOC", O_RDONLY);

	(void)server;
	CHECK(reads(fd, 0, "78.46\n"));
	CHECK(open("CMAX", O_WRONLY) < 0 && errno == EROFS);
	return 0;
}

static void test_read_only(void **state)
{
	(void)state;
	play(read_only_client);
}

static int page_cache_client(int server)
{
	int fd = open("SOC", O_RDONLY);
	int out = memfd_create("out", MFD_CLOEXEC);
	int ends[2];
	off_t offset = 0;

	(void)server;
	CHECK(fd >= 0 && out >= 0 && pipe(ends) == 0);
	CHECK(sendfile(out, fd, &offset, 100) < 0 && errno == EINVAL);
	CHECK(splice(fd, &offset, ends[1], NULL, 100, 0) < 0 && errno == EINVAL);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == ENODEV);
	CHECK(reads(fd, 0, "78.46\n"));
	CHECK(fsync(open("CMAX", O_WRONLY)) == 0);
	return 0;
}

static void test_page_cache(void **state)
{
	(void)state;
	play(page_cache_client);
}

static int stat_client(int server)
{
	struct stat value, link, dir, state;
	struct statvfs whole;
	time_t now = time(NULL);

	(void)server;
	CHECK(stat("CMAX", &value) == 0 && lstat("cells", &link) == 0 && stat("units", &dir) == 0);
	CHECK(value.st_mode == (S_IFREG | 0644) && value.st_size == 4096 && value.st_nlink == 1);
	CHECK(value.st_uid == 0 && value.st_gid == 12 && value.st_blocks == 0 &&
	      value.st_blksize == 4096);
	CHECK(value.st_mtime == 0 && value.st_atime == 0 && value.st_ctime == 0);
	CHECK(S_ISLNK(link.st_mode) && link.st_size == 7);
	CHECK(dir.st_mode == (S_IFDIR | 0755) && dir.st_nlink == 2);
	CHECK(stat("state", &state) == 0 && state.st_mtime > now - 3600 && state.st_mtime <= now);
	CHECK(statvfs(".", &whole) == 0 && whole.f_namemax == TREE_NAME_MAX - 1);
	return 0;
}

static void test_stat(void **state)
{
	(void)state;
	play(stat_client);
}

static time_t age(const char *path)
{
	struct stat stat_buf;

	return stat(path, &stat_buf) ? -1 : time(NULL) - stat_buf.st_mtime;
}

static bool about(time_t seconds, time_t expected)
{
	return seconds >= expected - 1 && seconds <= expected + LIMIT;
}

static int mtime_client(int server)
{
	CHECK(age("SOC") > 1000000);
	CHECK(TELL(.wish = GET_ARMED) == 1);
	TELL(.wish = SAMPLE, .row = ROW_SOC, .number = 5000);
	CHECK(about(age("SOC"), 5000));
	TELL(.wish = GET_LOGGED, .text = "");
	CHECK(about(age("SOC"), 5000));
	CHECK(TELL(.wish = GET_LOGGED, .text = "stat SOC") == 0); /* the kernel knew */
	TELL(.wish = SAMPLE, .row = ROW_CMAX, .number = 1000);
	CHECK(about(age("SOC"), 5000));
	TELL(.wish = SAMPLE, .row = ROW_SOC, .number = 3000);
	CHECK(about(age("SOC"), 3000));
	TELL(.wish = SAMPLE, .row = ROW_SOC, .number = 2000);
	TELL(.wish = SAMPLE, .row = ROW_SOC, .number = 1000);
	CHECK(about(age("SOC"), 1000));
	CHECK(TELL(.wish = GET_ARMED) == 1);
	return 0;
}

static void test_mtime(void **state)
{
	(void)state;
	play(mtime_client);
}

/* How many seconds after 1970; -1 if it cannot be had. */
static int64_t mtime(const char *path)
{
	struct stat attr;

	return lstat(path, &attr) ? -1 : attr.st_mtime;
}

#define DAY 86400

/* A board without a clock learns the time after the identity was read, which is never read again. */
static int clock_step_client(int server)
{
	static const char *const untimed[] = { ".", "units", "units/1", "cells", "state" };
	int64_t soc, before[ARRAY_SIZE(untimed)];

	TELL(.wish = SAMPLE, .row = ROW_SOC, .number = 100);
	CHECK(mtime("CMAX") == 0);
	soc = mtime("SOC");
	for (size_t i = 0; i < ARRAY_SIZE(untimed); i++)
		before[i] = mtime(untimed[i]);
	CHECK(TELL(.wish = GET_WAKE) > NSEC_PER_SEC);
	TELL(.wish = SET_WALL, .number = 10 * DAY);
	CHECK(mtime("SOC") == soc + 10 * DAY);
	CHECK(mtime("CMAX") == 0);
	for (size_t i = 0; i < ARRAY_SIZE(untimed); i++)
		CHECK(mtime(untimed[i]) == before[i] + 10 * DAY);
	/* Once more for what the kernel did not know yet, and then the loop sleeps again. */
	CHECK(TELL(.wish = GET_WAKE) == NSEC_PER_SEC);
	TELL(.wish = MOVE_CLOCK, .number = NSEC_PER_SEC);
	CHECK(TELL(.wish = GET_WAKE) > NSEC_PER_SEC);
	TELL(.wish = GET_LOGGED, .text = "");
	CHECK(mtime("SOC") == soc + 10 * DAY);
	CHECK(mtime("SOC") == soc + 10 * DAY);
	/* A clock that was set back, and a getattr that is earlier than the loop. */
	TELL(.wish = SET_WALL_UNNOTICED, .number = -5 * DAY);
	CHECK(mtime("GONE") == soc + 5 * DAY);
	CHECK(TELL(.wish = GET_WAKE) == NSEC_PER_SEC);
	CHECK(mtime("SOC") == soc + 5 * DAY);
	return 0;
}

static void test_mtime_is_right_after_a_clock_step(void **state)
{
	(void)state;
	play(clock_step_client);
}

/* What is no step costs nothing. */
static int clock_drift_client(int server)
{
	int64_t soc;

	TELL(.wish = SAMPLE, .row = ROW_SOC, .number = 100);
	soc = mtime("SOC");
	TELL(.wish = SET_WALL, .number = 0);
	CHECK(TELL(.wish = GET_WAKE) > NSEC_PER_SEC);
	TELL(.wish = GET_LOGGED, .text = "");
	CHECK(mtime("SOC") == soc);
	CHECK(TELL(.wish = GET_LOGGED, .text = "stat SOC") == 0); /* the kernel knew */
	return 0;
}

static void test_mtime_stays_without_a_clock_step(void **state)
{
	(void)state;
	play(clock_drift_client);
}

static int gone_client(int server)
{
	struct stat stat_buf;
	int fd = open("GONE", O_RDONLY);

	CHECK(reads(fd, 0, "78.46\n"));
	CHECK(stat("GONE", &stat_buf) == 0);
	TELL(.wish = SET_GONE, .number = 1);
	CHECK(stat("GONE", &stat_buf) < 0 && errno == ENOENT);
	CHECK(!reads(fd, 0, "") && errno == ENODEV);
	CHECK(open("GONE", O_RDONLY) < 0 && errno == ENOENT);
	TELL(.wish = SET_GONE, .number = 0);
	CHECK(stat("GONE", &stat_buf) == 0); /* "not there" is not remembered */
	CHECK(reads(fd, 0, "78.46\n"));
	return 0;
}

static void test_file_that_goes(void **state)
{
	(void)state;
	play(gone_client);
}

static int xattr_client(int server)
{
	char text[64];

	(void)server;
	CHECK(getxattr("SOC", "user.bms.unit", NULL, 0) == 1);
	CHECK(getxattr("SOC", "user.bms.unit", text, sizeof(text)) == 1 && text[0] == '%');
	CHECK(getxattr("CMAX", "user.bms.unit", text, sizeof(text)) < 0 && errno == ENODATA);
	CHECK(listxattr("SOC", NULL, 0) == 14);
	CHECK(listxattr("SOC", text, sizeof(text)) == 14 && !strcmp(text, "user.bms.unit"));
	CHECK(listxattr("SOC", text, 3) < 0 && errno == ERANGE);
	CHECK(listxattr("units", text, sizeof(text)) == 0);
	return 0;
}

static void test_xattr(void **state)
{
	(void)state;
	play(xattr_client);
}

static int list_client(int server)
{
	static const char *const names[] = { ".",     "..",    "SOC",  "CMAX", "LONG", "units",
					     "cells", "state", "GONE", "ERRL", "shot", "class" };
	DIR *dir = opendir(".");
	struct dirent *entry;
	char target[16];
	size_t i = 0;
	long here = 0;

	(void)server;
	for (; (entry = readdir(dir)); i++) {
		CHECK(i < ARRAY_SIZE(names) && !strcmp(entry->d_name, names[i]));
		if (!strcmp(entry->d_name, "CMAX"))
			here = telldir(dir);
	}
	CHECK(i == ARRAY_SIZE(names));
	seekdir(dir, here);
	entry = readdir(dir);
	CHECK(entry && !strcmp(entry->d_name, "LONG") && entry->d_type == DT_REG);
	closedir(dir);
	CHECK(readlink("cells", target, sizeof(target)) == 7 && !memcmp(target, "units/1", 7));
	CHECK(access("cells/..", X_OK) == 0);
	CHECK(TELL(.wish = GET_QUERIES) == 0);
	return 0;
}

static void test_list(void **state)
{
	(void)state;
	play(list_client);
}

static int poll_now(int fd, short events)
{
	struct pollfd wait = { .fd = fd, .events = events };

	return poll(&wait, 1, 0) < 0 ? -1 : wait.revents;
}

static int poll_client(int server)
{
	int fd = open("SOC", O_RDONLY);
	pid_t waiter;

	CHECK(poll_now(fd, POLLIN | POLLOUT | POLLPRI) == (POLLIN | POLLOUT | POLLPRI | POLLERR));
	CHECK(reads(fd, 0, "78.46\n"));
	CHECK(poll_now(fd, POLLIN | POLLOUT | POLLPRI) == (POLLIN | POLLOUT));
	CHECK(TELL(.wish = GET_WAITERS) == 0);

	waiter = begin(wait_for_change, fd);
	TELL(.wish = AWAIT_WAITER, .number = 1);
	CHECK(TELL(.wish = GET_WAKE) == FAKE_TTL);
	TELL(.wish = MOVE_CLOCK, .number = FAKE_TTL);
	TELL(.wish = AWAIT_WAITER, .number = 1); /* unchanged: it was told, and waits again */
	TELL(.wish = SET_VALUE, .row = ROW_SOC, .text = "78.45");
	TELL(.wish = MOVE_CLOCK, .number = FAKE_TTL + 1);
	CHECK(end(waiter) == (POLLPRI | POLLERR));
	CHECK(poll_now(fd, POLLPRI) == (POLLPRI | POLLERR));
	CHECK(reads(fd, 0, "78.45\n"));
	CHECK(poll_now(fd, POLLPRI) == 0);

	/* A failure is a change, and so is its end. */
	TELL(.wish = SET_ERROR, .row = ROW_SOC, .number = -ETIMEDOUT);
	TELL(.wish = SAMPLE, .row = ROW_SOC);
	CHECK(poll_now(fd, POLLPRI) == (POLLPRI | POLLERR));
	CHECK(!reads(fd, 0, "") && errno == ETIMEDOUT);
	CHECK(poll_now(fd, POLLPRI) == 0);
	TELL(.wish = SET_ERROR, .row = ROW_SOC, .number = 0);
	TELL(.wish = SAMPLE, .row = ROW_SOC);
	CHECK(poll_now(fd, POLLPRI) == (POLLPRI | POLLERR));

	/* What was forgotten is no change, or a waiter would spin. */
	CHECK(reads(fd, 0, "78.45\n"));
	TELL(.wish = FORGET, .row = ROW_SOC);
	CHECK(poll_now(fd, POLLPRI) == 0);
	return 0;
}

static void test_poll(void **state)
{
	(void)state;
	play(poll_client);
}

/* One who stopped waiting costs one question, and then nothing. */
static int forgotten_client(int server)
{
	int fd = open("SOC", O_RDONLY), log = open("ERRL", O_RDONLY);
	struct pollfd wait = { .fd = fd, .events = POLLPRI };
	int64_t queries;

	CHECK(reads(fd, 0, "78.46\n"));
	CHECK(poll(&wait, 1, 1) == 0);
	CHECK(TELL(.wish = GET_WAITERS) == 1);
	queries = TELL(.wish = GET_QUERIES);
	TELL(.wish = MOVE_CLOCK, .number = FAKE_TTL + 1);
	CHECK(TELL(.wish = GET_QUERIES) == queries + 1);
	CHECK(TELL(.wish = GET_WAITERS) == 0);
	CHECK(TELL(.wish = GET_WAKE) > 1000 * FAKE_TTL);
	TELL(.wish = MOVE_CLOCK, .number = FAKE_TTL + 1);
	CHECK(TELL(.wish = GET_QUERIES) == queries + 1);

	/* Closed while the question is under way. */
	CHECK(poll(&wait, 1, 1) == 0);
	TELL(.wish = SET_HOLD, .number = 1);
	TELL(.wish = MOVE_CLOCK, .number = FAKE_TTL + 1);
	TELL(.wish = AWAIT_PARKED, .number = 1);
	close(fd);
	CHECK(access("state", R_OK) == 0);
	while (TELL(.wish = GET_WAITERS))
		;
	CHECK(TELL(.wish = GET_PARKED) == 0);
	TELL(.wish = SET_HOLD, .number = 0);

	/* Waiting takes nothing away from the BMS. */
	CHECK(reads(log, 0, "log\n"));
	wait.fd = log;
	CHECK(poll(&wait, 1, 1) == 0);
	queries = TELL(.wish = GET_QUERIES);
	TELL(.wish = MOVE_CLOCK, .number = FAKE_TTL + 1);
	CHECK(TELL(.wish = GET_WAITERS) == 0);
	CHECK(TELL(.wish = GET_QUERIES) == queries);
	return 0;
}

static void test_forgotten_poll(void **state)
{
	(void)state;
	play(forgotten_client);
}

/* Who waits for the same takes turns, and one question serves all. */
static int crowd_client(int server)
{
	struct pollfd wait[3];
	pid_t waiter[3];
	int64_t queries;

	for (size_t i = 0; i < 3; i++) {
		wait[i] = (struct pollfd){ .fd = open("SOC", O_RDONLY), .events = POLLPRI };
		CHECK(reads(wait[i].fd, 0, "78.46\n"));
		waiter[i] = begin(wait_for_change, wait[i].fd);
		TELL(.wish = AWAIT_WAITER, .number = (int64_t)i + 1);
	}
	for (size_t i = 0; i < 5; i++) {
		queries = TELL(.wish = GET_QUERIES);
		TELL(.wish = MOVE_CLOCK, .number = FAKE_TTL + 1);
		CHECK(TELL(.wish = GET_QUERIES) == queries + 1);
		TELL(.wish = AWAIT_WAITER, .number = 3); /* the one who was told is back */
	}
	TELL(.wish = SET_VALUE, .row = ROW_SOC, .text = "78.45");
	TELL(.wish = MOVE_CLOCK, .number = FAKE_TTL + 1);
	for (size_t i = 0; i < 3; i++)
		CHECK(end(waiter[i]) == (POLLPRI | POLLERR));

	for (size_t i = 0; i < 3; i++) {
		CHECK(reads(wait[i].fd, 0, "78.45\n"));
		waiter[i] = begin(wait_for_change, wait[i].fd);
		TELL(.wish = AWAIT_WAITER, .number = (int64_t)i + 1);
	}
	TELL(.wish = LOSE, .row = ROW_SOC, .number = -ENODEV);
	TELL(.wish = MOVE_CLOCK, .number = FAKE_TTL);
	for (size_t i = 0; i < 3; i++)
		CHECK(end(waiter[i]) == (POLLPRI | POLLERR));

	/* All of them go away. */
	TELL(.wish = SAMPLE, .row = ROW_SOC);
	for (size_t i = 0; i < 3; i++)
		CHECK(reads(wait[i].fd, 0, "78.45\n"));
	for (size_t i = 0; i < 3; i++)
		CHECK(poll(&wait[i], 1, 1) == 0);
	CHECK(TELL(.wish = GET_WAITERS) == 3);
	queries = TELL(.wish = GET_QUERIES);
	TELL(.wish = MOVE_CLOCK, .number = FAKE_TTL + 1);
	CHECK(TELL(.wish = GET_WAITERS) == 2);
	TELL(.wish = MOVE_CLOCK, .number = FAKE_TTL + 1);
	CHECK(TELL(.wish = GET_WAITERS) == 0);
	TELL(.wish = MOVE_CLOCK, .number = FAKE_TTL + 1);
	CHECK(TELL(.wish = GET_QUERIES) == queries + 2);
	CHECK(TELL(.wish = GET_WAKE) > 1000 * FAKE_TTL);
	return 0;
}

static void test_crowd_poll(void **state)
{
	(void)state;
	play(crowd_client);
}

static int stop_client(int server)
{
	int setting = open("CMAX", O_RDWR);
	struct pollfd wait = { .fd = setting, .events = POLLPRI };
	pid_t reader, writer;

	poll(&wait, 1, 1);
	TELL(.wish = SET_HOLD, .number = 1);
	reader = begin(read_one, open("SOC", O_RDONLY));
	writer = begin(write_one, setting);
	TELL(.wish = AWAIT_PARKED, .number = 2);
	TELL(.wish = STOP);
	CHECK(end(reader) == ENODEV && end(writer) == ENODEV);
	CHECK(TELL(.wish = GET_WAITERS) == 0);

	TELL(.wish = SET_SENT, .number = 1);
	writer = begin(write_one, setting);
	TELL(.wish = AWAIT_PARKED, .number = 1);
	TELL(.wish = STOP);
	CHECK(end(writer) == ENODEV);
	TELL(.wish = SET_HOLD, .number = 0); /* the device ends it, and nobody is there */
	return 0;
}

static void test_stop(void **state)
{
	(void)state;
	play(stop_client);
}

static int debug_client(int server)
{
	int fd = open("SOC", O_RDONLY);
	char line[64];

	CHECK(reads(fd, 0, "78.46\n"));
	snprintf(line, sizeof(line), "read SOC 256@0 by pid %d\nSOC -> 6 bytes\n", (int)getpid());
	CHECK(TELL(.wish = GET_LOGGED, .text = "lookup / SOC by pid"));
	TELL(.wish = MOVE_CLOCK, .number = 1);
	CHECK(reads(fd, 0, "78.46\n"));
	{
		struct message message = { .wish = GET_LOGGED };

		snprintf(message.text, sizeof(message.text), "%s", line);
		CHECK(tell(server, message));
	}
	TELL(.wish = MOVE_CLOCK, .number = 2 * FAKE_TTL);
	TELL(.wish = SET_ERROR, .row = ROW_SOC, .number = -ETIMEDOUT);
	CHECK(read_fails("SOC", ETIMEDOUT));
	CHECK(TELL(.wish = GET_LOGGED, .text = "SOC -> ETIMEDOUT\n"));
	return 0;
}

static void test_debug(void **state)
{
	(void)state;
	play(debug_client);
}

static void test_mountinfo(void **state)
{
	char line[1024];
	bool found = false;
	FILE *file = fopen("/proc/self/mountinfo", "re");

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (strstr(line, stage.place))
			found = strstr(line, " - fuse.bmsfs /dev/a,b\\134c ") &&
				strstr(line, "noatime") && strstr(line, "default_permissions") &&
				strstr(line, "allow_other");
	fclose(file);
	assert_true(found);
	assert_false(fs_ready(stage.fs));
}

static void ignore_log(const char *format, ...)
{
	(void)format;
}

static void test_mount_errors(void **state)
{
	struct fs_config config = { .source = "x", .options = "nonsense", .log = ignore_log };
	struct fs *fs = NULL;

	(void)state;
	assert_int_equal(fs_mount(&fs, &config, stage.place), -EINVAL);
	config.options = "";
	assert_int_equal(fs_mount(&fs, &config, "/nowhere/at/all"), -ENOENT);
	assert_null(fs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MOUNTED(test_mountinfo),
		MOUNTED(test_mount_errors),
		MOUNTED(test_snapshot),
		MOUNTED(test_long_text_is_of_one_piece),
		MOUNTED(test_shot),
		MOUNTED(test_parked_open),
		MOUNTED(test_parked_read),
		MOUNTED(test_read_error),
		MOUNTED(test_interrupted_read),
		MOUNTED(test_patient_read),
		MOUNTED(test_refusals),
		MOUNTED_AS(test_read_only, setup_read_only),
		MOUNTED(test_page_cache),
		MOUNTED(test_stat),
		MOUNTED_AS(test_mtime, setup_debug),
		MOUNTED(test_mtime_is_right_after_a_clock_step),
		MOUNTED_AS(test_mtime_stays_without_a_clock_step, setup_debug),
		MOUNTED(test_file_that_goes),
		MOUNTED(test_xattr),
		MOUNTED(test_list),
		MOUNTED(test_poll),
		MOUNTED(test_forgotten_poll),
		MOUNTED(test_crowd_poll),
		MOUNTED(test_stop),
		MOUNTED_AS(test_debug, setup_debug),
	};

	if (!stage_is_possible())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include "fs/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define STAT_LIMIT_MS 1000
#define LINKS_MAX     40

#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000U /* since Linux 6.8 */
#endif

/* One line of /proc/self/mountinfo. */
struct mount_line {
	struct mount_id id; /* without the unique number */
	char place[PATH_MAX];
	char type[64];
};

/* Blanks, tabs, newlines and backslashes stand there as \ooo. */
static void decode(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
		    from[2] <= '7' && from[3] >= '0' && from[3] <= '7') {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

static bool parse_line(const char *text, struct mount_line *line)
{
	const char *separator = strstr(text, " - ");

	if (!separator ||
	    sscanf(text, "%" SCNu64 " %*u %u:%u %*s %4095s", &line->id.number, &line->id.major,
		   &line->id.minor, line->place) != 4 ||
	    sscanf(separator, " - %63s", line->type) != 1)
		return false;
	decode(line->place);
	return true;
}

int mount_table_open(FILE **table)
{
	*table = fopen("/proc/self/mountinfo", "re");
	return *table ? 0 : -errno;
}

static int find_line(FILE *table, uint64_t number, struct mount_line *line)
{
	char *text = NULL;
	size_t size = 0;
	int error = -ENOENT;

	rewind(table);
	while (error && getline(&text, &size, table) >= 0)
		if (parse_line(text, line) && line->id.number == number)
			error = 0;
	if (error && ferror(table))
		error = -EIO;
	free(text);
	return error;
}

/* A later mount may have the number of an earlier one, but only while it is of another file system. */
static int find_mount(FILE *table, const struct mount_id *id, struct mount_line *line)
{
	int error = find_line(table, id->number, line);

	if (!error && (line->id.major != id->major || line->id.minor != id->minor))
		error = -ENOENT;
	return error;
}

int mount_find(FILE *table, const struct mount_id *id)
{
	struct mount_line line;

	return find_mount(table, id, &line);
}

/* The mount that a descriptor is on, as the table numbers it. */
static int read_number(int fd, uint64_t *number)
{
	char path[48], line[128];
	int error = -ENOENT;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (error && fgets(line, sizeof(line), file))
		if (sscanf(line, "mnt_id: %" SCNu64, number) == 1)
			error = 0;
	fclose(file);
	return error;
}

/* Finds the line of the mount that @fd is on. */
static int find_line_of(int fd, struct mount_line *line)
{
	struct statx found;
	uint64_t number;
	FILE *table;
	int error = read_number(fd, &number);

	if (!error)
		error = mount_table_open(&table);
	if (error)
		return error;
	error = find_line(table, number, line);
	fclose(table);
	line->id.unique = 0;
	if (!error &&
	    !statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID_UNIQUE, &found) &&
	    found.stx_mask & STATX_MNT_ID_UNIQUE)
		line->id.unique = found.stx_mnt_id;
	return error;
}

/*
 * Opens @mountpoint and finds its mount. O_PATH asks the file system nothing, so a dead or a
 * hanging mount does no harm, and it leads to the topmost mount if there are several. Returns the
 * descriptor, -ENOENT if nothing is mounted right there, or -errno.
 */
static int mount_open(const char *mountpoint, struct mount_line *line)
{
	int fd = open(mountpoint, O_PATH | O_CLOEXEC);
	int error;

	if (fd < 0)
		return -errno;
	error = find_line_of(fd, line);
	if (!error && strcmp(line->place, mountpoint) != 0)
		error = -ENOENT;
	if (!error)
		return fd;
	close(fd);
	return error;
}

/*
 * In a child, because it may never return. The exit status is the errno. What the kernel remembers
 * of a mount that was in use would answer even for a dead one, so the mount itself is asked.
 */
static pid_t spawn_stat(int fd)
{
	pid_t parent = getpid();
	pid_t child = fork();
	struct statx found;

	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGTERM, SIG_DFL);
	if (getppid() != parent)
		_exit(EIO);
	_exit(statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_TYPE, &found) ? errno : 0);
}

/* Returns the errno of statx(2), or -1 when it takes too long. */
static int stat_within_limit(int fd)
{
	struct pollfd ended = { .events = POLLIN };
	int pipe_fds[2], status, ready;
	pid_t child;

	if (pipe2(pipe_fds, O_CLOEXEC))
		return errno;
	/* The child's copy of this end closes when it ends. */
	child = spawn_stat(fd);
	close(pipe_fds[1]);
	ended.fd = pipe_fds[0];
	if (child < 0) {
		close(pipe_fds[0]);
		return EAGAIN;
	}
	do {
		ready = poll(&ended, 1, STAT_LIMIT_MS);
	} while (ready < 0 && errno == EINTR);
	close(pipe_fds[0]);
	if (ready <= 0)
		kill(child, SIGKILL);
	/* A child that not even SIGKILL ends is left to init. */
	if (waitpid(child, &status, ready > 0 ? 0 : WNOHANG) != child || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static enum mount_state examine_open(int fd, const struct mount_line *line)
{
	if (strcmp(line->type, "fuse.bmsfs") != 0)
		return MOUNT_FOREIGN;
	switch (stat_within_limit(fd)) {
	case ENOTCONN:
		return MOUNT_DEAD;
	case -1:
		return MOUNT_HANGING;
	default:
		return MOUNT_LIVE;
	}
}

enum mount_state mount_examine(const char *mountpoint, struct mount_id *id)
{
	enum mount_state state;
	struct mount_line line;
	int fd = mount_open(mountpoint, &line);

	if (fd < 0)
		return MOUNT_FREE;
	state = examine_open(fd, &line);
	close(fd);
	*id = line.id;
	return state;
}

int mount_identify(const char *mountpoint, struct mount_id *id)
{
	struct mount_line line;
	int fd = mount_open(mountpoint, &line);

	if (fd < 0)
		return fd;
	close(fd);
	*id = line.id;
	return 0;
}

int mount_claim(const char *mountpoint)
{
	struct mount_line line;
	char path[48];
	int claim = -1, error = 0;
	/* O_PATH first: opening the root of a mount that has appeared meanwhile could hang. */
	int place = open(mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (place < 0)
		return -errno;
	if (!find_line_of(place, &line) && !strcmp(line.place, mountpoint))
		error = EEXIST;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
	if (!error)
		claim = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!error && (claim < 0 || flock(claim, LOCK_EX | LOCK_NB) < 0))
		error = errno;
	close(place);
	if (error && claim >= 0)
		close(claim);
	return error ? -error : claim;
}

void mount_release(int claim)
{
	if (claim < 0)
		return;
	/* Other processes may have a copy of the descriptor. */
	flock(claim, LOCK_UN);
	close(claim);
}

static int run_fusermount(const char *mountpoint)
{
	char program[] = "fusermount3", options[] = "-uqz", end[] = "--";
	char *place = strdup(mountpoint);
	char *const arguments[] = { program, options, end, place, NULL };
	char *const environment[] = { NULL };
	int status = 0, error;
	pid_t child;

	if (!place)
		return -ENOMEM;
	error = posix_spawnp(&child, program, NULL, NULL, arguments, environment);
	free(place);
	if (error)
		return -error;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EPERM;
}

/*
 * By way of the descriptor the kernel unmounts this very mount, whatever another program does to
 * the path meanwhile. fusermount3 knows paths only.
 */
static int detach_open(int fd, const char *place)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* EINVAL: it went in between. */
	if (!umount2(path, MNT_DETACH) || errno == EINVAL)
		return 0;
	return errno == EPERM ? run_fusermount(place) : -errno;
}

int mount_remove_dead(const char *mountpoint)
{
	struct mount_line line;
	int fd = mount_open(mountpoint, &line);
	int error = 0;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (examine_open(fd, &line) == MOUNT_DEAD)
		error = detach_open(fd, mountpoint);
	close(fd);
	return error;
}

/* Opens the mount where it is now, which is elsewhere if it was moved. */
static int open_by_id(const struct mount_id *id, struct mount_line *line)
{
	struct mount_line topmost;
	FILE *table;
	int fd, error = mount_table_open(&table);

	if (error)
		return error;
	error = find_mount(table, id, line);
	fd = error ? error : mount_open(line->place, &topmost);
	if (fd >= 0 && topmost.id.number != id->number) {
		close(fd);
		fd = -ENOENT;
	}
	/* If it is still in the table, something covers it or a folder above. */
	if (!error && fd == -ENOENT && !find_mount(table, id, line))
		fd = -EBUSY;
	fclose(table);
	/* A later mount has its number. */
	if (fd >= 0 && topmost.id.unique && id->unique && topmost.id.unique != id->unique) {
		close(fd);
		fd = -ENOENT;
	}
	return fd;
}

int mount_detach(const struct mount_id *id)
{
	struct mount_line line;
	int fd = open_by_id(id, &line);
	int error;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	error = detach_open(fd, line.place);
	close(fd);
	return error;
}

int mount_change(const struct mount_id *id, unsigned long flags)
{
	struct mount_line line;
	char path[48];
	int fd = open_by_id(id, &line);
	int error = 0;

	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (mount(NULL, path, NULL, MS_REMOUNT | MS_NOSUID | MS_NODEV | flags, NULL) < 0)
		error = -errno;
	close(fd);
	return error;
}

static int join(char *absolute, size_t size, const char *folder, const char *name)
{
	const char *slash = strcmp(folder, "/") != 0 ? "/" : "";
	int length = snprintf(absolute, size, "%s%s%s", folder, slash, name);

	return (size_t)length < size ? 0 : -ENAMETOOLONG;
}

/*
 * Splits off the last component. Returns NULL for a path that has none of its own (/, . and ..),
 * and which must be resolved as a whole.
 */
static char *last_component(char *path)
{
	size_t length = strlen(path);
	char *name;

	while (length > 1 && path[length - 1] == '/')
		path[--length] = '\0';
	name = strrchr(path, '/');
	name = name ? name + 1 : path;
	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return NULL;
	return name;
}

/* One step: resolves all but the last component of @path, which is changed, into @absolute. */
static int resolve_step(char *path, char *absolute, size_t size)
{
	char folder[PATH_MAX];
	char *name = last_component(path);
	char copy[NAME_MAX + 1];

	if (!name) {
		if (!realpath(path, folder))
			return -errno;
		return (size_t)snprintf(absolute, size, "%s", folder) < size ? 0 : -ENAMETOOLONG;
	}
	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(copy, name, strlen(name) + 1);
	*name = '\0';
	if (!realpath(*path ? path : ".", folder))
		return -errno;
	return join(absolute, size, folder, copy);
}

/* readlink(2) on the root of a mount answers without asking the file system. */
int mount_resolve(const char *path, char *absolute, size_t size)
{
	char here[PATH_MAX], target[PATH_MAX], *slash;

	if ((size_t)snprintf(here, sizeof(here), "%s", path) >= sizeof(here))
		return -ENAMETOOLONG;
	for (int i = 0; i < LINKS_MAX; i++) {
		int error = *here ? resolve_step(here, absolute, size) : -ENOENT;
		ssize_t length;

		if (error)
			return error;
		length = readlink(absolute, target, sizeof(target) - 1);
		if (length < 0)
			return 0;
		target[length] = '\0';
		slash = strrchr(absolute, '/');
		*slash = '\0';
		error = target[0] == '/' ? 0 : join(here, sizeof(here), absolute, target);
		if (target[0] == '/')
			memcpy(here, target, (size_t)length + 1);
		if (error)
			return error;
	}
	return -ELOOP;
}

static bool below(const char *mountpoint, const char *path)
{
	size_t length = strlen(mountpoint);

	while (length && mountpoint[length - 1] == '/')
		length--;
	return !strncmp(mountpoint, path, length) && (path[length] == '/' || !path[length]);
}

bool mount_contains(const char *mountpoint, const char *path)
{
	char absolute[PATH_MAX], folder[PATH_MAX];

	if (!mount_resolve(path, absolute, sizeof(absolute)))
		return below(mountpoint, absolute);
	/* It does not exist, or lies below a dead mount: go by the names. */
	if (*path == '/')
		return below(mountpoint, path);
	return getcwd(folder, sizeof(folder)) && !join(absolute, sizeof(absolute), folder, path) &&
	       below(mountpoint, absolute);
}

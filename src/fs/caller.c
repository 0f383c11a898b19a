// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * The processes that make requests, as /proc shows them. A request carries the ID of its thread, or
 * 0 for a thread outside the pid namespace of the mount. A thread keeps its entry in /proc until its
 * request is answered.
 *
 * No read here may wait for that thread. What the kernel guards with ptrace's rules (stat, exe, fd and
 * others) waits for the end of an execve(2) of the process, which closes files and waits for us.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/session.h"

#define STAT_FLAGS  6     /* spaces between the state and the flags in /proc/PID/stat */
#define PF_SIGNALED 0x400 /* a signal ends the thread, or another thread has called exit_group(2) */

/* Reads the start of /proc/PROCESS/NAME as text. Returns 0 or -errno. */
static int proc_read(pid_t process, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t length;
	int fd, err;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)process, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	length = read(fd, text, size - 1);
	err = length < 0 ? -errno : 0;
	close(fd);
	text[length < 0 ? 0 : length] = '\0';
	return err;
}

/* Whether /proc shows our own pid namespace. With that of another, each pid is another process. */
static bool proc_is_ours(void)
{
	char pid[16];
	ssize_t length = readlink("/proc/self", pid, sizeof(pid) - 1);

	pid[length < 0 ? 0 : length] = '\0';
	return strtol(pid, NULL, 10) == getpid();
}

void caller_name(pid_t thread, char *name, size_t size)
{
	size_t length;

	if (thread <= 0 || !proc_is_ours() || proc_read(thread, "comm", name, size))
		name[0] = '\0';
	length = strlen(name);
	if (length && name[length - 1] == '\n')
		name[length - 1] = '\0';
	for (char *c = name; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

pid_t caller_process(pid_t thread)
{
	char text[512];
	const char *group;

	if (thread <= 0 || !proc_is_ours() || proc_read(thread, "status", text, sizeof(text)))
		return 0;
	/* A newline in the name is escaped. */
	group = strstr(text, "\nTgid:");
	return group ? (pid_t)strtol(group + strlen("\nTgid:"), NULL, 10) : 0;
}

bool caller_is_of(pid_t thread, pid_t process)
{
	char path[64];

	if (thread == process)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)process, (int)thread);
	return !access(path, F_OK);
}

int caller_was_killed(pid_t thread, pid_t process)
{
	char text[512];
	const char *field = NULL;
	int err = proc_read(thread, "statm", text, sizeof(text));

	/* It has memory, so it closes the file itself, or by execve(2). */
	if (!err && strncmp(text, "0 ", 2) != 0)
		return 0;
	/* It exits, and no thread of a process is in execve(2) then. */
	if (!err)
		err = proc_read(process, "stat", text, sizeof(text));
	/* The name may contain anything; behind it are numbers only. */
	if (!err)
		field = strrchr(text, ')');
	for (unsigned i = 0; field && i <= STAT_FLAGS; i++)
		field = strchr(field + 1, ' ');
	if (!field)
		return err ? err : -EIO;
	return strtoul(field, NULL, 10) & PF_SIGNALED ? 1 : 0;
}

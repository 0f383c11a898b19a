// SPDX-License-Identifier: LGPL-3.0-or-later
#include "link/holder.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static DIR *open_dir_at(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *opened = fd < 0 ? NULL : fdopendir(fd);

	if (!opened && fd >= 0)
		close(fd);
	return opened;
}

/*
 * Reads the links and never follows them: stat() on a descriptor of a dead network file system, or
 * of our own mount, would wait for ever.
 */
static bool process_holds(int process, const char *device)
{
	char target[PATH_MAX];
	DIR *files = open_dir_at(process, "fd");
	struct dirent *entry;
	bool found = false;

	if (!files)
		return false;
	while (!found && (entry = readdir(files))) {
		ssize_t length =
			readlinkat(dirfd(files), entry->d_name, target, sizeof(target) - 1);

		if (length < 0)
			continue;
		target[length] = '\0';
		found = !strcmp(target, device);
	}
	closedir(files);
	return found;
}

static void describe(int process, const char *pid, char *text, size_t size)
{
	char name[64] = "a program";
	int fd = openat(process, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, name, sizeof(name) - 1);

	if (fd >= 0)
		close(fd);
	if (length > 0)
		name[length] = '\0';
	name[strcspn(name, "\n")] = '\0';
	for (char *c = name; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	snprintf(text, size, "%s (pid %s)", name, pid);
}

void holder_name(const char *device, char *text, size_t size)
{
	DIR *proc = open_dir_at(AT_FDCWD, "/proc");
	struct dirent *entry;
	bool found = false;

	snprintf(text, size, "another program");
	while (proc && !found && (entry = readdir(proc))) {
		int process;

		if (entry->d_name[strspn(entry->d_name, "0123456789")])
			continue;
		process = openat(dirfd(proc), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (process < 0)
			continue;
		found = process_holds(process, device);
		if (found)
			describe(process, entry->d_name, text, size);
		close(process);
	}
	if (proc)
		closedir(proc);
}

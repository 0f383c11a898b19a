// SPDX-License-Identifier: LGPL-3.0-or-later
#include "link/holder.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool holder_paused;

static DIR *open_dir_at(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *opened = fd < 0 ? NULL : fdopendir(fd);

	if (!opened && fd >= 0)
		close(fd);
	return opened;
}

/*
 * Reads the links, and follows those alone that say what is looked for: stat() on a descriptor of a
 * dead network file system, or of our own mount, would wait for ever. In a container the same name
 * may be another device.
 */
static bool process_holds(int process, const char *device, dev_t number)
{
	char target[PATH_MAX];
	DIR *files = open_dir_at(process, "fd");
	struct dirent *entry;
	struct stat st;
	bool found = false;

	if (!files)
		return false;
	while (!found && (entry = readdir(files))) {
		ssize_t length =
			readlinkat(dirfd(files), entry->d_name, target, sizeof(target) - 1);

		if (length < 0)
			continue;
		target[length] = '\0';
		found = !strcmp(target, device) && !fstatat(dirfd(files), entry->d_name, &st, 0) &&
			st.st_rdev == number;
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

bool holder_name(const char *device, char *text, size_t size)
{
	DIR *proc = holder_paused ? NULL : open_dir_at(AT_FDCWD, "/proc");
	struct dirent *entry;
	struct stat st;
	bool found = false;

	snprintf(text, size, "another program");
	if (stat(device, &st) < 0)
		st.st_rdev = 0;
	while (proc && !found && (entry = readdir(proc))) {
		int process;

		if (entry->d_name[strspn(entry->d_name, "0123456789")])
			continue;
		process = openat(dirfd(proc), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (process < 0)
			continue;
		found = process_holds(process, device, st.st_rdev);
		if (found)
			describe(process, entry->d_name, text, size);
		close(process);
	}
	if (proc)
		closedir(proc);
	return found;
}

void holder_pause(bool paused)
{
	holder_paused = paused;
}

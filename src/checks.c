// SPDX-License-Identifier: LGPL-3.0-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checks.h"
#include "fs/mount.h"
#include "link/link.h"
#include "log.h"

#define DEAD_MOUNT_MAX 16 /* that lie one on another */

/* The program itself looks for things there while it serves. */
static const char *const needed[] = { "/dev", "/proc" };

static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	unsigned entries = 0;

	if (!dir)
		return true;
	while (entries <= 2 && readdir(dir))
		entries++;
	closedir(dir);
	return entries <= 2;
}

static int check_directory(const char *path)
{
	struct stat stat_buffer;
	int err;

	if (stat(path, &stat_buffer) < 0) {
		err = errno;
		log_print("%s: %s", path, strerror(err));
		return -err;
	}
	if (!S_ISDIR(stat_buffer.st_mode)) {
		log_print("%s: not a directory, cannot be mounted on", path);
		return -ENOTDIR;
	}
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (mount_contains(path, needed[i])) {
			log_print("%s: cannot be covered, bmsfs needs %s itself", path, needed[i]);
			return -EBUSY;
		}
	}
	if (!is_empty(path)) {
		log_print("%s: is not empty, and the mount would hide what is in it", path);
		return -ENOTEMPTY;
	}
	return 0;
}

static int remove_dead(const char *path)
{
	int err = mount_remove_dead(path);

	if (err < 0)
		log_print("%s: a dead bmsfs is mounted there and cannot be removed: %s", path,
			  strerror(-err));
	else
		log_print("%s: replacing the mount of a bmsfs that has died", path);
	return err;
}

/* Removes dead mounts of our own. Returns 0 if nothing is mounted at @path then. */
static int clear_place(const char *path)
{
	struct mount_id id;
	int err;

	for (int i = 0; i < DEAD_MOUNT_MAX; i++) {
		switch (mount_examine(path, &id)) {
		case MOUNT_FREE:
			return 0;
		case MOUNT_DEAD:
			err = remove_dead(path);
			if (err < 0)
				return err;
			continue;
		case MOUNT_LIVE:
			log_print("%s: a bmsfs is mounted there already; fusermount3 -u %s ends it",
				  path, path);
			return -EBUSY;
		case MOUNT_HANGING:
			log_print(
				"%s: a bmsfs is mounted there that does not answer; end that first",
				path);
			return -EBUSY;
		case MOUNT_FOREIGN:
			log_print("%s: something else is mounted there", path);
			return -EBUSY;
		}
	}
	log_print("%s: too many dead mounts, one on another", path);
	return -EBUSY;
}

int checks_mountpoint(const char *path, char *absolute, size_t size, int *claim)
{
	int err = mount_resolve(path, absolute, size);

	if (err < 0) {
		log_print("%s: %s", path, strerror(-err));
		return err;
	}
	do {
		err = clear_place(absolute);
		if (err < 0)
			return err;
		*claim = mount_claim(absolute);
	} while (*claim == -EEXIST);
	if (*claim == -EWOULDBLOCK) {
		log_print("%s: locked by another program, probably a bmsfs that is starting there; "
			  "try again",
			  absolute);
		return -EBUSY;
	}
	/* Another start may have mounted before the lock was ours. */
	err = clear_place(absolute);
	return err < 0 ? err : check_directory(absolute);
}

int checks_device(const char *device, const char *mountpoint)
{
	const char *path;
	enum link_kind kind = link_kind(device, &path);

	if ((kind != LINK_TTY && kind != LINK_UNIX) || !mount_contains(mountpoint, path))
		return 0;
	log_print("%s: is at or below MOUNTPOINT, which would hide it", device);
	return -EINVAL;
}

int checks_open_capture(const char *file, const char *mountpoint)
{
	struct stat stat_buffer;
	int fd, err;

	if (mount_contains(mountpoint, file)) {
		log_print("capture=%s: is at or below MOUNTPOINT, keep it elsewhere", file);
		return -EINVAL;
	}
	/* Opening some devices has consequences. */
	if (!stat(file, &stat_buffer) && !S_ISREG(stat_buffer.st_mode)) {
		log_print("capture=%s: not a regular file", file);
		return -EINVAL;
	}
	fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	err = fd < 0 ? errno : 0;
	if (!err && (fstat(fd, &stat_buffer) < 0 || !S_ISREG(stat_buffer.st_mode)))
		err = EINVAL;
	if (!err)
		return fd;
	log_print("capture=%s: %s", file, strerror(err));
	if (fd >= 0)
		close(fd);
	return -err;
}

int checks_fuse(void)
{
	int err;

	if (!access("/dev/fuse", R_OK | W_OK))
		return 0;
	err = errno;
	if (err == ENOENT || err == ENODEV)
		log_print("there is no /dev/fuse: load the kernel module fuse (modprobe fuse), or "
			  "give the container this device");
	else if (err == EACCES || err == EPERM)
		log_print(
			"/dev/fuse is not open to this user: run bmsfs as root, or let root permit "
			"it (chmod 666 /dev/fuse)");
	else
		log_print("/dev/fuse: %s", strerror(err));
	return -err;
}

static bool apparmor_is_enabled(void)
{
	FILE *file = fopen("/sys/module/apparmor/parameters/enabled", "re");
	bool enabled = file && fgetc(file) == 'Y';

	if (file)
		fclose(file);
	return enabled;
}

/*
 * The profile binds fusermount3, which root does not need, and its refusal looks like any other:
 * "mount failed: Permission denied".
 */
void checks_explain_refusal(const char *mountpoint)
{
	const char *const permitted[] = { "/mnt", "/media", "/tmp", "/run/user", getenv("HOME") };

	if (geteuid() == 0 || access("/etc/apparmor.d/fusermount3", F_OK) < 0 ||
	    !apparmor_is_enabled())
		return;
	for (size_t i = 0; i < sizeof(permitted) / sizeof(permitted[0]); i++)
		if (permitted[i] && mount_contains(permitted[i], mountpoint))
			return;
	log_print("%s: AppArmor's profile of fusermount3 may forbid this place; mount below your "
		  "home, /mnt, /media or /tmp, or let root mount",
		  mountpoint);
}

// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * Walks a tree with the calls that a program without large file support makes: opendir, readdir,
 * seekdir, stat, lstat, open and read. Prints "INODE PATH" for each entry, and "PATH: CALL: ERROR"
 * for each call that fails. test_32bit.py compiles it for a 32-bit processor.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

_Static_assert(sizeof(ino_t) == 4 && sizeof(off_t) == 4, "without large file support");

static void report(const char *path, const char *call)
{
	printf("%s: %s: %s\n", path, call, strerrorname_np(errno));
}

static void read_file(const char *path)
{
	char text[4096];
	int fd = open(path, O_RDONLY);
	struct stat attr;
	ssize_t got;

	if (fd < 0) {
		report(path, "open");
		return;
	}
	if (fstat(fd, &attr) < 0)
		report(path, "fstat");
	while ((got = read(fd, text, sizeof(text))) > 0)
		;
	if (got < 0)
		report(path, "read");
	close(fd);
}

static void walk(const char *path);

static void visit(const char *path, unsigned long listed)
{
	struct stat attr;

	if (lstat(path, &attr) < 0) {
		report(path, "lstat");
		return;
	}
	printf("%lu %s\n", (unsigned long)attr.st_ino, path);
	if (listed != attr.st_ino)
		printf("%s: listed as inode %lu\n", path, listed);
	if (stat(path, &attr) < 0)
		report(path, "stat");
	else if (S_ISREG(attr.st_mode))
		read_file(path);
	else if (listed == attr.st_ino)
		walk(path);
}

/* A directory is closed while its entries are visited, and continued where it was. */
static void walk(const char *path)
{
	char name[4096];
	struct dirent *entry;
	long position = 0;
	DIR *dir;

	for (;;) {
		dir = opendir(path);
		if (!dir) {
			report(path, "opendir");
			return;
		}
		if (position)
			seekdir(dir, position);
		errno = 0;
		entry = readdir(dir);
		if (!entry) {
			if (errno)
				report(path, "readdir");
			closedir(dir);
			return;
		}
		position = telldir(dir);
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			visit(name, entry->d_ino);
		closedir(dir);
	}
}

int main(int argc, char *argv[])
{
	struct statvfs filesystem;

	if (argc != 2)
		return 2;
	if (statvfs(argv[1], &filesystem) < 0)
		report(argv[1], "statvfs");
	walk(argv[1]);
	return 0;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * hang MOUNTPOINT SNAPSHOT CALL: a mount that never answers CALL (lookup, getattr, getxattr, open,
 * read, poll or write), as one of bmsfs whose server hangs in it. It shows the file SNAPSHOT as
 * snapshot.json, and any other name as a setting of 2 to 4.3 V. Prints "mounted", and then "CALL"
 * when a caller hangs.
 */
#define FUSE_USE_VERSION 312

#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NODES_MAX 1024

struct node {
	fuse_ino_t parent;
	char name[32];
};

static struct node nodes[NODES_MAX]; /* by inode less 2 */
static unsigned count;
static const char *hanging_call;
static char snapshot[1 << 20];
static size_t snapshot_size;

/* Whether @req is never answered. */
static bool hangs(const char *call)
{
	if (strcmp(call, hanging_call) != 0)
		return false;
	puts(call);
	fflush(stdout);
	return true;
}

static bool is_directory(const char *name)
{
	return !strcmp(name, "pack") || !strcmp(name, "bus") || !strcmp(name, "units") ||
	       !strcmp(name, "cells") || !strcmp(name, "sensors") || (*name >= '0' && *name <= '9');
}

static const char *name_of(fuse_ino_t ino)
{
	return ino < 2 ? "" : nodes[ino - 2].name;
}

static struct stat attributes(fuse_ino_t ino)
{
	bool directory = ino == FUSE_ROOT_ID || is_directory(name_of(ino));

	return (struct stat){
		.st_ino = ino,
		.st_mode = directory ? S_IFDIR | 0755 : S_IFREG | 0644,
		.st_nlink = 1,
		.st_size = directory ? 0 : 4096,
	};
}

static fuse_ino_t find(fuse_ino_t parent, const char *name)
{
	unsigned i = 0;

	while (i < count && (nodes[i].parent != parent || strcmp(nodes[i].name, name) != 0))
		i++;
	if (i == NODES_MAX)
		return 0;
	if (i == count) {
		nodes[i].parent = parent;
		snprintf(nodes[i].name, sizeof(nodes[i].name), "%s", name);
		count++;
	}
	return i + 2;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = { .ino = find(parent, name) };

	if (hangs("lookup"))
		return;
	entry.attr = attributes(entry.ino);
	if (entry.ino)
		fuse_reply_entry(req, &entry);
	else
		fuse_reply_err(req, ENOENT);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct stat attr = attributes(ino);

	(void)info;
	/* Not that of the root, which mounting asks for. */
	if (ino == FUSE_ROOT_ID || !hangs("getattr"))
		fuse_reply_attr(req, &attr, 0);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	static const char *const value[][2] = {
		{ "user.bms.type", "float" },
		{ "user.bms.min", "2" },
		{ "user.bms.max", "4.3" },
		{ "user.bms.category", "cell_voltage" },
	};

	(void)ino;
	if (hangs("getxattr"))
		return;
	for (size_t i = 0; i < sizeof(value) / sizeof(value[0]); i++)
		if (!strcmp(value[i][0], name) && size >= strlen(value[i][1])) {
			fuse_reply_buf(req, value[i][1], strlen(value[i][1]));
			return;
		}
	fuse_reply_err(req, ENODATA);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)ino;
	info->direct_io = 1;
	if (!hangs("open"))
		fuse_reply_open(req, info);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *info)
{
	bool whole = !strcmp(name_of(ino), "snapshot.json");
	const char *text = whole ? snapshot : "3.5\n";
	size_t length = whole ? snapshot_size : 4, from = (size_t)offset;

	(void)info;
	if (hangs("read"))
		return;
	from = from < length ? from : length;
	fuse_reply_buf(req, text + from, size < length - from ? size : length - from);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *text, size_t size, off_t offset,
		     struct fuse_file_info *info)
{
	(void)ino;
	(void)text;
	(void)offset;
	(void)info;
	if (!hangs("write"))
		fuse_reply_write(req, size);
}

/* Nothing ever changes. */
static void op_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info,
		    struct fuse_pollhandle *handle)
{
	(void)ino;
	(void)info;
	if (handle)
		fuse_pollhandle_destroy(handle);
	if (!hangs("poll"))
		fuse_reply_poll(req, 0);
}

static const struct fuse_lowlevel_ops ops = {
	.lookup = op_lookup,
	.getattr = op_getattr,
	.getxattr = op_getxattr,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.poll = op_poll,
};

static void load_snapshot(const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file)
		exit(EXIT_FAILURE);
	snapshot_size = fread(snapshot, 1, sizeof(snapshot), file);
	fclose(file);
}

int main(int argc, char *argv[])
{
	char name[] = "hang";
	char *options[] = { name, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, options);
	struct fuse_session *session;

	if (argc != 4)
		return 2;
	load_snapshot(argv[2]);
	hanging_call = argv[3];
	session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	if (!session || fuse_set_signal_handlers(session) || fuse_session_mount(session, argv[1]))
		return EXIT_FAILURE;
	puts("mounted");
	fflush(stdout);
	fuse_session_loop(session);
	fuse_session_unmount(session);
	fuse_session_destroy(session);
	return EXIT_SUCCESS;
}

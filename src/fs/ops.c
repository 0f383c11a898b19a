// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * What is answered at once: names, attributes, listings, and everything that this file system
 * refuses. An operation that is missing here is one for which the kernel has a better answer than
 * "Function not implemented" (fsync, access, lseek, locks, fallocate, ioctl, opendir).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "fs/session.h"

#define FS_CAPABILITIES \
	(FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_HANDLE_KILLPRIV)

static void op_init(void *user, struct fuse_conn_info *connection)
{
	struct fs *fs = user;

	connection->want &= FS_CAPABILITIES;
	connection->max_write = FS_READ_MAX; /* also the largest read */
	connection->max_readahead = 0;
	fs->ready = true;
}

/*
 * Replies: entry or error. A name that is not there is not remembered: it may come with the shape.
 */
static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fs_of(req);
	struct fuse_entry_param entry = { .generation = 1 };
	int error = -ENOENT;

	request_tell(req, parent, "lookup", name);
	entry.ino = forest_lookup(fs->forest, parent, name);
	if (entry.ino)
		error = attr_fill(fs, entry.ino, NULL, &entry.attr);
	if (error) {
		reply_error(req, parent, error);
		return;
	}
	entry.entry_timeout = entry_timeout(fs, entry.ino);
	entry.attr_timeout = attr_timeout(fs, entry.ino);
	answer_tell(fs, entry.ino, "ok");
	fuse_reply_entry(req, &entry);
}

static void reply_attr(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	struct stat attr;
	int error = attr_fill(fs, ino, info ? handle_of(info) : NULL, &attr);

	if (error) {
		reply_error(req, ino, error);
		return;
	}
	answer_tell(fs, ino, "ok");
	fuse_reply_attr(req, &attr, attr_timeout(fs, ino));
}

/* Replies: attr or error. */
static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	request_tell(req, ino, "stat", "");
	reply_attr(req, ino, info);
}

/*
 * Replies: attr or error. truncate(2) is accepted, as in sysfs, where there is something to write.
 */
static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int what,
		       struct fuse_file_info *info)
{
	const int refused = FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID |
			    FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW |
			    FUSE_SET_ATTR_MTIME_NOW | FUSE_SET_ATTR_CTIME;
	struct tree_stat stat;
	int error;

	(void)attr;
	(void)info;
	request_tell(req, ino, "change attributes of", "");
	error = forest_stat(fs_of(req)->forest, ino, &stat);
	if (error)
		reply_error(req, ino, error);
	else if (what & FUSE_SET_ATTR_SIZE && !(stat.mode & 0222))
		reply_failure(req, ino, ACCESS_WRITE, -EACCES,
			      tree_read_only_reason(branch_of(fs_of(req), ino)->tree, ino));
	else if (what & refused && !(what & FUSE_SET_ATTR_SIZE))
		reply_failure(req, ino, ACCESS_CHANGE, -EPERM,
			      "mode, owner and times cannot be changed; the options user and gid "
			      "of bmsfs say who may write");
	else
		reply_attr(req, ino, NULL);
}

/* Replies: readlink or error. */
static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	const struct branch *branch = branch_of(fs_of(req), ino);
	const char *target = branch ? tree_target(branch->tree, ino) : NULL;

	request_tell(req, ino, "readlink", "");
	if (!target) {
		reply_error(req, ino, -ENOENT);
		return;
	}
	answer_tell(fs_of(req), ino, target);
	fuse_reply_readlink(req, target);
}

/* Entry 0 is ".", 1 is "..", then come those of the tree. 0: there are no more. */
static uint64_t dir_entry(const struct forest *forest, uint64_t dir, unsigned index,
			  char name[TREE_NAME_MAX])
{
	if (index >= 2)
		return forest_entry(forest, dir, index - 2, name);
	snprintf(name, TREE_NAME_MAX, "%s", index ? ".." : ".");
	return index ? forest_parent(forest, dir) : dir;
}

/* Replies: buf or error. The offset of an entry is its index, plus 1. */
static void op_readdir(fuse_req_t req, fuse_ino_t dir, size_t size, off_t offset,
		       struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	size_t room = size < sizeof(fs->scratch) ? size : sizeof(fs->scratch);
	size_t used = 0;
	char name[TREE_NAME_MAX];
	uint64_t ino;

	(void)info;
	request_tell(req, dir, "list", "");
	for (unsigned i = (unsigned)offset; (ino = dir_entry(fs->forest, dir, i, name)); i++) {
		struct tree_stat stat;
		struct stat attr = { .st_ino = ino };
		size_t length;

		if (forest_stat(fs->forest, ino, &stat))
			continue;
		attr.st_mode = stat.mode;
		length = fuse_add_direntry(req, fs->scratch + used, room - used, name, &attr,
					   (off_t)i + 1);
		if (length > room - used)
			break;
		used += length;
	}
	reply_text(req, dir, fs->scratch, used);
}

/* Replies: statfs. */
static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs stat = { .f_bsize = 4096, .f_frsize = 4096, .f_namemax = TREE_NAME_MAX - 1 };

	request_tell(req, ino, "statfs", "");
	fuse_reply_statfs(req, &stat);
}

static void reply_xattr(fuse_req_t req, fuse_ino_t ino, ssize_t length, size_t size)
{
	if (length < 0)
		reply_error(req, ino, (int)length);
	else if (size)
		reply_text(req, ino, fs_of(req)->scratch, (size_t)length);
	else
		fuse_reply_xattr(req, (size_t)length);
}

/* Replies: buf, xattr or error. */
static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct fs *fs = fs_of(req);
	size_t room = size < sizeof(fs->scratch) ? size : sizeof(fs->scratch);

	request_tell(req, ino, "getxattr", name);
	reply_xattr(req, ino, forest_xattr(fs->forest, ino, name, size ? fs->scratch : NULL, room),
		    size);
}

/* Replies: buf, xattr or error. */
static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct fs *fs = fs_of(req);
	size_t room = size < sizeof(fs->scratch) ? size : sizeof(fs->scratch);

	request_tell(req, ino, "listxattr", "");
	reply_xattr(req, ino, forest_xattrs(fs->forest, ino, size ? fs->scratch : NULL, room),
		    size);
}

/* Replies, all of these: error. */
static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		      struct fuse_file_info *info)
{
	(void)mode;
	(void)info;
	request_tell(req, parent, "create", name);
	forest_failed(fs_of(req)->forest, parent, name, ACCESS_CHANGE, -EACCES,
		      "there is no such file, and none can be created; ls shows the files");
	reply_error(req, parent, -EACCES);
}

/* Refuses to do @what to the entry @name of a directory. */
static void refuse(fuse_req_t req, fuse_ino_t parent, const char *what, const char *name)
{
	request_tell(req, parent, what, name);
	forest_failed(fs_of(req)->forest, parent, name, ACCESS_CHANGE, -EPERM,
		      "names cannot be created, removed or changed in this mount");
	reply_error(req, parent, -EPERM);
}

static void refuse_xattr(fuse_req_t req, fuse_ino_t ino, const char *what, const char *name)
{
	request_tell(req, ino, what, name);
	reply_failure(req, ino, ACCESS_CHANGE, -EPERM, "extended attributes cannot be changed");
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	(void)mode;
	(void)device;
	refuse(req, parent, "mknod", name);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	(void)mode;
	refuse(req, parent, "mkdir", name);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	refuse(req, parent, "unlink", name);
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	refuse(req, parent, "rmdir", name);
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	(void)target;
	refuse(req, parent, "symlink", name);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent,
		      const char *to_name, unsigned flags)
{
	(void)to_parent;
	(void)to_name;
	(void)flags;
	refuse(req, parent, "rename", name);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	(void)ino;
	refuse(req, parent, "link", name);
}

static void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
			size_t size, int flags)
{
	(void)value;
	(void)size;
	(void)flags;
	refuse_xattr(req, ino, "setxattr", name);
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	refuse_xattr(req, ino, "removexattr", name);
}

const struct fuse_lowlevel_ops fs_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.readlink = op_readlink,
	.readdir = op_readdir,
	.statfs = op_statfs,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.open = file_open,
	.read = file_read,
	.write = file_write,
	.flush = file_flush,
	.release = file_release,
	.poll = poll_begin,
	.create = op_create,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.setxattr = op_setxattr,
	.removexattr = op_removexattr,
};

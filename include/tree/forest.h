/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What a mount shows: the tree of one BMS, or of several a directory for each, named by its address
 * on the line.
 */
#ifndef BMSFS_TREE_FOREST_H
#define BMSFS_TREE_FOREST_H

#include "tree/tree.h"

#define FOREST_MAX      16  /* trees */
#define FOREST_PATH_MAX 128 /* bytes of a path */

struct forest;

/*
 * Makes a tree for each of @count devices, 1 to FOREST_MAX, which stay the caller's. @name is that
 * of the supply under class/; of several its address follows. -ENOMEM.
 */
int forest_new(struct forest **forest, struct device *const *device, unsigned count,
	       const char *name);
void forest_free(struct forest *forest);

/* How many trees there are, and which of them, from 0, an inode belongs to; -1: to none. */
unsigned forest_count(const struct forest *forest);
int forest_index(const struct forest *forest, uint64_t ino);
struct tree *forest_tree(const struct forest *forest, unsigned index);

/* As their namesakes in tree.h, for any inode of the mount. */
uint64_t forest_lookup(const struct forest *forest, uint64_t parent, const char *name);
uint64_t forest_entry(const struct forest *forest, uint64_t dir, unsigned index,
		      char name[TREE_NAME_MAX]);
uint64_t forest_parent(const struct forest *forest, uint64_t dir);
int forest_stat(const struct forest *forest, uint64_t ino, struct tree_stat *stat);
ssize_t forest_xattr(const struct forest *forest, uint64_t ino, const char *name, char *text,
		     size_t size);
ssize_t forest_xattrs(const struct forest *forest, uint64_t ino, char *names, size_t size);

/*
 * Records a failure with -errno @err for bus/last_error; see tree/last_error.h. @name is that of an
 * entry of the directory @ino, or "". @reason: "problem; remedy".
 */
void forest_failed(struct forest *forest, uint64_t ino, const char *name, enum access access,
		   int err, const char *reason);
void forest_succeeded(struct forest *forest, uint64_t ino, enum access access);

void forest_path(const struct forest *forest, uint64_t ino, char *path, size_t size);

#endif

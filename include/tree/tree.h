/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The tree: which files there are, what each shows, what each accepts. All of it comes from const
 * tables, templates for units, cells and sensors, and the instruction table; no node is ever
 * allocated. An inode number is the packed place of a file {tree, kind, unit, channel, entry}
 * (tree/ino.h), and means the same for as long as the program runs.
 */
#ifndef BMSFS_TREE_TREE_H
#define BMSFS_TREE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "device/device.h"
#include "tree/last_error.h"

#define TREE_ROOT       1 /* FUSE_ROOT_ID: the root of the mount */
#define TREE_NAME_MAX   32
#define TREE_REASON_MAX (BUS_REASON_MAX + 8)
#define TREE_TEXT_MAX   (1 << 21) /* longest text of a file, which is bus/trace */

struct tree;

enum tree_kind {
	TREE_DIR,
	TREE_VALUE, /* rendered when read at offset 0; stat says 4096 bytes */
	TREE_LONG,  /* rendered at open; stat tells size and time of the last rendering */
	TREE_LINK,
};

struct tree_stat {
	enum tree_kind kind;
	mode_t mode; /* type and permissions: 0755, 0644, 0444, 0400 */
	uint32_t size;
	int64_t sampled;  /* when the oldest sample shown was asked for; 0 for never */
	bool timed;       /* it shows samples at all; else its times are those of the mount */
	bool patient;     /* under class/: as in sysfs, no signal ends a read that waits */
	bool about_mount; /* under bus/: bus/last_error shows no failed read of these files */
};

/*
 * @device stays the caller's. @name is that of the supply under class/: letters, digits and
 * underscores, shorter than TREE_NAME_MAX. @number is 0 if there is only this one. -ENOMEM.
 */
int tree_new(struct tree **tree, struct device *device, const char *name, unsigned number);
void tree_free(struct tree *tree);

/* The record that bus/last_error shows; it stays the caller's. NULL, the default: nothing failed. */
void tree_set_last_error(struct tree *tree, const struct last_error *last_error);

struct device *tree_device(const struct tree *tree);
uint64_t tree_root(const struct tree *tree);

/*
 * The inode of @name in directory @parent, or 0. While the shape is unknown, any unit, cell and
 * sensor that the templates allow (1-15, 1-16, 1-8) is there.
 */
uint64_t tree_lookup(const struct tree *tree, uint64_t parent, const char *name);

/*
 * The entry number @index of directory @dir as it is listed: its inode, and @name filled; 0 behind
 * the last one. What this model cannot have is not listed; of units, what is known.
 */
uint64_t tree_entry(const struct tree *tree, uint64_t dir, unsigned index,
		    char name[TREE_NAME_MAX]);

/* -ENOENT for an inode that means nothing. */
int tree_stat(const struct tree *tree, uint64_t ino, struct tree_stat *stat);

/* The parent of a directory, for "..". */
uint64_t tree_parent(const struct tree *tree, uint64_t dir);

/* The target of a TREE_LINK, or NULL. */
const char *tree_target(const struct tree *tree, uint64_t ino);

/* The rows of the instruction table that a file is made of; none for bus/ and the like. */
void tree_needs(const struct tree *tree, uint64_t ino, struct row_set *needs);

/*
 * The text of a file from the samples that @fresh allows, newline at the end. Returns its length or
 *	-ENODEV, -ETIMEDOUT, -EIO, -EOPNOTSUPP   from device_sample()
 *	-ENODATA      a derived value is not defined now
 *	-ENODEV       a unit, cell or sensor that this BMS does not have
 *	-EOPNOTSUPP   under class/, whatever the reason
 *	-ENOSPC       @size is too small; TREE_TEXT_MAX is enough for any
 */
ssize_t tree_render(struct tree *tree, uint64_t ino, const struct freshness *fresh, char *text,
		    size_t size);

/*
 * Why tree_render() failed with @err for @fresh: "problem; remedy", or "" if @err says it all. Under
 * class/ also "" if the value is merely not defined, or not supported. @size: TREE_REASON_MAX is
 * enough for any.
 */
void tree_reason(const struct tree *tree, uint64_t ino, const struct freshness *fresh, int err,
		 char *reason, size_t size);

/* Why a file cannot be written: "problem; remedy". */
const char *tree_read_only_reason(const struct tree *tree, uint64_t ino);

/*
 * 0 if equal texts mean an unchanged file. A text that contains an age changes with time alone; then
 * the file is unchanged while this number, which is not 0, stays the same.
 */
uint32_t tree_revision(const struct tree *tree, uint64_t ino);

/*
 * Reads what was written to a file and fills write->row and write->setting. Returns 0, -EACCES if
 * the file cannot be written, -EINVAL or -ERANGE as setting_parse(), with the sentence in
 * write->reason.
 */
int tree_accept(const struct tree *tree, uint64_t ino, const char *text, size_t size,
		struct device_write *write);

/*
 * Extended attributes: user.bms.name, .unit, .type, .min, .max, .default, .category, .description
 * where they apply. Returns the length of the value or of the list (names, each with its NUL), with
 * @text NULL only that; -ENODATA, -ERANGE as getxattr(2).
 */
ssize_t tree_xattr(const struct tree *tree, uint64_t ino, const char *name, char *text,
		   size_t size);
ssize_t tree_xattrs(const struct tree *tree, uint64_t ino, char *names, size_t size);

/* Writes the path of a file below the mount ("units/1/cells/3/voltage") for messages. */
void tree_path(const struct tree *tree, uint64_t ino, char *path, size_t size);

#endif

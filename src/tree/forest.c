// SPDX-License-Identifier: LGPL-3.0-or-later
#include "tree/forest.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tree/ino.h"

static_assert(FOREST_MAX < 1 << INO_TREE_BITS, "trees are numbered from 1");

struct forest {
	struct last_error last_error;
	unsigned count;
	struct branch {
		struct tree *tree;
		char name[8]; /* of its directory; "" if it is the root */
	} branch[FOREST_MAX];
};

/* The first tree is number 1, but 0 if there is no other: then its root is that of the mount. */
static int branch_grow(struct forest *forest, struct device *device, bool alone, const char *name)
{
	struct branch *branch = &forest->branch[forest->count];
	unsigned address = device_config(device)->address;
	char title[TREE_NAME_MAX];

	if (alone)
		return tree_new(&branch->tree, device, name, 0);
	snprintf(branch->name, sizeof(branch->name), "%u", address);
	if ((size_t)snprintf(title, sizeof(title), "%s%u", name, address) >= sizeof(title))
		return -ENAMETOOLONG;
	return tree_new(&branch->tree, device, title, forest->count + 1);
}

int forest_new(struct forest **made, struct device *const *device, unsigned count, const char *name)
{
	struct forest *forest = calloc(1, sizeof(*forest));
	int err = 0;

	assert(count >= 1 && count <= FOREST_MAX);
	if (!forest)
		return -ENOMEM;
	while (!err && forest->count < count) {
		err = branch_grow(forest, device[forest->count], count == 1, name);
		if (!err)
			tree_set_last_error(forest->branch[forest->count++].tree,
					    &forest->last_error);
	}
	if (err)
		forest_free(forest);
	else
		*made = forest;
	return err;
}

void forest_free(struct forest *forest)
{
	for (unsigned i = 0; i < forest->count; i++)
		tree_free(forest->branch[i].tree);
	free(forest);
}

unsigned forest_count(const struct forest *forest)
{
	return forest->count;
}

struct tree *forest_tree(const struct forest *forest, unsigned index)
{
	return forest->branch[index].tree;
}

int forest_index(const struct forest *forest, uint64_t ino)
{
	uint64_t number = ino_tree(ino);

	if (forest->count == 1)
		return number ? -1 : 0;
	return number <= forest->count ? (int)number - 1 : -1;
}

static const struct branch *branch_of(const struct forest *forest, uint64_t ino)
{
	int index = forest_index(forest, ino);

	return index < 0 ? NULL : &forest->branch[index];
}

uint64_t forest_lookup(const struct forest *forest, uint64_t parent, const char *name)
{
	const struct branch *branch = branch_of(forest, parent);

	if (branch)
		return tree_lookup(branch->tree, parent, name);
	for (unsigned i = 0; i < forest->count; i++)
		if (!strcmp(forest->branch[i].name, name))
			return tree_root(forest->branch[i].tree);
	return 0;
}

uint64_t forest_entry(const struct forest *forest, uint64_t dir, unsigned index,
		      char name[TREE_NAME_MAX])
{
	const struct branch *branch = branch_of(forest, dir);

	if (branch)
		return tree_entry(branch->tree, dir, index, name);
	if (index >= forest->count)
		return 0;
	branch = &forest->branch[index];
	snprintf(name, TREE_NAME_MAX, "%s", branch->name);
	return tree_root(branch->tree);
}

uint64_t forest_parent(const struct forest *forest, uint64_t dir)
{
	const struct branch *branch = branch_of(forest, dir);

	if (!branch || dir == tree_root(branch->tree))
		return TREE_ROOT;
	return tree_parent(branch->tree, dir);
}

int forest_stat(const struct forest *forest, uint64_t ino, struct tree_stat *stat)
{
	const struct branch *branch = branch_of(forest, ino);

	if (branch)
		return tree_stat(branch->tree, ino, stat);
	*stat = (struct tree_stat){ .kind = TREE_DIR, .mode = S_IFDIR | 0755 };
	return ino == TREE_ROOT ? 0 : -ENOENT;
}

ssize_t forest_xattr(const struct forest *forest, uint64_t ino, const char *name, char *text,
		     size_t size)
{
	const struct branch *branch = branch_of(forest, ino);

	return branch ? tree_xattr(branch->tree, ino, name, text, size) : -ENODATA;
}

ssize_t forest_xattrs(const struct forest *forest, uint64_t ino, char *names, size_t size)
{
	const struct branch *branch = branch_of(forest, ino);

	return branch ? tree_xattrs(branch->tree, ino, names, size) : 0;
}

void forest_path(const struct forest *forest, uint64_t ino, char *path, size_t size)
{
	const struct branch *branch = branch_of(forest, ino);
	size_t used;

	if (!size)
		return;
	*path = '\0';
	if (!branch)
		return;
	snprintf(path, size, "%s%s", branch->name,
		 *branch->name && ino != tree_root(branch->tree) ? "/" : "");
	used = strlen(path);
	tree_path(branch->tree, ino, path + used, size - used);
}

void forest_failed(struct forest *forest, uint64_t ino, const char *name, enum access access,
		   int err, const char *reason)
{
	const struct bus *bus = device_bus(tree_device(forest->branch[0].tree));
	char object[FOREST_PATH_MAX] = "";
	size_t used;

	if (access != ACCESS_LINE)
		forest_path(forest, ino, object, sizeof(object));
	used = strlen(object);
	snprintf(object + used, sizeof(object) - used, "%s%.*s", used && *name ? "/" : "",
		 TREE_NAME_MAX, name);
	last_error_record(&forest->last_error, ino, access, err, bus_now(bus), object, reason);
}

void forest_succeeded(struct forest *forest, uint64_t ino, enum access access)
{
	last_error_succeeded(&forest->last_error, ino, access);
}

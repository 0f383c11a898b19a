// SPDX-License-Identifier: LGPL-3.0-or-later
#include "tree/tree.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "nsec.h"
#include "tree/node.h"

#define VALUE_SIZE 4096 /* what stat says of a file whose text is made when it is read */

/* The fields of an inode number hold what the tables allow; forest.c has that of the tree. */
static_assert(ENTRY_FIRST + INSTRUCTION_MAX <= 1 << INO_ENTRY_BITS, "instructions are entries");
static_assert(ENTRY_FIRST + NODE_MAX <= 1 << INO_ENTRY_BITS, "nodes of a directory are entries");
static_assert(SAMPLE_NUMBER_MAX < 1 << INO_CHANNEL_BITS, "the cells of all units are channels");
static_assert(UNIT_MAX < 1 << INO_UNIT_BITS, "units are numbered from 1");
static_assert(DIRS <= 1 << INO_DIR_BITS, "kinds of directories");

const struct dir *const tree_dirs[DIRS] = {
	[DIR_ROOT] = &root_dir,       [DIR_PACK] = &pack_dir,         [DIR_UNITS] = &units_dir,
	[DIR_UNIT] = &unit_dir,       [DIR_CELLS] = &cells_dir,       [DIR_CELL] = &cell_dir,
	[DIR_SENSORS] = &sensors_dir, [DIR_SENSOR] = &sensor_dir,     [DIR_BUS] = &bus_dir,
	[DIR_CLASS] = &class_dir,     [DIR_SUPPLIES] = &supplies_dir, [DIR_SUPPLY] = &supply_dir,
	[DIR_HWMONS] = &hwmons_dir,   [DIR_HWMON] = &hwmon_dir,       [DIR_METRICS] = &metrics_dir,
};

const struct node *tree_node(const struct place *place)
{
	if (place->dir == DIR_ROWS || place->entry < ENTRY_FIRST)
		return NULL;
	return &tree_dirs[place->dir]->node[place->entry - ENTRY_FIRST];
}

const struct binding *tree_binding(const struct tree *tree, const struct place *place)
{
	return &tree->binding[place->dir][place->entry - ENTRY_FIRST];
}

unsigned tree_row_number(const struct place *place)
{
	return place->entry - (unsigned)ENTRY_FIRST;
}

const struct instruction *tree_row(const struct tree *tree, const struct place *place)
{
	return place->dir == DIR_ROWS ? &tree->table->row[tree_row_number(place)] : NULL;
}

static bool tree_find_row(const struct tree *tree, const struct place *place)
{
	return !place->unit && !place->channel && place->entry >= ENTRY_FIRST &&
	       tree_row_number(place) < tree->table->rows;
}

uint64_t tree_ino(const struct tree *tree, struct place place)
{
	return place_pack(tree->number, place);
}

bool tree_find(const struct tree *tree, uint64_t ino, struct place *place)
{
	const struct dir *dir;
	const struct node *node;
	bool channels;

	*place = place_unpack(ino);
	if (ino_tree(ino) != tree->number || place->dir >= DIRS || place->entry < ENTRY_SELF)
		return false;
	if (place->dir == DIR_ROWS)
		return tree_find_row(tree, place);
	dir = tree_dirs[place->dir];
	if (place->entry - (unsigned)ENTRY_SELF > dir->nodes)
		return false;
	node = tree_node(place);
	/* An alias is known by the inode of its file, a directory by its own. */
	if (node && (node->type == NODE_ALIAS || node->type == NODE_DIR))
		return false;
	channels = dir->channels || (node && node->number == NUMBER_CHANNEL);
	return dir->units == (place->unit != 0) && place->unit <= UNIT_MAX &&
	       channels == (place->channel != 0);
}

static int source_bind(const struct instruction_table *table, const struct source *source,
		       struct binding *binding)
{
	const struct instruction *row;
	int number = instruction_find(table, source->row);
	unsigned index = 0;

	if (number < 0)
		return -ENOENT;
	row = &table->row[number];
	if (!row->array && row->type == VALUE_TEXT && !source->whole)
		return -ENOENT;
	if (source->field) {
		while (index < row->fields && strcmp(row->field[index].name, source->field) != 0)
			index++;
		if (index == row->fields)
			return -ENOENT;
	}
	binding->row[binding->count] = (uint8_t)number;
	binding->index[binding->count] = (uint8_t)index;
	binding->count++;
	return 0;
}

static void tree_bind(struct tree *tree, enum dir_kind kind)
{
	const struct dir *dir = tree_dirs[kind];

	assert(dir->nodes <= NODE_MAX);
	for (size_t i = 0; i < dir->nodes; i++) {
		const struct source *source = dir->node[i].source;
		struct binding *binding = &tree->binding[kind][i];

		for (unsigned s = 0; s < SOURCE_MAX && source[s].row; s++)
			if (source_bind(tree->table, &source[s], binding))
				binding->missing = true;
	}
}

int tree_new(struct tree **made, struct device *device, const char *name, unsigned number)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	if (!tree)
		return -ENOMEM;
	tree->device = device;
	tree->table = device_table(device);
	tree->number = number;
	snprintf(tree->name, sizeof(tree->name), "%s", name);
	for (unsigned kind = 0; kind < DIRS; kind++)
		if (tree_dirs[kind])
			tree_bind(tree, kind);
	*made = tree;
	return 0;
}

void tree_free(struct tree *tree)
{
	free(tree);
}

void tree_set_last_error(struct tree *tree, const struct last_error *last_error)
{
	tree->last_error = last_error;
}

struct device *tree_device(const struct tree *tree)
{
	return tree->device;
}

uint64_t tree_root(const struct tree *tree)
{
	return tree_ino(tree, (struct place){ .entry = ENTRY_SELF });
}

const char *tree_target(const struct tree *tree, uint64_t ino)
{
	struct place place;
	const struct node *node;

	if (!tree_find(tree, ino, &place))
		return NULL;
	node = tree_node(&place);
	return node && node->type == NODE_LINK ? node->target : NULL;
}

void place_needs(const struct tree *tree, const struct place *place, struct row_set *needs)
{
	const struct node *node = tree_node(place);
	const struct binding *binding;

	memset(needs, 0, sizeof(*needs));
	if (place->dir == DIR_ROWS) {
		row_set_add(needs, tree_row_number(place));
	} else if (node) {
		binding = tree_binding(tree, place);
		for (unsigned s = 0; s < binding->count; s++)
			row_set_add(needs, binding->row[s]);
		if (node->rows)
			node->rows(tree, needs);
	}
}

void tree_needs(const struct tree *tree, uint64_t ino, struct row_set *needs)
{
	struct place place;

	if (tree_find(tree, ino, &place))
		place_needs(tree, &place, needs);
	else
		memset(needs, 0, sizeof(*needs));
}

uint32_t tree_revision(const struct tree *tree, uint64_t ino)
{
	struct place place;
	const struct node *node = tree_find(tree, ino, &place) ? tree_node(&place) : NULL;

	return node && node->revision ? node->revision(tree) : 0;
}

int64_t needs_sampled(const struct tree *tree, const struct row_set *needs)
{
	int64_t oldest = NSEC_NEVER;

	row_set_foreach (row, needs)
		oldest = nsec_min(oldest, device_asked(tree->device, (unsigned)row));
	return oldest;
}

static mode_t row_mode(const struct tree *tree, unsigned row)
{
	if (tree->table->row[row].consuming)
		return S_IFREG | 0400;
	return S_IFREG | (device_writable(tree->device, row) ? 0644 : 0444);
}

static void stat_long(const struct tree *tree, const struct place *place, struct tree_stat *stat)
{
	const struct binding *binding = tree_binding(tree, place);

	stat->kind = TREE_LONG;
	stat->mode = S_IFREG | 0444;
	stat->size = binding->size;
	stat->sampled = binding->rendered;
	stat->timed = true;
	stat->about_mount = place->dir == DIR_BUS;
}

static void stat_file(const struct tree *tree, const struct place *place, struct tree_stat *stat)
{
	struct row_set needs;

	stat->kind = TREE_VALUE;
	stat->size = VALUE_SIZE;
	stat->mode =
		place->dir == DIR_ROWS ? row_mode(tree, tree_row_number(place)) : S_IFREG | 0444;
	place_needs(tree, place, &needs);
	stat->timed = !row_set_empty(&needs);
	stat->patient = place->dir != DIR_ROWS && tree_dirs[place->dir]->kernel;
	stat->about_mount = place->dir == DIR_BUS;
	if (stat->timed)
		stat->sampled = needs_sampled(tree, &needs);
}

int tree_stat(const struct tree *tree, uint64_t ino, struct tree_stat *stat)
{
	const struct node *node;
	struct place place;

	if (!tree_find(tree, ino, &place))
		return -ENOENT;
	memset(stat, 0, sizeof(*stat));
	node = tree_node(&place);
	if (place.entry == ENTRY_SELF) {
		stat->kind = TREE_DIR;
		stat->mode = S_IFDIR | 0755;
	} else if (node && node->type == NODE_LINK) {
		stat->kind = TREE_LINK;
		stat->mode = S_IFLNK | 0777;
		stat->size = (uint32_t)strlen(node->target);
	} else if (node && node->type == NODE_LONG) {
		stat_long(tree, &place, stat);
	} else {
		stat_file(tree, &place, stat);
	}
	return 0;
}

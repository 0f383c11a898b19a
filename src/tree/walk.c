// SPDX-License-Identifier: LGPL-3.0-or-later
/* Names: lookup, listing, paths. */
#include <assert.h>
#include <string.h>

#include "protocol/value.h"
#include "tree/node.h"
#include "tree/tree.h"

static struct place place_self(enum dir_kind dir, const struct place *near)
{
	struct place place = { .dir = (uint8_t)dir, .entry = ENTRY_SELF };

	if (tree_dirs[dir]->units)
		place.unit = near->unit;
	if (tree_dirs[dir]->channels)
		place.channel = near->channel;
	return place;
}

const struct node *dir_node(enum dir_kind kind)
{
	const struct dir *parent = tree_dirs[tree_dirs[kind]->parent];

	for (size_t i = 0; i < parent->nodes; i++)
		if (parent->node[i].type == NODE_DIR && parent->node[i].dir == kind)
			return &parent->node[i];
	return NULL;
}

/* Whether this model can have a node, as far as is known. */
static bool node_visible(const struct tree *tree, enum dir_kind kind, size_t index)
{
	const struct node *node = &tree_dirs[kind]->node[index];
	const struct binding *binding = &tree->binding[kind][index];

	if (binding->missing || (node->visible && !node->visible(device_shape(tree->device))))
		return false;
	for (unsigned s = 0; s < binding->count; s++)
		if (!device_has(tree->device, binding->row[s]))
			return false;
	return true;
}

/* The place of node @index of directory @dir, as number @number of its kind. */
static struct place node_place(const struct place *dir, size_t index, unsigned number)
{
	const struct node *node = &tree_dirs[dir->dir]->node[index];
	struct place place = *dir;

	if (node->number == NUMBER_UNIT)
		place.unit = (uint8_t)number;
	if (node->number == NUMBER_CHANNEL)
		place.channel = (uint16_t)number;
	if (node->type == NODE_DIR)
		return place_self(node->dir, &place);
	place.entry = (uint8_t)(ENTRY_FIRST + index);
	if (node->type == NODE_ALIAS) {
		const struct dir *other = tree_dirs[node->dir];

		for (index = 0; strcmp(other->node[index].name, node->target) != 0; index++)
			assert(index + 1 < other->nodes);
		place.dir = (uint8_t)node->dir;
		place.entry = (uint8_t)(ENTRY_FIRST + index);
	}
	return place;
}

/* Where an alias leads, its sources are what decides. */
static bool alias_visible(const struct tree *tree, const struct place *dir, size_t index)
{
	const struct node *node = &tree_dirs[dir->dir]->node[index];
	struct place place;

	if (node->type != NODE_ALIAS)
		return node_visible(tree, dir->dir, index);
	place = node_place(dir, index, 0);
	return node_visible(tree, place.dir, place.entry - (size_t)ENTRY_FIRST);
}

/* The number that stands in @name for the "#" of @pattern: 0 if there is none, -1 if no match. */
static int name_match(const char *pattern, const char *name)
{
	size_t prefix = strcspn(pattern, "#");
	unsigned number = 0;

	if (!pattern[prefix])
		return strcmp(pattern, name) ? -1 : 0;
	if (strncmp(pattern, name, prefix) != 0 || name[prefix] == '0')
		return -1;
	for (name += prefix; *name >= '0' && *name <= '9'; name++) {
		number = number * 10 + (unsigned)(*name - '0');
		if (number > UINT16_MAX)
			return -1;
	}
	return number && !strcmp(pattern + prefix + 1, name) ? (int)number : -1;
}

static const char *node_pattern(const struct tree *tree, const struct node *node)
{
	return node->name ? node->name : tree->name;
}

/* Writes a name; what does not fit is cut, which no name of the tables is. */
static void name_write(char *name, size_t size, const char *pattern, unsigned number)
{
	size_t prefix = strcspn(pattern, "#");
	struct text text = { .buffer = name, .size = size - 1 };
	char digits[VALUE_TEXT_MAX];

	text_add_bytes(&text, pattern, prefix);
	if (pattern[prefix]) {
		value_format_int(digits, sizeof(digits), number);
		text_add(&text, digits);
		text_add(&text, pattern + prefix + 1);
	}
	*text_end(&text) = '\0';
}

unsigned node_count(const struct tree *tree, const struct node *node, unsigned unit,
		    unsigned unknown)
{
	const struct shape *shape = device_shape(tree->device);

	if (node->number == NUMBER_NONE)
		return 1;
	return shape->known ? node->count(shape, unit) : unknown;
}

static uint64_t row_ino(const struct tree *tree, unsigned row)
{
	return tree_ino(tree, (struct place){
				      .dir = DIR_ROWS,
				      .entry = (uint8_t)(ENTRY_FIRST + row),
			      });
}

static uint64_t node_ino(const struct tree *tree, const struct place *dir, size_t index,
			 unsigned number)
{
	return tree_ino(tree, node_place(dir, index, number));
}

static bool find_dir(const struct tree *tree, uint64_t ino, struct place *place)
{
	return tree_find(tree, ino, place) && place->entry == ENTRY_SELF;
}

uint64_t tree_lookup(const struct tree *tree, uint64_t parent, const char *name)
{
	struct place place;
	const struct dir *dir;

	if (!find_dir(tree, parent, &place))
		return 0;
	dir = tree_dirs[place.dir];
	for (size_t i = 0; i < dir->nodes; i++) {
		const struct node *node = &dir->node[i];
		int number = name_match(node_pattern(tree, node), name);

		if (number < 0)
			continue;
		if (number)
			number -= (int)node->skip;
		if (node->number != NUMBER_NONE && number < 1)
			return 0;
		if ((unsigned)number > node_count(tree, node, place.unit, node->max))
			return 0;
		return alias_visible(tree, &place, i) ? node_ino(tree, &place, i, (unsigned)number)
						      : 0;
	}
	for (unsigned row = 0; place.dir == DIR_ROOT && row < tree->table->rows; row++)
		if (!strcmp(tree->table->row[row].file, name))
			return device_has(tree->device, row) ? row_ino(tree, row) : 0;
	return 0;
}

/* The listed row number @index. */
static uint64_t row_entry(const struct tree *tree, unsigned index, char *name)
{
	for (unsigned row = 0; row < tree->table->rows; row++) {
		if (!device_has(tree->device, row) || index--)
			continue;
		name_write(name, TREE_NAME_MAX, tree->table->row[row].file, 0);
		return row_ino(tree, row);
	}
	return 0;
}

uint64_t tree_entry(const struct tree *tree, uint64_t ino, unsigned index, char name[TREE_NAME_MAX])
{
	struct place place;
	const struct dir *dir;

	if (!find_dir(tree, ino, &place))
		return 0;
	dir = tree_dirs[place.dir];
	for (size_t i = 0; i < dir->nodes; i++) {
		const struct node *node = &dir->node[i];
		unsigned count = 0;

		if (alias_visible(tree, &place, i))
			count = node_count(tree, node, place.unit, 0);
		if (index < count) {
			name_write(name, TREE_NAME_MAX, node_pattern(tree, node),
				   index + 1 + node->skip);
			return node_ino(tree, &place, i, index + 1);
		}
		index -= count;
	}
	return place.dir == DIR_ROOT ? row_entry(tree, index, name) : 0;
}

uint64_t tree_parent(const struct tree *tree, uint64_t ino)
{
	struct place place;

	if (!tree_find(tree, ino, &place) || place.dir == DIR_ROWS)
		return tree_root(tree);
	if (place.entry != ENTRY_SELF)
		return tree_ino(tree, place_self(place.dir, &place));
	return tree_ino(tree, place_self(tree_dirs[place.dir]->parent, &place));
}

/* Adds the name of @place, with a slash behind that of a directory. */
static void path_add(const struct tree *tree, struct text *path, const struct place *place)
{
	const struct node *node = tree_node(place);
	char name[TREE_NAME_MAX];
	unsigned number;

	if (place->dir == DIR_ROWS) {
		text_add(path, tree_row(tree, place)->file);
		return;
	}
	if (!node)
		node = dir_node(place->dir);
	number = node->number == NUMBER_UNIT ? place->unit : place->channel;
	name_write(name, sizeof(name), node_pattern(tree, node), number + node->skip);
	text_add(path, name);
	if (place->entry == ENTRY_SELF)
		text_add(path, "/");
}

void tree_path(const struct tree *tree, uint64_t ino, char *path, size_t size)
{
	struct text text = { .buffer = path, .size = size - 1 };
	struct place above[DIRS];
	unsigned depth = 0;

	if (!size)
		return;
	while (ino != tree_root(tree) && depth < DIRS && tree_find(tree, ino, &above[depth])) {
		ino = tree_parent(tree, ino);
		depth++;
	}
	while (depth)
		path_add(tree, &text, &above[--depth]);
	if (text.used && path[text.used - 1] == '/')
		text.used--;
	path[text.used] = '\0';
}

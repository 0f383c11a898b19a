// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <string.h>

#include "protocol/value.h"
#include "tree/node.h"
#include "tree/tree.h"

enum attribute {
	ATTRIBUTE_NAME,
	ATTRIBUTE_UNIT,
	ATTRIBUTE_TYPE,
	ATTRIBUTE_MIN,
	ATTRIBUTE_MAX,
	ATTRIBUTE_DEFAULT,
	ATTRIBUTE_CATEGORY,
	ATTRIBUTE_DESCRIPTION,
	ATTRIBUTES,
};

static const char *const attribute_name[ATTRIBUTES] = {
	[ATTRIBUTE_NAME] = "user.bms.name",
	[ATTRIBUTE_UNIT] = "user.bms.unit",
	[ATTRIBUTE_TYPE] = "user.bms.type",
	[ATTRIBUTE_MIN] = "user.bms.min",
	[ATTRIBUTE_MAX] = "user.bms.max",
	[ATTRIBUTE_DEFAULT] = "user.bms.default",
	[ATTRIBUTE_CATEGORY] = "user.bms.category",
	[ATTRIBUTE_DESCRIPTION] = "user.bms.description",
};

/* What the attributes of a file say; NULL or empty where one does not apply. */
struct manual {
	const char *text[ATTRIBUTES];
	char min[VALUE_TEXT_MAX], max[VALUE_TEXT_MAX];
};

static void manual_of_row(struct manual *manual, const struct instruction *row, int model)
{
	const struct instruction_variant *variant = instruction_variant(row, model);

	manual->text[ATTRIBUTE_NAME] = row->name;
	manual->text[ATTRIBUTE_UNIT] = row->unit;
	manual->text[ATTRIBUTE_TYPE] = value_type_names[row->type];
	manual->text[ATTRIBUTE_CATEGORY] = row->category;
	manual->text[ATTRIBUTE_DESCRIPTION] = row->description;
	if (variant->has_default)
		manual->text[ATTRIBUTE_DEFAULT] = variant->def;
	/* The limits of an array only tell sensors from nothing. */
	if (row->array)
		return;
	if (variant->has_min && tree_format_limit(row, variant->min, manual->min) > 0)
		manual->text[ATTRIBUTE_MIN] = manual->min;
	if (variant->has_max && tree_format_limit(row, variant->max, manual->max) > 0)
		manual->text[ATTRIBUTE_MAX] = manual->max;
}

enum value_type node_value_type(const struct node *node)
{
	if (node->type != NODE_VALUE || node->code)
		return VALUE_TEXT;
	return node->decimals ? VALUE_FLOAT : VALUE_INT;
}

static void manual_of_node(struct manual *manual, const struct node *node, enum dir_kind dir)
{
	manual->text[ATTRIBUTE_NAME] = node->title;
	manual->text[ATTRIBUTE_UNIT] = node->unit;
	manual->text[ATTRIBUTE_TYPE] = value_type_names[node_value_type(node)];
	manual->text[ATTRIBUTE_CATEGORY] = tree_dirs[dir]->category;
	manual->text[ATTRIBUTE_DESCRIPTION] = node->description;
}

static int manual_fill(const struct tree *tree, uint64_t ino, struct manual *manual)
{
	struct place place;
	const struct node *node;

	memset(manual, 0, sizeof(*manual));
	if (!tree_find(tree, ino, &place))
		return -ENOENT;
	node = tree_node(&place);
	if (place.dir == DIR_ROWS)
		manual_of_row(manual, tree_row(tree, &place), device_model(tree->device));
	else if (node && node->type != NODE_LINK)
		manual_of_node(manual, node, place.dir);
	return 0;
}

static bool manual_has(const struct manual *manual, unsigned attribute)
{
	return manual->text[attribute] && manual->text[attribute][0];
}

static int attribute_find(const char *name)
{
	for (int i = 0; i < ATTRIBUTES; i++)
		if (!strcmp(attribute_name[i], name))
			return i;
	return -1;
}

ssize_t tree_xattr(const struct tree *tree, uint64_t ino, const char *name, char *text, size_t size)
{
	int attribute = attribute_find(name);
	struct manual manual;
	size_t length;
	int ret = manual_fill(tree, ino, &manual);

	if (ret)
		return ret;
	if (attribute < 0 || !manual_has(&manual, (unsigned)attribute))
		return -ENODATA;
	length = strlen(manual.text[attribute]);
	if (text && length > size)
		return -ERANGE;
	if (text)
		memcpy(text, manual.text[attribute], length);
	return (ssize_t)length;
}

ssize_t tree_xattrs(const struct tree *tree, uint64_t ino, char *names, size_t size)
{
	struct manual manual;
	size_t used = 0;
	int ret = manual_fill(tree, ino, &manual);

	if (ret)
		return ret;
	for (unsigned i = 0; i < ATTRIBUTES; i++) {
		size_t length = strlen(attribute_name[i]) + 1;

		if (!manual_has(&manual, i))
			continue;
		if (names && length > size - used)
			return -ERANGE;
		if (names)
			memcpy(names + used, attribute_name[i], length);
		used += length;
	}
	return (ssize_t)used;
}

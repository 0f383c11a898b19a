// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>

#include "bus/bus.h"
#include "protocol/setting.h"
#include "protocol/value.h"
#include "tree/node.h"
#include "tree/tree.h"

#define QUOTE 32 /* characters of what was written that the sentence repeats */

int tree_format_limit(const struct instruction *row, double limit, char text[VALUE_TEXT_MAX])
{
	switch (row->type) {
	case VALUE_FLOAT:
		return value_format_float(text, VALUE_TEXT_MAX, (float)limit);
	case VALUE_INT:
		return value_format_int(text, VALUE_TEXT_MAX, (int64_t)limit);
	case VALUE_TEXT:
	case VALUE_CLOCK:
		break;
	}
	text[0] = '\0';
	return -ENODATA;
}

/* What was written, fit for a sentence: no newline at its end, nothing that is not printable. */
static void quote(char quoted[QUOTE + 1], const char *text, size_t size)
{
	size_t length = 0;

	if (size && text[size - 1] == '\n')
		size--;
	for (; length < size && length < QUOTE; length++)
		quoted[length] = text[length] >= ' ' && text[length] <= '~' ? text[length] : '?';
	quoted[length] = '\0';
}

static void explain_range(struct device *device, const struct instruction *row, int model,
			  const char *quoted)
{
	const struct instruction_variant *variant = instruction_variant(row, model);
	const char *blank = row->unit[0] ? " " : "";
	char min[VALUE_TEXT_MAX], max[VALUE_TEXT_MAX];

	tree_format_limit(row, variant->min, min);
	tree_format_limit(row, variant->max, max);
	if (variant->has_min && variant->has_max)
		device_explain(device, "%s: %s is outside %s to %s%s%s", row->file, quoted, min,
			       max, blank, row->unit);
	else if (variant->has_min || variant->has_max)
		device_explain(device, "%s: %s is %s %s%s%s", row->file, quoted,
			       variant->has_min ? "below" : "above", variant->has_min ? min : max,
			       blank, row->unit);
	else
		device_explain(device, "%s: %s is beyond any number of its kind", row->file,
			       quoted);
}

static void explain_text(struct device *device, const struct instruction *row, const char *quoted)
{
	switch (row->type) {
	case VALUE_FLOAT:
		device_explain(device, "%s: \"%s\" is no number", row->file, quoted);
		return;
	case VALUE_INT:
		device_explain(device, "%s: \"%s\" is no whole number", row->file, quoted);
		return;
	case VALUE_CLOCK:
		device_explain(device, "%s: \"%s\" is no time hh:mm:ss", row->file, quoted);
		return;
	case VALUE_TEXT:
		device_explain(device, "%s: \"%s\" is not of the form %s", row->file, quoted,
			       row->pattern);
		return;
	}
}

int tree_accept(const struct tree *tree, uint64_t ino, const char *text, size_t size,
		struct device_write *write)
{
	struct device *device = tree->device;
	int model = device_model(device);
	const struct instruction *row;
	char quoted[QUOTE + 1];
	struct place place;
	unsigned number;
	int ret;

	if (!tree_find(tree, ino, &place) || place.dir != DIR_ROWS)
		return -EACCES;
	number = tree_row_number(&place);
	row = &tree->table->row[number];
	if (!device_writable(device, number))
		return -EACCES;
	ret = setting_parse(row, model, text, size, &write->setting);
	if (!ret) {
		write->row = number;
		return 0;
	}
	quote(quoted, text, size);
	if (ret == -ERANGE)
		explain_range(device, row, model, quoted);
	else
		explain_text(device, row, quoted);
	return ret;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <string.h>

#include "protocol/value.h"
#include "tree/node.h"
#include "tree/tree.h"

static int add_float(struct text *text, double number)
{
	return text_end_line(text,
			     value_format_float(text_end(text), text_room(text), (float)number));
}

static int add_int(struct text *text, double number)
{
	return text_end_line(text,
			     value_format_int(text_end(text), text_room(text), (int64_t)number));
}

static int add_string(struct text *text, const char *string)
{
	int ret = text_add(text, string);

	return ret ? ret : text_add(text, "\n");
}

/* One number a line, unit after unit. */
static int row_add_array(struct text *text, const struct instruction *row,
			 const struct sample *sample)
{
	int ret = 0;

	for (unsigned i = 0; !ret && i < sample->numbers; i++) {
		const struct field *field = &row->field[row->fields ? i : 0];

		ret = field->type == FIELD_F32 ? add_float(text, sample->number[i])
					       : add_int(text, sample->number[i]);
	}
	return ret;
}

static int row_add_scalar(struct text *text, const struct instruction *row,
			  const struct sample *sample)
{
	switch (row->type) {
	case VALUE_FLOAT:
		return add_float(text, sample->number[0]);
	case VALUE_INT:
		return add_int(text, sample->number[0]);
	case VALUE_TEXT:
	case VALUE_CLOCK:
		break;
	}
	return add_string(text, sample->text);
}

static int row_add_log(const struct tree *tree, unsigned row, struct text *text)
{
	const char *log = device_log(tree->device, row);

	return log && log[0] ? text_add(text, log) : -ENODATA;
}

static int row_render(const struct tree *tree, const struct place *place,
		      const struct freshness *fresh, struct text *text)
{
	unsigned number = tree_row_number(place);
	const struct instruction *row = tree_row(tree, place);
	const struct sample *sample;
	int ret = device_sample(tree->device, number, fresh, &sample);

	if (ret)
		return ret;
	if (row->consuming)
		return row_add_log(tree, number, text);
	return row->array ? row_add_array(text, row, sample) : row_add_scalar(text, row, sample);
}

/* The number of a source: a field, or that of the unit and channel where the file is. */
static int view_pick(struct view *view, unsigned source, unsigned field)
{
	const struct sample *sample = view->sample[source];
	const struct place *place = &view->place;
	unsigned unit = place->unit ? place->unit - 1u : 0;
	unsigned index = place->channel ? place->channel - 1u : field;

	if (unit >= sample->units)
		return -ENODEV;
	/* A channel without a unit counts through all units. */
	if (index >= (place->unit ? sample->count[unit] : sample->numbers))
		return -ENODEV;
	view->number[source] = sample->number[sample_offset(sample, unit) + index];
	return 0;
}

/* Takes the samples that a node is made of, one for all or the first error. */
static int view_fill(struct view *view, const struct node *node, const struct freshness *fresh)
{
	const struct binding *binding = tree_binding(view->tree, &view->place);
	struct device *device = view->tree->device;
	int ret = binding->missing ? -EOPNOTSUPP : 0;

	for (unsigned s = 0; !ret && s < binding->count; s++) {
		ret = device_sample(device, binding->row[s], fresh, &view->sample[s]);
		if (!ret && !node->source[s].whole)
			ret = view_pick(view, s, binding->index[s]);
	}
	return ret;
}

const char *tree_code_text(const struct tree *tree, const struct code *code, double number)
{
	int model = device_model(tree->device);
	const char *name = model == MODEL_UNKNOWN ? "" : tree->table->model[model].name;

	for (; code->text; code++)
		if (code->number == number && (!code->model || !strcmp(code->model, name)))
			return code->text;
	return NULL;
}

static int add_code(const struct tree *tree, const struct code *codes, struct text *text,
		    double value)
{
	const char *known = tree_code_text(tree, codes, value);
	int ret;

	if (known)
		return add_string(text, known);
	ret = text_add(text, "unknown, number ");
	return ret ? ret : add_int(text, value);
}

static int value_render(const struct tree *tree, const struct place *place,
			const struct freshness *fresh, struct text *text)
{
	const struct node *node = tree_node(place);
	struct view view = { .tree = tree, .place = *place };
	double value;
	int ret = view_fill(&view, node, fresh);

	if (!ret && node->compute)
		ret = node->compute(&view, &value);
	else
		value = view.number[0];
	if (ret)
		return ret;
	if (node->code)
		return add_code(tree, node->code, text, value);
	if (node->scale != 0)
		value *= node->scale;
	return text_end_line(
		text, value_format_fixed(text_end(text), text_room(text), value, node->decimals));
}

ssize_t tree_render(struct tree *tree, uint64_t ino, const struct freshness *fresh, char *buffer,
		    size_t size)
{
	struct text text = { buffer, size, 0 };
	const struct node *node;
	struct place place;
	int ret = -EINVAL;

	if (!tree_find(tree, ino, &place))
		return -ENOENT;
	node = tree_node(&place);
	if (place.dir == DIR_ROWS)
		ret = row_render(tree, &place, fresh, &text);
	else if (node && node->type == NODE_VALUE)
		ret = value_render(tree, &place, fresh, &text);
	else if (node && node->type == NODE_PRINT)
		ret = node->print(tree, &text);
	return ret ? ret : (ssize_t)text.used;
}

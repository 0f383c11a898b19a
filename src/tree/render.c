// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "protocol/value.h"
#include "tree/node.h"
#include "tree/tree.h"

static int add_line(struct text *text, const char *string)
{
	int ret = text_add(text, string);

	return ret ? ret : text_add(text, "\n");
}

int row_add_number(struct text *text, const struct instruction *row, unsigned index, double number)
{
	bool is_float = row->type == VALUE_FLOAT;

	if (row->array)
		is_float = row->field[row->fields ? index % row->fields : 0].type == FIELD_F32;
	if (is_float)
		return text_take(
			text, value_format_float(text_end(text), text_room(text), (float)number));
	return text_take(text, value_format_int(text_end(text), text_room(text), (int64_t)number));
}

static int row_add_log(const struct tree *tree, unsigned row, struct text *text)
{
	const char *log = device_log(tree->device, row);

	return log && log[0] ? text_add(text, log) : -ENODATA;
}

int row_value(const struct tree *tree, unsigned row, const struct freshness *fresh,
	      const struct sample **sample)
{
	const struct instruction *instruction = &tree->table->row[row];
	int ret = device_sample(tree->device, row, fresh, sample);
	bool text = !instruction->array && instruction->type == VALUE_TEXT;

	if (ret || instruction->consuming)
		return ret;
	return (text ? (*sample)->size : (*sample)->numbers) ? 0 : -ENODATA;
}

/* A text, or one number a line, unit after unit. */
static int row_render(const struct tree *tree, const struct place *place,
		      const struct freshness *fresh, struct text *text)
{
	unsigned number = tree_row_number(place);
	const struct instruction *row = tree_row(tree, place);
	const struct sample *sample;
	int ret = row_value(tree, number, fresh, &sample);

	if (ret)
		return ret;
	if (row->consuming)
		return row_add_log(tree, number, text);
	if (!row->array && (row->type == VALUE_TEXT || row->type == VALUE_CLOCK))
		return add_line(text, sample->text);
	for (unsigned i = 0; !ret && i < (row->array ? sample->numbers : 1u); i++) {
		ret = row_add_number(text, row, i, sample->number[i]);
		if (!ret)
			ret = text_add(text, "\n");
	}
	return ret;
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
static int view_fill(struct view *view, const struct node *node)
{
	const struct binding *binding = tree_binding(view->tree, &view->place);
	struct device *device = view->tree->device;
	int ret = binding->missing ? -EOPNOTSUPP : 0;

	for (unsigned s = 0; !ret && s < binding->count; s++) {
		ret = device_sample(device, binding->row[s], view->fresh, &view->sample[s]);
		if (!ret && !node->source[s].whole)
			ret = view_pick(view, s, binding->index[s]);
		if (ret && node->always) {
			view->sample[s] = NULL;
			ret = 0;
		}
	}
	return ret;
}

const char *tree_code_text(const struct tree *tree, const struct code *code, double number)
{
	int model = device_model(tree->device);
	const char *name = model == MODEL_UNKNOWN ? "" : tree->table->model[model].name;

	for (; code->text; code++)
		if ((code->number == number || code->number == CODE_OTHER) &&
		    (!code->model || !strcmp(code->model, name)))
			return code->text;
	return NULL;
}

static int add_code(const struct tree *tree, const struct code *codes, struct text *text,
		    double value)
{
	const char *known = tree_code_text(tree, codes, value);
	int ret;

	if (known)
		return add_line(text, known);
	ret = text_add(text, "unknown, number ");
	return ret ? ret
		   : text_end_line(text, value_format_int(text_end(text), text_room(text),
							  (int64_t)value));
}

static int view_number(struct view *view, const struct node *node, double *value)
{
	int ret = view_fill(view, node);

	if (ret)
		return ret;
	if (node->compute)
		ret = node->compute(view, value);
	else
		*value = view->number[0];
	if (!ret && node->scale != 0)
		*value *= node->scale;
	return ret;
}

int node_number(const struct tree *tree, const struct place *place, const struct freshness *fresh,
		double *value)
{
	struct view view = { .tree = tree, .fresh = fresh, .place = *place };

	return view_number(&view, tree_node(place), value);
}

static int value_render(struct view *view, const struct node *node, struct text *text)
{
	double value;
	int ret = view_number(view, node, &value);

	if (ret)
		return ret;
	if (node->code)
		return add_code(view->tree, node->code, text, value);
	if (tree_dirs[view->place.dir]->kernel && !(fabs(value) <= INT32_MAX))
		return -EOVERFLOW;
	return text_end_line(
		text, value_format_fixed(text_end(text), text_room(text), value, node->decimals));
}

int node_render(const struct tree *tree, const struct place *place, const struct freshness *fresh,
		struct text *text)
{
	const struct node *node = tree_node(place);
	struct view view = { .tree = tree, .fresh = fresh, .place = *place };
	int ret;

	if (node->type == NODE_VALUE) {
		ret = value_render(&view, node, text);
	} else {
		ret = view_fill(&view, node);
		if (!ret)
			ret = node->print(&view, text);
	}
	if (ret && ret != -ENOSPC && tree_dirs[place->dir]->kernel)
		ret = -EOPNOTSUPP;
	return ret;
}

void tree_reason(const struct tree *tree, uint64_t ino, const struct freshness *fresh, int err,
		 char *reason, size_t size)
{
	char cause[BUS_REASON_MAX];
	const struct sample *sample;
	struct row_set needs;
	struct place place;
	bool kernel;

	reason[0] = '\0';
	if (!tree_find(tree, ino, &place))
		return;
	kernel = place.dir != DIR_ROWS && tree_dirs[place.dir]->kernel;
	place_needs(tree, &place, &needs);
	row_set_foreach (row, &needs) {
		int failed = device_sample(tree->device, (unsigned)row, fresh, &sample);

		if (!failed || (kernel ? failed == -EOPNOTSUPP : failed != err))
			continue;
		device_reason(tree->device, (unsigned)row, fresh, cause, sizeof(cause));
		if (place.dir == DIR_ROWS)
			snprintf(reason, size, "%s", cause);
		else if (*cause)
			snprintf(reason, size, "%s: %s", tree->table->row[row].file, cause);
		return;
	}
	if (err == -ENODEV)
		snprintf(reason, size,
			 "this BMS does not have this unit, cell or sensor; ls shows what it has");
}

int print_constant(const struct view *view, struct text *text)
{
	return add_line(text, tree_node(&view->place)->target);
}

ssize_t tree_render(struct tree *tree, uint64_t ino, const struct freshness *fresh, char *buffer,
		    size_t size)
{
	struct text text = { .buffer = buffer, .size = size };
	const struct node *node;
	struct place place;
	int ret = -EINVAL;

	if (!tree_find(tree, ino, &place))
		return -ENOENT;
	node = tree_node(&place);
	if (place.dir == DIR_ROWS)
		ret = row_render(tree, &place, fresh, &text);
	else if (node && node->type != NODE_LINK)
		ret = node_render(tree, &place, fresh, &text);
	if (!ret && node && node->type == NODE_LONG) {
		struct binding *binding = &tree->binding[place.dir][place.entry - ENTRY_FIRST];

		binding->size = (uint32_t)text.used;
		binding->rendered = bus_now(device_bus(tree->device));
	}
	return ret ? ret : (ssize_t)text.used;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
/* snapshot.json: the instructions, pack/ and units/ in one text. */
#include <errno.h>
#include <string.h>

#include "nsec.h"
#include "protocol/value.h"
#include "tree/json.h"
#include "tree/node.h"

#define SHOWN_MAX 256
#define NAMED_MAX 64

struct snapshot {
	const struct tree *tree;
	const struct freshness *fresh;
	struct json json;
};

void snapshot_rows(const struct tree *tree, struct row_set *rows)
{
	for (unsigned row = 0; row < tree->table->rows; row++)
		if (!tree->table->row[row].consuming && device_has(tree->device, row))
			row_set_add(rows, row);
}

static void add_int(struct json *json, const char *key, int64_t number)
{
	char text[VALUE_TEXT_MAX];

	if (value_format_int(text, sizeof(text), number) >= 0)
		json_raw(json, key, text);
}

/* Unit and age end each value. */
static void value_end(struct snapshot *shot, const char *unit, const struct row_set *needs)
{
	int64_t now = bus_now(device_bus(shot->tree->device));
	double age_s = (double)(now - needs_sampled(shot->tree, needs)) / NSEC_PER_SEC;
	char text[VALUE_TEXT_MAX];

	if (unit && *unit)
		json_string(&shot->json, "unit", unit);
	if (value_format_fixed(text, sizeof(text), age_s, 3) >= 0)
		json_raw(&shot->json, "age", text);
	json_close(&shot->json, '{');
	shot->json.flat = 0;
}

static void value_begin(struct snapshot *shot, const char *key)
{
	json_open(&shot->json, key, '{');
	shot->json.flat = shot->json.depth;
}

static void row_number_show(struct snapshot *shot, const char *key, const struct instruction *row,
			    unsigned index, double number)
{
	char buffer[VALUE_TEXT_MAX];
	struct text text = { .buffer = buffer, .size = sizeof(buffer) };

	if (row_add_number(&text, row, index, number))
		return;
	*text_end(&text) = '\0';
	json_raw(&shot->json, key, buffer);
}

/* Numbers of which each has a name as an object, others as an array. */
static void row_array_show(struct snapshot *shot, const struct instruction *row,
			   const struct sample *sample)
{
	bool named = row->fields > 1 && sample->numbers == row->fields;
	char bracket = named ? '{' : '[';

	json_open(&shot->json, "value", bracket);
	for (unsigned i = 0; i < sample->numbers; i++)
		row_number_show(shot, named ? row->field[i].name : NULL, row, i, sample->number[i]);
	json_close(&shot->json, bracket);
}

static void row_show(struct snapshot *shot, unsigned number)
{
	const struct instruction *row = &shot->tree->table->row[number];
	struct row_set needs = { 0 };
	const struct sample *sample;

	if (row_value(shot->tree, number, shot->fresh, &sample))
		return;
	value_begin(shot, row->file);
	if (row->array)
		row_array_show(shot, row, sample);
	else if (row->type == VALUE_TEXT || row->type == VALUE_CLOCK)
		json_string(&shot->json, "value", sample->text);
	else
		row_number_show(shot, "value", row, 0, sample->number[0]);
	row_set_add(&needs, number);
	value_end(shot, row->unit, &needs);
}

static int file_render(struct snapshot *shot, const struct place *place, char line[SHOWN_MAX])
{
	struct text text = { .buffer = line, .size = SHOWN_MAX };
	int ret = node_render(shot->tree, place, shot->fresh, &text);

	if (!ret)
		line[text.used - 1] = '\0';
	return ret;
}

static void file_show(struct snapshot *shot, const struct place *place, const char *name)
{
	const struct node *node = tree_node(place);
	struct row_set needs;
	char line[SHOWN_MAX];

	if (file_render(shot, place, line))
		return;
	value_begin(shot, name);
	if (node_value_type(node) == VALUE_TEXT)
		json_string(&shot->json, "value", line);
	else
		json_raw(&shot->json, "value", line);
	place_needs(shot->tree, place, &needs);
	value_end(shot, node->unit, &needs);
}

static void dir_show(struct snapshot *shot, uint64_t dir, const char *key)
{
	char name[TREE_NAME_MAX];
	struct place place;
	uint64_t ino;

	json_open(&shot->json, key, '{');
	for (unsigned i = 0; (ino = tree_entry(shot->tree, dir, i, name)); i++) {
		if (!tree_find(shot->tree, ino, &place))
			continue;
		if (place.entry == ENTRY_SELF)
			dir_show(shot, ino, name);
		else
			file_show(shot, &place, name);
	}
	json_close(&shot->json, '{');
}

static void failure_show(struct snapshot *shot, uint64_t ino, int error)
{
	char path[NAMED_MAX];

	tree_path(shot->tree, ino, path, sizeof(path));
	json_string(&shot->json, path, strerrorname_np(-error));
}

static void dir_show_failures(struct snapshot *shot, uint64_t dir)
{
	char name[TREE_NAME_MAX], line[SHOWN_MAX];
	struct place place;
	uint64_t ino;
	int error;

	for (unsigned i = 0; (ino = tree_entry(shot->tree, dir, i, name)); i++) {
		if (!tree_find(shot->tree, ino, &place))
			continue;
		if (place.entry == ENTRY_SELF) {
			dir_show_failures(shot, ino);
			continue;
		}
		error = file_render(shot, &place, line);
		if (error)
			failure_show(shot, ino, error);
	}
}

static void row_show_failure(struct snapshot *shot, unsigned row)
{
	const struct instruction *instruction = &shot->tree->table->row[row];
	const struct sample *sample;
	int error = row_value(shot->tree, row, shot->fresh, &sample);

	if (error)
		json_string(&shot->json, instruction->file, strerrorname_np(-error));
}

static void link_show(struct snapshot *shot)
{
	const struct bus *bus = device_bus(shot->tree->device);
	const uint64_t *counters = bus_counters(bus);
	struct json *json = &shot->json;
	char last_error[LAST_ERROR_TEXT] = "";

	json_open(json, "link", '{');
	json_string(json, "state", tree_link_state(shot->tree, shot->fresh, "silent"));
	if (shot->tree->last_error)
		last_error_print(shot->tree->last_error, bus_now(bus), last_error);
	json_string(json, "last_error", *last_error ? last_error : NULL);
	json_open(json, "counters", '{');
	for (unsigned i = 0; i < BUS_COUNTERS; i++)
		add_int(json, bus_counter_name[i], (int64_t)counters[i]);
	json_close(json, '{');
	json_close(json, '{');
}

static const enum dir_kind shown[] = { DIR_PACK, DIR_UNITS };

static uint64_t shown_dir(const struct tree *tree, size_t i)
{
	return tree_ino(tree, (struct place){ .dir = (uint8_t)shown[i], .entry = ENTRY_SELF });
}

int print_snapshot(const struct view *view, struct text *text)
{
	const struct tree *tree = view->tree;
	struct snapshot shot = { .tree = tree, .fresh = view->fresh, .json.text = text };
	int model = device_model(tree->device);
	struct row_set rows = { 0 };

	snapshot_rows(tree, &rows);
	json_open(&shot.json, NULL, '{');
	json_string(&shot.json, "name", tree->name);
	json_string(&shot.json, "model",
		    model == MODEL_UNKNOWN ? NULL : tree->table->model[model].name);
	link_show(&shot);
	json_open(&shot.json, "instructions", '{');
	for (unsigned row = 0; row < tree->table->rows; row++)
		if (row_set_has(&rows, row))
			row_show(&shot, row);
	json_close(&shot.json, '{');
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		dir_show(&shot, shown_dir(tree, i), dir_node(shown[i])->name);
	json_open(&shot.json, "failed", '{');
	for (unsigned row = 0; row < tree->table->rows; row++)
		if (row_set_has(&rows, row))
			row_show_failure(&shot, row);
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		dir_show_failures(&shot, shown_dir(tree, i));
	json_close(&shot.json, '{');
	json_close(&shot.json, '{');
	text_add(text, "\n");
	return text->full ? -ENOSPC : 0;
}

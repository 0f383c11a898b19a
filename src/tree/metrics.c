// SPDX-License-Identifier: LGPL-3.0-or-later
/* metrics/: the text format of Prometheus, for the textfile collector of its node exporter. */
#include <errno.h>
#include <string.h>

#include "protocol/value.h"
#include "tree/node.h"

#define METRIC_MAX 96

/* What a unit is called at the end of a name. */
static const struct {
	const char *unit, *word;
} unit_words[] = {
	{ "V", "_volts" },
	{ "A", "_amperes" },
	{ "Ah", "_amperehours" },
	{ "degC", "_celsius" },
	{ "K", "_kelvin" },
	{ "C", "_per_hour" },
	{ "A/bit", "_amperes_per_bit" },
	{ "ohm", "_ohms" },
	{ "s", "_seconds" },
	{ "W", "_watts" },
	{ "Wh", "_watthours" },
	{ "Hz", "_hertz" },
	{ "%", "_percent" },
};

static bool is_setting(const struct instruction *row)
{
	return row->writable && !row->array && !row->consuming && row->verify != VERIFY_NONE &&
	       (row->type == VALUE_FLOAT || row->type == VALUE_INT);
}

/* A number that is shown as it comes, if no file with a metric is made of it. */
static bool is_reading(const struct instruction *row)
{
	return !row->writable && !row->consuming &&
	       (row->type == VALUE_FLOAT || row->type == VALUE_INT);
}

static bool is_identity(const struct instruction *row)
{
	return row->class == CLASS_IDENTITY && !row->array && row->type == VALUE_TEXT;
}

static const struct sample *row_sample(const struct view *view, unsigned row)
{
	const struct sample *sample;

	if (!device_has(view->tree->device, row) ||
	    device_sample(view->tree->device, row, view->fresh, &sample))
		return NULL;
	return sample;
}

/* What the files with a metric are made of. */
static void file_rows(const struct tree *tree, struct row_set *rows)
{
	for (unsigned kind = 0; kind < DIRS; kind++)
		for (size_t i = 0; tree_dirs[kind] && i < tree_dirs[kind]->nodes; i++) {
			const struct binding *binding = &tree->binding[kind][i];

			for (unsigned s = 0; tree_dirs[kind]->node[i].metric && s < binding->count;
			     s++)
				row_set_add(rows, binding->row[s]);
		}
}

void metrics_rows(const struct tree *tree, struct row_set *rows)
{
	file_rows(tree, rows);
	for (unsigned row = 0; row < tree->table->rows; row++)
		if (is_setting(&tree->table->row[row]) || is_reading(&tree->table->row[row]) ||
		    is_identity(&tree->table->row[row]))
			row_set_add(rows, row);
}

static bool is_counter(const char *name)
{
	static const char end[] = "_total";
	size_t length = strlen(name);

	return length > strlen(end) && !strcmp(name + length - strlen(end), end);
}

/* The head of a family; of @help what comes before a ";", which is about reading the file. */
static void add_head(struct text *text, const char *name, const char *help)
{
	text_add(text, "# HELP ");
	text_add(text, name);
	text_add(text, " ");
	for (; *help && *help != ';'; help++)
		text_add_bytes(text, *help == '\\' ? "\\\\" : help, *help == '\\' ? 2 : 1);
	text_add(text, "\n# TYPE ");
	text_add(text, name);
	text_add(text, is_counter(name) ? " counter\n" : " gauge\n");
}

static void add_int(struct text *text, int64_t number)
{
	text_take(text, value_format_int(text_end(text), text_room(text), number));
}

/* " 1" and a newline */
static void add_whole(struct text *text, int64_t number)
{
	text_add(text, " ");
	add_int(text, number);
	text_add(text, "\n");
}

static void add_label(struct text *text, const char *before, const char *name, const char *value)
{
	text_add(text, before);
	for (; *name; name++)
		text_add_bytes(text, *name == ' ' ? "_" : name, 1);
	text_add(text, "=\"");
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			text_add(text, "\\");
		text_add_bytes(text, value, 1);
	}
	text_add(text, "\"");
}

static void add_number_label(struct text *text, const char **before, const char *name,
			     unsigned number)
{
	char digits[VALUE_TEXT_MAX];

	value_format_int(digits, sizeof(digits), number);
	add_label(text, *before, name, digits);
	*before = ",";
}

/* Which BMS, if there are several. Returns what comes before the next label. */
static const char *add_address(const struct view *view, struct text *text)
{
	const char *before = "{";

	if (view->tree->number)
		add_number_label(text, &before, "address",
				 device_config(view->tree->device)->address);
	return before;
}

static void end_labels(struct text *text, const char *before)
{
	if (*before == ',')
		text_add(text, "}");
}

static void add_labels(const struct view *view, struct text *text, const struct place *place)
{
	const char *before = add_address(view, text);

	if (place->unit)
		add_number_label(text, &before, "unit", place->unit);
	if (place->channel)
		add_number_label(text, &before, place->dir == DIR_SENSOR ? "sensor" : "cell",
				 place->channel);
	end_labels(text, before);
}

static const struct place nowhere;

/* What is not known now is not there. The head comes before the first that is. */
static void add_file(const struct view *view, struct text *text, const struct place *place,
		     bool *begun)
{
	const struct node *node = tree_node(place);
	double value;
	size_t before;

	if (node_number(view->tree, place, view->fresh, &value))
		return;
	for (int shift = node->metric_shift; shift; shift--)
		value /= 10;
	before = text->used;
	if (!*begun)
		add_head(text, node->metric, node->description);
	text_add(text, node->metric);
	add_labels(view, text, place);
	text_add(text, " ");
	if (text_end_line(text, value_format_fixed(text_end(text), text_room(text), value,
						   node->decimals + node->metric_shift)))
		text->used = before;
	else
		*begun = true;
}

static void add_files(const struct view *view, struct text *text, enum dir_kind kind, size_t index)
{
	const struct shape *shape = device_shape(view->tree->device);
	const struct dir *dir = tree_dirs[kind];
	unsigned units = dir->units ? shape->units : 0;
	bool begun = false;

	for (unsigned unit = dir->units; unit <= units; unit++) {
		unsigned channels =
			dir->channels ? node_count(view->tree, dir_node(kind), unit, 0) : 0;

		for (unsigned channel = dir->channels; channel <= channels; channel++)
			add_file(view, text,
				 &(struct place){ .dir = (uint8_t)kind,
						  .unit = (uint8_t)unit,
						  .channel = (uint16_t)channel,
						  .entry = (uint8_t)(ENTRY_FIRST + index) },
				 &begun);
	}
}

static void add_all_files(const struct view *view, struct text *text)
{
	for (unsigned kind = 0; kind < DIRS; kind++)
		for (size_t i = 0; tree_dirs[kind] && i < tree_dirs[kind]->nodes; i++)
			if (tree_dirs[kind]->node[i].metric)
				add_files(view, text, kind, i);
}

/*
 * "bms_setting_cmax_volts", "bms_reading_lcd1_current_amperes": what is of several units of measure
 * does not make one family.
 */
static void row_name(const struct instruction *row, const struct field *field,
		     char name[METRIC_MAX])
{
	struct text text = { .buffer = name, .size = METRIC_MAX - 1 };
	const char *unit = field ? field->unit : row->unit;

	text_add(&text, row->writable ? "bms_setting_" : "bms_reading_");
	for (const char *at = row->file; *at; at++) {
		char letter = *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;

		text_add_bytes(&text, &letter, 1);
	}
	if (field && row->fields) {
		text_add(&text, "_");
		text_add(&text, field->name);
	}
	for (size_t i = 0; i < sizeof(unit_words) / sizeof(unit_words[0]); i++)
		if (!strcmp(unit_words[i].unit, unit))
			text_add(&text, unit_words[i].word);
	*text_end(&text) = '\0';
}

/* Which of the numbers of an array, as far as there can be several. */
static void add_index(const struct view *view, struct text *text, const struct instruction *row,
		      unsigned unit, unsigned i)
{
	const char *before = add_address(view, text);

	if (row->array && row->header == HEADER_UNITS)
		add_number_label(text, &before, "unit", unit + 1);
	if (row->array && !row->fields)
		add_number_label(text, &before, "number", i + 1);
	end_labels(text, before);
}

/* One family: a scalar, the numbers of an array, or one field of it, of all units. */
static void add_family(const struct view *view, struct text *text, const struct instruction *row,
		       const struct field *field, const struct sample *sample)
{
	unsigned first = field ? (unsigned)(field - row->field) : 0;
	unsigned step = row->fields ? row->fields : 1;
	char name[METRIC_MAX];

	row_name(row, field, name);
	add_head(text, name, row->name);
	for (unsigned unit = 0; unit < sample->units; unit++)
		for (unsigned i = first; i < sample->count[unit]; i += step) {
			text_add(text, name);
			add_index(view, text, row, unit, i);
			text_add(text, " ");
			row_add_number(text, row, i,
				       sample->number[sample_offset(sample, unit) + i]);
			text_add(text, "\n");
		}
}

static void add_row(const struct view *view, struct text *text, unsigned number)
{
	const struct instruction *row = &view->tree->table->row[number];
	const struct sample *sample = row_sample(view, number);

	if (!sample || !sample->numbers)
		return;
	if (!row->array)
		add_family(view, text, row, NULL, sample);
	for (unsigned i = 0; row->array && i < (row->fields ? row->fields : 1u); i++)
		add_family(view, text, row, &row->field[i], sample);
}

/* The rest: the settings, and what of the instructions no file has shown. */
static void add_rows(const struct view *view, struct text *text)
{
	const struct instruction_table *table = view->tree->table;
	struct row_set shown = { 0 };

	file_rows(view->tree, &shown);
	for (unsigned row = 0; row < table->rows; row++)
		if (is_setting(&table->row[row]) ||
		    (is_reading(&table->row[row]) && !row_set_has(&shown, row)))
			add_row(view, text, row);
}

static bool is_up(const struct view *view)
{
	int row = instruction_find(view->tree->table, "LCD1");

	return row >= 0 && row_sample(view, (unsigned)row);
}

static void add_up(const struct view *view, struct text *text, bool up)
{
	add_head(text, "bms_up", "Whether the BMS answers.");
	text_add(text, "bms_up");
	add_labels(view, text, &nowhere);
	add_whole(text, up);
}

static void add_info(const struct view *view, struct text *text)
{
	const struct instruction_table *table = view->tree->table;
	int model = device_model(view->tree->device);
	const char *before;

	if (model == MODEL_UNKNOWN)
		return;
	add_head(text, "bms_info", "What BMS it is.");
	text_add(text, "bms_info");
	before = add_address(view, text);
	add_label(text, before, "model", table->model[model].name);
	for (unsigned row = 0; row < table->rows; row++) {
		const struct sample *sample =
			is_identity(&table->row[row]) ? row_sample(view, row) : NULL;

		if (sample)
			add_label(text, ",", table->row[row].name, sample->text);
	}
	text_add(text, "}");
	add_whole(text, 1);
}

static void add_counter(const struct view *view, struct text *text, unsigned counter)
{
	uint64_t count = bus_counters(device_bus(view->tree->device))[counter];
	char buffer[METRIC_MAX];
	struct text name = { .buffer = buffer, .size = sizeof(buffer) - 1 };

	text_add(&name, "bmsfs_");
	text_add(&name, bus_counter_name[counter]);
	text_add(&name, "_total");
	*text_end(&name) = '\0';
	add_head(text, buffer, bus_counter_help[counter]);
	text_add(text, buffer);
	add_whole(text, (int64_t)count);
}

int print_metrics(const struct view *view, struct text *text)
{
	bool up = is_up(view);

	add_up(view, text, up);
	/* Settings may be known for a while yet, but nothing shall look alive beside bms_up 0. */
	if (up) {
		add_info(view, text);
		add_all_files(view, text);
		add_rows(view, text);
	}
	/* They are of the line: of several BMSs the first shows them, so that they can be summed. */
	for (unsigned counter = 0; counter < BUS_COUNTERS && view->tree->number <= 1; counter++)
		add_counter(view, text, counter);
	return text->full ? -ENOSPC : 0;
}

static const struct node nodes[] = {
	{
		.name = "bmsfs.prom",
		.type = NODE_LONG,
		.title = "metrics",
		.description =
			"All of pack/ and units/ that are numbers, the settings, the instructions "
			"with numbers that none of these files shows, and the counters of bus/ in "
			"the text format of Prometheus, for the textfile collector of its node "
			"exporter. What has no value now is left out; while the BMS is away that "
			"is all but bms_up, which is 0, and the counters. Of several BMSs on the "
			"line each series says by its label address which, and the counters, which "
			"are of the line, stand in the file of the first. Made when the file is "
			"opened.",
		.rows = metrics_rows,
		.print = print_metrics,
	},
};

const struct dir metrics_dir = {
	.parent = DIR_ROOT,
	.category = "metrics",
	.node = nodes,
	.nodes = sizeof(nodes) / sizeof(nodes[0]),
};

// SPDX-License-Identifier: LGPL-3.0-or-later
/* metrics/: the text format of Prometheus, for the textfile collector of its node exporter. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/prometheus.h"
#include "nsec.h"
#include "protocol/metric.h"
#include "protocol/value.h"
#include "tree/node.h"

#define HELP_MAX 512

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
	online_rows(tree, rows);
	for (unsigned row = 0; row < tree->table->rows; row++)
		if (metric_is_setting(&tree->table->row[row]) ||
		    metric_is_reading(&tree->table->row[row]) ||
		    metric_is_identity(&tree->table->row[row]))
			row_set_add(rows, row);
}

static void add_escaped(struct text *text, const char *string, bool quoted)
{
	char escaped[4];
	size_t size;

	while ((size = prometheus_escape(escaped, &string, quoted)))
		text_add_bytes(text, escaped, size);
}

static void add_head(struct text *text, const char *name, const char *help, const char *type)
{
	text_add(text, "# HELP ");
	text_add(text, name);
	text_add(text, " ");
	add_escaped(text, help, false);
	text_add(text, "\n# TYPE ");
	text_add(text, name);
	text_add(text, " ");
	text_add(text, type);
	text_add(text, "\n");
}

/* Of the description of a file what comes before a ";", which is about reading it. */
static void add_file_head(struct text *text, const struct node *node)
{
	char help[HELP_MAX];

	snprintf(help, sizeof(help), "%.*s", (int)strcspn(node->description, ";"),
		 node->description);
	add_head(text, node->metric, help, node->metric_counts ? "counter" : "gauge");
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
	text_add(text, name);
	text_add(text, "=\"");
	add_escaped(text, value, true);
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

/* The labels of a place. Returns what comes before the next one. */
static const char *add_place(const struct view *view, struct text *text, const struct place *place)
{
	const char *before = add_address(view, text);

	if (place->unit)
		add_number_label(text, &before, "unit", place->unit);
	if (place->channel)
		add_number_label(text, &before, place->dir == DIR_SENSOR ? "sensor" : "cell",
				 place->channel);
	return before;
}

/* The labels and the number of a file. A text is a label of its own, and the number 1. */
static int add_value(const struct view *view, struct text *text, const struct place *place)
{
	const struct node *node = tree_node(place);
	const char *before, *word;
	double value;
	int err = node_number(view->tree, place, view->fresh, &value);

	if (err)
		return err;
	before = add_place(view, text, place);
	if (node->code) {
		word = tree_code_text(view->tree, node->code, value);
		add_label(text, before, node->metric_label, word ? word : "unknown");
		text_add(text, "} 1\n");
		return 0;
	}
	end_labels(text, before);
	for (int shift = node->metric_shift; shift; shift--)
		value /= 10;
	text_add(text, " ");
	return text_end_line(text, value_format_fixed(text_end(text), text_room(text), value,
						      node->decimals + node->metric_shift));
}

/* What is not known now is not there. The head comes before the first that is. */
static void add_file(const struct view *view, struct text *text, const struct place *place,
		     bool *begun)
{
	const struct node *node = tree_node(place);
	size_t before = text->used;

	if (!*begun)
		add_file_head(text, node);
	text_add(text, node->metric);
	if (add_value(view, text, place))
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
	char name[METRIC_NAME_MAX];

	metric_family(row, field, name);
	add_head(text, name, row->name, "gauge");
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
		if (metric_is_setting(&table->row[row]) ||
		    (metric_is_reading(&table->row[row]) && !row_set_has(&shown, row)))
			add_row(view, text, row);
}

static void add_up(const struct view *view, struct text *text)
{
	bool up = !device_online(view->tree->device, view->fresh);

	add_head(text, "bms_up", "Whether the BMS answers, as pack/online says.", "gauge");
	text_add(text, "bms_up");
	end_labels(text, add_address(view, text));
	add_whole(text, up);
}

static void add_info(const struct view *view, struct text *text)
{
	const struct instruction_table *table = view->tree->table;
	int model = device_model(view->tree->device);
	char name[METRIC_NAME_MAX];

	if (model == MODEL_UNKNOWN)
		return;
	add_head(text, "bms_info", "What BMS it is.", "gauge");
	text_add(text, "bms_info");
	add_label(text, add_address(view, text), "model", table->model[model].name);
	for (unsigned row = 0; row < table->rows; row++) {
		const struct sample *sample = NULL;

		if (metric_is_identity(&table->row[row]) && metric_label(&table->row[row], name))
			sample = row_sample(view, row);
		if (sample)
			add_label(text, ",", name, sample->text);
	}
	text_add(text, "}");
	add_whole(text, 1);
}

/* "bms_sample_age_seconds{instruction="LCD1"" */
static void begin_sample(const struct view *view, struct text *text, const char *name, unsigned row)
{
	text_add(text, name);
	add_label(text, add_address(view, text), "instruction", view->tree->table->row[row].file);
}

static void add_age(const struct view *view, struct text *text, unsigned row)
{
	const struct device *device = view->tree->device;
	double age_s = (double)(bus_now(device_bus(device)) - device_asked(device, row)) /
		       (double)NSEC_PER_SEC;

	begin_sample(view, text, "bms_sample_age_seconds", row);
	text_add(text, "} ");
	text_end_line(text, value_format_fixed(text_end(text), text_room(text), age_s, 3));
}

static void add_failure(const struct view *view, struct text *text, unsigned row, int err)
{
	begin_sample(view, text, "bms_sample_error", row);
	add_label(text, ",", "error", strerrorname_np(-err));
	text_add(text, "} 1\n");
}

/* How old what each instruction said is, and why another said nothing: @failed chooses. */
static void add_samples(const struct view *view, struct text *text, bool failed)
{
	const struct device *device = view->tree->device;
	struct row_set rows = { 0 };
	const struct sample *sample;
	bool begun = false;

	metrics_rows(view->tree, &rows);
	row_set_foreach (row, &rows) {
		int err = device_has(device, (unsigned)row)
				  ? device_sample(device, (unsigned)row, view->fresh, &sample)
				  : -EOPNOTSUPP;

		if (err == -EOPNOTSUPP || failed != (err != 0))
			continue;
		if (!begun && failed)
			add_head(text, "bms_sample_error", "Why an instruction has no value now.",
				 "gauge");
		else if (!begun)
			add_head(text, "bms_sample_age_seconds",
				 "Time since an instruction was sent whose value is shown.",
				 "gauge");
		begun = true;
		if (failed)
			add_failure(view, text, (unsigned)row, err);
		else
			add_age(view, text, (unsigned)row);
	}
}

static void add_build(struct text *text)
{
	add_head(text, "bmsfs_build_info", "The version of bmsfs.", "gauge");
	text_add(text, "bmsfs_build_info");
	add_label(text, "{", "version", BMSFS_VERSION);
	text_add(text, "} 1\n");
}

static void add_counter(const struct view *view, struct text *text, unsigned counter)
{
	uint64_t count = bus_counters(device_bus(view->tree->device))[counter];
	char buffer[METRIC_NAME_MAX];
	struct text name = { .buffer = buffer, .size = sizeof(buffer) - 1 };

	text_add(&name, "bmsfs_");
	text_add(&name, bus_counter_name[counter]);
	text_add(&name, "_total");
	*text_end(&name) = '\0';
	add_head(text, buffer, bus_counter_help[counter], "counter");
	text_add(text, buffer);
	add_whole(text, (int64_t)count);
}

int print_metrics(const struct view *view, struct text *text)
{
	bool first = view->tree->number <= 1;

	add_up(view, text);
	add_info(view, text);
	add_all_files(view, text);
	add_rows(view, text);
	add_samples(view, text, false);
	add_samples(view, text, true);
	/* They are of the line: of several BMSs the first shows them, so that they can be summed. */
	if (first)
		add_build(text);
	for (unsigned counter = 0; counter < BUS_COUNTERS && first; counter++)
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
			"exporter. What has no value now is left out, and bms_sample_error says "
			"why; bms_sample_age_seconds says how old the rest is. bms_up is 1 while "
			"pack/online is; of values that grace or ttl keep longer it says nothing. "
			"Of several BMSs on the line each series says by its label address which, "
			"and the counters, which are of the line, stand in the file of the first. "
			"Made when the file is opened.",
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

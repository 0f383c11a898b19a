// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * The documentation of the tree, docs/ABI, written from what the tree itself lists and says, for
 * every model there is. test_tree_abi DIR compares the files in DIR with that, and fails for what
 * is missing, stale or wrong; test_tree_abi DIR --update writes them anew.
 */
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fixture.h"
#include "tree/node.h"
#include "tree/tree.h"

#define DATE     "November 2026"
#define CONTACT  "the developers of bmsfs"
#define FILE_MAX 256 /* files of the tree, numbers taken as N, M and K */
#define WIDTH    80
#define PAGE_MAX (256 * 1024)

/* A file of the tree as all models together show it. */
struct entry {
	uint64_t ino;
	char path[2][64]; /* another name, if it has one */
	unsigned models;  /* a bit for each */
	mode_t mode, unlocked;
};

struct abi {
	struct fixture fixture;
	struct entry entry[FILE_MAX];
	size_t entries;
	char page[PAGE_MAX];
	size_t used;
};

/* A page for the instructions and one for each category of directories. */
static const struct {
	const char *name, *head;
} pages[] = {
	{ "instructions",
	  "The instructions of the BMS, in upper case: the values are those on the wire, "
	  "in its units.\nA file is there if the model has the instruction.\n" },
	{ "pack", "The pack as a whole.\n" },
	{ "units",
	  "The units of the pack with their cells and sensors. N, M and K count from 1.\n" },
	{ "bus", "The line to the BMS. Reading these files asks the BMS nothing.\n" },
	{ "class",
	  "The pack as the kernel would show it under /sys/class, in the kernel's units. What "
	  "cannot be\nhad, for whatever reason, reads EOPNOTSUPP; type, scope, present, "
	  "manufacturer and uevent always\nhave something to say. As in sysfs, no signal ends a "
	  "read that waits. bms0 is what -o name= says. N\ncounts through the cells or sensors "
	  "of all units; what a label says follows from CELL and PTEM.\n" },
	{ "metrics",
	  "The pack as Prometheus wants it. stat tells size and time of the last rendering.\n" },
	{ "snapshot", "Everything in one file. stat tells size and time of the last rendering.\n" },
};

#define PAGES (sizeof(pages) / sizeof(pages[0]))

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

__attribute__((format(printf, 2, 3))) static void add(struct abi *abi, const char *format, ...)
{
	size_t room = sizeof(abi->page) - abi->used;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(abi->page + abi->used, room, format, args);
	va_end(args);
	if (length < 0 || (size_t)length >= room)
		die("a page is too long");
	abi->used += (size_t)length;
}

/* A paragraph behind two tabs, broken at blanks. */
static void add_wrapped(struct abi *abi, const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t word = strcspn(text, " ");

		if (column && column + 1 + word > WIDTH - 16) {
			add(abi, "\n");
			column = 0;
		}
		add(abi, "%s%.*s", column ? " " : "\t\t", (int)word, text);
		column += (column != 0) + word;
		text += word;
		text += strspn(text, " ");
	}
	add(abi, "\n");
}

static struct entry *entry_of(struct abi *abi, uint64_t ino)
{
	for (size_t i = 0; i < abi->entries; i++)
		if (abi->entry[i].ino == ino)
			return &abi->entry[i];
	if (abi->entries == FILE_MAX)
		die("more than %d files", FILE_MAX);
	abi->entry[abi->entries].ino = ino;
	return &abi->entry[abi->entries++];
}

static void entry_see(struct abi *abi, uint64_t ino, const char *path)
{
	const struct tree *tree = abi->fixture.tree;
	struct entry *entry = entry_of(abi, ino);
	size_t i = 0;
	struct tree_stat stat;

	while (i < 2 && entry->path[i][0] && strcmp(entry->path[i], path) != 0)
		i++;
	if (i == 2)
		die("%s has more than two names", path);
	snprintf(entry->path[i], sizeof(entry->path[i]), "%s", path);
	entry->models |= 1U << (abi->fixture.device.model + 1);
	if (tree_stat(tree, ino, &stat))
		die("%s is listed and not there", path);
	if (abi->fixture.device.config.unlock)
		entry->unlocked = stat.mode;
	else
		entry->mode = stat.mode;
}

/* The name for all of its kind: units/N/cells/M. */
static const char *template_name(const char *dir, const char *name)
{
	static const char *const templates[][2] = { { "units", "N" },
						    { "cells", "M" },
						    { "sensors", "K" } };
	const char *slash = strrchr(dir, '/');

	for (size_t i = 0; i < 3; i++)
		if (!strcmp(slash ? slash + 1 : dir, templates[i][0]))
			return templates[i][1];
	return name;
}

/* "in1_input", of which there is one for each cell, as "inN_input". */
static void file_name(uint64_t ino, char name[TREE_NAME_MAX])
{
	struct place place = place_unpack(ino);
	const struct node *node = tree_node(&place);

	if (!node || node->type == NODE_DIR || node->number == NUMBER_NONE)
		return;
	snprintf(name, TREE_NAME_MAX, "%s", node->name);
	name[strcspn(name, "#")] = 'N';
}

static void walk(struct abi *abi, uint64_t dir, const char *path)
{
	const struct tree *tree = abi->fixture.tree;
	char name[TREE_NAME_MAX], below[64];
	struct tree_stat stat;
	uint64_t ino;

	for (unsigned i = 0; (ino = tree_entry(tree, dir, i, name)); i++) {
		file_name(ino, name);
		snprintf(below, sizeof(below), "%s%s%s", path, *path ? "/" : "",
			 template_name(path, name));
		if (tree_stat(tree, ino, &stat))
			die("%s is listed and not there", below);
		if (stat.kind == TREE_DIR)
			walk(abi, ino, below);
		else
			entry_see(abi, ino, below);
	}
}

/* One unit with one cell and one sensor stands for any number of them. */
static void walk_models(struct abi *abi)
{
	struct device *device = &abi->fixture.device;

	fake_shape(device, 1, 1, 1);
	for (unsigned unlock = 0; unlock < 2; unlock++) {
		device->config.unlock = unlock != 0;
		for (int model = MODEL_UNKNOWN; model < (int)device->table.models; model++) {
			device->model = model;
			walk(abi, TREE_ROOT, "");
		}
	}
	device->model = MODEL_UNKNOWN;
}

static void check_rows(struct abi *abi)
{
	const struct instruction_table *table = &abi->fixture.device.table;

	for (size_t row = 0; row < table->rows; row++) {
		size_t i = 0;

		while (i < abi->entries && strcmp(abi->entry[i].path[0], table->row[row].file) != 0)
			i++;
		if (i == abi->entries)
			die("%s is in no model's tree", table->row[row].mnemonic);
	}
}

static void add_models(struct abi *abi, unsigned models)
{
	const struct instruction_table *table = &abi->fixture.device.table;
	const char *before = "\n\t\tOnly on: ";

	if (models == (1U << (table->models + 1)) - 1)
		return;
	for (unsigned i = 0; i < table->models; i++) {
		if (!(models >> (i + 1) & 1))
			continue;
		add(abi, "%s%s", before, table->model[i].name);
		before = ", ";
	}
	add(abi, ".\n");
}

static void add_access(struct abi *abi, const struct entry *entry)
{
	const char *access = entry->mode & 0222 ? "Read, Write" : "Read";

	if (S_ISLNK(entry->mode))
		access = "Symbolic link";
	else if (!(entry->mode & 0222) && (entry->unlocked & 0222))
		access = "Read; Write with -o unlock";
	else if (!(entry->mode & 0077))
		access = "Read, by the owner only";
	add(abi, "Access:\t\t%s\n", access);
}

/* "2 to 4.3, default 3.85" */
static void limits_write(const struct instruction *row, int model, char *text, size_t size)
{
	const struct instruction_variant *variant = instruction_variant(row, model);
	char min[VALUE_TEXT_MAX], max[VALUE_TEXT_MAX];
	const char *comma = "";
	size_t used = 0;

	text[0] = '\0';
	tree_format_limit(row, variant->min, min);
	tree_format_limit(row, variant->max, max);
	if (row->array)
		return;
	if (variant->has_min || variant->has_max) {
		snprintf(text, size, "%s%s%s", variant->has_min ? min : "",
			 variant->has_max ? (variant->has_min ? " to " : "to ") : " and more",
			 variant->has_max ? max : "");
		comma = ", ";
	}
	used = strlen(text);
	if (variant->has_default)
		snprintf(text + used, size - used, "%sdefault %s", comma, variant->def);
}

/* The limits that most models share come first, then those of each other model. */
static void add_limits(struct abi *abi, const struct instruction *row)
{
	const struct instruction_table *table = &abi->fixture.device.table;
	char usual[256], other[256];

	limits_write(row, MODEL_UNKNOWN, usual, sizeof(usual));
	if (usual[0])
		add(abi, "\t\t%s\n", usual);
	for (int model = 0; model < (int)table->models; model++) {
		limits_write(row, model, other, sizeof(other));
		if (instruction_variant(row, model)->present && strcmp(usual, other) != 0)
			add(abi, "\t\ton %s: %s\n", table->model[model].name,
			    other[0] ? other : "no limits");
	}
}

static const char *const type_text[] = {
	[VALUE_FLOAT] = "a number",
	[VALUE_INT] = "a whole number",
	[VALUE_TEXT] = "a text",
	[VALUE_CLOCK] = "a time, hh:mm:ss",
};

static void add_row_values(struct abi *abi, const struct instruction *row)
{
	const char *unit = row->unit[0] ? " in " : "";

	if (row->fields) {
		add(abi, "\t\ta line each for:\n");
		for (unsigned i = 0; i < row->fields; i++)
			add(abi, "\t\t%u. %s%s%s\n", i + 1, row->field[i].name,
			    row->field[i].unit[0] ? " in " : "", row->field[i].unit);
	} else {
		add(abi, "\t\t%s%s%s%s\n", type_text[row->type], unit, row->unit,
		    row->array       ? ", one a line"
		    : row->consuming ? ", a line for each reply so far"
				     : "");
	}
	if (row->pattern[0])
		add(abi, "\t\tof the form %s\n", row->pattern);
	add_limits(abi, row);
}

static void add_codes(struct abi *abi, const struct code *code)
{
	add(abi, "\t\tone of:\n");
	if (code->when) {
		for (; code->text; code++)
			add(abi, "\t\t%-20s %s\n", code->text, code->when);
		return;
	}
	for (; code->text; code++)
		add(abi, "\t\t%3d  %s%s%s\n", code->number, code->text, code->model ? ", on " : "",
		    code->model ? code->model : "");
	add(abi, "\t\t     unknown, and the number\n\t\t(the file shows the words only)\n");
}

static void add_counters(struct abi *abi)
{
	for (unsigned i = 0; i < BUS_COUNTERS; i++)
		add(abi, "\t\t%-20s %s\n", bus_counter_name[i], bus_counter_help[i]);
}

/* Of each file of a kind one line is enough here; the names of settings follow a rule. */
static void add_metrics(struct abi *abi)
{
	for (unsigned kind = 0; kind < DIRS; kind++)
		for (size_t i = 0; tree_dirs[kind] && i < tree_dirs[kind]->nodes; i++) {
			const struct dir *dir = tree_dirs[kind];
			const struct node *node = &dir->node[i];

			if (node->metric_label)
				add(abi, "\t\t%s{%s}\n", node->metric, node->metric_label);
			else if (node->metric)
				add(abi, "\t\t%s%s\n", node->metric,
				    kind == DIR_SENSOR ? "{unit,sensor}"
				    : dir->channels    ? "{unit,cell}"
				    : dir->units       ? "{unit}"
						       : "");
		}
	add(abi, "\t\tbms_up               whether the BMS answers\n"
		 "\t\tbms_info             1, with model and identity as labels\n"
		 "\t\tbms_sample_age_seconds{instruction}\n"
		 "\t\tbms_sample_error{instruction,error}\n"
		 "\t\tbms_setting_cmax_volts and so on: the name of each setting that is a\n"
		 "\t\t                     number, and its unit\n"
		 "\t\tbms_reading_refc_volts and so on: the same for what cannot be set and\n"
		 "\t\t                     no other file shows; of an array with unit, number\n"
		 "\t\t                     or the name of the field\n"
		 "\t\tbmsfs_build_info{version}\n"
		 "\t\tbmsfs_NAME_total     the counters of bus/counters\n");
}

/* Constants, the line itself, and names: these ask the BMS nothing. */
static bool asks_nothing(const struct place *place, const struct node *node)
{
	const char *end = strrchr(node->name, '_');

	return place->dir == DIR_BUS || node->type == NODE_LINK || node->print == print_constant ||
	       !strcmp(node->name, "name") || (end && !strcmp(end, "_label"));
}

/*
 * "Computed from: LCD1, CAPA." Whatever comes from the BMS says of which instructions it is made; of
 * metrics and snapshot each line is that of another file.
 */
static void add_sources(struct abi *abi, const struct place *place, const struct node *node)
{
	const struct instruction_table *table = &abi->fixture.device.table;
	char line[1024] = "Computed from: ";
	const char *before = "";
	struct row_set needs;

	if (node->type == NODE_LONG)
		return;
	place_needs(abi->fixture.tree, place, &needs);
	if (row_set_empty(&needs) != asks_nothing(place, node))
		die("%s: not what it says it is made of", node->name);
	for (unsigned row = 0; row < table->rows; row++) {
		size_t used = strlen(line);

		if (!row_set_has(&needs, row))
			continue;
		snprintf(line + used, sizeof(line) - used, "%s%s", before,
			 table->row[row].mnemonic);
		before = ", ";
	}
	if (row_set_empty(&needs))
		return;
	snprintf(line + strlen(line), sizeof(line) - strlen(line), ".");
	add(abi, "\n");
	add_wrapped(abi, line);
}

static void add_node_values(struct abi *abi, const struct node *node)
{
	const char *unit = node->unit ? node->unit : "", *in = node->unit ? " in " : "";

	if (node->type == NODE_LINK)
		add(abi, "\t\t%s\n", node->target);
	else if (node->code)
		add_codes(abi, node->code);
	else if (node->print == print_constant)
		add(abi, "\t\t%s\n", node->target);
	else if (node->print == print_metrics)
		add_metrics(abi);
	else if (!strcmp(node->name, "counters"))
		add_counters(abi);
	else if (node->type != NODE_VALUE)
		add(abi, "\t\ttext\n");
	else if (node->decimals)
		add(abi, "\t\ta number%s%s, with %d decimal%s\n", in, unit, node->decimals,
		    node->decimals > 1 ? "s" : "");
	else
		add(abi, "\t\ta whole number%s%s\n", in, unit);
}

static void add_entry(struct abi *abi, const struct entry *entry, const struct place *place)
{
	const struct instruction *row = tree_row(abi->fixture.tree, place);
	const struct node *node = tree_node(place);

	for (size_t i = 0; i < 2 && entry->path[i][0]; i++)
		add(abi, "What:\t\tMOUNTPOINT/%s\n", entry->path[i]);
	add(abi, "Date:\t\t%s\nContact:\t%s\nDescription:\n", DATE, CONTACT);
	add(abi, "\t\t%s\n\n", row ? row->name : node->title);
	add_wrapped(abi, row ? row->description : node->description);
	add_models(abi, entry->models);
	if (!row)
		add_sources(abi, place, node);
	add(abi, "\n");
	add_access(abi, entry);
	add(abi, "Valid values:\n");
	if (row)
		add_row_values(abi, row);
	else
		add_node_values(abi, node);
	add(abi, "\n");
}

static const char *page_of(const struct place *place)
{
	if (place->dir == DIR_ROWS)
		return "instructions";
	if (tree_node(place)->type == NODE_LINK)
		return "units";
	return tree_dirs[place->dir]->category;
}

static unsigned page_write(struct abi *abi, size_t page)
{
	unsigned written = 0;

	abi->used = 0;
	add(abi, "%s\n", pages[page].head);
	for (size_t i = 0; i < abi->entries; i++) {
		struct place place;

		if (!tree_find(abi->fixture.tree, abi->entry[i].ino, &place))
			die("%s is nowhere", abi->entry[i].path[0]);
		if (strcmp(page_of(&place), pages[page].name) != 0)
			continue;
		add_entry(abi, &abi->entry[i], &place);
		written++;
	}
	abi->used--;
	return written;
}

static int page_compare(const struct abi *abi, const char *path)
{
	static char text[PAGE_MAX];
	FILE *file = fopen(path, "r");
	size_t size, line = 1;

	if (!file) {
		fprintf(stderr, "%s is missing\n", path);
		return 1;
	}
	size = fread(text, 1, sizeof(text), file);
	fclose(file);
	if (size == abi->used && !memcmp(text, abi->page, size))
		return 0;
	for (size_t i = 0; i < size && i < abi->used && text[i] == abi->page[i]; i++)
		line += text[i] == '\n';
	fprintf(stderr, "%s:%zu differs from the tree; test_tree_abi DIR --update writes it anew\n",
		path, line);
	return 1;
}

static int page_update(const struct abi *abi, const char *path)
{
	FILE *file = fopen(path, "w");

	if (!file || fwrite(abi->page, 1, abi->used, file) != abi->used || fclose(file))
		die("%s cannot be written", path);
	return 0;
}

/* A page that nothing is written to any more is stale as a whole. */
static int find_stale(const char *path)
{
	DIR *dir = opendir(path);
	int failed = 0;

	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		bool known = entry->d_name[0] == '.' || !strcmp(entry->d_name, "README");

		for (size_t page = 0; page < PAGES; page++)
			known |= !strcmp(entry->d_name, pages[page].name);
		if (!known)
			fprintf(stderr, "%s/%s is about nothing in the tree\n", path,
				entry->d_name);
		failed |= !known;
	}
	if (dir)
		closedir(dir);
	return failed;
}

int main(int argc, char *argv[])
{
	static struct abi abi;
	unsigned written = 0;
	int failed;
	bool update = argc == 3 && !strcmp(argv[2], "--update");

	if (argc != 2 && !update)
		die("usage: test_tree_abi DIR [--update]");
	fake_init(&abi.fixture.device, NULL);
	if (tree_new(&abi.fixture.tree, &abi.fixture.device, "bms0", 0))
		die("no memory");
	failed = find_stale(argv[1]);
	walk_models(&abi);
	check_rows(&abi);
	for (size_t page = 0; page < PAGES; page++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", argv[1], pages[page].name);
		written += page_write(&abi, page);
		failed |= update ? page_update(&abi, path) : page_compare(&abi, path);
	}
	if (written != abi.entries)
		die("%u files are on the pages, and %zu in the tree", written, abi.entries);
	tree_free(abi.fixture.tree);
	fake_free(&abi.fixture.device);
	return failed;
}

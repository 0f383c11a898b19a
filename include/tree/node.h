/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The tables that the tree is made of. A kind of directory is one const table of nodes; units,
 * cells and sensors are templates of which the shape of the BMS says how many there are. Lookup,
 * listing, stat, needs, attributes and the documentation test all walk these tables, so that a new
 * file is a new row. The files of the instructions come from the instruction table instead.
 */
#ifndef BMSFS_TREE_NODE_H
#define BMSFS_TREE_NODE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/bus.h"
#include "device/device.h"
#include "protocol/instruction.h"
#include "protocol/reply.h"
#include "tree/ino.h"
#include "tree/text.h"
#include "tree/tree.h"

#define SOURCE_MAX 6  /* numbers that a value is made of */
#define NODE_MAX   32 /* nodes of a table */

/* What units a master has, and cells and sensors a unit, before the BMS has told. */
#define UNIT_MAX   SAMPLE_UNIT_MAX
#define CELL_MAX   16
#define SENSOR_MAX 8

enum dir_kind {
	DIR_ROOT,
	DIR_ROWS, /* no directory: the instructions, which are listed in the root */
	DIR_PACK,
	DIR_UNITS,
	DIR_UNIT,
	DIR_CELLS,
	DIR_CELL,
	DIR_SENSORS,
	DIR_SENSOR,
	DIR_BUS,
	DIR_CLASS,
	DIR_SUPPLIES,
	DIR_SUPPLY,
	DIR_HWMONS,
	DIR_HWMON,
	DIR_METRICS,
	DIRS,
};

enum node_type {
	NODE_DIR,
	NODE_ALIAS, /* another name of the file @target in directory @dir */
	NODE_LINK,  /* a symbolic link to @target */
	NODE_VALUE, /* a number computed from samples, or the text that stands for it */
	NODE_PRINT, /* any other text */
	NODE_LONG,  /* the same, made when the file is opened */
};

/* What the number that stands for the "#" in a name counts. */
enum node_number { NUMBER_NONE, NUMBER_UNIT, NUMBER_CHANNEL };

/*
 * One number of a sample. Of a row with named fields it is @field; else the one number of a scalar,
 * or the one of the unit and channel where the file is.
 */
struct source {
	const char *row;   /* mnemonic; NULL ends the list */
	const char *field; /* or NULL */
	bool whole;        /* compute() looks into the sample itself */
};

#define FROM(mnemonic)             { .row = (mnemonic) }
#define FROM_FIELD(mnemonic, name) { .row = (mnemonic), .field = (name) }
#define FROM_WHOLE(mnemonic)       { .row = (mnemonic), .whole = true }

/* The sources of all that follows from how much charge there is. */
#define CHARGE_SOURCES FROM_FIELD("LCD1", "soc"), FROM_FIELD("LCD1", "soh"), FROM("CAPA")
#define ERROR_SOURCES  FROM_FIELD("ERRO", "present"), FROM_FIELD("ERRO", "error")
#define FLOW_SOURCES   FROM_FIELD("LCD1", "current"), ERROR_SOURCES

/* Programs that read uevent take some numbers for what they are not. */
enum uevent_line {
	UEVENT_SHOWN,
	UEVENT_POWER, /* they multiply it by the voltage, in an int32: all of these or none */
	UEVENT_NONE,
};

/* What a value is computed from, in the order of its sources. */
struct view {
	const struct tree *tree;
	const struct freshness *fresh;
	struct place place;
	const struct sample *sample[SOURCE_MAX];
	double number[SOURCE_MAX];
};

#define CODE_OTHER INT_MIN

/* The text of a number; the first that fits holds. */
struct code {
	int number;        /* CODE_OTHER: any */
	const char *model; /* NULL: of any */
	const char *text;
	const char *when; /* for people, what the number stands for; or NULL */
};

struct node {
	const char *name; /* "#" in it stands for a number; NULL: the name that the mount gave */
	enum node_type type;
	enum dir_kind dir;  /* of NODE_DIR and NODE_ALIAS */
	const char *target; /* of NODE_LINK and NODE_ALIAS; the text of a constant */
	const char *title, *description, *unit;

	enum node_number number;
	unsigned skip; /* what the name adds to the number */
	unsigned max;  /* numbers from 1 to here while the shape is unknown */
	unsigned (*count)(const struct shape *shape, unsigned unit);
	bool (*visible)(const struct shape *shape);

	/* Of NODE_VALUE: @compute (the first source if NULL), times @scale (1 if 0). */
	struct source source[SOURCE_MAX];
	int (*compute)(const struct view *view, double *value);
	double scale;
	int decimals;
	const struct code *code; /* shown instead of the number; ended by a NULL text */

	/* What metrics/ calls it; the metric is the value with the point @metric_shift to the left. */
	const char *metric;
	const char *metric_label; /* of a text: its label; the metric is 1 */
	bool metric_counts;       /* it is a counter, and not a gauge */
	int metric_shift;

	/*
	 * Of NODE_PRINT and NODE_LONG: writes the text, newline included. @always: it has something
	 * to say also where a source has no sample, which is then NULL. @rows: what it is made of,
	 * beside its sources.
	 */
	int (*print)(const struct view *view, struct text *text);
	uint32_t (*revision)(const struct tree *tree); /* see tree_revision() */
	bool always;
	enum uevent_line uevent;
	void (*rows)(const struct tree *tree, struct row_set *rows);
};

struct dir {
	enum dir_kind parent;
	bool units, channels; /* there is one for each unit, and in it for each channel */
	bool kernel;          /* the kernel's ABI: int32, and the one error is EOPNOTSUPP */
	const char *category;
	const struct node *node;
	size_t nodes;
};

extern const struct dir root_dir, pack_dir, units_dir, unit_dir, cells_dir, cell_dir, sensors_dir,
	sensor_dir, bus_dir, class_dir, supplies_dir, supply_dir, hwmons_dir, hwmon_dir,
	metrics_dir;

/* NULL for DIR_ROWS. */
extern const struct dir *const tree_dirs[DIRS];

/* The sources of a node, found in the instruction table; of NODE_LONG its last rendering. */
struct binding {
	bool missing; /* one of them is not there */
	uint8_t count;
	uint8_t row[SOURCE_MAX];
	uint8_t index[SOURCE_MAX]; /* of the field */
	uint32_t size;
	int64_t rendered; /* when; 0: never */
};

struct tree {
	struct device *device;
	const struct instruction_table *table;
	const struct last_error *last_error;
	char name[TREE_NAME_MAX];
	unsigned number; /* among several, from 1; or 0 */
	struct binding binding[DIRS][NODE_MAX];
};

/* The inode of a place. */
uint64_t tree_ino(const struct tree *tree, struct place place);

/* The place of an inode. False if it means nothing. */
bool tree_find(const struct tree *tree, uint64_t ino, struct place *place);

/* The node of a file, or NULL for an instruction and for a directory. */
const struct node *tree_node(const struct place *place);
const struct binding *tree_binding(const struct tree *tree, const struct place *place);

/* The instruction of a file, or NULL. */
const struct instruction *tree_row(const struct tree *tree, const struct place *place);
unsigned tree_row_number(const struct place *place);

/* The node in the parent's table that a directory is listed as. */
const struct node *dir_node(enum dir_kind kind);

/* How many of a node there are in @unit: 1 of what has no number, @unknown without a shape. */
unsigned node_count(const struct tree *tree, const struct node *node, unsigned unit,
		    unsigned unknown);

/* What the text of a file is. */
enum value_type node_value_type(const struct node *node);

void place_needs(const struct tree *tree, const struct place *place, struct row_set *needs);

/* When the oldest of the samples was asked for, or 0 if one is missing. */
int64_t needs_sampled(const struct tree *tree, const struct row_set *needs);

/* What stands for @number on this model, or NULL. */
const char *tree_code_text(const struct tree *tree, const struct code *code, double number);

/* Writes the text of a file of the tables, newline included. As tree_render(). */
int node_render(const struct tree *tree, const struct place *place, const struct freshness *fresh,
		struct text *text);

/* The number of a NODE_VALUE, in its unit. As tree_render(). */
int node_number(const struct tree *tree, const struct place *place, const struct freshness *fresh,
		double *value);

/*
 * The sample of an instruction that has a value. As device_sample(), and -ENODATA if the BMS answered
 * that there is none now.
 */
int row_value(const struct tree *tree, unsigned row, const struct freshness *fresh,
	      const struct sample **sample);

/* Writes a number of a sample of @row, number @index, no newline. */
int row_add_number(struct text *text, const struct instruction *row, unsigned index, double number);

/*
 * The current of the numbers of FLOW_SOURCES, 0 if none flows. -ENODATA if the BMS says that it
 * cannot measure it.
 */
int pack_flow(const double number[3], double *current_A);

/* What pack/ computes and others show too; each says in pack.c of which sources. */
int pack_power(const struct view *view, double *value);
int pack_remaining(const struct view *view, double *value);
int pack_time_to_empty(const struct view *view, double *value);
int pack_time_to_full(const struct view *view, double *value);
int pack_error(const struct view *view, double *value);

/* The row to read where only the answer matters, whatever it says. */
void online_rows(const struct tree *tree, struct row_set *rows);

/* The state of the link in one word; "online" is what device_online() says. */
const char *tree_link_state(const struct tree *tree, const struct freshness *fresh,
			    const char *unanswered);

/* Prints @target of its node. */
int print_constant(const struct view *view, struct text *text);

int print_metrics(const struct view *view, struct text *text);
void metrics_rows(const struct tree *tree, struct row_set *rows);
int print_snapshot(const struct view *view, struct text *text);
void snapshot_rows(const struct tree *tree, struct row_set *rows);

int print_trace(const struct view *view, struct text *text);

/* In words, for metrics/ and the documentation. */
extern const char *const bus_counter_help[BUS_COUNTERS];

/*
 * A limit of a row as text. Returns its length, or -ENODATA for a type that has none.
 */
int tree_format_limit(const struct instruction *row, double limit, char text[VALUE_TEXT_MAX]);

#endif

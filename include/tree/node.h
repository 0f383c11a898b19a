/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The tables that the tree is made of. A kind of directory is one const table of nodes; units,
 * cells and sensors are templates of which the shape of the BMS says how many there are. Lookup,
 * listing, stat, needs, attributes and the documentation test all walk these tables, so that a new
 * file is a new row. The files of the instructions come from the instruction table instead.
 */
#ifndef BMSFS_TREE_NODE_H
#define BMSFS_TREE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/device.h"
#include "protocol/instruction.h"
#include "protocol/reply.h"
#include "tree/ino.h"
#include "tree/text.h"
#include "tree/tree.h"

#define SOURCE_MAX 4  /* numbers that a value is made of */
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
	DIRS,
};

enum node_type {
	NODE_DIR,
	NODE_ALIAS, /* another name of the file @target in directory @dir */
	NODE_LINK,  /* a symbolic link to @target */
	NODE_VALUE, /* a number computed from samples, or the text that stands for it */
	NODE_PRINT, /* a text of something else than samples */
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

#define FROM(mnemonic)            \
	{                         \
		.row = (mnemonic) \
	}
#define FROM_FIELD(mnemonic, name)                 \
	{                                          \
		.row = (mnemonic), .field = (name) \
	}
#define FROM_WHOLE(mnemonic)                     \
	{                                        \
		.row = (mnemonic), .whole = true \
	}

/* What a value is computed from, in the order of its sources. */
struct view {
	const struct tree *tree;
	struct place place;
	const struct sample *sample[SOURCE_MAX];
	double number[SOURCE_MAX];
};

/* The text of a number; the first that fits holds. */
struct code {
	int number;
	const char *model; /* NULL: of any */
	const char *text;
};

struct node {
	const char *name; /* "#" in it stands for a number */
	enum node_type type;
	enum dir_kind dir;  /* of NODE_DIR and NODE_ALIAS */
	const char *target; /* of NODE_LINK and NODE_ALIAS */
	const char *title, *description, *unit;

	enum node_number number;
	unsigned max; /* numbers from 1 to here while the shape is unknown */
	unsigned (*count)(const struct shape *shape, unsigned unit);
	bool (*visible)(const struct shape *shape);

	/* Of NODE_VALUE: @compute (the first source if NULL), times @scale (1 if 0). */
	struct source source[SOURCE_MAX];
	int (*compute)(const struct view *view, double *value);
	double scale;
	int decimals;
	const struct code *code; /* shown instead of the number; ended by a NULL text */

	/* Of NODE_PRINT. */
	int (*print)(const struct tree *tree, struct text *text);
};

struct dir {
	enum dir_kind parent;
	bool units, channels; /* there is one for each unit, and in it for each channel */
	const char *category;
	const struct node *node;
	size_t nodes;
};

extern const struct dir root_dir, pack_dir, units_dir, unit_dir, cells_dir, cell_dir, sensors_dir,
	sensor_dir, bus_dir;

/* NULL for DIR_ROWS. */
extern const struct dir *const tree_dirs[DIRS];

/* The sources of a node, found in the instruction table. */
struct binding {
	bool missing; /* one of them is not there */
	uint8_t count;
	uint8_t row[SOURCE_MAX];
	uint8_t index[SOURCE_MAX]; /* of the field */
};

struct tree {
	struct device *device;
	const struct instruction_table *table;
	struct binding binding[DIRS][NODE_MAX];
};

/* The place of an inode. False if it means nothing. */
bool tree_find(const struct tree *tree, uint64_t ino, struct place *place);

/* The node of a file, or NULL for an instruction and for a directory. */
const struct node *tree_node(const struct place *place);
const struct binding *tree_binding(const struct tree *tree, const struct place *place);

/* The instruction of a file, or NULL. */
const struct instruction *tree_row(const struct tree *tree, const struct place *place);
unsigned tree_row_number(const struct place *place);

/* What stands for @number on this model, or NULL. */
const char *tree_code_text(const struct tree *tree, const struct code *code, double number);

/*
 * A limit of a row as text. Returns its length, or -ENODATA for a type that has none.
 */
int tree_format_limit(const struct instruction *row, double limit, char text[VALUE_TEXT_MAX]);

#endif

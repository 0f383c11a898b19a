/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef BMSFS_LIST_H
#define BMSFS_LIST_H

#include <stdbool.h>
#include <stdio.h>

#include "protocol/instruction.h"

/* What "bmsfs --list" shows of the table, and how. */
struct list_options {
	bool writable;        /* only what may be written, locked rows included */
	bool json;            /* an array of objects, else columns for people */
	const char *category; /* only this one; NULL: all */
};

/*
 * Prints the rows of @table, in its order, to @out. The columns show what holds for an unknown
 * model; JSON adds under "variants" what is different for each model. Returns 0; -ENOENT if the
 * table has no such category (nothing is printed); -EIO if @out took not all of it.
 */
int list_print(FILE *out, const struct instruction_table *table,
	       const struct list_options *options);

#endif

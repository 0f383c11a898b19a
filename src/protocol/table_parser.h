/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The loader of the instruction table, in three parts: the parser cuts a file into sections and
 * these into entries, the keys say what each entry means, the check says whether a row makes sense.
 */
#ifndef BMSFS_PROTOCOL_TABLE_PARSER_H
#define BMSFS_PROTOCOL_TABLE_PARSER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/ini.h"
#include "protocol/instruction.h"

#define TABLE_DIGITS  "0123456789"
#define TABLE_LOWER   "abcdefghijklmnopqrstuvwxyz"
#define TABLE_UPPER   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define TABLE_QUOTE   40 /* characters of a user's text that a message repeats */
#define TABLE_ENTRIES INI_KEYS_MAX

struct parser;
struct entry;

/* A key of a section. One without a function is a text, stored at an offset. */
struct key {
	const char *name;
	int (*set)(struct parser *parser, struct entry *entry, void *object);
	size_t offset, size;
	const char *const *words; /* that its value must be one of, ended by NULL */
	bool required, per_model;
};

/* The keys of each kind of section, ended by one without a name. */
extern const struct key row_keys[], model_keys[], order_keys[];

struct entry {
	const struct key *key;
	int model;
	unsigned line;
	char value[sizeof(((struct instruction *)0)->description)];
};

/*
 * The keys of a section are kept and applied in the order of the key tables when it ends: a min may
 * then stand before the type that says how to read it.
 */
struct parser {
	struct ini ini;
	struct instruction_table *table;
	unsigned section; /* the line where the open section starts, or 0 */
	char name[64];    /* of the open section */
	const struct key *keys;
	size_t entries;
	struct entry entry[TABLE_ENTRIES];
	unsigned row_line[INSTRUCTION_MAX], model_line[MODEL_MAX], order_line[ORDER_MAX];
};

/* Notes what is wrong with a line; is -EINVAL. */
#define parser_fail(parser, ...) ini_fail(&(parser)->ini, __VA_ARGS__)

/* The entry of that key and model in the open section, or NULL. */
struct entry *parser_find(struct parser *parser, const char *key, int model);

/* Whether @text is made of @allowed alone and not empty; of a-z, 0-9 and _, a letter first. */
bool text_is_all(const char *text, const char *allowed);
bool text_is_identifier(const char *text);

/* Copies the value, or fails if @to has no room. */
int entry_copy(struct parser *parser, const struct entry *entry, char *to, size_t size);

/* Reads @text as a number of @type, rounded to what that holds; any fault is that of @entry. */
int entry_number(struct parser *parser, const struct entry *entry, enum value_type type,
		 const char *text, double *number);

/* Computes the limits of all rows, once models and rows are as they stay. */
void instruction_table_limit(struct instruction_table *table);

/* Gives a new row what its section leaves open; whether a row makes sense: 0 or -EINVAL. */
void row_complete(struct parser *parser, struct instruction *row);
int row_check(struct parser *parser, const struct instruction *row);

/* Whether the names of all rows together are unique where they must be: 0 or -EINVAL. */
int names_check(struct parser *parser);

#endif

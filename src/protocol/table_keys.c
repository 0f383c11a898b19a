/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "table_parser.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "protocol/frame.h"
#include "protocol/value.h"

#define INTEGER_MAX (INT64_C(1) << 53) /* what a double holds exactly */

static const char *const access_names[] = { "ro", "rw", NULL };
static const char *const switch_names[] = { "no", "yes", NULL };
static const char *const frames_names[] = { "header", "1", NULL };

static char *next_word(char **rest)
{
	char *word;

	do
		word = strsep(rest, " \t");
	while (word && !*word);
	return word;
}

static int word_find(const char *const words[], const char *text)
{
	for (int word = 0; words[word]; word++)
		if (!strcmp(words[word], text))
			return word;
	return -1;
}

/* The place of the entry's value in @words, or a failure that lists them. */
static int entry_word(struct parser *parser, const struct entry *entry, const char *const words[])
{
	char list[64] = "";
	size_t used = 0;
	int word = word_find(words, entry->value);

	if (word >= 0)
		return word;
	for (word = 0; words[word]; word++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
					 word ? " | " : "", words[word]);
	return parser_fail(parser, entry->line, "%s = %.*s: must be %s", entry->key->name,
			   TABLE_QUOTE, entry->value, list);
}

int entry_number(struct parser *parser, const struct entry *entry, enum value_type type,
		 const char *text, double *number)
{
	size_t size = strlen(text);
	int64_t whole = 0;
	float real = 0;
	int rc;

	if (type == VALUE_INT) {
		rc = value_parse_int(text, size, &whole);
		if (!rc && (whole > INTEGER_MAX || whole < -INTEGER_MAX))
			rc = -ERANGE;
		*number = (double)whole;
	} else {
		rc = value_parse_float(text, size, &real);
		*number = (double)real;
	}
	if (rc < 0)
		return parser_fail(parser, entry->line, "%s: '%.*s' is no %s", entry->key->name,
				   TABLE_QUOTE, text,
				   type == VALUE_INT ? "whole number" : "decimal number");
	return 0;
}

/* The variants that an entry is about: [*first, *last). The plain key is about all models. */
static void entry_span(const struct entry *entry, int *first, int *last)
{
	bool plain = entry->model == MODEL_UNKNOWN;

	*first = plain ? 0 : 1 + entry->model;
	*last = plain ? INSTRUCTION_VARIANTS : *first + 1;
}

static int set_category(struct parser *parser, struct entry *entry, void *object)
{
	struct instruction *row = object;

	if (!text_is_identifier(entry->value))
		return parser_fail(parser, entry->line, "category: letters a-z, digits and _ only");
	return entry_copy(parser, entry, row->category, sizeof(row->category));
}

/* The key says which words there are and where the place of one in them belongs. */
static int set_word(struct parser *parser, struct entry *entry, void *object)
{
	int word = entry_word(parser, entry, entry->key->words);

	if (word < 0)
		return word;
	*(unsigned *)(void *)((char *)object + entry->key->offset) = (unsigned)word;
	return 0;
}

/* The same of two words, the second of which means true. */
static int set_switch(struct parser *parser, struct entry *entry, void *object)
{
	int word = entry_word(parser, entry, entry->key->words);

	if (word < 0)
		return word;
	*(bool *)((char *)object + entry->key->offset) = word == 1;
	return 0;
}

/* Likewise, but the place is in each of the variants. */
static int set_variant_switch(struct parser *parser, struct entry *entry, void *object)
{
	struct instruction *row = object;
	int first, last, rc = 0;

	entry_span(entry, &first, &last);
	for (int i = first; i < last && !rc; i++)
		rc = set_switch(parser, entry, &row->variant[i]);
	return rc;
}

/* A min or max, read in the type of the row. */
static int entry_limit(struct parser *parser, struct entry *entry, const struct instruction *row,
		       double *number)
{
	if (row->type == VALUE_TEXT || row->type == VALUE_CLOCK)
		return parser_fail(parser, entry->line, "%s does not fit type = %s",
				   entry->key->name, value_type_names[row->type]);
	return entry_number(parser, entry, row->type, entry->value, number);
}

static int set_min(struct parser *parser, struct entry *entry, void *object)
{
	struct instruction *row = object;
	double number;
	int first, last;
	int rc = entry_limit(parser, entry, row, &number);

	if (rc < 0)
		return rc;
	entry_span(entry, &first, &last);
	for (int i = first; i < last; i++) {
		row->variant[i].has_min = true;
		row->variant[i].min = number;
	}
	return 0;
}

static int set_max(struct parser *parser, struct entry *entry, void *object)
{
	struct instruction *row = object;
	double number;
	int first, last;
	int rc = entry_limit(parser, entry, row, &number);

	if (rc < 0)
		return rc;
	entry_span(entry, &first, &last);
	for (int i = first; i < last; i++) {
		row->variant[i].has_max = true;
		row->variant[i].max = number;
	}
	return 0;
}

static int set_default(struct parser *parser, struct entry *entry, void *object)
{
	struct instruction *row = object;
	int first, last, rc = 0;

	entry_span(entry, &first, &last);
	for (int i = first; i < last && !rc; i++) {
		rc = entry_copy(parser, entry, row->variant[i].def, sizeof(row->variant[i].def));
		row->variant[i].has_default = true;
	}
	return rc;
}

static int set_models(struct parser *parser, struct entry *entry, void *object)
{
	struct instruction *row = object;
	char *rest = entry->value, *name;

	for (int i = 1; i < INSTRUCTION_VARIANTS; i++)
		row->variant[i].present = false;
	while ((name = next_word(&rest))) {
		int model = model_find(parser->table, name);

		if (model == MODEL_UNKNOWN)
			return parser_fail(parser, entry->line, "models: there is no model '%.*s'",
					   TABLE_QUOTE, name);
		row->variant[1 + model].present = true;
	}
	return 0;
}

static int set_verify(struct parser *parser, struct entry *entry, void *object)
{
	struct instruction *row = object;
	int word;

	if (!strncmp(entry->value, "near=", 5)) {
		row->verify = VERIFY_NEAR;
		return entry_number(parser, entry, VALUE_FLOAT, entry->value + 5,
				    &row->verify_near);
	}
	word = word_find(verify_method_names, entry->value);
	if (word < 0 || word == VERIFY_NEAR)
		return parser_fail(parser, entry->line,
				   "verify = %.*s: must be same | exact | near=NUMBER | none",
				   TABLE_QUOTE, entry->value);
	row->verify = (enum verify_method)word;
	return 0;
}

static int set_step(struct parser *parser, struct entry *entry, void *object)
{
	struct instruction *row = object;
	int err = entry_number(parser, entry, VALUE_FLOAT, entry->value, &row->step);

	if (!err && row->step <= 0)
		err = parser_fail(parser, entry->line, "step = %.*s: must be above 0", TABLE_QUOTE,
				  entry->value);
	return err;
}

/* NAME:TYPE or NAME:TYPE:UNIT */
static int field_parse(struct parser *parser, const struct entry *entry, char *text,
		       struct instruction *row)
{
	struct field *field = &row->field[row->fields];
	const char *name = strsep(&text, ":"), *type = strsep(&text, ":"), *unit = text ? text : "";
	int word = type ? word_find(field_type_names, type) : -1;

	if (!text_is_identifier(name) || strlen(name) >= sizeof(field->name) || word < 0 ||
	    strlen(unit) >= sizeof(field->unit))
		return parser_fail(
			parser, entry->line,
			"fields: '%.*s' is not NAME:TYPE or NAME:TYPE:UNIT with f32, u8 or u16be",
			TABLE_QUOTE, name);
	for (int i = 0; i < row->fields; i++)
		if (!strcmp(row->field[i].name, name))
			return parser_fail(parser, entry->line, "fields: '%s' comes twice", name);
	memcpy(field->name, name, strlen(name) + 1);
	memcpy(field->unit, unit, strlen(unit) + 1);
	field->type = (enum field_type)word;
	row->fields++;
	return 0;
}

static int set_fields(struct parser *parser, struct entry *entry, void *object)
{
	struct instruction *row = object;
	char *rest = entry->value, *word;
	bool repeated = false;
	int rc;

	row->fields = 0;
	while ((word = next_word(&rest))) {
		if (repeated)
			return parser_fail(parser, entry->line, "fields: nothing may follow '...'");
		repeated = !strcmp(word, "...");
		if (repeated && row->fields != 1)
			return parser_fail(parser, entry->line, "fields: '...' repeats one field");
		if (repeated)
			continue;
		if (row->fields == INSTRUCTION_FIELD_MAX)
			return parser_fail(parser, entry->line, "fields: more than %d",
					   INSTRUCTION_FIELD_MAX);
		rc = field_parse(parser, entry, word, row);
		if (rc < 0)
			return rc;
	}
	if (repeated)
		row->fields = 0;
	row->array = true;
	return 0;
}

static int set_identity(struct parser *parser, struct entry *entry, void *object)
{
	struct model *model = object;

	for (char *c = entry->value; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	return entry_copy(parser, entry, model->identity, sizeof(model->identity));
}

static int set_address(struct parser *parser, struct entry *entry, void *object)
{
	struct model *model = object;
	double number;
	int rc = entry_number(parser, entry, VALUE_INT, entry->value, &number);

	if (rc < 0)
		return rc;
	if (number < 1 || number > FRAME_UNIT_MAX)
		return parser_fail(parser, entry->line, "address: must be 1 to %d", FRAME_UNIT_MAX);
	model->address = (uint8_t)number;
	return 0;
}

static int set_sensors(struct parser *parser, struct entry *entry, void *object)
{
	struct model *model = object;
	double number;
	int rc = entry_number(parser, entry, VALUE_INT, entry->value, &number);

	if (rc < 0)
		return rc;
	if (number < 0 || number > SENSORS_MAX)
		return parser_fail(parser, entry->line, "sensors: must be 0 to %d", SENSORS_MAX);
	model->has_sensors = true;
	model->sensors = (uint8_t)number;
	return 0;
}

/* A name of a row, followed by < or <= or the end. */
static int order_member(struct parser *parser, const struct entry *entry, struct order *order,
			const char *name, const char *relation)
{
	const struct instruction_table *table = parser->table;
	int row = instruction_find(table, name);

	if (order->members == ORDER_MEMBER_MAX)
		return parser_fail(parser, entry->line, "order: more than %d members",
				   ORDER_MEMBER_MAX);
	if (relation && strcmp(relation, "<") && strcmp(relation, "<="))
		return parser_fail(parser, entry->line,
				   "order: '%.*s' must be < or <=", TABLE_QUOTE, relation);
	if (row < 0)
		return parser_fail(parser, entry->line,
				   "order: no section before this one describes '%.*s'",
				   TABLE_QUOTE, name);
	if (!table->row[row].writable)
		return parser_fail(parser, entry->line, "order: %s cannot be written",
				   table->row[row].mnemonic);
	for (unsigned i = 0; i < order->members; i++)
		if (order->member[i].row == row)
			return parser_fail(parser, entry->line, "order: %s comes twice", name);
	order->member[order->members].row = (uint16_t)row;
	order->member[order->members].or_equal = relation && relation[1];
	order->members++;
	return 0;
}

static int set_order(struct parser *parser, struct entry *entry, void *object)
{
	struct order *order = object;
	char *rest = entry->value, *name, *relation;
	int rc;

	order->members = 0;
	do {
		name = next_word(&rest);
		relation = next_word(&rest);
		if (!name)
			return parser_fail(parser, entry->line,
					   "order: a name is missing at the end");
		rc = order_member(parser, entry, order, name, relation);
		if (rc < 0)
			return rc;
	} while (relation);
	if (order->members < 2)
		return parser_fail(parser, entry->line, "order: needs two names at least");
	return 0;
}

_Static_assert(sizeof(enum value_type) == sizeof(unsigned) &&
		       sizeof(enum instruction_class) == sizeof(unsigned) &&
		       sizeof(enum reply_header) == sizeof(unsigned),
	       "set_word() writes them as unsigned");

#define TEXT(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)
#define WORD(member, list) \
	.set = set_word, .words = list, .offset = offsetof(struct instruction, member)
#define SWITCH(member, list) \
	.set = set_switch, .words = list, .offset = offsetof(struct instruction, member)
#define VARIANT_SWITCH(member, list)              \
	.set = set_variant_switch, .words = list, \
	.offset = offsetof(struct instruction_variant, member), .per_model = true

const struct key row_keys[] = {
	{ .name = "name", TEXT(struct instruction, name), .required = true },
	{ .name = "description", TEXT(struct instruction, description) },
	{ .name = "category", .set = set_category, .required = true },
	{ .name = "type", WORD(type, value_type_names), .required = true },
	{ .name = "unit", TEXT(struct instruction, unit) },
	{ .name = "access", SWITCH(writable, access_names) },
	{ .name = "locked", SWITCH(locked, switch_names) },
	{ .name = "class", WORD(class, instruction_class_names) },
	{ .name = "consuming", SWITCH(consuming, switch_names) },
	{ .name = "verify", .set = set_verify },
	{ .name = "step", .set = set_step },
	{ .name = "pattern", TEXT(struct instruction, pattern) },
	{ .name = "header", WORD(header, reply_header_names) },
	{ .name = "fields", .set = set_fields },
	{ .name = "frames", VARIANT_SWITCH(one_frame, frames_names) },
	{ .name = "trim", VARIANT_SWITCH(trim, switch_names) },
	{ .name = "padded", SWITCH(padded, switch_names) },
	{ .name = "blank", SWITCH(blank, switch_names) },
	{ .name = "models", .set = set_models },
	{ .name = "min", .set = set_min, .per_model = true },
	{ .name = "max", .set = set_max, .per_model = true },
	{ .name = "default", .set = set_default, .per_model = true },
	{ .name = NULL },
};

#define ROW_KEYS       (sizeof(row_keys) / sizeof(row_keys[0]) - 1)
#define PER_MODEL_KEYS 5
_Static_assert(ROW_KEYS + PER_MODEL_KEYS * MODEL_MAX <= TABLE_ENTRIES, "a section may not fit");

const struct key model_keys[] = {
	{ .name = "description", TEXT(struct model, description), .required = true },
	{ .name = "identity", .set = set_identity },
	{ .name = "address", .set = set_address, .required = true },
	{ .name = "sensors", .set = set_sensors },
	{ .name = NULL },
};

const struct key order_keys[] = {
	{ .name = "order", .set = set_order, .required = true },
	{ .name = NULL },
};

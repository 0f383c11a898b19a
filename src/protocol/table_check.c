/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "table_parser.h"

#include <fnmatch.h>
#include <string.h>

#include "protocol/metric.h"
#include "protocol/value.h"

/* The line to blame for what one of the keys @names did to a variant: the last that is there. */
static unsigned section_line(struct parser *parser, const char *const names[], int variant)
{
	unsigned line = 0;

	for (; *names; names++) {
		const struct entry *entry = parser_find(parser, *names, variant - 1);

		if (!entry)
			entry = parser_find(parser, *names, MODEL_UNKNOWN);
		if (entry && entry->line > line)
			line = entry->line;
	}
	return line ? line : parser->section;
}

static int check_default(struct parser *parser, const struct instruction *row, int variant)
{
	static const char *const range[] = { "min", "max", "default", "type", NULL };
	static const char *const form[] = { "default", "type", "pattern", NULL };
	const struct instruction_variant *v = &row->variant[variant];
	struct entry entry = { .key = &(const struct key){ .name = "default" } };
	double number;
	int32_t seconds;
	int rc;

	entry.line = section_line(parser, form, variant);
	if (row->type == VALUE_TEXT || row->type == VALUE_CLOCK) {
		if (row->type == VALUE_TEXT ? !fnmatch(row->pattern, v->def, 0)
					    : !value_parse_clock(v->def, strlen(v->def), &seconds))
			return 0;
		return parser_fail(parser, entry.line, "default: '%s' is no such %s", v->def,
				   value_type_names[row->type]);
	}
	rc = entry_number(parser, &entry, row->type, v->def, &number);
	if (rc < 0)
		return rc;
	/* An own file may narrow the limits without denying what the factory set. */
	if (!parser_find(parser, "default", variant - 1) &&
	    !parser_find(parser, "default", MODEL_UNKNOWN))
		return 0;
	if ((v->has_min && number < v->min) || (v->has_max && number > v->max))
		return parser_fail(parser, section_line(parser, range, variant),
				   "default: %s is out of range", v->def);
	return 0;
}

static int check_variant(struct parser *parser, const struct instruction *row, int variant)
{
	static const char *const range[] = { "min", "max", "type", NULL };
	static const char *const trim[] = { "trim", NULL };
	const struct instruction_variant *v = &row->variant[variant];

	if ((v->has_min || v->has_max) && row->type != VALUE_FLOAT && row->type != VALUE_INT)
		return parser_fail(parser, section_line(parser, range, variant),
				   "min and max do not fit type = %s", value_type_names[row->type]);
	if (v->has_min && v->has_max && v->min > v->max)
		return parser_fail(parser, section_line(parser, range, variant),
				   "min is greater than max");
	if (v->trim && !(row->array && !row->fields && v->has_min && v->has_max))
		return parser_fail(parser, section_line(parser, trim, variant),
				   "trim needs a field that repeats, min and max");
	return v->has_default ? check_default(parser, row, variant) : 0;
}

static bool verify_fits(const struct instruction *row)
{
	switch (row->verify) {
	case VERIFY_SAME:
		return row->type == VALUE_FLOAT;
	case VERIFY_EXACT:
		return row->type == VALUE_INT || row->type == VALUE_TEXT;
	case VERIFY_NEAR:
		return row->type != VALUE_TEXT && row->verify_near >= 0;
	case VERIFY_NONE:
		return true;
	}
	return false;
}

/* The unit is a part of the name: two fields may be called differently and make one family. */
static int check_families(struct parser *parser, const struct instruction *row)
{
	static const char *const fields[] = { "fields", NULL };
	char name[METRIC_NAME_MAX], other[METRIC_NAME_MAX];

	for (int i = 0; i < row->fields; i++) {
		metric_family(row, &row->field[i], name);
		for (int j = 0; j < i; j++) {
			metric_family(row, &row->field[j], other);
			if (!strcmp(name, other))
				return parser_fail(parser, section_line(parser, fields, 0),
						   "fields: '%s' and '%s' both are %s in the "
						   "metrics; rename one",
						   row->field[j].name, row->field[i].name, name);
		}
	}
	return 0;
}

static int check_name(struct parser *parser, const struct instruction *row)
{
	static const char *const names[] = { "name", NULL };
	static const char *const labels[] = { "name", "class", "type", NULL };
	unsigned line = section_line(parser, labels, 0);
	char label[METRIC_NAME_MAX];

	if (!strpbrk(row->name, TABLE_LOWER TABLE_UPPER TABLE_DIGITS))
		return parser_fail(parser, section_line(parser, names, 0),
				   "name: '%s' has no letter and no digit; add one", row->name);
	if (!metric_is_identity(row))
		return 0;
	if (!metric_label(row, label))
		return parser_fail(parser, line,
				   "name: '%s' is not a label for bms_info; start it with a letter",
				   row->name);
	for (int i = 0; metric_info_labels[i]; i++)
		if (!strcmp(label, metric_info_labels[i]))
			return parser_fail(parser, line,
					   "name: bms_info has a label %s already; rename this",
					   label);
	return 0;
}

/* Whether some model has both. */
static bool meet(const struct instruction *one, const struct instruction *other)
{
	for (int model = 0; model < MODEL_MAX; model++)
		if (instruction_variant(one, model)->present &&
		    instruction_variant(other, model)->present)
			return true;
	return false;
}

int names_check(struct parser *parser)
{
	const struct instruction_table *table = parser->table;
	char label[METRIC_NAME_MAX], other[METRIC_NAME_MAX];

	for (size_t i = 0; i < table->rows; i++) {
		const struct instruction *row = &table->row[i];

		if (!metric_is_identity(row) || !metric_label(row, label))
			continue;
		for (size_t j = 0; j < i; j++) {
			unsigned line = parser->row_line[i];

			if (!metric_is_identity(&table->row[j]) ||
			    !metric_label(&table->row[j], other) || strcmp(label, other) ||
			    !meet(row, &table->row[j]))
				continue;
			if (parser->row_line[j] > line)
				line = parser->row_line[j];
			return parser_fail(
				parser, line,
				"name: [%s] and [%s] both have the label %s in bms_info; "
				"rename one",
				table->row[j].mnemonic, row->mnemonic, label);
		}
	}
	return 0;
}

int row_check(struct parser *parser, const struct instruction *row)
{
	static const char *const verify[] = { "verify", "type", NULL };
	static const char *const step[] = { "step", "verify", "access", NULL };
	static const char *const pattern[] = { "access", "pattern", "type", NULL };
	static const char *const array[] = { "fields", "header", "access", NULL };
	static const char *const padded[] = { "padded", "fields", NULL };
	static const char *const blank[] = { "blank", "type", "fields", NULL };
	int rc;

	if (row->writable && !verify_fits(row))
		return parser_fail(parser, section_line(parser, verify, 0),
				   "verify = %s does not fit type = %s",
				   verify_method_names[row->verify], value_type_names[row->type]);
	if (row->step > 0 && !(row->writable && row->verify == VERIFY_SAME))
		return parser_fail(parser, section_line(parser, step, 0),
				   "step needs access = rw and verify = same");
	if (row->writable && row->type == VALUE_TEXT && !row->pattern[0])
		return parser_fail(parser, section_line(parser, pattern, 0),
				   "a text that can be written needs a pattern");
	if (row->array != (row->header != HEADER_NONE))
		return parser_fail(parser, section_line(parser, array, 0),
				   "fields and header = bytes | units belong together");
	if (row->array && (row->writable || row->type == VALUE_TEXT || row->type == VALUE_CLOCK))
		return parser_fail(parser, section_line(parser, array, 0),
				   "what has fields is a number and cannot be written");
	if (row->padded && (!row->array || row->fields))
		return parser_fail(parser, section_line(parser, padded, 0),
				   "padded needs a field that repeats");
	if (row->blank && row->type != VALUE_TEXT)
		return parser_fail(parser, section_line(parser, blank, 0),
				   "blank does not fit type = %s", value_type_names[row->type]);
	rc = check_name(parser, row);
	if (!rc)
		rc = check_families(parser, row);
	if (rc < 0)
		return rc;
	for (int variant = 0; variant < INSTRUCTION_VARIANTS; variant++) {
		rc = check_variant(parser, row, variant);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* What a new row has where its section says nothing. */
void row_complete(struct parser *parser, struct instruction *row)
{
	if (!parser_find(parser, "class", MODEL_UNKNOWN))
		row->class = row->writable ? CLASS_SETTING : CLASS_LIVE;
	if (parser_find(parser, "verify", MODEL_UNKNOWN))
		return;
	row->verify = row->type == VALUE_FLOAT ? VERIFY_SAME : VERIFY_EXACT;
	if (row->type == VALUE_CLOCK) {
		row->verify = VERIFY_NEAR;
		row->verify_near = 5;
	}
}

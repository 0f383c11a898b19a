/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "list.h"

#include <errno.h>
#include <string.h>

#include "protocol/value.h"

/* All but the name, which stands last and needs no width. */
enum { COLUMN_MNEMONIC, COLUMN_ACCESS, COLUMN_UNIT, COLUMN_RANGE, COLUMN_DEFAULT, COLUMNS };

#define CELL_SIZE (2 * VALUE_TEXT_MAX + 8)

static const char *const headings[COLUMNS] = {
	[COLUMN_MNEMONIC] = "MNEMONIC", [COLUMN_ACCESS] = "ACCESS",   [COLUMN_UNIT] = "UNIT",
	[COLUMN_RANGE] = "RANGE",       [COLUMN_DEFAULT] = "DEFAULT",
};

static bool row_is_listed(const struct instruction *row, const struct list_options *options)
{
	return (row->writable || !options->writable) &&
	       (!options->category || !strcmp(row->category, options->category));
}

static bool category_exists(const struct instruction_table *table, const char *category)
{
	for (size_t i = 0; i < table->rows; i++)
		if (!strcmp(table->row[i].category, category))
			return true;
	return false;
}

static const char *row_access(const struct instruction *row)
{
	if (!row->writable)
		return "ro";
	return row->locked ? "locked" : "rw";
}

/* A number in the type of the row; empty if it is not given. */
static void format_limit(char text[VALUE_TEXT_MAX], const struct instruction *row, bool given,
			 double number)
{
	int rc;

	text[0] = 0;
	if (!given)
		return;
	if (row->type == VALUE_INT)
		rc = value_format_int(text, VALUE_TEXT_MAX, (int64_t)number);
	else
		rc = value_format_float(text, VALUE_TEXT_MAX, (float)number);
	if (rc < 0)
		text[0] = 0;
}

/* What of an array is called a range bounds sensors, not what may be written. */
static void format_range(char cell[CELL_SIZE], const struct instruction *row)
{
	const struct instruction_variant *variant = instruction_variant(row, MODEL_UNKNOWN);
	char min[VALUE_TEXT_MAX], max[VALUE_TEXT_MAX];

	if (row->array || !(variant->has_min || variant->has_max)) {
		snprintf(cell, CELL_SIZE, "-");
		return;
	}
	format_limit(min, row, variant->has_min, variant->min);
	format_limit(max, row, variant->has_max, variant->max);
	snprintf(cell, CELL_SIZE, "%s..%s", min, max);
}

static void format_cell(char cell[CELL_SIZE], const struct instruction *row, int column)
{
	const struct instruction_variant *variant = instruction_variant(row, MODEL_UNKNOWN);
	const char *text[COLUMNS] = {
		[COLUMN_MNEMONIC] = row->mnemonic,
		[COLUMN_ACCESS] = row_access(row),
		[COLUMN_UNIT] = row->unit[0] ? row->unit : "-",
		[COLUMN_DEFAULT] = variant->has_default ? variant->def : "-",
	};

	if (column == COLUMN_RANGE)
		format_range(cell, row);
	else
		snprintf(cell, CELL_SIZE, "%s", text[column]);
}

static void measure_columns(const struct instruction_table *table,
			    const struct list_options *options, int width[COLUMNS])
{
	char cell[CELL_SIZE];

	for (int column = 0; column < COLUMNS; column++) {
		width[column] = (int)strlen(headings[column]);
		for (size_t i = 0; i < table->rows; i++) {
			if (!row_is_listed(&table->row[i], options))
				continue;
			format_cell(cell, &table->row[i], column);
			if ((int)strlen(cell) > width[column])
				width[column] = (int)strlen(cell);
		}
	}
}

static void print_columns(FILE *out, const struct instruction_table *table,
			  const struct list_options *options)
{
	char cell[CELL_SIZE];
	int width[COLUMNS];

	measure_columns(table, options, width);
	for (int column = 0; column < COLUMNS; column++)
		fprintf(out, "%-*s  ", width[column], headings[column]);
	fprintf(out, "NAME\n");
	for (size_t i = 0; i < table->rows; i++) {
		if (!row_is_listed(&table->row[i], options))
			continue;
		for (int column = 0; column < COLUMNS; column++) {
			format_cell(cell, &table->row[i], column);
			fprintf(out, "%-*s  ", width[column], cell);
		}
		fprintf(out, "%s\n", table->row[i].name);
	}
}

static void json_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < ' ' || c > '~')
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static void json_key_string(FILE *out, const char *key, const char *text)
{
	fprintf(out, ", \"%s\": ", key);
	json_string(out, text);
}

static void json_key_bool(FILE *out, const char *key, bool value)
{
	fprintf(out, ", \"%s\": %s", key, value ? "true" : "false");
}

static void json_key_limit(FILE *out, const char *key, const struct instruction *row, bool given,
			   double number)
{
	char text[VALUE_TEXT_MAX];

	format_limit(text, row, given, number);
	fprintf(out, ", \"%s\": %s", key, text[0] ? text : "null");
}

/* The text of a number may have zeros in front, which JSON forbids, so it is formatted anew. */
static void json_key_default(FILE *out, const struct instruction *row,
			     const struct instruction_variant *variant)
{
	size_t size = strlen(variant->def);
	int64_t whole;
	float real;

	if (!variant->has_default)
		fprintf(out, ", \"default\": null");
	else if (row->type == VALUE_INT && !value_parse_int(variant->def, size, &whole))
		json_key_limit(out, "default", row, true, (double)whole);
	else if (row->type == VALUE_FLOAT && !value_parse_float(variant->def, size, &real))
		json_key_limit(out, "default", row, true, (double)real);
	else
		json_key_string(out, "default", variant->def);
}

/* The keys that models may differ in; of each only what is not as in @plain, if that is given. */
static void json_variant(FILE *out, const struct instruction *row,
			 const struct instruction_variant *variant,
			 const struct instruction_variant *plain)
{
	if (!plain || variant->has_min != plain->has_min || variant->min != plain->min)
		json_key_limit(out, "min", row, variant->has_min, variant->min);
	if (!plain || variant->has_max != plain->has_max || variant->max != plain->max)
		json_key_limit(out, "max", row, variant->has_max, variant->max);
	if (!plain || strcmp(variant->def, plain->def))
		json_key_default(out, row, variant);
	if (!plain || variant->one_frame != plain->one_frame)
		json_key_string(out, "frames", variant->one_frame ? "1" : "header");
	if (!plain || variant->trim != plain->trim)
		json_key_bool(out, "trim", variant->trim);
}

static void json_variants(FILE *out, const struct instruction_table *table,
			  const struct instruction *row)
{
	fprintf(out, ", \"variants\": [");
	for (size_t i = 0; i < table->models; i++) {
		fprintf(out, "%s{\"model\": ", i ? ", " : "");
		json_string(out, table->model[i].name);
		json_key_bool(out, "present", instruction_variant(row, (int)i)->present);
		json_variant(out, row, instruction_variant(row, (int)i),
			     instruction_variant(row, MODEL_UNKNOWN));
		fputc('}', out);
	}
	fputc(']', out);
}

static void json_fields(FILE *out, const struct instruction *row)
{
	unsigned fields = row->fields || !row->array ? row->fields : 1;

	json_key_bool(out, "repeats", row->array && !row->fields);
	fprintf(out, ", \"fields\": [");
	for (unsigned i = 0; i < fields; i++) {
		fprintf(out, "%s{\"name\": ", i ? ", " : "");
		json_string(out, row->field[i].name);
		json_key_string(out, "type", field_type_names[row->field[i].type]);
		json_key_string(out, "unit", row->field[i].unit);
		fputc('}', out);
	}
	fputc(']', out);
}

static void json_verify(FILE *out, const struct instruction *row)
{
	char text[VALUE_TEXT_MAX];

	if (!row->writable)
		return;
	json_key_string(out, "verify", verify_method_names[row->verify]);
	if (row->verify == VERIFY_NEAR &&
	    value_format_float(text, sizeof(text), (float)row->verify_near) > 0)
		fprintf(out, ", \"near\": %s", text);
	if (row->step > 0 && value_format_float(text, sizeof(text), (float)row->step) > 0)
		fprintf(out, ", \"step\": %s", text);
}

static void json_row(FILE *out, const struct instruction_table *table,
		     const struct instruction *row)
{
	fprintf(out, "{\"mnemonic\": ");
	json_string(out, row->mnemonic);
	json_key_string(out, "file", row->file);
	json_key_string(out, "name", row->name);
	json_key_string(out, "description", row->description);
	json_key_string(out, "category", row->category);
	json_key_string(out, "type", value_type_names[row->type]);
	json_key_string(out, "unit", row->unit);
	json_key_string(out, "access", row->writable ? "rw" : "ro");
	json_key_bool(out, "locked", row->locked);
	json_key_string(out, "class", instruction_class_names[row->class]);
	json_key_bool(out, "consuming", row->consuming);
	json_key_bool(out, "padded", row->padded);
	json_key_bool(out, "blank", row->blank);
	json_key_string(out, "pattern", row->pattern);
	json_verify(out, row);
	json_key_string(out, "header", reply_header_names[row->header]);
	json_fields(out, row);
	json_variant(out, row, instruction_variant(row, MODEL_UNKNOWN), NULL);
	json_variants(out, table, row);
	fputc('}', out);
}

static void print_json(FILE *out, const struct instruction_table *table,
		       const struct list_options *options)
{
	const char *between = "\n";

	fputc('[', out);
	for (size_t i = 0; i < table->rows; i++) {
		if (!row_is_listed(&table->row[i], options))
			continue;
		fputs(between, out);
		json_row(out, table, &table->row[i]);
		between = ",\n";
	}
	fputs("\n]\n", out);
}

int list_print(FILE *out, const struct instruction_table *table, const struct list_options *options)
{
	if (options->category && !category_exists(table, options->category))
		return -ENOENT;
	if (options->json)
		print_json(out, table, options);
	else
		print_columns(out, table, options);
	return fflush(out) || ferror(out) ? -EIO : 0;
}

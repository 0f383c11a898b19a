// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * Any file as an extension of the built-in instruction table: either it is refused with its line, or
 * the table is one that the rest of the program can live with.
 */
#include "fuzz.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "protocol/setting.h"

#define FILE_NAME "own.ini"

/* The built-in table, and the one to work with: a copy of it, but its rows stay where they are. */
static struct instruction_table builtin, table;
static struct instruction *rows;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct table_error error;

	(void)argc;
	(void)argv;
	CHECK(!instruction_table_init(&builtin, &error));
	CHECK(!instruction_table_init(&table, &error));
	rows = table.row;
	return 0;
}

static void table_restore(void)
{
	table = builtin;
	table.row = rows;
	memcpy(rows, builtin.row, builtin.rows * sizeof(*rows));
}

#define CHECK_TEXT(text) check_text(text, sizeof(text))

static void check_text(const char *text, size_t size)
{
	CHECK(memchr(text, '\0', size));
	for (; *text; text++)
		CHECK((*text >= ' ' && *text <= '~') || *text == '\t');
}

/* "own.ini:LINE: reason", with a line that there is. */
static void check_error(const struct table_error *error, const uint8_t *data, size_t size)
{
	static const char start[] = FILE_NAME ":";
	unsigned long line, lines = 1;
	char *end;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	CHECK_TEXT(error->text);
	CHECK(!strncmp(error->text, start, sizeof(start) - 1));
	line = strtoul(error->text + sizeof(start) - 1, &end, 10);
	CHECK(line >= 1 && line <= lines);
	CHECK(!strncmp(end, ": ", 2) && end[2]);
}

static void check_fields(const struct instruction *row)
{
	unsigned fields = row->fields ? row->fields : 1;

	CHECK(row->fields <= INSTRUCTION_FIELD_MAX);
	for (unsigned i = 0; i < fields; i++) {
		CHECK_TEXT(row->field[i].name);
		CHECK_TEXT(row->field[i].unit);
		CHECK(row->field[i].name[0] && row->field[i].type <= FIELD_U16BE);
	}
}

static void check_variant(const struct instruction *row, int model)
{
	const struct instruction_variant *variant = instruction_variant(row, model);
	struct setting setting;

	CHECK(isfinite(variant->min) && isfinite(variant->max));
	CHECK(!variant->has_min || !variant->has_max || variant->min <= variant->max);
	CHECK(!variant->trim || (row->array && variant->has_min && variant->has_max));
	CHECK_TEXT(variant->def);
	/* The factory's value may lie outside the range that an own file allows. */
	if (variant->has_default)
		CHECK(setting_parse(row, model, variant->def, strlen(variant->def), &setting) !=
			      -EINVAL ||
		      !row->writable);
}

static void check_row(int place)
{
	const struct instruction *row = &table.row[place];
	char payload[16];

	CHECK_TEXT(row->name);
	CHECK_TEXT(row->description);
	CHECK_TEXT(row->category);
	CHECK_TEXT(row->unit);
	CHECK_TEXT(row->pattern);
	CHECK(row->name[0] && row->category[0]);
	CHECK(instruction_find(&table, row->mnemonic) == place);
	CHECK(instruction_find(&table, row->file) == place);
	CHECK(instruction_query(row, payload) == strlen(row->mnemonic) + 1);
	CHECK(row->type <= VALUE_CLOCK && row->class <= CLASS_IDENTITY);
	CHECK(row->verify <= VERIFY_NONE && isfinite(row->verify_near));
	CHECK(row->array == (row->header != HEADER_NONE) && !(row->array && row->writable));
	CHECK(!row->writable || row->type != VALUE_TEXT || row->pattern[0]);
	if (row->array)
		check_fields(row);
	for (int model = MODEL_UNKNOWN; model < (int)table.models; model++)
		check_variant(row, model);
}

static void check_model(int place)
{
	const struct model *model = &table.model[place];

	CHECK_TEXT(model->name);
	CHECK_TEXT(model->description);
	CHECK_TEXT(model->identity);
	CHECK(model_find(&table, model->name) == place);
	CHECK(model->address >= 1 && model->address <= 127);
}

static void check_order(const struct order *order)
{
	CHECK_TEXT(order->name);
	CHECK(order->members >= 2 && order->members <= ORDER_MEMBER_MAX);
	for (unsigned i = 0; i < order->members; i++) {
		const struct instruction *row = &table.row[order->member[i].row];

		CHECK(order->member[i].row < table.rows);
		CHECK(!row->array && (row->type == VALUE_FLOAT || row->type == VALUE_INT));
	}
}

static void check_table(void)
{
	CHECK(table.rows >= builtin.rows && table.rows <= INSTRUCTION_MAX);
	CHECK(table.models >= builtin.models && table.models <= MODEL_MAX);
	CHECK(table.orders >= builtin.orders && table.orders <= ORDER_MAX);
	/* Those that cannot have changed need no second look. */
	for (size_t i = 0; i < table.rows; i++)
		if (i >= builtin.rows || table.models > builtin.models ||
		    memcmp(&rows[i], &builtin.row[i], sizeof(rows[i])))
			check_row((int)i);
	for (size_t i = 0; i < table.models; i++)
		check_model((int)i);
	for (size_t i = 0; i < table.orders; i++)
		check_order(&table.order[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct table_error error;
	int ret;

	table_restore();
	ret = instruction_table_add(&table, FILE_NAME, (const char *)data, size, &error);
	if (ret) {
		CHECK(ret == -EINVAL);
		check_error(&error, data, size);
		return 0;
	}
	CHECK(!error.text[0]);
	check_table();

	/* A second file may name sections of the first. */
	ret = instruction_table_add(&table, FILE_NAME, (const char *)data, size, &error);
	if (ret)
		check_error(&error, data, size);
	else
		check_table();
	return 0;
}

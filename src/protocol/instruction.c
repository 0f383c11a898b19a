/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "protocol/instruction.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "protocol/frame.h"
#include "table_parser.h"

const char *const value_type_names[] = { "float", "int", "text", "clock", NULL };
const char *const instruction_class_names[] = { "live", "setting", "identity", NULL };
const char *const reply_header_names[] = { "none", "bytes", "units", NULL };
const char *const verify_method_names[] = { "same", "exact", "near", "none", NULL };
const char *const field_type_names[] = { "f32", "u8", "u16be", NULL };

int instruction_table_init(struct instruction_table *table, struct table_error *error)
{
	int rc;

	memset(table, 0, sizeof(*table));
	error->text[0] = 0;
	table->row = calloc(INSTRUCTION_MAX, sizeof(*table->row));
	if (!table->row)
		return -ENOMEM;
	rc = instruction_table_add(table, "instructions.ini", instruction_builtin,
				   instruction_builtin_size, error);
	if (rc < 0)
		instruction_table_free(table);
	return rc;
}

void instruction_table_free(struct instruction_table *table)
{
	free(table->row);
	memset(table, 0, sizeof(*table));
}

/*
 * An unknown model may be any of them, so the smallest number of sensors that a model states holds.
 * Returns false if none is stated.
 */
static bool model_sensors(const struct instruction_table *table, int model, uint8_t *sensors)
{
	bool stated = table->has_sensors;

	*sensors = table->has_sensors ? table->sensors : UINT8_MAX;
	for (size_t i = 0; !table->has_sensors && i < table->models; i++) {
		if (!table->model[i].has_sensors || (model != MODEL_UNKNOWN && model != (int)i))
			continue;
		stated = true;
		if (table->model[i].sensors < *sensors)
			*sensors = table->model[i].sensors;
	}
	return stated;
}

void instruction_table_limit(struct instruction_table *table)
{
	for (size_t row = 0; row < table->rows; row++)
		for (int model = MODEL_UNKNOWN; model < (int)table->models; model++) {
			struct instruction_variant *variant = &table->row[row].variant[1 + model];

			variant->limited = table->row[row].padded &&
					   model_sensors(table, model, &variant->limit);
		}
}

void instruction_table_set_sensors(struct instruction_table *table, uint8_t sensors)
{
	table->has_sensors = true;
	table->sensors = sensors;
	instruction_table_limit(table);
}

int instruction_find(const struct instruction_table *table, const char *name)
{
	for (size_t i = 0; i < table->rows; i++)
		if (!strcmp(table->row[i].mnemonic, name) || !strcmp(table->row[i].file, name))
			return (int)i;
	return -1;
}

int model_find(const struct instruction_table *table, const char *name)
{
	for (size_t i = 0; i < table->models; i++)
		if (!strcmp(table->model[i].name, name))
			return (int)i;
	return MODEL_UNKNOWN;
}

int model_named(const struct instruction_table *table, const char *name)
{
	for (size_t i = 0; i < table->models; i++)
		if (!strcasecmp(table->model[i].name, name))
			return (int)i;
	return MODEL_UNKNOWN;
}

/*
 * Of several models that fit the last is meant, so that users' own come before the built-in ones.
 */
int model_identify(const struct instruction_table *table, const char *identity)
{
	char folded[FRAME_PAYLOAD_MAX + 1];
	size_t length = 0;

	for (; identity[length] && length < sizeof(folded) - 1; length++)
		folded[length] = (char)toupper((unsigned char)identity[length]);
	folded[length] = 0;
	for (size_t i = table->models; i-- > 0;)
		if (table->model[i].identity[0] && !fnmatch(table->model[i].identity, folded, 0))
			return (int)i;
	return MODEL_UNKNOWN;
}

size_t instruction_query(const struct instruction *row, char payload[16])
{
	return (size_t)snprintf(payload, 16, "%s?", row->mnemonic);
}

size_t instruction_set(const struct instruction *row, const char *value, char payload[64])
{
	int length = snprintf(payload, 64, "%s %s", row->mnemonic, value);

	return length > 0 && length < 64 ? (size_t)length : 0;
}

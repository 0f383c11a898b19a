/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "table_parser.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry *parser_find(struct parser *parser, const char *name, int model)
{
	for (size_t i = 0; i < parser->entries; i++)
		if (!strcmp(parser->entry[i].key->name, name) && parser->entry[i].model == model)
			return &parser->entry[i];
	return NULL;
}

bool text_is_all(const char *text, const char *allowed)
{
	return *text && !text[strspn(text, allowed)];
}

bool text_is_identifier(const char *text)
{
	return strchr(TABLE_LOWER, *text) && text_is_all(text, TABLE_LOWER TABLE_DIGITS "_");
}

int entry_copy(struct parser *parser, const struct entry *entry, char *to, size_t size)
{
	size_t length = strlen(entry->value);

	if (length >= size)
		return parser_fail(parser, entry->line, "%s: longer than %zu characters",
				   entry->key->name, size - 1);
	memcpy(to, entry->value, length + 1);
	return 0;
}

static int entry_apply(struct parser *parser, struct entry *entry, void *object)
{
	if (entry->key->set)
		return entry->key->set(parser, entry, object);
	return entry_copy(parser, entry, (char *)object + entry->key->offset, entry->key->size);
}

/* Adds @word to a list in @text, unless it is there. What does not fit is left out. */
static void list_add(char *text, size_t size, const char *word)
{
	size_t used = strlen(text);
	const char *there = strstr(text, word);

	if (!there && used + strlen(word) + sizeof(", ") <= size)
		snprintf(text + used, size - used, "%s%s", used ? ", " : "", word);
}

static int key_missing(struct parser *parser, const struct key *key)
{
	const struct instruction_table *table = parser->table;
	char words[160] = "";

	for (size_t i = 0; key->words && key->words[i]; i++)
		list_add(words, sizeof(words), key->words[i]);
	for (size_t i = 0; !strcmp(key->name, "category") && i < table->rows; i++)
		list_add(words, sizeof(words), table->row[i].category);
	return parser_fail(parser, parser->section, "[%s] has no '%s', which is required%s%s",
			   parser->name, key->name, *words ? "; there are " : "", words);
}

/* Fills @object from the entries of the open section, for each key the plain one first. */
static int section_apply(struct parser *parser, void *object, bool is_new)
{
	for (const struct key *key = parser->keys; key->name; key++) {
		if (is_new && key->required && !parser_find(parser, key->name, MODEL_UNKNOWN))
			return key_missing(parser, key);
		for (int model = MODEL_UNKNOWN; model < MODEL_MAX; model++) {
			struct entry *entry = parser_find(parser, key->name, model);
			int rc = entry ? entry_apply(parser, entry, object) : 0;

			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

static int row_find(const struct instruction_table *table, const char *mnemonic)
{
	for (size_t i = 0; i < table->rows; i++)
		if (!strcmp(table->row[i].mnemonic, mnemonic))
			return (int)i;
	return -1;
}

/* Starts a row for the open section. Returns its place or -EINVAL. */
static int row_create(struct parser *parser)
{
	struct instruction_table *table = parser->table;
	const char *mnemonic = parser->name, *file = mnemonic + (mnemonic[0] == '*');
	struct instruction *row;
	int taken = instruction_find(table, file);

	if (!text_is_all(file, TABLE_UPPER TABLE_DIGITS) || strlen(file) > 4)
		return parser_fail(
			parser, parser->section,
			"[%s] is no mnemonic (1 to 4 of A-Z and 0-9, a * before them), no "
			"'model NAME' and no 'order NAME'",
			mnemonic);
	if (taken >= 0)
		return parser_fail(parser, parser->section,
				   "[%s]: file name %s belongs to [%s] already", mnemonic, file,
				   table->row[taken].mnemonic);
	if (!strcmp(file, "SOC") || !strcmp(file, "SOH"))
		return parser_fail(parser, parser->section,
				   "[%s]: file name %s belongs to LCD1 already", mnemonic, file);
	if (table->rows == INSTRUCTION_MAX)
		return parser_fail(parser, parser->section, "more than %d instructions",
				   INSTRUCTION_MAX);
	row = &table->row[table->rows];
	memset(row, 0, sizeof(*row));
	memcpy(row->mnemonic, mnemonic, strlen(mnemonic) + 1);
	memcpy(row->file, file, strlen(file) + 1);
	for (int i = 0; i < INSTRUCTION_VARIANTS; i++)
		row->variant[i].present = true;
	return (int)table->rows++;
}

static int section_once(struct parser *parser, unsigned *line)
{
	if (*line)
		return parser_fail(parser, parser->section, "[%s] starts in line %u already",
				   parser->name, *line);
	*line = parser->section;
	return 0;
}

static int row_finish(struct parser *parser)
{
	int row = row_find(parser->table, parser->name), rc;
	bool is_new = row < 0;

	if (is_new)
		row = row_create(parser);
	if (row < 0)
		return row;
	rc = section_once(parser, &parser->row_line[row]);
	if (!rc)
		rc = section_apply(parser, &parser->table->row[row], is_new);
	if (rc < 0)
		return rc;
	if (is_new)
		row_complete(parser, &parser->table->row[row]);
	return row_check(parser, &parser->table->row[row]);
}

/* Starts a model. It has what an unknown one has, until the rows say otherwise. */
static int model_create(struct parser *parser, const char *name)
{
	struct instruction_table *table = parser->table;
	struct model *model = &table->model[table->models];

	if (!text_is_all(name, TABLE_LOWER TABLE_DIGITS "-_") ||
	    strlen(name) >= sizeof(model->name) || !strcmp(name, "auto"))
		return parser_fail(parser, parser->section,
				   "[%s]: the name of a model is 1 to %zu of a-z, 0-9, - and _",
				   parser->name, sizeof(model->name) - 1);
	if (table->models == MODEL_MAX)
		return parser_fail(parser, parser->section, "more than %d models", MODEL_MAX);
	memset(model, 0, sizeof(*model));
	memcpy(model->name, name, strlen(name) + 1);
	for (size_t i = 0; i < table->rows; i++)
		table->row[i].variant[1 + table->models] = table->row[i].variant[0];
	return (int)table->models++;
}

static int model_finish(struct parser *parser)
{
	const char *name = parser->name + strlen("model ");
	int model = model_find(parser->table, name), rc;
	bool is_new = model == MODEL_UNKNOWN;

	if (is_new)
		model = model_create(parser, name);
	if (model < 0)
		return model;
	rc = section_once(parser, &parser->model_line[model]);
	if (rc < 0)
		return rc;
	return section_apply(parser, &parser->table->model[model], is_new);
}

/* The place of the order of that name, a new one included. */
static int order_place(struct parser *parser, const char *name)
{
	struct instruction_table *table = parser->table;
	struct order *order = table->order;
	size_t place;

	for (place = 0; place < table->orders; place++)
		if (!strcmp(order[place].name, name))
			return (int)place;
	if (!text_is_identifier(name) || strlen(name) >= sizeof(order->name))
		return parser_fail(parser, parser->section,
				   "[%s]: the name of an order is 1 to %zu of a-z, 0-9 and _",
				   parser->name, sizeof(order->name) - 1);
	if (place == ORDER_MAX)
		return parser_fail(parser, parser->section, "more than %d orders", ORDER_MAX);
	memset(&order[place], 0, sizeof(*order));
	memcpy(order[place].name, name, strlen(name) + 1);
	table->orders++;
	return (int)place;
}

static int order_finish(struct parser *parser)
{
	int place = order_place(parser, parser->name + strlen("order "));
	int rc;

	if (place < 0)
		return place;
	rc = section_once(parser, &parser->order_line[place]);
	if (rc < 0)
		return rc;
	return section_apply(parser, &parser->table->order[place], true);
}

static const struct section_kind {
	const char *prefix;
	const struct key *keys;
	int (*finish)(struct parser *parser);
} section_kinds[] = {
	{ "model ", model_keys, model_finish },
	{ "order ", order_keys, order_finish },
	{ "", row_keys, row_finish },
};

static const struct section_kind *section_kind_find(const char *name)
{
	const struct section_kind *kind = section_kinds;

	while (strncmp(name, kind->prefix, strlen(kind->prefix)))
		kind++;
	return kind;
}

static int section_finish(struct parser *parser)
{
	int rc;

	if (!parser->section)
		return 0;
	if (!parser->entries)
		return parser_fail(parser, parser->section, "this section is empty");
	rc = section_kind_find(parser->name)->finish(parser);
	parser->section = 0;
	parser->entries = 0;
	return rc;
}

/* A row may have changed under an order that was right when it was stated. */
static int orders_check(struct parser *parser)
{
	const struct instruction_table *table = parser->table;

	for (size_t i = 0; i < table->orders; i++) {
		for (unsigned j = 0; j < table->order[i].members; j++) {
			unsigned place = table->order[i].member[j].row;
			const struct instruction *row = &table->row[place];
			unsigned line = parser->order_line[i];

			if (!row->array && (row->type == VALUE_FLOAT || row->type == VALUE_INT))
				continue;
			if (parser->row_line[place] > line)
				line = parser->row_line[place];
			return parser_fail(parser, line,
					   "%s is in the order '%s' and is no single number",
					   row->mnemonic, table->order[i].name);
		}
	}
	return 0;
}

/* "key" or "key.model"; on success a new entry without its value. */
static int entry_open(struct parser *parser, const char *name)
{
	struct entry *entry = &parser->entry[parser->entries];
	const char *dot = strchr(name, '.');
	size_t length = dot ? (size_t)(dot - name) : strlen(name);
	const struct key *key = parser->keys;

	while (key->name && (strlen(key->name) != length || strncmp(key->name, name, length)))
		key++;
	if (!key->name)
		return parser_fail(parser, parser->ini.line, "there is no key '%.*s'", TABLE_QUOTE,
				   name);
	if (dot && !key->per_model)
		return parser_fail(parser, parser->ini.line, "'%s' is the same for all models",
				   key->name);
	entry->model = dot ? model_find(parser->table, dot + 1) : MODEL_UNKNOWN;
	if (dot && entry->model == MODEL_UNKNOWN)
		return parser_fail(parser, parser->ini.line, "there is no model '%.*s'",
				   TABLE_QUOTE, dot + 1);
	entry->key = key;
	entry->line = parser->ini.line;
	entry->value[0] = 0;
	parser->entries++;
	return 0;
}

static int entry_append(struct parser *parser, struct entry *entry)
{
	const char *value = parser->ini.value;
	size_t used = strlen(entry->value), length = strlen(value);
	bool blank = used && length;

	for (size_t i = 0; i < length; i++)
		if ((value[i] < ' ' && value[i] != '\t') || value[i] > '~')
			return parser_fail(parser, parser->ini.line, "%s: only printable ASCII",
					   entry->key->name);
	if (used + blank + length >= sizeof(entry->value))
		return parser_fail(parser, parser->ini.line, "%s: longer than %zu characters",
				   entry->key->name, sizeof(entry->value) - 1);
	if (blank)
		entry->value[used++] = ' ';
	memcpy(entry->value + used, value, length + 1);
	/* A tab separates words as a blank does, and enters no name. */
	for (char *tab = entry->value; (tab = strchr(tab, '\t'));)
		*tab = ' ';
	return 0;
}

static int take_section(struct parser *parser)
{
	size_t length = strlen(parser->ini.name);
	int rc = section_finish(parser);

	if (rc < 0)
		return rc;
	if (length >= sizeof(parser->name))
		return parser_fail(parser, parser->ini.line, "the name of a section is too long");
	memcpy(parser->name, parser->ini.name, length + 1);
	parser->keys = section_kind_find(parser->name)->keys;
	parser->section = parser->ini.line;
	return 0;
}

static int take_key(struct parser *parser)
{
	struct entry *entry = &parser->entry[parser->entries];
	int rc;

	if (!parser->section)
		return parser_fail(parser, parser->ini.line, "a key before the first [section]");
	rc = entry_open(parser, parser->ini.name);
	if (rc < 0)
		return rc;
	if (!*parser->ini.value)
		return parser_fail(parser, parser->ini.line, "'%s' has no value", parser->ini.name);
	return entry_append(parser, entry);
}

static int take_continuation(struct parser *parser)
{
	struct entry *entry = &parser->entry[parser->entries - 1];

	if (strcmp(entry->key->name, "description"))
		return parser_fail(
			parser, parser->ini.line,
			"only a description continues on an indented line; start a key in the "
			"first column");
	return entry_append(parser, entry);
}

static int parser_run(struct parser *parser)
{
	static int (*const take[])(struct parser *parser) = {
		[INI_SECTION] = take_section,
		[INI_KEY] = take_key,
		[INI_CONTINUATION] = take_continuation,
	};
	int found, rc = 0;

	while (!rc && (found = ini_next(&parser->ini)) != INI_END)
		rc = found < 0 ? found : take[found](parser);
	if (!rc)
		rc = section_finish(parser);
	if (!rc)
		rc = orders_check(parser);
	return rc ? rc : names_check(parser);
}

int instruction_table_add(struct instruction_table *table, const char *file, const char *text,
			  size_t size, struct table_error *error)
{
	struct parser *parser = calloc(1, sizeof(*parser));
	int rc;

	error->text[0] = 0;
	if (!parser)
		return -ENOMEM;
	parser->table = table;
	parser->ini = (struct ini){
		.file = file,
		.format = INI_SECTIONS | INI_CONTINUED,
		.reason = error->text,
		.size = sizeof(error->text),
	};
	ini_start(&parser->ini, text, size);
	rc = parser_run(parser);
	free(parser);
	instruction_table_limit(table);
	return rc;
}

/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "protocol/instruction.h"
#include "protocol/metric.h"
#include "protocol/value.h"

static int setup(void **state)
{
	static struct instruction_table table;
	struct table_error error;

	if (instruction_table_init(&table, &error)) {
		print_error("%s\n", error.text);
		return -1;
	}
	*state = &table;
	return 0;
}

static int teardown(void **state)
{
	instruction_table_free(*state);
	return 0;
}

static const struct instruction *find(const struct instruction_table *table, const char *name)
{
	int row = instruction_find(table, name);

	if (row < 0)
		fail_msg("no %s", name);
	return &table->row[row];
}

/* Adds @text, which must be right. */
static void add(struct instruction_table *table, const char *text)
{
	struct table_error error;

	if (instruction_table_add(table, "own.ini", text, strlen(text), &error))
		fail_msg("%s", error.text);
}

static void the_reference_instructions_are_there(void **state)
{
	static const char *const names[] = {
		"*IDN", "LCD1", "LCD3", "CELL", "PTEM", "RINT", "BTEM", "ERRO", "BVOL",
		"BMIN", "CMAX", "MAXH", "CMIN", "MINH", "CHAR", "CHIS", "RAZL", "CLOW",
		"TMAX", "TMIN", "TBAL", "BMTH", "IOFF", "IOJA", "CYCL", "CAPA", "CHEM",
		"SOCH", "SOCS", "CHAC", "DCHC", "SISN", "MAXC", "MAXD", "CANF", "VMAX",
		"VMIN", "SWVR", "HWVR", "EAVC", "ODDC", "REFC",
	};
	int q1 = model_find(*state, "1q");

	assert_int_equal(ARRAY_SIZE(names), 42);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_true(instruction_variant(find(*state, names[i]), q1)->present);
}

static void every_row_explains_itself(void **state)
{
	const struct instruction_table *table = *state;

	for (size_t i = 0; i < table->rows; i++) {
		const struct instruction *row = &table->row[i];

		assert_true(row->name[0] && row->description[0] && row->category[0]);
		assert_true(instruction_variant(row, MODEL_UNKNOWN)->present);
		assert_int_equal(instruction_find(table, row->mnemonic), i);
		assert_int_equal(instruction_find(table, row->file), i);
		assert_true(row->writable || !row->locked);
	}
	assert_string_equal(find(table, "IDN")->mnemonic, "*IDN");
	assert_string_equal(find(table, "*IDN")->file, "IDN");
	assert_int_equal(instruction_find(table, "NONE"), -1);
}

static void rows_say_what_they_are(void **state)
{
	const struct instruction *row = find(*state, "CMAX");

	assert_string_equal(row->unit, "V");
	assert_int_equal(row->type, VALUE_FLOAT);
	assert_int_equal(row->class, CLASS_SETTING);
	assert_int_equal(row->verify, VERIFY_SAME);
	assert_true(row->writable && !row->locked && !row->array);
	assert_true(row->variant[0].max == (double)4.3f);

	row = find(*state, "SOCS");
	assert_int_equal(row->verify, VERIFY_NEAR);
	assert_true(row->verify_near == (double)0.02f);
	assert_int_equal(row->class, CLASS_LIVE);

	row = find(*state, "TIME");
	assert_int_equal(row->type, VALUE_CLOCK);
	assert_true(row->verify == VERIFY_NEAR && row->verify_near == 5);

	row = find(*state, "RE1T");
	assert_true(row->type == VALUE_INT && row->verify == VERIFY_EXACT);
	assert_true(row->variant[0].max == 4294967295.0);

	assert_int_equal(find(*state, "ERLD")->verify, VERIFY_NONE);
	assert_true(find(*state, "ERRL")->consuming);
	assert_int_equal(find(*state, "*IDN")->class, CLASS_IDENTITY);
}

static void dangerous_settings_are_locked(void **state)
{
	static const char *const names[] = { "RSBR", "CAL1", "CAL2", "CAL3", "CAL4",
					     "EAVC", "ODDC", "IOJA", "IOFF" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_true(find(*state, names[i])->locked);
	assert_false(find(*state, "SERI")->writable);
	assert_false(find(*state, "REFC")->writable);
}

static void arrays_have_fields(void **state)
{
	static const char *const lcd1[] = { "cell_voltage_min",
					    "cell_voltage_max",
					    "current",
					    "temperature_max",
					    "pack_voltage",
					    "soc",
					    "soh" };
	const struct instruction *row = find(*state, "LCD1");

	assert_true(row->array && row->header == HEADER_BYTES);
	assert_int_equal(row->fields, ARRAY_SIZE(lcd1));
	for (size_t i = 0; i < ARRAY_SIZE(lcd1); i++)
		assert_string_equal(row->field[i].name, lcd1[i]);
	assert_string_equal(row->field[2].unit, "A");
	assert_string_equal(row->field[5].unit, "");

	row = find(*state, "LCD3");
	assert_int_equal(row->fields, 7);
	assert_int_equal(row->field[0].type, FIELD_U8);
	assert_int_equal(row->field[6].type, FIELD_U16BE);

	row = find(*state, "CELL");
	assert_true(row->array && row->header == HEADER_UNITS && !row->variant[0].one_frame);
	assert_int_equal(row->fields, 0);
	assert_int_equal(row->field[0].type, FIELD_F32);
	assert_true(find(*state, "BTEM")->variant[0].one_frame);
}

static void models_differ(void **state)
{
	const struct instruction_table *table = *state;
	int q1 = model_find(table, "1q"), q2 = model_find(table, "2q");
	int abms = model_find(table, "abms");
	const struct instruction *row = find(table, "MAXD");

	assert_true(instruction_variant(row, abms)->max == 350);
	assert_true(instruction_variant(row, q1)->max == 345);
	assert_string_equal(instruction_variant(row, q2)->def, "62");
	assert_string_equal(instruction_variant(row, q1)->def, "100");
	assert_true(instruction_variant(find(table, "CHAC"), abms)->max == 5);
	assert_true(instruction_variant(find(table, "CHAC"), MODEL_UNKNOWN)->max == 3);
	assert_string_equal(instruction_variant(find(table, "TMIN"), q2)->def, "0");

	assert_true(instruction_variant(find(table, "SISN"), q1)->present);
	assert_false(instruction_variant(find(table, "SISN"), abms)->present);
	assert_false(instruction_variant(find(table, "STRN"), q1)->present);
	assert_true(instruction_variant(find(table, "STRN"), abms)->present);
	assert_false(instruction_variant(find(table, "CAL1"), q1)->present);
	assert_false(instruction_variant(find(table, "EAVC"), abms)->present);

	row = find(table, "PTEM");
	assert_true(instruction_variant(row, abms)->trim);
	assert_false(instruction_variant(row, q1)->trim);
}

/* How many numbers of each unit are shown; -1: all. */
static int limit_of(const struct instruction_table *table, const char *mnemonic, int model)
{
	const struct instruction_variant *variant =
		instruction_variant(find(table, mnemonic), model);

	return variant->limited ? variant->limit : -1;
}

static void padded_replies_are_limited(void **state)
{
	struct instruction_table *table = *state;
	int abms = model_find(table, "abms"), q1 = model_find(table, "1q"), mine;

	assert_int_equal(limit_of(table, "PTEM", abms), 1);
	assert_int_equal(limit_of(table, "PTEM", q1), -1);
	assert_int_equal(limit_of(table, "PTEM", model_find(table, "master")), -1);
	assert_int_equal(limit_of(table, "PTEM", MODEL_UNKNOWN), 1);
	assert_int_equal(limit_of(table, "CELL", abms), -1);

	/* Users' own models and arrays. */
	add(table, "[model mine]\ndescription = m\naddress = 7\nsensors = 0\n"
		   "[model 1q]\nsensors = 3\n"
		   "[XTEM]\nname=n\ncategory=c\ntype=float\nheader=units\nfields=t:f32:degC ...\n"
		   "padded=yes\n");
	mine = model_find(table, "mine");
	assert_int_equal(limit_of(table, "PTEM", mine), 0);
	assert_int_equal(limit_of(table, "XTEM", mine), 0);
	assert_int_equal(limit_of(table, "XTEM", q1), 3);
	assert_int_equal(limit_of(table, "XTEM", abms), 1);
	assert_int_equal(limit_of(table, "XTEM", MODEL_UNKNOWN), 0);

	instruction_table_set_sensors(table, 2);
	for (int model = MODEL_UNKNOWN; model < (int)table->models; model++) {
		assert_int_equal(limit_of(table, "PTEM", model), 2);
		assert_int_equal(limit_of(table, "CELL", model), -1);
	}
}

static void models_are_recognised(void **state)
{
	static const struct {
		const char *identity, *model;
		int address;
	} cases[] = {
		{ "REC BMS 1Q VICTRON", "1q", 1 }, { "rec bms 2q", "2q", 1 },
		{ "ACTIVE", "abms", 2 },           { "Rec Active BMS", "abms", 2 },
		{ "REC MASTER", "master", 16 },
	};
	const struct instruction_table *table = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int model = model_identify(table, cases[i].identity);

		assert_int_equal(model, model_find(table, cases[i].model));
		assert_int_equal(table->model[model].address, cases[i].address);
	}
	assert_int_equal(model_identify(table, "REC - BATTERY MANAGEMENT SYSTEM"), MODEL_UNKNOWN);
	assert_int_equal(model_identify(table, ""), MODEL_UNKNOWN);
	assert_int_equal(model_find(table, "3q"), MODEL_UNKNOWN);
	assert_int_equal(model_find(table, "2Q"), MODEL_UNKNOWN);
	assert_int_equal(model_named(table, "2Q"), model_find(table, "2q"));
	assert_int_equal(model_named(table, "Master"), model_find(table, "master"));
	assert_int_equal(model_named(table, "3Q"), MODEL_UNKNOWN);
}

/* What real units were delivered with or were seen to hold. */
static const struct seen {
	const char *mnemonic;
	double value[5];
} seen[] = {
#define NO -1000
	/*	  1Q 2.5     1Q 2.9    2Q	ABMS	 ABMS */
	{ "CHEM", { 3, 3, 3, 3, 3 } },
	{ "CAPA", { 500, 200, 200, 320, 608 } },
	{ "BMIN", { 3.45, 3.45, 3.45, 3.45, 3.5 } },
	{ "BVOL", { 3.58, 3.58, 3.58, 3.58, 3.55 } },
	{ "CMAX", { 3.85, 3.85, 3.85, 3.65, 3.75 } },
	{ "MAXH", { 0.25, 0.25, 0.25, 0.25, 0.25 } },
	{ "CHAR", { 3.58, 3.58, 3.58, 3.58, 3.56 } },
	{ "CHIS", { 0.25, 0.25, 0.25, 0.25, 0.01 } },
	{ "SOCH", { 0.05, 0.05, 0.05, 0.05, 0.05 } },
	{ "CMIN", { 2.8, 2.8, 2.8, 3, 2.5 } },
	{ "MINH", { 0.1, 0.1, 0.1, 0.1, 0.25 } },
	{ "CLOW", { 2.9, 2.95, 2.95, 3.1, 2.6 } },
	{ "RAZL", { 0.25, 0.25, 0.25, 0.25, 0.25 } },
	{ "TBAL", { 55, 55, 55, 55, 55 } },
	{ "BMTH", { 5, 5, 5, 2, 5 } },
	{ "TMAX", { 55, 55, 55, 55, 55 } },
	{ "TMIN", { -10, -10, 0, -10, -10 } },
	{ "IOJA", { 0.0078125, 0.019531, 0.019531, 0.019531, 0.019531 } },
	{ "IOFF", { 0, 0, 0, 0, 0 } },
	{ "MAXC", { 70, 70, 35, 150, 225 } },
	{ "MAXD", { 120, 100, 62, 150, 350 } },
	{ "SISN", { 1, NO, 1, NO, NO } },
	{ "STRN", { NO, NO, NO, 2, 1 } },
	{ "CHAC", { 0.6, 0.6, 0.6, 0.5, 1 } },
	{ "DCHC", { 1.5, 1.5, 1.5, 0.5, 1 } },
	{ "CANF", { 1, NO, NO, NO, NO } },
	{ "SOCS", { NO, 0.4959, 0.4960, 0.285054, 0.617752 } },
	{ "CYCL", { NO, 2, 1, NO, NO } },
	{ "CFVC", { NO, NO, 0.8, 0.1, 1 } },
	{ "OP2H", { NO, NO, 0.1, NO, NO } },
};
static const char *const seen_model[5] = { "1q", "1q", "2q", "abms", "abms" };

static double seen_value(const struct instruction *row, int column)
{
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
		if (!strcmp(seen[i].mnemonic, row->mnemonic))
			return seen[i].value[column];
	fail_msg("%s was never seen", row->mnemonic);
	return NO;
}

static void limits_admit_what_was_seen(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++) {
		const struct instruction *row = find(*state, seen[i].mnemonic);

		for (int column = 0; column < 5; column++) {
			int model = model_find(*state, seen_model[column]);
			const struct instruction_variant *variant = instruction_variant(row, model);
			float value = (float)seen[i].value[column];

			if (seen[i].value[column] == NO)
				continue;
			if (!variant->present ||
			    (variant->has_min && (double)value < variant->min) ||
			    (variant->has_max && (double)value > variant->max))
				fail_msg("%s %g on %s", row->mnemonic, (double)value,
					 seen_model[column]);
		}
	}
}

static void orders_admit_what_was_seen(void **state)
{
	const struct instruction_table *table = *state;

	assert_int_equal(table->orders, 3);
	for (size_t i = 0; i < table->orders * 5; i++) {
		const struct order *order = &table->order[i / 5];

		for (unsigned j = 0; j + 1 < order->members; j++) {
			const struct instruction *row = &table->row[order->member[j].row];
			double low = seen_value(row, (int)(i % 5));
			double high =
				seen_value(&table->row[order->member[j + 1].row], (int)(i % 5));

			if (!(order->member[j].or_equal ? low <= high : low < high))
				fail_msg("%s, %s on %s", order->name, row->mnemonic,
					 seen_model[i % 5]);
		}
	}
}

static double default_of(const struct instruction *row, int model)
{
	const char *text = instruction_variant(row, model)->def;
	float value;

	assert_int_equal(value_parse_float(text, strlen(text), &value), 0);
	return (double)value;
}

static void orders_admit_the_defaults(void **state)
{
	const struct instruction_table *table = *state;

	for (int model = MODEL_UNKNOWN; model < (int)table->models; model++) {
		for (size_t i = 0; i < table->orders; i++) {
			const struct order *order = &table->order[i];

			for (unsigned j = 0; j + 1 < order->members; j++) {
				double low = default_of(&table->row[order->member[j].row], model);
				double high =
					default_of(&table->row[order->member[j + 1].row], model);

				assert_true(order->member[j].or_equal ? low <= high : low < high);
			}
		}
	}
}

static void orders_are_read(void **state)
{
	static const char *const names[] = { "CMIN", "CLOW", "BMIN", "BVOL", "CMAX" };
	static const bool or_equal[] = { false, false, true, true, false };
	const struct instruction_table *table = *state;

	assert_string_equal(table->order[0].name, "cell_voltages");
	assert_int_equal(table->order[0].members, 5);
	for (int i = 0; i < 5; i++) {
		unsigned row = table->order[0].member[i].row;

		assert_string_equal(table->row[row].mnemonic, names[i]);
		assert_int_equal(table->order[0].member[i].or_equal, or_equal[i]);
	}
}

static void payloads(void **state)
{
	char query[16], set[64], value[64];

	assert_int_equal(instruction_query(find(*state, "CELL"), query), 5);
	assert_string_equal(query, "CELL?");
	assert_int_equal(instruction_query(find(*state, "IDN"), query), 5);
	assert_string_equal(query, "*IDN?");
	assert_int_equal(instruction_set(find(*state, "CMAX"), "3.6", set), 8);
	assert_string_equal(set, "CMAX 3.6");

	memset(value, '1', sizeof(value));
	value[58] = 0;
	assert_int_equal(instruction_set(find(*state, "CMAX"), value, set), 63);
	value[58] = '1';
	value[59] = 0;
	assert_int_equal(instruction_set(find(*state, "CMAX"), value, set), 0);
}

static void own_files_override_and_add(void **state)
{
	struct instruction_table *table = *state;
	size_t rows = table->rows, orders = table->orders;
	const struct instruction *row;

	add(table, "# CRLF is fine\r\n"
		   "[CMAX]\r\nmax = 3.7\r\nmax.abms=3.65 ; its own\r\n"
		   "[XYZ9]\nname = test\ncategory = mine\ntype = int\naccess = rw\n"
		   "default = 7\nmin = 5\n"
		   "description = one\n   two ; gone\n\tthree\n"
		   "[order temperatures]\norder = TMIN <= TMAX");
	row = find(table, "CMAX");
	assert_true(row->variant[0].max == (double)3.7f && row->variant[0].min == 2);
	assert_true(instruction_variant(row, model_find(table, "2q"))->max == (double)3.7f);
	assert_true(instruction_variant(row, model_find(table, "abms"))->max == (double)3.65f);
	assert_string_equal(row->name, "cell over-voltage switch-off");

	assert_int_equal(table->rows, rows + 1);
	row = find(table, "XYZ9");
	assert_string_equal(row->description, "one two three");
	assert_true(row->class == CLASS_SETTING && row->verify == VERIFY_EXACT);
	assert_true(row->variant[0].has_min && !row->variant[0].has_max);

	assert_int_equal(table->orders, orders);
	assert_true(table->order[orders - 1].member[0].or_equal);

	add(table, "[XYZ9]\naccess = ro\n[CLOW]\naccess = ro\n");
	assert_false(find(table, "XYZ9")->writable);
}

static void a_byte_order_mark_may_touch_a_section(void **state)
{
	add(*state, "\xEF\xBB\xBF[CMAX]\nmax = 3.7\n");
	assert_true(find(*state, "CMAX")->variant[0].max == (double)3.7f);
	add(*state, "");
}

static void own_models_start_as_unknown_ones(void **state)
{
	struct instruction_table *table = *state;
	int model;

	add(table, "[model mine]\ndescription = m\naddress = 7\nidentity = rec*1q*mine\n"
		   "[CMAX]\nmax.mine = 4.0\n");
	model = model_identify(table, "Rec BMS 1Q mine");
	assert_int_equal(model, model_find(table, "mine"));
	assert_int_equal(table->model[model].address, 7);
	assert_true(instruction_variant(find(table, "CMAX"), model)->max == 4);
	assert_true(instruction_variant(find(table, "CAL1"), model)->present);
	assert_true(instruction_variant(find(table, "PTEM"), model)->trim);
	assert_int_equal(model_identify(table, "REC BMS 1Q VICTRON"), model_find(table, "1q"));
}

#define ROW            "[XYZ]\nname=n\ncategory=c\ntype=float\n"
#define IDENTITY(name) "[XYZ]\ncategory=c\ntype=text\nname=" name "\nclass=identity\n"
#define INT_ROW        "[XYZ]\nname=n\ncategory=c\ntype=int\n"
#define TEN            "0123456789"
#define FIFTY          TEN TEN TEN TEN TEN

static const struct {
	const char *text, *error;
} bad[] = {
	/* lines */
	{ "[CMAX]\nmax = 4\nnonsense\n", "t:3: neither [section] nor key = value" },
	{ "[CMAX\nmax = 4\n", "t:1: neither [section] nor key = value" },
	{ "[CMAX]\nmax = 4\n[CMIN\nmax = 9\nmax = 9\n", "t:3: neither [section] nor key = value" },
	{ "max = 4\n", "t:1: a key before the first [section]" },
	{ "[CMAX]\n\n[CMIN]\nmin = 2\n", "t:1: this section is empty" },
	{ "[CMAX]\nmax = 4\n[CMIN]\n", "t:3: this section is empty" },
	{ "#\n# " FIFTY FIFTY FIFTY FIFTY, "t:2: longer than 198 characters; shorten this line" },
	{ "[CMAX]\nmax = 4\n  min = 3\n",
	  "t:3: only a description continues on an indented line; start a key in the first "
	  "column" },
	{ "[CMAX]\n  max = 4\n",
	  "t:2: an indented line with no key above it to continue; start it in the first column" },
	{ "[CMAX]\nmax =\n", "t:2: 'max' has no value" },
	{ "[CMAX]\nname = caf\xC3\xA9\n", "t:2: name: only printable ASCII" },
	{ "[CMAX]\ndescription = a\n " FIFTY FIFTY FIFTY "\n " FIFTY FIFTY FIFTY
	  "\n " FIFTY FIFTY FIFTY "\n " FIFTY FIFTY,
	  "t:6: description: longer than 511 characters" },

	/* sections */
	{ "[CMAX]\nmax = 4\n[CMIN]\nmin = 2\n[CMAX]\nmin = 2\n",
	  "t:5: [CMAX] starts in line 1 already" },
	{ "[cmax]\nmax = 4\n",
	  "t:1: [cmax] is no mnemonic (1 to 4 of A-Z and 0-9, a * before them), no "
	  "'model NAME' and no 'order NAME'" },
	{ "\n[CMAXX]\nmax = 4\n",
	  "t:2: [CMAXX] is no mnemonic (1 to 4 of A-Z and 0-9, a * before them), "
	  "no 'model NAME' and no 'order NAME'" },
	{ "[*]\nmax = 4\n", "t:1: [*] is no mnemonic (1 to 4 of A-Z and 0-9, a * before them), no "
			    "'model NAME' and no 'order NAME'" },
	{ "[module x]\nmax = 4\n",
	  "t:1: [module x] is no mnemonic (1 to 4 of A-Z and 0-9, a * before "
	  "them), no 'model NAME' and no 'order NAME'" },
	{ "[IDN]\nname = n\n", "t:1: [IDN]: file name IDN belongs to [*IDN] already" },
	{ "[*CMAX]\nname = n\n", "t:1: [*CMAX]: file name CMAX belongs to [CMAX] already" },
	{ "[SOC]\nname = n\n", "t:1: [SOC]: file name SOC belongs to LCD1 already" },

	/* keys */
	{ "[CMAX]\nmaximum = 4\n", "t:2: there is no key 'maximum'" },
	{ "[CMAX]\naddress = 4\n", "t:2: there is no key 'address'" },
	{ "[CMAX]\nmax = 4\nmin = 2\nmax = 4\n", "t:4: max: given twice; remove one" },
	{ "[CMAX]\nmax.1q = 4\nmax.1q = 4\n", "t:3: max.1q: given twice; remove one" },
	{ "[CMAX]\nmax.9q = 4\n", "t:2: there is no model '9q'" },
	{ "[CMAX]\nunit.1q = V\n", "t:2: 'unit' is the same for all models" },
	{ "[XYZ]\ncategory=c\ntype=int\n", "t:1: [XYZ] has no 'name', which is required" },
	{ "[XYZ]\nname=n\ntype=int\n",
	  "t:1: [XYZ] has no 'category', which is required; there are "
	  "identity, measurement, errors, cell_voltage, temperature, battery, "
	  "charging, communication, counters, clock, outputs, calibration" },
	{ "\n[XYZ]\nname=n\ncategory=c\n",
	  "t:2: [XYZ] has no 'type', which is required; there are float, int, text, clock" },

	/* values */
	{ "[CMAX]\ntype = double\n", "t:2: type = double: must be float | int | text | clock" },
	{ "[CMAX]\naccess = wo\n", "t:2: access = wo: must be ro | rw" },
	{ "[CMAX]\nlocked = 1\n", "t:2: locked = 1: must be no | yes" },
	{ "[CMAX]\nconsuming = 1\n", "t:2: consuming = 1: must be no | yes" },
	{ "[CMAX]\nclass = slow\n", "t:2: class = slow: must be live | setting | identity" },
	{ "[CMAX]\nheader = 4\n", "t:2: header = 4: must be none | bytes | units" },
	{ "[CELL]\nframes = 2\n", "t:2: frames = 2: must be header | 1" },
	{ "[PTEM]\ntrim.1q = 1\n", "t:2: trim = 1: must be no | yes" },
	{ "[CMAX]\ncategory = Cell\n", "t:2: category: letters a-z, digits and _ only" },
	{ "[CMAX]\nunit = millivolt per K\n", "t:2: unit: longer than 11 characters" },
	{ "[CMAX]\nmodels = 1q 9q\n", "t:2: models: there is no model '9q'" },
	{ "[CMAX]\nmax = 4,3\n", "t:2: max: '4,3' is no decimal number" },
	{ "[CMAX]\nmin.1q = 1e0\n", "t:2: min: '1e0' is no decimal number" },
	{ "[CHEM]\nmax = 5.5\n", "t:2: max: '5.5' is no whole number" },
	{ "[CHEM]\nmax = 9007199254740993\n", "t:2: max: '9007199254740993' is no whole number" },
	{ "[DATE]\nmin = 1\n", "t:2: min does not fit type = text" },
	{ "[TIME]\nmax = 1\n", "t:2: max does not fit type = clock" },
	{ "[CMAX]\nmin = 4\nmax = 3.9\n", "t:3: min is greater than max" },
	{ "[CMAX]\nmin = 4.5\n", "t:2: min is greater than max" },
	{ "[CMAX]\ndefault = 3\nmax.abms = 1.5\n", "t:3: min is greater than max" },
	{ "[CMAX]\n\ndefault = 4.4\n", "t:3: default: 4.4 is out of range" },
	{ "[CMAX]\ndefault = 3.5\nmax = 3.4\n", "t:3: default: 3.5 is out of range" },
	{ "[CMAX]\ndefault.2q = 1.9\n", "t:2: default: 1.9 is out of range" },
	{ "[CMAX]\ndefault = low\n", "t:2: default: 'low' is no decimal number" },
	{ "[CMAX]\ndefault = 3.0000000000000000\n", "t:2: default: longer than 15 characters" },
	{ "[TIME]\ndefault = noon\n", "t:2: default: 'noon' is no such clock" },
	{ "[DATE]\ndefault = today\n", "t:2: default: 'today' is no such text" },

	/* how values are verified */
	{ "[CMAX]\nverify = maybe\n",
	  "t:2: verify = maybe: must be same | exact | near=NUMBER | none" },
	{ "[CMAX]\nverify = near\n",
	  "t:2: verify = near: must be same | exact | near=NUMBER | none" },
	{ "[CMAX]\nverify = near=x\n", "t:2: verify: 'x' is no decimal number" },
	{ "[CMAX]\nverify = near=-1\n", "t:2: verify = near does not fit type = float" },
	{ "[CMAX]\nverify = exact\n", "t:2: verify = exact does not fit type = float" },
	{ "[CHEM]\nverify = same\n", "t:2: verify = same does not fit type = int" },
	{ "[DATE]\nverify = near=1\n", "t:2: verify = near does not fit type = text" },
	{ "[TIME]\nverify = exact\n", "t:2: verify = exact does not fit type = clock" },
	{ "[CMAX]\nstep = 0\n", "t:2: step = 0: must be above 0" },
	{ "[CMAX]\nstep = small\n", "t:2: step: 'small' is no decimal number" },
	{ "[CHEM]\nstep = 1\n", "t:2: step needs access = rw and verify = same" },
	{ "[CELL]\nstep = 1\n", "t:2: step needs access = rw and verify = same" },
	{ "[CAPA]\ntype = int\n", "t:2: verify = same does not fit type = int" },
	{ "[XYZ]\nname=n\ncategory=c\ntype=text\naccess=rw\n",
	  "t:5: a text that can be written needs a pattern" },

	/* arrays */
	{ ROW "fields = Volt:f32\nheader = units\n",
	  "t:5: fields: 'Volt' is not NAME:TYPE or NAME:TYPE:UNIT with f32, u8 or u16be" },
	{ ROW "fields = volt:f64\nheader = units\n",
	  "t:5: fields: 'volt' is not NAME:TYPE or NAME:TYPE:UNIT with f32, u8 or u16be" },
	{ ROW "fields = volt\nheader = units\n",
	  "t:5: fields: 'volt' is not NAME:TYPE or NAME:TYPE:UNIT with f32, u8 or u16be" },
	{ ROW "fields = a:u8 b:u8 a:u8\nheader = bytes\n", "t:5: fields: 'a' comes twice" },
	{ ROW "fields = a:u8 b:u8 ...\nheader = bytes\n", "t:5: fields: '...' repeats one field" },
	{ ROW "fields = a:u8 ... b:u8\nheader = bytes\n", "t:5: fields: nothing may follow '...'" },
	{ ROW "fields = a:u8 b:u8 c:u8 d:u8 e:u8 f:u8 g:u8 h:u8 i:u8 j:u8 k:u8 l:u8 m:u8 n:u8 o:u8 "
	      "p:u8 q:u8\n",
	  "t:5: fields: more than 16" },
	{ ROW "fields = a:u8\n", "t:5: fields and header = bytes | units belong together" },
	{ ROW "header = bytes\n", "t:5: fields and header = bytes | units belong together" },
	{ "[CELL]\naccess = rw\n", "t:2: what has fields is a number and cannot be written" },
	{ ROW "trim = yes\nmin = 1\nmax = 2\n",
	  "t:5: trim needs a field that repeats, min and max" },
	{ "[CELL]\ntrim.abms = yes\n", "t:2: trim needs a field that repeats, min and max" },
	{ "[PTEM]\npadded = 1\n", "t:2: padded = 1: must be no | yes" },
	{ "[PTEM]\npadded.1q = no\n", "t:2: 'padded' is the same for all models" },
	{ "[LCD1]\npadded = yes\n", "t:2: padded needs a field that repeats" },
	{ ROW "padded = yes\n", "t:5: padded needs a field that repeats" },
	{ ROW "blank = yes\n", "t:5: blank does not fit type = float" },
	{ "[CELL]\nblank = yes\n", "t:2: blank does not fit type = float" },

	/* names that would not be valid and unique in the metrics */
	{ "[XYZ]\nname = -\ncategory = c\ntype = int\n",
	  "t:2: name: '-' has no letter and no digit; add one" },
	{ IDENTITY("software version") "models = 1q\n",
	  "t:1: name: [SWVR] and [XYZ] both have the label software_version in bms_info; rename "
	  "one" },
	{ IDENTITY("Software-Version"),
	  "t:1: name: [SWVR] and [XYZ] both have the label software_version in bms_info; rename "
	  "one" },
	{ IDENTITY("boot") "\n[SWVR]\nname = boot\n",
	  "t:7: name: [SWVR] and [XYZ] both have the label boot in bms_info; rename one" },
	{ IDENTITY("2nd version"),
	  "t:5: name: '2nd version' is not a label for bms_info; start it with a letter" },
	{ IDENTITY("__name__"),
	  "t:5: name: '__name__' is not a label for bms_info; start it with a letter" },
	{ IDENTITY("model"), "t:5: name: bms_info has a label model already; rename this" },
	{ IDENTITY("Address"), "t:5: name: bms_info has a label address already; rename this" },
	{ ROW "header = bytes\nfields = a:f32:V a_volts:f32\n",
	  "t:6: fields: 'a' and 'a_volts' both are bms_reading_xyz_a_volts in the metrics; rename "
	  "one" },
	{ ROW "header = bytes\nfields = a_volts:f32 b:u8 a:f32:V\n",
	  "t:6: fields: 'a_volts' and 'a' both are bms_reading_xyz_a_volts in the metrics; rename "
	  "one" },

	/* models */
	{ "[model 1Q]\naddress = 1\n",
	  "t:1: [model 1Q]: the name of a model is 1 to 15 of a-z, 0-9, - "
	  "and _" },
	{ "[model auto]\naddress = 1\n",
	  "t:1: [model auto]: the name of a model is 1 to 15 of a-z, 0-9, "
	  "- and _" },
	{ "[model x]\naddress = 1\n", "t:1: [model x] has no 'description', which is required" },
	{ "[model x]\ndescription = d\n", "t:1: [model x] has no 'address', which is required" },
	{ "[model 1q]\naddress = 0\n", "t:2: address: must be 1 to 127" },
	{ "[model 1q]\naddress = 128\n", "t:2: address: must be 1 to 127" },
	{ "[model 1q]\nsensors = 9\n", "t:2: sensors: must be 0 to 8" },
	{ "[model 1q]\nsensors = -1\n", "t:2: sensors: must be 0 to 8" },
	{ "[model 1q]\nsensors = two\n", "t:2: sensors: 'two' is no whole number" },
	{ "[model 1q]\naddress = one\n", "t:2: address: 'one' is no whole number" },
	{ "[model 1q]\naddress = 1\n[model 1q]\naddress = 1\n",
	  "t:3: [model 1q] starts in line 1 already" },

	/* orders */
	{ "[order x y]\norder = CMIN < CMAX\n",
	  "t:1: [order x y]: the name of an order is 1 to 31 of "
	  "a-z, 0-9 and _" },
	{ "[order x]\nname = x\n", "t:2: there is no key 'name'" },
	{ "[order x]\norder = CMIN < NONE\n",
	  "t:2: order: no section before this one describes 'NONE'" },
	{ "[order x]\norder = CMIN < REFC\n", "t:2: order: REFC cannot be written" },
	{ "[order x]\norder = CMIN > CMAX\n", "t:2: order: '>' must be < or <=" },
	{ "[order x]\norder = CMIN < CMAX <\n", "t:2: order: a name is missing at the end" },
	{ "[order x]\norder = CMIN < CMAX <= CMIN\n", "t:2: order: CMIN comes twice" },
	{ "[order x]\norder = CMIN\n", "t:2: order: needs two names at least" },
	{ "[order x]\norder = CMIN < DATE\n",
	  "t:1: DATE is in the order 'x' and is no single number" },
	{ "[order x]\norder = CMIN < CLOW < BMIN < BVOL < CMAX < TMIN < TMAX < CHAR < CAPA\n",
	  "t:2: order: more than 8 members" },
	{ "[CHAR]\ntype = text\npattern = *\nverify = exact\n",
	  "t:2: min and max do not fit type = text" },
	{ INT_ROW "access=rw\n[order x]\norder = CMIN < XYZ\n[CLOW]\naccess = ro\n"
		  "[order y]\norder = CMIN < CLOW\n",
	  "t:11: order: CLOW cannot be written" },
};

static void bad_tables_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct instruction_table table;
		struct table_error error;

		assert_int_equal(instruction_table_init(&table, &error), 0);
		assert_string_equal(error.text, "");
		if (instruction_table_add(&table, "t", bad[i].text, strlen(bad[i].text), &error) !=
		    -EINVAL)
			fail_msg("accepted: %s", bad[i].text);
		assert_string_equal(error.text, bad[i].error);
		instruction_table_free(&table);
	}
}

/* The same names where no family and no label of one BMS is there twice. */
static void names_are_taken_where_they_are_unique(void **state)
{
	static const char *const good[] = {
		IDENTITY("boot-loader version"),
		ROW "header = bytes\nfields = a:f32:V a_amperes:f32\n",
		ROW "header = bytes\nfields = items:u8 values:u8 get:u8\n",
		"[1TMP]\nname = 1\ncategory = c\ntype = int\n",
		IDENTITY("software") "models = 1q\n[SWVR]\nname = software\nmodels = abms\n",
		"[XYZ]\nname = cell voltages\ncategory = c\ntype = int\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct instruction_table table;
		struct table_error error;

		assert_int_equal(instruction_table_init(&table, &error), 0);
		if (instruction_table_add(&table, "t", good[i], strlen(good[i]), &error))
			fail_msg("refused: %s", error.text);
		instruction_table_free(&table);
	}
}

static void metrics_are_called_after_file_field_and_unit(void **state)
{
	static const struct {
		const char *mnemonic;
		int field;
		const char *family;
	} cases[] = {
		{ "CMAX", -1, "bms_setting_cmax_volts" },
		{ "REFC", -1, "bms_reading_refc_volts" },
		{ "LCD1", 2, "bms_reading_lcd1_current_amperes" },
		{ "CELL", 0, "bms_reading_cell_volts" },
	};
	char name[METRIC_NAME_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct instruction *row = find(*state, cases[i].mnemonic);

		metric_family(row, cases[i].field < 0 ? NULL : &row->field[cases[i].field], name);
		assert_string_equal(name, cases[i].family);
	}
	assert_true(metric_label(find(*state, "SWVR"), name));
	assert_string_equal(name, "software_version");
}

static void a_nul_is_refused(void **state)
{
	static const char text[] = "[CMAX]\nmax = 4\0.1\n";
	struct table_error error;

	assert_int_equal(instruction_table_add(*state, "t", text, sizeof(text) - 1, &error),
			 -EINVAL);
	assert_string_equal(error.text, "t:2: a control character; remove it");
}

static int print_row(char *text, size_t size, int i)
{
	return snprintf(text, size, "[X%d]\nname=n\ncategory=c\ntype=int\n", i);
}

static int print_model(char *text, size_t size, int i)
{
	return snprintf(text, size, "[model m%d]\ndescription=d\naddress=1\n", i);
}

static int print_order(char *text, size_t size, int i)
{
	return snprintf(text, size, "[order o%d]\norder = CMIN < CMAX\n", i);
}

static void a_table_can_be_full(void **state)
{
	static const struct {
		int (*print)(char *text, size_t size, int i);
		const char *reason;
	} cases[] = {
		{ print_row, "more than 192 instructions" },
		{ print_model, "more than 8 models" },
		{ print_order, "more than 16 orders" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct instruction_table table;
		struct table_error error;
		char text[80];
		int rc = 0;

		assert_int_equal(instruction_table_init(&table, &error), 0);
		for (int j = 0; !rc && j < 1000; j++) {
			int size = cases[i].print(text, sizeof(text), j);

			rc = instruction_table_add(&table, "t", text, (size_t)size, &error);
		}
		assert_int_equal(rc, -EINVAL);
		assert_string_equal(error.text + strlen("t:1: "), cases[i].reason);
		instruction_table_free(&table);
	}
}

static void a_row_may_not_fall_out_of_its_order(void **state)
{
	static const char text[] = "\n[XYZ]\ntype = text\npattern = *\nverify = exact\n";
	struct table_error error;

	add(*state, "[XYZ]\nname=n\ncategory=c\ntype=int\naccess=rw\n"
		    "[order x]\norder = CMIN < XYZ\n");
	assert_int_equal(instruction_table_add(*state, "t", text, strlen(text), &error), -EINVAL);
	assert_string_equal(error.text, "t:2: XYZ is in the order 'x' and is no single number");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_reference_instructions_are_there),
		TEST(every_row_explains_itself),
		TEST(rows_say_what_they_are),
		TEST(dangerous_settings_are_locked),
		TEST(arrays_have_fields),
		TEST(models_differ),
		TEST(models_are_recognised),
		TEST(padded_replies_are_limited),
		TEST(limits_admit_what_was_seen),
		TEST(orders_admit_what_was_seen),
		TEST(orders_admit_the_defaults),
		TEST(orders_are_read),
		TEST(payloads),
		TEST(own_files_override_and_add),
		TEST(a_byte_order_mark_may_touch_a_section),
		TEST(own_models_start_as_unknown_ones),
		TEST(a_nul_is_refused),
		TEST(a_row_may_not_fall_out_of_its_order),
		cmocka_unit_test(a_table_can_be_full),
		cmocka_unit_test(bad_tables_are_refused),
		cmocka_unit_test(names_are_taken_where_they_are_unique),
		TEST(metrics_are_called_after_file_field_and_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

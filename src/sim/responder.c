// SPDX-License-Identifier: LGPL-3.0-or-later
#include "sim/responder.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "protocol/setting.h"
#include "sim/answers.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define DAY_S             INT64_C(86400)

static const struct responder_profile profiles[] = {
	{ .model = "1q",
	  .identity = "REC BMS 1Q VICTRON",
	  .units_max = 1,
	  .cells = 14,
	  .sensors = 3,
	  .resistance_ohm = 0.00015 },
	{ .model = "2q",
	  .identity = "REC BMS 2Q VICTRON",
	  .units_max = 1,
	  .cells = 16,
	  .sensors = 4,
	  .resistance_ohm = 0.0002 },
	{ .model = "abms",
	  .identity = "ACTIVE",
	  .units_max = 1,
	  .cells = 4,
	  .sensors = 1,
	  .temperatures = 4,
	  .resistance_ohm = 0.0003 },
	{ .model = "master",
	  .identity = "REC BMS MASTER",
	  .units_max = BATTERY_UNIT_MAX,
	  .cells = 15,
	  .sensors = 3,
	  .resistance_ohm = 0.00015 },
	/* What a user's own table adds. */
	{ .model = NULL, .units_max = 1, .cells = 14, .sensors = 3, .resistance_ohm = 0.00015 },
};

/* What the BMS holds where the table states no default. */
static const struct {
	const char *mnemonic, *value;
} factory[] = {
	{ "SWVR", "2.9" },       { "HWVR", "2.1" },        { "SERI", "2261" },
	{ "REFC", "5" },         { "UBDI", "0.05" },       { "RSBR", "1" },
	{ "OP1T", "369106633" }, { "RE1T", "1879055993" }, { "OP2T", "1879056010" },
	{ "CANS", "2" },         { "IOJA", "0.0078125" },
};

/* Numbers that live in the battery. */
static const struct {
	const char *mnemonic;
	size_t offset;
} live_numbers[] = {
	{ "SOCS", offsetof(struct battery, soc) },
	{ "CYCL", offsetof(struct battery, cycles) },
	{ "VMAX", offsetof(struct battery, over_count) },
	{ "VMIN", offsetof(struct battery, under_count) },
	{ "WHIN", offsetof(struct battery, in_Wh) },
	{ "WHOU", offsetof(struct battery, out_Wh) },
};

/* Settings that the battery obeys, and what it takes where the model has no such setting. */
static const struct {
	const char *mnemonic;
	size_t offset;
	double absent;
} limit_settings[] = {
	{ "BMIN", offsetof(struct battery_limits, balance_start_V), 3.45 },
	{ "CMAX", offsetof(struct battery_limits, over_V), 3.85 },
	{ "MAXH", offsetof(struct battery_limits, over_release_V), 0.25 },
	{ "CMIN", offsetof(struct battery_limits, under_V), 2.8 },
	{ "MINH", offsetof(struct battery_limits, under_release_V), 0.1 },
	{ "CHAR", offsetof(struct battery_limits, full_V), 3.58 },
	{ "CLOW", offsetof(struct battery_limits, low_V), 2.9 },
	{ "RAZL", offsetof(struct battery_limits, difference_V), 0.25 },
	{ "TMAX", offsetof(struct battery_limits, hot_degC), 55 },
	{ "TMIN", offsetof(struct battery_limits, cold_degC), -10 },
	{ "TBAL", offsetof(struct battery_limits, board_degC), 55 },
	{ "BMTH", offsetof(struct battery_limits, board_release_K), 5 },
	{ "CAPA", offsetof(struct battery_limits, capacity_Ah), 200 },
	{ "CHAC", offsetof(struct battery_limits, charge_C), 0.6 },
	{ "DCHC", offsetof(struct battery_limits, discharge_C), 1.5 },
	{ "MAXC", offsetof(struct battery_limits, charge_A), 70 },
	{ "MAXD", offsetof(struct battery_limits, discharge_A), 100 },
};

int responder_format_float(char *text, size_t size, float value)
{
	char digits[32], mantissa[8];
	const char *at;
	size_t count = 0;

	/* The point that printf writes follows the locale, so the digits are picked out. */
	snprintf(digits, sizeof(digits), "%.5e", fabs((double)value));
	for (at = digits; *at && *at != 'e' && count < sizeof(mantissa) - 1; at++)
		if (*at >= '0' && *at <= '9')
			mantissa[count++] = *at;
	mantissa[count] = '\0';
	return snprintf(text, size, "%s%c.%se%ld", value < 0 ? "-" : "", mantissa[0], mantissa + 1,
			*at ? strtol(at + 1, NULL, 10) : 0);
}

/* The row of a mnemonic that this model has, or NULL. */
static const struct instruction *find_row(const struct responder *responder, const char *mnemonic)
{
	int index = instruction_find(responder->table, mnemonic);
	const struct instruction *row;

	if (index < 0)
		return NULL;
	row = &responder->table->row[index];
	if (strcmp(row->mnemonic, mnemonic) || !instruction_variant(row, responder->model)->present)
		return NULL;
	return row;
}

static size_t row_index(const struct responder *responder, const struct instruction *row)
{
	return (size_t)(row - responder->table->row);
}

/* Where the number of a row is kept. */
static double *number_of(struct responder *responder, const struct instruction *row)
{
	for (size_t i = 0; i < ARRAY_SIZE(live_numbers); i++)
		if (!strcmp(live_numbers[i].mnemonic, row->mnemonic))
			return (double *)(void *)((char *)&responder->battery +
						  live_numbers[i].offset);
	return &responder->number[row_index(responder, row)];
}

static double setting_number(const struct responder *responder, const char *mnemonic, double absent)
{
	const struct instruction *row = find_row(responder, mnemonic);

	return row ? responder->number[row_index(responder, row)] : absent;
}

void responder_limits(const struct responder *responder, struct battery_limits *limits)
{
	double devices =
		fmax(setting_number(responder, "SISN", 1), setting_number(responder, "STRN", 1));

	for (size_t i = 0; i < ARRAY_SIZE(limit_settings); i++)
		*(double *)(void *)((char *)limits + limit_settings[i].offset) = setting_number(
			responder, limit_settings[i].mnemonic, limit_settings[i].absent);
	limits->charge_A *= devices;
	limits->discharge_A *= devices;
}

static void advance(struct responder *responder, int64_t now)
{
	struct battery_limits limits;

	responder_limits(responder, &limits);
	battery_advance(&responder->battery, &limits, now);
}

/* What is kept as it was set, in the form of its type. */
static void answer_stored(struct responder *responder, const struct instruction *row,
			  struct answer *answer)
{
	double number = *number_of(responder, row);
	char text[VALUE_TEXT_MAX] = "";

	switch (row->type) {
	case VALUE_FLOAT:
		responder_format_float(text, sizeof(text), (float)number);
		break;
	case VALUE_INT:
		snprintf(text, sizeof(text), "%" PRId64, (int64_t)number);
		break;
	case VALUE_TEXT:
	case VALUE_CLOCK:
		answer_add_text(responder, answer, responder->text[row_index(responder, row)]);
		return;
	}
	answer_add_text(responder, answer, text);
}

/* An array that a user's table adds is unknown here, so it gets no answer. */
static void answer_query(struct responder *responder, const struct instruction *row,
			 struct answer *answer)
{
	if (!answer_live(responder, row, answer) && !row->array)
		answer_stored(responder, row, answer);
}

/* Moves the clock to another time of the same day, or to another day. */
static void set_time(struct responder *responder, const struct setting *setting)
{
	int64_t *clock_s = &responder->battery.clock_s;

	*clock_s += (int64_t)setting->number - *clock_s % DAY_S;
}

static int set_date(struct responder *responder, const struct setting *setting)
{
	int64_t *clock_s = &responder->battery.clock_s;
	struct tm tm = { 0 };
	char *end = strptime(setting->text, "%d.%m.%Y", &tm);

	if (!end || *end || tm.tm_year < 70)
		return -EINVAL;
	*clock_s = (int64_t)timegm(&tm) + *clock_s % DAY_S;
	return 0;
}

/* A value that has passed its range. Returns 0, or -EINVAL for what is none after all. */
static int store(struct responder *responder, const struct instruction *row,
		 const struct setting *setting)
{
	char *text = responder->text[row_index(responder, row)];

	if (!strcmp(row->mnemonic, "DATE"))
		return set_date(responder, setting);
	if (!strcmp(row->mnemonic, "TIME"))
		set_time(responder, setting);
	else if (row->type == VALUE_FLOAT || row->type == VALUE_INT)
		*number_of(responder, row) = setting->number;
	else
		snprintf(text, VALUE_TEXT_MAX, "%s", setting->text);
	if (!strcmp(row->mnemonic, "ERLD") && setting->number != 0)
		responder->battery.logged = 0;
	return 0;
}

void responder_refuse(const struct responder *responder, struct answer *answer)
{
	answer->frames = 0;
	answer_add_text(responder, answer, "ERROR1");
}

static void answer_set(struct responder *responder, const struct instruction *row, const char *text,
		       size_t size, struct answer *answer)
{
	struct setting setting;

	if (!row->writable || row->array || !size || text[size - 1] == '\n' ||
	    setting_parse(row, responder->model, text, size, &setting) ||
	    store(responder, row, &setting))
		responder_refuse(responder, answer);
	else
		answer_add_text(responder, answer, "SET");
}

/* Cuts the mnemonic off a payload: up to its '?' or ' '. Returns its length, or 0 for neither. */
static size_t cut_mnemonic(const struct frame *request, char mnemonic[8])
{
	size_t length = 0;

	while (length < request->len && length < 7 && request->payload[length] != '?' &&
	       request->payload[length] != ' ') {
		mnemonic[length] = (char)request->payload[length];
		length++;
	}
	mnemonic[length] = '\0';
	return length < request->len ? length : 0;
}

void responder_answer(struct responder *responder, const struct frame *request,
		      struct answer *answer, int64_t now)
{
	const char *payload = (const char *)request->payload;
	const struct instruction *row;
	char mnemonic[8];
	size_t length;

	answer->frames = 0;
	if (request->snd != FRAME_HOST || request->dst != responder->address)
		return;
	length = cut_mnemonic(request, mnemonic);
	row = length ? find_row(responder, mnemonic) : NULL;
	if (!row)
		return;
	advance(responder, now);
	if (payload[length] == ' ')
		answer_set(responder, row, payload + length + 1, request->len - length - 1, answer);
	else if (request->len == length + 1)
		answer_query(responder, row, answer);
}

static const char *factory_value(const struct instruction *row,
				 const struct instruction_variant *variant)
{
	if (variant->has_default)
		return variant->def;
	for (size_t i = 0; i < ARRAY_SIZE(factory); i++)
		if (!strcmp(factory[i].mnemonic, row->mnemonic))
			return factory[i].value;
	return "";
}

/* Fresh from the factory: the table's default, else a value of ours, else the nearest to 0. */
static void reset_row(struct responder *responder, size_t index)
{
	const struct instruction *row = &responder->table->row[index];
	const struct instruction_variant *variant = instruction_variant(row, responder->model);
	const char *value = factory_value(row, variant);
	float number = 0;

	snprintf(responder->text[index], VALUE_TEXT_MAX, "%s", value);
	if (row->type == VALUE_INT) {
		int64_t whole = 0;

		value_parse_reply_int(value, strlen(value), &whole);
		responder->number[index] = (double)whole;
	} else {
		value_parse_reply_float(value, strlen(value), &number);
		responder->number[index] = (double)number;
	}
	if (!*value && variant->has_min && variant->min > 0)
		responder->number[index] = variant->min;
}

static void start_battery(struct responder *responder, int64_t now)
{
	struct battery_limits limits;

	for (size_t i = 0; i < responder->table->rows; i++)
		reset_row(responder, i);
	responder_limits(responder, &limits);
	responder->shape.capacity_Ah = limits.capacity_Ah;
	responder->shape.lifepo4 = setting_number(responder, "CHEM", 3) == 3 ||
				   setting_number(responder, "CHEM", 3) == 4;
	battery_init(&responder->battery, &responder->shape, &limits, responder->seed, now);
}

static const struct responder_profile *find_profile(const char *model)
{
	const struct responder_profile *profile = profiles;

	while (profile->model && strcmp(profile->model, model))
		profile++;
	return profile;
}

static int check_config(const struct sim_config *config, const struct responder_profile *profile,
			char *reason, size_t size)
{
	unsigned sensors_max = profile->temperatures ? profile->temperatures : BATTERY_SENSOR_MAX;

	if (config->units < 1 || config->units > profile->units_max)
		snprintf(reason, size, "units is %u, and model %s has %s", config->units,
			 config->model, profile->units_max > 1 ? "1 to 15" : "one");
	else if (config->cells > BATTERY_CELL_MAX)
		snprintf(reason, size, "cells is %u, and a unit has at most %d", config->cells,
			 BATTERY_CELL_MAX);
	else if (config->sensors > sensors_max)
		snprintf(reason, size, "sensors is %u, and a unit has at most %u", config->sensors,
			 sensors_max);
	else
		return 0;
	return -EINVAL;
}

int responder_init(struct responder *responder, const struct sim_config *config, unsigned index,
		   const struct instruction_table *table, int64_t now, char *reason, size_t size)
{
	const struct responder_profile *profile;
	int model = model_named(table, config->model);
	int ret;

	if (model == MODEL_UNKNOWN) {
		snprintf(reason, size, "there is no model \"%s\"", config->model);
		return -EINVAL;
	}
	profile = find_profile(table->model[model].name);
	ret = check_config(config, profile, reason, size);
	if (ret)
		return ret;
	*responder = (struct responder){
		.table = table,
		.profile = profile,
		.model = model,
		.address = config->addresses ? config->address[index] : table->model[model].address,
		.seed = config->seed + index,
		.shape = {
			.units = config->units,
			.cells = config->cells ? config->cells : profile->cells,
			.sensors = config->sensors ? config->sensors : profile->sensors,
			.resistance_ohm = profile->resistance_ohm,
		},
	};
	responder_exchange(responder,
			   profile->identity ? profile->identity : table->model[model].description,
			   now);
	return 0;
}

void responder_exchange(struct responder *responder, const char *identity, int64_t now)
{
	snprintf(responder->identity, sizeof(responder->identity), "%s", identity);
	start_battery(responder, now);
	responder->seed++;
}

static const struct instruction *find_number(const struct responder *responder,
					     const char *mnemonic)
{
	const struct instruction *row = find_row(responder, mnemonic);

	if (!row || row->array || (row->type != VALUE_FLOAT && row->type != VALUE_INT))
		return NULL;
	return row;
}

int responder_get(struct responder *responder, const char *mnemonic, double *value, int64_t now)
{
	const struct instruction *row = find_number(responder, mnemonic);

	if (!row)
		return -ENOENT;
	advance(responder, now);
	*value = *number_of(responder, row);
	return 0;
}

int responder_put(struct responder *responder, const char *mnemonic, double value)
{
	const struct instruction *row = find_number(responder, mnemonic);

	if (!row)
		return find_row(responder, mnemonic) ? -EOPNOTSUPP : -ENOENT;
	*number_of(responder, row) = row->type == VALUE_FLOAT ? (double)(float)value : value;
	return 0;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include "protocol/metric.h"

#include <stdio.h>
#include <string.h>

#include "base/prometheus.h"

const char *const metric_info_labels[] = { "address", "model", NULL };

/* What a unit is called at the end of a name. */
static const struct {
	const char *unit, *word;
} unit_words[] = {
	{ "V", "_volts" },
	{ "A", "_amperes" },
	{ "Ah", "_amperehours" },
	{ "degC", "_celsius" },
	{ "K", "_kelvin" },
	{ "C", "_per_hour" },
	{ "A/bit", "_amperes_per_bit" },
	{ "ohm", "_ohms" },
	{ "s", "_seconds" },
	{ "W", "_watts" },
	{ "Wh", "_watthours" },
	{ "Hz", "_hertz" },
	{ "%", "_percent" },
};

static bool is_number(const struct instruction *row)
{
	return row->type == VALUE_FLOAT || row->type == VALUE_INT;
}

bool metric_is_setting(const struct instruction *row)
{
	return row->writable && !row->array && !row->consuming && row->verify != VERIFY_NONE &&
	       is_number(row);
}

bool metric_is_reading(const struct instruction *row)
{
	return !row->writable && !row->consuming && is_number(row);
}

bool metric_is_identity(const struct instruction *row)
{
	return row->class == CLASS_IDENTITY && !row->array && row->type == VALUE_TEXT;
}

static const char *unit_word(const char *unit)
{
	for (size_t i = 0; i < sizeof(unit_words) / sizeof(unit_words[0]); i++)
		if (!strcmp(unit_words[i].unit, unit))
			return unit_words[i].word;
	return "";
}

void metric_family(const struct instruction *row, const struct field *field,
		   char name[METRIC_NAME_MAX])
{
	bool named = field && row->fields;

	snprintf(name, METRIC_NAME_MAX, "bms_%s_%s%s%s%s", row->writable ? "setting" : "reading",
		 row->file, named ? "_" : "", named ? field->name : "",
		 unit_word(field ? field->unit : row->unit));
	prometheus_name(name);
}

bool metric_label(const struct instruction *row, char name[METRIC_NAME_MAX])
{
	snprintf(name, METRIC_NAME_MAX, "%s", row->name);
	return prometheus_name(name) && prometheus_is_label(name);
}

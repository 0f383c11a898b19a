// SPDX-License-Identifier: LGPL-3.0-or-later
#include "top/model.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/snapshot.h"

#define PATH_SIZE 64

/* Where a number of the model is in the snapshot. */
struct source {
	const char *path;
	size_t offset;
};

static const struct source values[] = {
	{ "pack/voltage", offsetof(struct model, voltage_V) },
	{ "pack/current", offsetof(struct model, current_A) },
	{ "pack/power", offsetof(struct model, power_W) },
	{ "pack/soc", offsetof(struct model, soc) },
	{ "pack/soh", offsetof(struct model, soh) },
	{ "pack/remaining", offsetof(struct model, remaining_Ah) },
	{ "pack/capacity", offsetof(struct model, capacity_Ah) },
	{ "pack/time_to_full", offsetof(struct model, to_full_s) },
	{ "pack/time_to_empty", offsetof(struct model, to_empty_s) },
	{ "pack/cycles", offsetof(struct model, cycles) },
	{ "pack/cell_voltage_min", offsetof(struct model, lowest_V) },
	{ "pack/cell_min", offsetof(struct model, lowest_cell) },
	{ "pack/cell_min_unit", offsetof(struct model, lowest_unit) },
	{ "pack/cell_voltage_max", offsetof(struct model, highest_V) },
	{ "pack/cell_max", offsetof(struct model, highest_cell) },
	{ "pack/cell_max_unit", offsetof(struct model, highest_unit) },
	{ "pack/error", offsetof(struct model, error) },
	{ "CMIN", offsetof(struct model, scale_low_V) },
	{ "CMAX", offsetof(struct model, scale_high_V) },
};

static const struct source counters[] = {
	{ "requests", offsetof(struct model, requests) },
	{ "replies", offsetof(struct model, replies) },
	{ "timeouts", offsetof(struct model, timeouts) },
	{ "broken_frames", offsetof(struct model, broken) },
};

/* That a file has no value for one of these reasons is how it should be. */
static const char *const fine[] = { "ENODATA", "EOPNOTSUPP" };

/* What some firmware calls the cell being balanced, and some the other way round. */
static const char *const balanced_names[] = { "WCBI", "WCIB" };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static double *field(struct model *model, const struct source *source)
{
	return (double *)((char *)model + source->offset);
}

static double number_at(const json_t *snapshot, const char *path)
{
	double number;

	return snapshot_number(snapshot, path, &number) ? NAN : number;
}

static void copy_text(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text ? text : "");
}

static void unit_clear(struct unit *unit)
{
	*unit = (struct unit){ .address = NAN, .temperature_degC = NAN };
}

static void model_clear(struct model *model)
{
	memset(model, 0, sizeof(*model));
	for (unsigned i = 0; i < MODEL_UNITS; i++)
		unit_clear(&model->unit[i]);
	for (size_t i = 0; i < COUNT(values); i++)
		*field(model, &values[i]) = NAN;
	for (size_t i = 0; i < COUNT(counters); i++)
		*field(model, &counters[i]) = NAN;
	model->balancing = BALANCING_MISSING;
	model->age_s = NAN;
}

void model_fail(struct model *model, const char *reason)
{
	model_clear(model);
	copy_text(model->problem, sizeof(model->problem), reason);
}

static void read_counters(struct model *model, const json_t *link)
{
	const json_t *object = json_object_get(link, "counters");

	for (size_t i = 0; i < COUNT(counters); i++) {
		const json_t *count = json_object_get(object, counters[i].path);

		if (json_is_number(count))
			*field(model, &counters[i]) = json_number_value(count);
	}
}

/* The values of units/N/KIND/1, 2 ...; returns how many of these the BMS has, with or without. */
static unsigned read_channels(const json_t *snapshot, unsigned unit, const char *kind,
			      const char *file, double *value, unsigned max)
{
	const json_t *units = json_object_get(snapshot, "units"), *channels;
	char path[PATH_SIZE];
	unsigned count;

	snprintf(path, sizeof(path), "%u", unit);
	channels = json_object_get(json_object_get(units, path), kind);
	for (count = 0; count < max; count++) {
		snprintf(path, sizeof(path), "%u", count + 1);
		if (!json_object_get(channels, path))
			break;
		snprintf(path, sizeof(path), "units/%u/%s/%u/%s", unit, kind, count + 1, file);
		value[count] = number_at(snapshot, path);
	}
	return count;
}

static void read_unit(struct unit *unit, const json_t *snapshot, unsigned number)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "units/%u/address", number);
	unit->address = number_at(snapshot, path);
	snprintf(path, sizeof(path), "units/%u/temperature", number);
	unit->temperature_degC = number_at(snapshot, path);
	unit->cells =
		read_channels(snapshot, number, "cells", "voltage", unit->cell_V, MODEL_CELLS);
	unit->sensors = read_channels(snapshot, number, "sensors", "temperature", unit->sensor_degC,
				      MODEL_SENSORS);
}

static void read_units(struct model *model, const json_t *snapshot)
{
	const json_t *units = json_object_get(snapshot, "units");
	char name[PATH_SIZE];

	while (model->units < MODEL_UNITS) {
		snprintf(name, sizeof(name), "%u", model->units + 1);
		if (!json_object_get(units, name))
			break;
		read_unit(&model->unit[model->units], snapshot, model->units + 1);
		model->units++;
	}
}

static bool is_fine(const char *failure)
{
	for (size_t i = 0; i < COUNT(fine); i++)
		if (!strcmp(failure, fine[i]))
			return true;
	return false;
}

static void read_balancing(struct model *model, const json_t *snapshot)
{
	model->balancing = model->link[0] ? BALANCING_UNTOLD : BALANCING_MISSING;
	for (size_t i = 0; i < COUNT(balanced_names); i++) {
		const char *text = snapshot_text(snapshot, balanced_names[i]);
		const char *failure = snapshot_failure(snapshot, balanced_names[i]);

		/* A blank reply: no cell. */
		if (!text && failure && !strcmp(failure, "ENODATA"))
			text = "0";
		if (text) {
			model->balancing = BALANCING_TOLD;
			copy_text(model->balanced, sizeof(model->balanced), text);
			return;
		}
		if (failure && !is_fine(failure))
			model->balancing = BALANCING_MISSING;
	}
}

static void add_age(struct model *model, const json_t *snapshot, const char *path)
{
	const json_t *age = json_object_get(snapshot_find(snapshot, path), "age");

	if (json_is_number(age))
		model->age_s = fmax(model->age_s, json_number_value(age));
}

static void read_ages(struct model *model, const json_t *snapshot)
{
	char path[PATH_SIZE];

	add_age(model, snapshot, "pack/voltage");
	add_age(model, snapshot, "pack/cell_min");
	add_age(model, snapshot, "pack/error");
	for (unsigned i = 1; i <= model->units; i++) {
		snprintf(path, sizeof(path), "units/%u/cells/1/voltage", i);
		add_age(model, snapshot, path);
		snprintf(path, sizeof(path), "units/%u/sensors/1/temperature", i);
		add_age(model, snapshot, path);
	}
}

static void find_problem(struct model *model, const json_t *snapshot)
{
	const char *silence = snapshot_failure(snapshot, "pack/voltage"), *path, *first = NULL;
	unsigned missing = 0;
	json_t *failed = json_object_get(snapshot, "failed"), *failure;

	json_object_foreach(failed, path, failure)
	{
		const char *name = json_string_value(failure);

		if (!name || is_fine(name))
			continue;
		first = missing++ ? first : name;
	}
	if (!model->link[0])
		copy_text(model->problem, sizeof(model->problem),
			  "snapshot.json is not what bmsfs writes");
	else if (!model->online)
		snprintf(model->problem, sizeof(model->problem), "no answer: %s",
			 silence ? silence : model->link);
	else if (missing)
		snprintf(model->problem, sizeof(model->problem), "no value for %u file%s: %s",
			 missing, missing > 1 ? "s" : "", first);
}

void model_read(struct model *model, const json_t *snapshot)
{
	const json_t *link = json_object_get(snapshot, "link");

	model_clear(model);
	copy_text(model->name, sizeof(model->name),
		  json_string_value(json_object_get(snapshot, "name")));
	copy_text(model->kind, sizeof(model->kind),
		  json_string_value(json_object_get(snapshot, "model")));
	copy_text(model->identity, sizeof(model->identity), snapshot_text(snapshot, "IDN"));
	copy_text(model->link, sizeof(model->link), snapshot_link(snapshot));
	model->online = !strcmp(model->link, "online");
	copy_text(model->error_text, sizeof(model->error_text),
		  snapshot_text(snapshot, "pack/error_text"));
	for (size_t i = 0; i < COUNT(values); i++)
		*field(model, &values[i]) = number_at(snapshot, values[i].path);
	read_counters(model, link);
	read_units(model, snapshot);
	read_balancing(model, snapshot);
	read_ages(model, snapshot);
	find_problem(model, snapshot);
	if (model->problem[0])
		copy_text(model->advice, sizeof(model->advice),
			  json_string_value(json_object_get(link, "last_error")));
}

bool model_is_live(const struct model *model)
{
	return model->online && !isnan(model->voltage_V);
}

/* The BMS does not say of which unit. */
unsigned model_balanced(const struct model *model, unsigned unit)
{
	unsigned long cell;
	char *end;

	if (model->balancing != BALANCING_TOLD || model->units != 1 || unit)
		return 0;
	cell = strtoul(model->balanced, &end, 10);
	return *end || cell > model->unit[0].cells ? 0 : (unsigned)cell;
}

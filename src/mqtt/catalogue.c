// SPDX-License-Identifier: LGPL-3.0-or-later
#include "mqtt/catalogue.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define PATH_LONGEST 128

/* Raw replies whose numbers have files of their own in pack/ and units/. */
static const char *const interpreted[] = { "LCD1", "LCD3", "CELL", "RINT", "PTEM", "BTEM", "ERRO" };

/* Files of units/N/, and of what is numbered in it: in which array of the state they are. */
static const struct array {
	const char *place, *file, *group;
} arrays[] = {
	{ "cells", "voltage", "cells" },
	{ "cells", "resistance", "resistances" },
	{ "sensors", "temperature", "temperatures" },
	{ "", "temperature", "board_temperatures" },
};

struct walk {
	const json_t *snapshot, *old;
	bool again;
	catalogue_describe *describe;
	void *user;
	json_t *made;
	int counts[sizeof(arrays) / sizeof(arrays[0])];
};

const char *catalogue_text(const json_t *entry, const char *key)
{
	return json_string_value(json_object_get(entry, key));
}

bool catalogue_is_number(const json_t *entry)
{
	const char *type = catalogue_text(entry, "type");

	return type && strcmp(type, "text") != 0 && strcmp(type, "clock") != 0;
}

bool catalogue_is_settable(const json_t *entry)
{
	return json_is_true(json_object_get(entry, "writable")) && catalogue_is_number(entry) &&
	       catalogue_text(entry, "min") && catalogue_text(entry, "max");
}

static bool is_interpreted(const char *path)
{
	for (size_t i = 0; i < sizeof(interpreted) / sizeof(interpreted[0]); i++)
		if (!strcmp(interpreted[i], path))
			return true;
	return false;
}

/* Of a pack of one unit they all say the same. */
static const char *const unit_numbers[] = {
	"pack/cell_min_unit",
	"pack/cell_max_unit",
	"pack/temperature_max_unit",
};

static bool has_one_unit(const struct walk *walk)
{
	return json_object_size(json_object_get(walk->snapshot, "units")) < 2;
}

/* What was there once stays: the units may only not have been read now. */
static bool says_nothing(const struct walk *walk, const char *path)
{
	for (size_t i = 0; i < sizeof(unit_numbers) / sizeof(unit_numbers[0]); i++)
		if (!strcmp(path, unit_numbers[i]))
			return has_one_unit(walk) && !json_object_get(walk->old, path);
	return false;
}

/* The device itself, and what the link topic tells. */
static bool is_told_elsewhere(const char *path, const json_t *entry)
{
	const char *category = catalogue_text(entry, "category");

	return !strcmp(path, "pack/online") || (category && !strcmp(category, "identity"));
}

static void set_text(json_t *entry, const char *key, const char *text)
{
	json_object_set_new(entry, key, json_string(text));
}

/* Lower case, and one "_" for all between letters and digits. */
static void set_slug(json_t *entry, const char *text)
{
	char slug[PATH_LONGEST];
	size_t used = 0;

	for (; *text && used < sizeof(slug) - 1; text++) {
		if (isalnum((unsigned char)*text))
			slug[used++] = (char)tolower((unsigned char)*text);
		else if (used && slug[used - 1] != '_')
			slug[used++] = '_';
	}
	slug[used] = '\0';
	set_text(entry, "slug", slug);
}

static void set_label(json_t *entry, const char *label)
{
	char text[PATH_LONGEST];

	snprintf(text, sizeof(text), "%s", label);
	text[0] = (char)toupper((unsigned char)text[0]);
	set_text(entry, "label", text);
}

static void place_instruction(json_t *entry, const char *path)
{
	bool writable = json_is_true(json_object_get(entry, "writable"));

	set_text(entry, "id", path);
	set_text(entry, "group", writable ? "settings" : "instructions");
	set_text(entry, "key", path);
	set_slug(entry, path);
}

static void place_pack(json_t *entry, const char *name)
{
	set_text(entry, "id", name);
	set_text(entry, "group", "");
	set_text(entry, "key", name);
	set_slug(entry, name);
}

/* "cell voltage 3", and "unit 2 cell voltage 3" where there are several. */
static void label_of_unit(const struct walk *walk, json_t *entry, unsigned unit, unsigned number)
{
	const char *name = catalogue_text(entry, "name");
	bool alone = has_one_unit(walk);
	char before[32] = "", after[32] = "", label[PATH_LONGEST];

	if (!alone)
		snprintf(before, sizeof(before), "unit %u ", unit);
	if (number)
		snprintf(after, sizeof(after), " %u", number);
	snprintf(label, sizeof(label), "%s%s%s", before, name ? name : "", after);
	set_label(entry, label);
	set_slug(entry, label);
}

static bool place_unit(struct walk *walk, json_t *entry, const char *path)
{
	char place[16] = "", file[32] = "", id[PATH_LONGEST];
	unsigned unit, number = 0;
	size_t i = 0;

	if (sscanf(path, "units/%u/%15[a-z]/%u/%31[a-z_]", &unit, place, &number, file) != 4) {
		place[0] = '\0';
		if (sscanf(path, "units/%u/%31[a-z_]", &unit, file) != 2)
			return false;
	}
	while (strcmp(arrays[i].place, place) != 0 || strcmp(arrays[i].file, file) != 0)
		if (++i == sizeof(arrays) / sizeof(arrays[0]))
			return false;
	snprintf(id, sizeof(id), "%s", path);
	for (char *slash = id; (slash = strchr(slash, '/'));)
		*slash = '_';
	set_text(entry, "id", id);
	set_text(entry, "group", arrays[i].group);
	json_object_set_new(entry, "key", json_integer(walk->counts[i]++));
	label_of_unit(walk, entry, unit, number);
	return true;
}

static bool place(struct walk *walk, json_t *entry, const char *path)
{
	const char *name = catalogue_text(entry, "name");

	set_label(entry, name ? name : path);
	if (!strncmp(path, "units/", 6))
		return place_unit(walk, entry, path);
	if (!strncmp(path, "pack/", 5))
		place_pack(entry, path + 5);
	else
		place_instruction(entry, path);
	return true;
}

static json_t *elements_of(const json_t *value)
{
	json_t *elements = json_array();
	const char *name;
	json_t *element;

	json_object_foreach((json_t *)value, name, element)
		json_array_append_new(elements, json_string(name));
	for (size_t i = 0; i < json_array_size(value); i++)
		json_array_append_new(elements, json_integer((json_int_t)i));
	return elements;
}

/* What has no value now has as many numbers as it had. */
static void set_elements(json_t *entry, const json_t *value, const json_t *before)
{
	if (!value)
		json_object_set(entry, "elements", json_object_get(before, "elements"));
	else if (json_is_array(value) || json_is_object(value))
		json_object_set_new(entry, "elements", elements_of(value));
	else
		json_object_del(entry, "elements");
}

static void add(struct walk *walk, const char *path, const json_t *value)
{
	const json_t *before = json_object_get(walk->old, path);
	json_t *entry;

	if (is_interpreted(path) || says_nothing(walk, path) || json_object_get(walk->made, path))
		return;
	entry = before && !walk->again ? json_deep_copy(before) : walk->describe(walk->user, path);
	if (!entry)
		return;
	if (!is_told_elsewhere(path, entry) && place(walk, entry, path)) {
		set_elements(entry, value, before);
		json_object_set(walk->made, path, entry);
	}
	json_decref(entry);
}

/* What has a value is a file; else it is a directory. */
static void add_all(struct walk *walk, const char *path, const json_t *object)
{
	const json_t *value = json_object_get(object, "value");
	char below[PATH_LONGEST];
	const char *name;
	json_t *child;

	if (value) {
		add(walk, path, value);
		return;
	}
	json_object_foreach((json_t *)object, name, child)
	{
		size_t length = (size_t)snprintf(below, sizeof(below), "%s%s%s", path,
						 *path ? "/" : "", name);

		if (length < sizeof(below))
			add_all(walk, below, child);
	}
}

/* The pack has it, but it is not defined now: the time to full of one that is being discharged. */
static bool is_undefined(const char *path, const json_t *error)
{
	return !strncmp(path, "pack/", 5) && !strcmp(json_string_value(error), "ENODATA");
}

json_t *catalogue_make(const json_t *snapshot, const json_t *old, bool again,
		       catalogue_describe *describe, void *user)
{
	struct walk walk = {
		.snapshot = snapshot,
		.old = old,
		.again = again,
		.describe = describe,
		.user = user,
		.made = json_object(),
	};
	const char *path;
	json_t *error;

	add_all(&walk, "pack", json_object_get(snapshot, "pack"));
	add_all(&walk, "units", json_object_get(snapshot, "units"));
	add_all(&walk, "", json_object_get(snapshot, "instructions"));
	json_object_foreach(json_object_get(snapshot, "failed"), path,
			    error) if (json_is_string(error) &&
				       (json_object_get(old, path) || is_undefined(path, error)))
		add(&walk, path, NULL);
	return walk.made;
}

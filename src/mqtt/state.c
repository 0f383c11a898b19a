// SPDX-License-Identifier: LGPL-3.0-or-later
#include "mqtt/state.h"

#include "client/snapshot.h"
#include "mqtt/catalogue.h"

/* They are in every state, with nothing in them if need be: templates of entities go into them. */
static const struct group {
	const char *name;
	bool list;
} groups[] = {
	{ "cells", true },        { "resistances", true },
	{ "temperatures", true }, { "board_temperatures", true },
	{ "settings", false },    { "instructions", false },
};

static void add_groups(json_t *state)
{
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		json_object_set_new(state, groups[i].name,
				    groups[i].list ? json_array() : json_object());
}

static void add(json_t *state, const json_t *entry, json_t *value)
{
	const json_t *key = json_object_get(entry, "key");
	const char *name = catalogue_text(entry, "group");
	json_t *group = *name ? json_object_get(state, name) : state;

	if (json_is_integer(key))
		json_array_append(group, value);
	else
		json_object_set(group, json_string_value(key), value);
}

static void add_problem(json_t *state, const json_t *snapshot)
{
	double error;

	if (snapshot_number(snapshot, "pack/error", &error))
		json_object_set_new(state, "problem", json_null());
	else
		json_object_set_new(state, "problem", json_boolean(error != 0));
}

/* What has no value now, with a place for each of its elements: a template finds what it names. */
static json_t *nothing(const json_t *entry)
{
	const json_t *elements = json_object_get(entry, "elements");
	bool named = json_is_string(json_array_get(elements, 0));
	json_t *all, *element;
	size_t i;

	if (!elements)
		return json_null();
	all = named ? json_object() : json_array();
	json_array_foreach(elements, i, element)
	{
		if (named)
			json_object_set_new(all, json_string_value(element), json_null());
		else
			json_array_append_new(all, json_null());
	}
	return all;
}

json_t *state_make(const json_t *catalogue, const json_t *snapshot)
{
	json_t *state = json_object(), *entry;
	const char *path;

	add_groups(state);
	json_object_foreach((json_t *)catalogue, path, entry)
	{
		json_t *value = json_object_get(snapshot_find(snapshot, path), "value");

		json_incref(value);
		value = value ? value : nothing(entry);
		add(state, entry, value);
		json_decref(value);
	}
	add_problem(state, snapshot);
	return state;
}

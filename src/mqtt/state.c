// SPDX-License-Identifier: LGPL-3.0-or-later
#include "mqtt/state.h"

#include "client/snapshot.h"
#include "mqtt/catalogue.h"

/* The object or array of that name, made when it is first wanted. */
static json_t *group_of(json_t *state, const char *name, bool array)
{
	json_t *group = *name ? json_object_get(state, name) : state;

	if (group)
		return group;
	group = array ? json_array() : json_object();
	json_object_set_new(state, name, group);
	return group;
}

static void add(json_t *state, const json_t *entry, json_t *value)
{
	const json_t *key = json_object_get(entry, "key");
	json_t *group = group_of(state, catalogue_text(entry, "group"), json_is_integer(key));

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

json_t *state_make(const json_t *catalogue, const json_t *snapshot)
{
	json_t *state = json_object(), *entry;
	const char *path;

	json_object_foreach((json_t *)catalogue, path, entry)
	{
		json_t *value = json_object_get(snapshot_find(snapshot, path), "value");

		add(state, entry, value ? value : json_null());
	}
	add_problem(state, snapshot);
	return state;
}

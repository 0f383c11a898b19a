// SPDX-License-Identifier: LGPL-3.0-or-later
#include "mqtt/discovery.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/snapshot.h"
#include "mqtt/catalogue.h"
#include "mqtt/jinja.h"

#define TEXT_LONGEST 512
#define WHOLE_MAX    1e15

/*
 * Units of the mount and what Home Assistant makes of them. No class where it would convert what is
 * none: kelvins here are differences.
 */
static const struct unit {
	const char *unit, *shown, *class;
	int precision;
	const char *suggested; /* in which people read it; or NULL */
} units[] = {
	{ "V", "V", "voltage", 3, NULL },
	{ "A", "A", "current", 2, NULL },
	{ "W", "W", "power", 0, NULL },
	{ "%", "%", NULL, 1, NULL },
	{ "Ah", "Ah", NULL, 1, NULL },
	{ "s", "s", "duration", 1, "h" },
	{ "degC", "\u00B0C", "temperature", 1, NULL },
	{ "ohm", "\u03A9", NULL, 6, NULL },
};

/*
 * Groups of the state whose entities wait until somebody enables them: a large master has hundreds
 * of them, and each costs a row in the database of Home Assistant at every change.
 */
static const char *const disabled[] = { "resistances", "instructions", "settings" };

/* What the unit does not tell. */
static const struct special {
	const char *path, *key, *value;
} specials[] = {
	{ "pack/soc", "device_class", "battery" },
	{ "pack/cycles", "state_class", "total_increasing" },
};

static const struct fact {
	const char *key, *path;
} facts[] = {
	{ "model", "IDN" },
	{ "serial_number", "SERI" },
	{ "sw_version", "SWVR" },
	{ "hw_version", "HWVR" },
};

struct making {
	const struct mqtt_config *config;
	const json_t *snapshot;
	json_t *components;
	json_t *names; /* of the components, as keys */
};

__attribute__((format(printf, 3, 4))) static void set_text(json_t *object, const char *key,
							   const char *format, ...)
{
	char text[TEXT_LONGEST];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	json_object_set_new(object, key, json_string(text));
}

static void set_topic(json_t *object, const char *key, const struct mqtt_config *config,
		      const char *end)
{
	set_text(object, key, "%s/%s/%s", config->prefix, config->name, end);
}

static json_t *device_make(const struct mqtt_config *config, const json_t *snapshot)
{
	json_t *device = json_pack("{s:[o], s:s, s:s}", "identifiers",
				   json_sprintf("bmsfs_%s", config->name), "name", config->title,
				   "manufacturer", "REC");

	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		const char *text = snapshot_text(snapshot, facts[i].path);

		if (text)
			set_text(device, facts[i].key, "%s", text);
	}
	return device;
}

static json_t *availability_make(const struct mqtt_config *config, bool link)
{
	json_t *list = json_array(), *topic = json_object();

	set_topic(topic, "topic", config, "daemon");
	json_array_append_new(list, topic);
	if (link) {
		topic = json_object();
		set_topic(topic, "topic", config, "link");
		json_array_append_new(list, topic);
	}
	return list;
}

static const struct unit *find_unit(const char *name)
{
	for (size_t i = 0; name && i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(units[i].unit, name))
			return &units[i];
	return NULL;
}

static void set_unit(json_t *component, const json_t *entry)
{
	const char *name = catalogue_text(entry, "unit");
	const struct unit *unit = find_unit(name);

	if (name)
		set_text(component, "unit_of_measurement", "%s", unit ? unit->shown : name);
	if (unit && unit->class)
		set_text(component, "device_class", "%s", unit->class);
}

/* Numbers that are measured, and not set, have statistics. */
static void set_sensor(const struct making *making, json_t *component, const json_t *entry,
		       const char *path)
{
	const struct unit *unit = find_unit(catalogue_text(entry, "unit"));
	bool interpreted = islower((unsigned char)*path);

	json_object_set_new(component, "expire_after", json_integer(making->config->expire_after));
	if (!interpreted)
		set_text(component, "entity_category", "diagnostic");
	if (!catalogue_is_number(entry))
		return;
	if (unit && interpreted)
		json_object_set_new(component, "suggested_display_precision",
				    json_integer(unit->precision));
	if (unit && unit->suggested && interpreted)
		set_text(component, "suggested_unit_of_measurement", "%s", unit->suggested);
	if (catalogue_text(entry, "unit") && !json_is_true(json_object_get(entry, "writable")))
		set_text(component, "state_class", "measurement");
	for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++)
		if (!strcmp(specials[i].path, path))
			set_text(component, specials[i].key, "%s", specials[i].value);
}

double discovery_step(double min, double max)
{
	double step = 1;

	while (step > 0.0015 && step > (max - min) / 1000)
		step /= 10;
	return step;
}

static json_t *number_of(const char *text)
{
	double number = strtod(text, NULL);

	if (strchr(text, '.') || fabs(number) > WHOLE_MAX)
		return json_real(number);
	return json_integer((json_int_t)number);
}

/*
 * The range of the table, and what the BMS holds in any case: a number outside its own range is an
 * error in the log of Home Assistant at each update.
 */
static void set_range(const struct making *making, json_t *component, const json_t *entry,
		      const char *path)
{
	const char *min = catalogue_text(entry, "min"), *max = catalogue_text(entry, "max");
	json_t *held = json_object_get(snapshot_find(making->snapshot, path), "value");
	double value = json_number_value(held);

	json_object_set_new(component, "min", number_of(min));
	json_object_set_new(component, "max", number_of(max));
	if (json_is_number(held) && value < strtod(min, NULL))
		json_object_set(component, "min", held);
	if (json_is_number(held) && value > strtod(max, NULL))
		json_object_set(component, "max", held);
}

static void set_number(const struct making *making, json_t *component, const json_t *entry,
		       const char *path)
{
	const char *min = catalogue_text(entry, "min"), *max = catalogue_text(entry, "max");
	bool integer = strcmp(catalogue_text(entry, "type"), "float") != 0;
	double step = discovery_step(strtod(min, NULL), strtod(max, NULL));

	set_range(making, component, entry, path);
	json_object_set_new(component, "step", json_real(integer ? 1 : step));
	set_text(component, "mode", "box");
	set_text(component, "entity_category", "config");
	json_object_set_new(component, "optimistic", json_false());
	set_text(component, "command_topic", "%s/%s/set/%s", making->config->prefix,
		 making->config->name, path);
}

/* A key of the state is a name or, in a list, a number from 0. */
static void add_step(char path[TEXT_LONGEST / 2], const json_t *key)
{
	if (json_is_integer(key))
		jinja_index(path, TEXT_LONGEST / 2, (unsigned)json_integer_value(key));
	else
		jinja_key(path, TEXT_LONGEST / 2, json_string_value(key));
}

static void set_template(json_t *component, const json_t *entry, const json_t *element)
{
	const char *group = catalogue_text(entry, "group");
	char path[TEXT_LONGEST / 2] = "value_json";

	if (*group)
		jinja_key(path, sizeof(path), group);
	add_step(path, json_object_get(entry, "key"));
	if (element)
		add_step(path, element);
	/* Also before the first state, and of a state that another version published. */
	set_text(component, "value_template", "{{ %s | default(none) }}", path);
}

static void set_enabled(json_t *component, const json_t *entry)
{
	for (size_t i = 0; i < sizeof(disabled) / sizeof(disabled[0]); i++)
		if (!strcmp(catalogue_text(entry, "group"), disabled[i]))
			json_object_set_new(component, "enabled_by_default", json_false());
}

/* "Capacity (CAPA)": the pack has a capacity, and two instructions may be called alike. */
static void set_name(const struct making *making, json_t *component, const char *name,
		     const char *id)
{
	if (json_object_get(making->names, name))
		set_text(component, "name", "%s (%s)", name, id);
	else
		set_text(component, "name", "%s", name);
	json_object_set_new(making->names, catalogue_text(component, "name"), json_true());
}

/* One component; @suffix is for what has several. */
static json_t *component_add(struct making *making, const char *platform, const json_t *entry,
			     const json_t *element, const char *suffix)
{
	const char *id = catalogue_text(entry, "id"), *name = making->config->name;
	json_t *component = json_object();
	char key[TEXT_LONGEST / 2], slug[TEXT_LONGEST / 2], label[TEXT_LONGEST / 2];

	snprintf(key, sizeof(key), "%s%s", id, suffix);
	snprintf(slug, sizeof(slug), "%s_%s%s", name, catalogue_text(entry, "slug"),
		 element ? suffix : "");
	for (char *letter = slug; *letter; letter++)
		*letter = *letter == '-' ? '_' : (char)tolower((unsigned char)*letter);
	set_text(component, "platform", "%s", platform);
	set_text(component, "unique_id", "bmsfs_%s_%s", name, key);
	set_text(component, "default_entity_id", "%s.%s", platform, slug);
	snprintf(label, sizeof(label), "%s%s%s", catalogue_text(entry, "label"), element ? " " : "",
		 element ? suffix + 1 : "");
	set_name(making, component, label, element ? key : id);
	set_unit(component, entry);
	set_template(component, entry, element);
	set_enabled(component, entry);
	json_object_set_new(making->components, key, component);
	return component;
}

/* As Home Assistant is told to remove one. */
static void component_remove(json_t *components, const char *key, const char *platform)
{
	json_object_set_new(components, key, json_pack("{s:s}", "platform", platform));
}

static void sensor_add(struct making *making, const char *path, const json_t *entry)
{
	set_sensor(making, component_add(making, "sensor", entry, NULL, ""), entry, path);
}

static void elements_add(struct making *making, const char *path, const json_t *entry,
			 const json_t *elements)
{
	json_t *element, *component;
	char suffix[TEXT_LONGEST / 8];
	size_t i;

	json_array_foreach(elements, i, element)
	{
		const char *name = json_string_value(element);

		if (name)
			snprintf(suffix, sizeof(suffix), "_%s", name);
		else
			snprintf(suffix, sizeof(suffix), "_%zu", i + 1);
		component = component_add(making, "sensor", entry, element, suffix);
		set_sensor(making, component, entry, path);
	}
}

/* A setting is a number or a sensor, and the other one is removed if it was there. */
static void setting_add(struct making *making, const char *path, const json_t *entry)
{
	char key[TEXT_LONGEST / 2];

	if (making->config->allow_write) {
		set_number(making, component_add(making, "number", entry, NULL, "_number"), entry,
			   path);
		component_remove(making->components, catalogue_text(entry, "id"), "sensor");
		return;
	}
	sensor_add(making, path, entry);
	snprintf(key, sizeof(key), "%s_number", catalogue_text(entry, "id"));
	component_remove(making->components, key, "number");
}

static void entry_add(struct making *making, const char *path, const json_t *entry)
{
	const json_t *elements = json_object_get(entry, "elements");

	if (elements)
		elements_add(making, path, entry, elements);
	else if (catalogue_is_settable(entry))
		setting_add(making, path, entry);
	else
		sensor_add(making, path, entry);
}

static json_t *binary_add(struct making *making, const char *key, const char *label)
{
	json_t *entry = json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", key, "slug", key, "label",
				  label, "group", "", "key", key);
	json_t *component = component_add(making, "binary_sensor", entry, NULL, "");

	json_decref(entry);
	set_text(component, "device_class", "%s", key);
	return component;
}

static void problem_add(struct making *making)
{
	json_t *component = binary_add(making, "problem", "Problem");

	json_object_set_new(component, "expire_after", json_integer(making->config->expire_after));
	set_text(component, "payload_on", "True");
	set_text(component, "payload_off", "False");
}

/* Available while the others are not, to say why. */
static void link_add(struct making *making)
{
	json_t *component = binary_add(making, "connectivity", "Link to the BMS");

	json_object_del(component, "value_template");
	set_topic(component, "state_topic", making->config, "link");
	json_object_set_new(component, "availability", availability_make(making->config, false));
	set_text(component, "entity_category", "diagnostic");
	set_text(component, "payload_on", "online");
	set_text(component, "payload_off", "offline");
}

static void remove_missing(json_t *components, const json_t *old)
{
	json_t *component;
	const char *key;

	json_object_foreach(json_object_get(old, "components"), key,
			    component) if (!json_object_get(components, key))
		component_remove(components, key,
				 json_string_value(json_object_get(component, "platform")));
}

json_t *discovery_make(const struct mqtt_config *config, const json_t *catalogue,
		       const json_t *snapshot, const json_t *old)
{
	struct making making = {
		.config = config,
		.snapshot = snapshot,
		.components = json_object(),
		.names = json_object(),
	};
	json_t *message, *entry;
	const char *path;

	if (json_object_get(catalogue, "pack/error"))
		problem_add(&making);
	link_add(&making);
	json_object_foreach((json_t *)catalogue, path, entry) entry_add(&making, path, entry);
	json_decref(making.names);
	remove_missing(making.components, old);
	message = json_pack("{s:o, s:{s:s, s:s}, s:o, s:s}", "device",
			    device_make(config, snapshot), "origin", "name", "bmsfs-mqtt",
			    "sw_version", BMSFS_VERSION, "availability",
			    availability_make(config, true), "availability_mode", "all");
	set_topic(message, "state_topic", config, "state");
	json_object_set_new(message, "components", making.components);
	return message;
}

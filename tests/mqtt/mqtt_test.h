/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A small mount, as its files would show it. */
#ifndef BMSFS_MQTT_TEST_H
#define BMSFS_MQTT_TEST_H

#include <stdlib.h>
#include <string.h>

#include "mqtt/catalogue.h"
#include "test.h"

static const char small_snapshot[] =
	"{'name': 'bms0', 'model': '1q', 'link': {'state': 'online'},"
	" 'instructions': {"
	"  'IDN': {'value': 'REC BMS 1Q'}, 'SWVR': {'value': '2.9'},"
	"  'CELL': {'value': [3.3461, 3.3402], 'unit': 'V'},"
	"  'CMAX': {'value': 3.85, 'unit': 'V'}, 'TIME': {'value': '12:00:00'},"
	"  'HUMI': {'value': 41, 'unit': '%'}, 'FANS': {'value': [900, 950]},"
	"  'PAIR': {'value': {'left': 1, 'right': 2}}},"
	" 'pack': {'soc': {'value': 78.47, 'unit': '%'}, 'error': {'value': 0},"
	"  'error_text': {'value': 'none'}, 'online': {'value': 1}},"
	" 'units': {'1': {'address': {'value': 1}, 'temperature': {'value': 25.0, 'unit': 'degC'},"
	"  'cells': {'1': {'voltage': {'value': 3.3461, 'unit': 'V'}, 'resistance': {'value': "
	"0.0002}},"
	"   '2': {'voltage': {'value': 3.3402, 'unit': 'V'}, 'resistance': {'value': 0.0003}}},"
	"  'sensors': {'1': {'temperature': {'value': 19.5, 'unit': 'degC'}}}}},"
	" 'failed': {'pack/time_to_full': 'ENODATA', 'units/1/sensors/2/temperature': 'EIO',"
	"  'BVOL': 'ETIMEDOUT'}}";

static const char small_attributes[] =
	"{'IDN': {'name': 'identification', 'type': 'text', 'category': 'identity'},"
	" 'SWVR': {'name': 'software version', 'type': 'text', 'category': 'identity'},"
	" 'CMAX': {'name': 'cell over-voltage switch-off', 'unit': 'V', 'type': 'float',"
	"  'min': '2', 'max': '4.3', 'category': 'cell_voltage', 'writable': true},"
	" 'BVOL': {'name': 'balancing end voltage', 'unit': 'V', 'type': 'float',"
	"  'min': '2.5', 'max': '4.3', 'category': 'cell_voltage', 'writable': true},"
	" 'TIME': {'name': 'time of day', 'type': 'clock', 'category': 'clock', 'writable': true},"
	" 'HUMI': {'name': 'humidity', 'unit': '%', 'type': 'int', 'category': 'mine'},"
	" 'FANS': {'name': 'fan speeds', 'type': 'int', 'category': 'mine'},"
	" 'PAIR': {'name': 'pair', 'type': 'int', 'category': 'mine'},"
	" 'pack/soc': {'name': 'state of charge', 'unit': '%', 'type': 'float', 'category': "
	"'pack'},"
	" 'pack/error': {'name': 'present error', 'type': 'int', 'category': 'pack'},"
	" 'pack/error_text': {'name': 'present error in words', 'type': 'text', 'category': "
	"'pack'},"
	" 'pack/online': {'name': 'online', 'type': 'int', 'category': 'pack'},"
	" 'pack/time_to_full': {'name': 'time to full', 'unit': 's', 'type': 'int',"
	"  'category': 'pack'},"
	" 'address': {'name': 'address', 'type': 'int'},"
	" 'voltage': {'name': 'cell voltage', 'unit': 'V', 'type': 'float'},"
	" 'resistance': {'name': 'cell resistance', 'unit': 'ohm', 'type': 'float'},"
	" 'temperature': {'name': 'temperature', 'unit': 'degC', 'type': 'float'}}";

/* JSON with single quotes, which C does not need to escape. */
static json_t *parse(const char *text)
{
	char *copy = strdup(text);
	json_t *json;

	assert_non_null(copy);
	for (char *quote = copy; (quote = strchr(quote, '\''));)
		*quote = '"';
	json = json_loads(copy, 0, NULL);
	free(copy);
	assert_non_null(json);
	return json;
}

/* Counts its calls in the attributes themselves. */
static json_t *describe(void *user, const char *path)
{
	const char *last = strrchr(path, '/');
	json_t *attributes = user, *found;
	json_int_t calls = json_integer_value(json_object_get(attributes, "calls"));

	json_object_set_new(attributes, "calls", json_integer(calls + 1));
	found = json_object_get(attributes, path);
	if (!found && last)
		found = json_object_get(attributes, last + 1);
	return found ? json_deep_copy(found) : NULL;
}

#endif

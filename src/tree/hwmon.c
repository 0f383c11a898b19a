// SPDX-License-Identifier: LGPL-3.0-or-later
/* class/hwmon/: sensors, as in Documentation/hwmon/sysfs-interface.rst. */
#include <errno.h>

#include "protocol/value.h"
#include "tree/node.h"

#define MILLI 1e3

static unsigned sum(const uint8_t count[SAMPLE_UNIT_MAX], unsigned units)
{
	unsigned all = 0;

	for (unsigned i = 0; i < units; i++)
		all += count[i];
	return all;
}

static unsigned all_cells(const struct shape *shape, unsigned unit)
{
	(void)unit;
	return sum(shape->cells, shape->units);
}

static unsigned all_sensors(const struct shape *shape, unsigned unit)
{
	(void)unit;
	return sum(shape->sensors, shape->units);
}

static void add_number(struct text *text, const char *word, unsigned number)
{
	text_add(text, word);
	text_take(text, value_format_int(text_end(text), text_room(text), number));
}

/* "unit 2 cell 3", without the unit where there is one only. */
static int print_channel(const struct view *view, struct text *text, const uint8_t *count,
			 const char *word)
{
	const struct shape *shape = device_shape(view->tree->device);
	unsigned number = view->place.channel, unit = 0;

	while (unit < shape->units && number > count[unit])
		number -= count[unit++];
	if (!shape->known || unit == shape->units)
		return -ENODEV;
	if (shape->units > 1) {
		add_number(text, "unit ", unit + 1);
		text_add(text, " ");
	}
	add_number(text, word, number);
	return text_add(text, "\n");
}

static int print_cell(const struct view *view, struct text *text)
{
	return print_channel(view, text, device_shape(view->tree->device)->cells, "cell ");
}

static int print_sensor(const struct view *view, struct text *text)
{
	return print_channel(view, text, device_shape(view->tree->device)->sensors, "sensor ");
}

static int print_name(const struct view *view, struct text *text)
{
	int ret = text_add(text, view->tree->name);

	return ret ? ret : text_add(text, "\n");
}

static const struct node hwmon_nodes[] = {
	{
		.name = "name",
		.type = NODE_PRINT,
		.title = "name",
		.description = "The name that the mount gave the supply.",
		.print = print_name,
	},
	{
		.name = "in0_input",
		.type = NODE_VALUE,
		.title = "voltage",
		.description = "Voltage of the pack.",
		.unit = "mV",
		.source = { FROM_FIELD("LCD1", "pack_voltage") },
		.scale = MILLI,
	},
	{
		.name = "in0_label",
		.type = NODE_PRINT,
		.title = "what in0_input is",
		.description = "That in0_input is of the pack.",
		.target = "pack",
		.print = print_constant,
	},
	{
		.name = "in#_input",
		.type = NODE_VALUE,
		.number = NUMBER_CHANNEL,
		.max = UNIT_MAX * CELL_MAX,
		.count = all_cells,
		.title = "cell voltage",
		.description = "Voltage of a cell. Numbers count from 1 through all units.",
		.unit = "mV",
		.source = { FROM("CELL") },
		.scale = MILLI,
	},
	{
		.name = "in#_label",
		.type = NODE_PRINT,
		.number = NUMBER_CHANNEL,
		.max = UNIT_MAX * CELL_MAX,
		.count = all_cells,
		.title = "which cell",
		.description = "\"cell 3\"; of several units \"unit 2 cell 3\".",
		.print = print_cell,
	},
	{
		.name = "temp1_input",
		.type = NODE_VALUE,
		.title = "BMS temperature",
		.description = "Temperature of the circuit board, of the first unit if each tells.",
		.unit = "0.001 degC",
		.source = { FROM("BTEM") },
		.scale = MILLI,
	},
	{
		.name = "temp1_label",
		.type = NODE_PRINT,
		.title = "what temp1_input is",
		.description = "That temp1_input is of the circuit board.",
		.target = "BMS",
		.print = print_constant,
	},
	{
		.name = "temp#_input",
		.type = NODE_VALUE,
		.number = NUMBER_CHANNEL,
		.skip = 1,
		.max = UNIT_MAX * SENSOR_MAX,
		.count = all_sensors,
		.title = "temperature",
		.description = "Temperature at a sensor. Numbers count from 2 through all units.",
		.unit = "0.001 degC",
		.source = { FROM("PTEM") },
		.scale = MILLI,
	},
	{
		.name = "temp#_label",
		.type = NODE_PRINT,
		.number = NUMBER_CHANNEL,
		.skip = 1,
		.max = UNIT_MAX * SENSOR_MAX,
		.count = all_sensors,
		.title = "which sensor",
		.description = "\"sensor 1\"; of several units \"unit 2 sensor 1\".",
		.print = print_sensor,
	},
	{
		.name = "curr1_input",
		.type = NODE_VALUE,
		.title = "current",
		.description = "Current of the pack, negative while it is discharged.",
		.unit = "mA",
		.source = { FROM_FIELD("LCD1", "current") },
		.scale = MILLI,
	},
	{
		.name = "curr1_label",
		.type = NODE_PRINT,
		.title = "what curr1_input is",
		.description = "That curr1_input is of the pack.",
		.target = "pack",
		.print = print_constant,
	},
};

static const struct node hwmons_nodes[] = {
	{
		.name = "hwmon0",
		.type = NODE_DIR,
		.dir = DIR_HWMON,
		.title = "hardware monitor",
		.description = "The pack.",
	},
};

const struct dir hwmons_dir = {
	.parent = DIR_CLASS,
	.category = "class",
	.node = hwmons_nodes,
	.nodes = sizeof(hwmons_nodes) / sizeof(hwmons_nodes[0]),
};

const struct dir hwmon_dir = {
	.parent = DIR_HWMONS,
	.kernel = true,
	.category = "class",
	.node = hwmon_nodes,
	.nodes = sizeof(hwmon_nodes) / sizeof(hwmon_nodes[0]),
};

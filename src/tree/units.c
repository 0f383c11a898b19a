// SPDX-License-Identifier: LGPL-3.0-or-later
/* units/: the units with their cells and sensors. */
#include <errno.h>

#include "tree/node.h"

static unsigned shape_units(const struct shape *shape, unsigned unit)
{
	(void)unit;
	return shape->units;
}

static unsigned shape_cells(const struct shape *shape, unsigned unit)
{
	return unit <= shape->units ? shape->cells[unit - 1] : 0;
}

static unsigned shape_sensors(const struct shape *shape, unsigned unit)
{
	return unit <= shape->units ? shape->sensors[unit - 1] : 0;
}

/* Whether two units sent under the same address. */
static bool senders_repeat(const struct sample *sample)
{
	for (unsigned i = 1; i < sample->units; i++)
		for (unsigned j = 0; j < i; j++)
			if (sample->address[i] == sample->address[j])
				return true;
	return false;
}

/* Of several units the senders tell the addresses only if it was not the master who sent. */
static int unit_address(const struct view *view, double *value)
{
	const struct sample *sample = view->sample[0];

	if (view->place.unit > sample->units)
		return -ENODEV;
	if (senders_repeat(sample))
		return -ENODATA;
	*value = sample->address[view->place.unit - 1];
	return 0;
}

/* A master may answer BTEM with one number, and then nothing says which unit's it is. */
static int unit_temperature(const struct view *view, double *value)
{
	const struct shape *shape = device_shape(view->tree->device);
	const struct sample *sample = view->sample[0];
	unsigned unit = view->place.unit - 1u;

	if (!shape->known || unit >= shape->units)
		return -ENODEV;
	if (sample->units != shape->units || !sample->count[unit])
		return -ENODATA;
	*value = sample->number[sample_offset(sample, unit)];
	return 0;
}

static const struct node units_nodes[] = {
	{
		.name = "#",
		.type = NODE_DIR,
		.dir = DIR_UNIT,
		.number = NUMBER_UNIT,
		.max = UNIT_MAX,
		.count = shape_units,
		.title = "unit",
		.description =
			"A unit. The number is its position in the replies of the BMS, from 1.",
	},
};

static const struct node unit_nodes[] = {
	{
		.name = "address",
		.type = NODE_VALUE,
		.title = "address",
		.description =
			"Address of the unit, which LCD3 and ERRO call it by; ENODATA if the "
			"replies of several units do not tell it.",
		.source = { FROM_WHOLE("CELL") },
		.compute = unit_address,
	},
	{
		.name = "temperature",
		.type = NODE_VALUE,
		.title = "BMS temperature",
		.description =
			"Temperature of the circuit board of the unit; ENODATA if the BMS does "
			"not tell it of each unit.",
		.unit = "degC",
		.source = { FROM_WHOLE("BTEM") },
		.compute = unit_temperature,
		.decimals = 1,
		.metric = "bms_board_temperature_celsius",
	},
	{
		.name = "cells",
		.type = NODE_DIR,
		.dir = DIR_CELLS,
		.title = "cells",
		.description = "The cells of the unit.",
	},
	{
		.name = "sensors",
		.type = NODE_DIR,
		.dir = DIR_SENSORS,
		.title = "sensors",
		.description = "The temperature sensors of the unit.",
	},
};

static const struct node cells_nodes[] = {
	{
		.name = "#",
		.type = NODE_DIR,
		.dir = DIR_CELL,
		.number = NUMBER_CHANNEL,
		.max = CELL_MAX,
		.count = shape_cells,
		.title = "cell",
		.description = "A cell, numbered from 1.",
	},
};

static const struct node cell_nodes[] = {
	{
		.name = "voltage",
		.type = NODE_VALUE,
		.title = "cell voltage",
		.description = "Voltage of the cell.",
		.unit = "V",
		.source = { FROM("CELL") },
		.decimals = 4,
		.metric = "bms_cell_voltage_volts",
	},
	{
		.name = "resistance",
		.type = NODE_VALUE,
		.title = "cell resistance",
		.description = "Direct current resistance of the cell.",
		.unit = "ohm",
		.source = { FROM("RINT") },
		.decimals = 7,
		.metric = "bms_cell_resistance_ohms",
	},
};

static const struct node sensors_nodes[] = {
	{
		.name = "#",
		.type = NODE_DIR,
		.dir = DIR_SENSOR,
		.number = NUMBER_CHANNEL,
		.max = SENSOR_MAX,
		.count = shape_sensors,
		.title = "sensor",
		.description = "A temperature sensor, numbered from 1.",
	},
};

static const struct node sensor_nodes[] = {
	{
		.name = "temperature",
		.type = NODE_VALUE,
		.title = "temperature",
		.description = "Temperature at the sensor.",
		.unit = "degC",
		.source = { FROM("PTEM") },
		.decimals = 1,
		.metric = "bms_sensor_temperature_celsius",
	},
};

const struct dir units_dir = {
	.parent = DIR_ROOT,
	.category = "units",
	.node = units_nodes,
	.nodes = sizeof(units_nodes) / sizeof(units_nodes[0]),
};

const struct dir unit_dir = {
	.parent = DIR_UNITS,
	.units = true,
	.category = "units",
	.node = unit_nodes,
	.nodes = sizeof(unit_nodes) / sizeof(unit_nodes[0]),
};

const struct dir cells_dir = {
	.parent = DIR_UNIT,
	.units = true,
	.category = "units",
	.node = cells_nodes,
	.nodes = sizeof(cells_nodes) / sizeof(cells_nodes[0]),
};

const struct dir cell_dir = {
	.parent = DIR_CELLS,
	.units = true,
	.channels = true,
	.category = "units",
	.node = cell_nodes,
	.nodes = sizeof(cell_nodes) / sizeof(cell_nodes[0]),
};

const struct dir sensors_dir = {
	.parent = DIR_UNIT,
	.units = true,
	.category = "units",
	.node = sensors_nodes,
	.nodes = sizeof(sensors_nodes) / sizeof(sensors_nodes[0]),
};

const struct dir sensor_dir = {
	.parent = DIR_SENSORS,
	.units = true,
	.channels = true,
	.category = "units",
	.node = sensor_nodes,
	.nodes = sizeof(sensor_nodes) / sizeof(sensor_nodes[0]),
};

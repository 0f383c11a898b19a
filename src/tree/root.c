// SPDX-License-Identifier: LGPL-3.0-or-later
#include "tree/node.h"

static bool has_one_unit(const struct shape *shape)
{
	return shape->known && shape->units == 1;
}

static const struct node nodes[] = {
	{
		.name = "SOC",
		.type = NODE_ALIAS,
		.dir = DIR_PACK,
		.target = "soc",
	},
	{
		.name = "SOH",
		.type = NODE_ALIAS,
		.dir = DIR_PACK,
		.target = "soh",
	},
	{
		.name = "pack",
		.type = NODE_DIR,
		.dir = DIR_PACK,
		.title = "pack",
		.description = "The pack as a whole, interpreted.",
	},
	{
		.name = "units",
		.type = NODE_DIR,
		.dir = DIR_UNITS,
		.title = "units",
		.description = "The units of the pack, interpreted.",
	},
	{
		.name = "cells",
		.type = NODE_LINK,
		.target = "units/1/cells",
		.visible = has_one_unit,
		.title = "cells",
		.description = "The cells, where there is exactly one unit.",
	},
	{
		.name = "bus",
		.type = NODE_DIR,
		.dir = DIR_BUS,
		.title = "bus",
		.description = "The line to the BMS and how it fares.",
	},
	{
		.name = "class",
		.type = NODE_DIR,
		.dir = DIR_CLASS,
		.title = "classes",
		.description = "The pack as the kernel would show it under /sys/class.",
	},
	{
		.name = "metrics",
		.type = NODE_DIR,
		.dir = DIR_METRICS,
		.title = "metrics",
		.description = "The pack as Prometheus wants it.",
	},
	{
		.name = "snapshot.json",
		.type = NODE_LONG,
		.title = "snapshot",
		.description =
			"All that is known of the BMS in one read, as JSON. \"instructions\" holds "
			"each instruction by its name, \"pack\" and \"units\" the files of those "
			"directories, each with its value, unit, and age: seconds since it was "
			"asked "
			"for, of the oldest instruction that it is made of. \"failed\" names each "
			"file that has no value now, with its errno. What is fresh is not asked "
			"for "
			"again; what reading would take away from the BMS is left out. Made when "
			"the "
			"file is opened.",
		.rows = snapshot_rows,
		.print = print_snapshot,
	},
};

const struct dir root_dir = {
	.parent = DIR_ROOT,
	.category = "snapshot",
	.node = nodes,
	.nodes = sizeof(nodes) / sizeof(nodes[0]),
};

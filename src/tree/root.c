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
};

const struct dir root_dir = {
	.parent = DIR_ROOT,
	.node = nodes,
	.nodes = sizeof(nodes) / sizeof(nodes[0]),
};

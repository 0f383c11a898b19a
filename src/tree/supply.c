// SPDX-License-Identifier: LGPL-3.0-or-later
/* class/power_supply/: the battery of Documentation/ABI/testing/sysfs-class-power. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "tree/node.h"

#define MICRO        1e6
#define FULL         0.9995
#define STRING_SLACK 0.25 /* of the voltage that so many cells in series would have */

enum { STATUS_UNKNOWN, STATUS_DISCHARGING, STATUS_FULL, STATUS_CHARGING, STATUS_IDLE };
enum { LEVEL_CRITICAL, LEVEL_LOW, LEVEL_FULL, LEVEL_NORMAL };

/* FLOW_SOURCES, soc */
static int supply_status(const struct view *view, double *value)
{
	double current_A;

	if (pack_flow(view->number, &current_A))
		*value = STATUS_UNKNOWN;
	else if (current_A < 0)
		*value = STATUS_DISCHARGING;
	else if (view->number[3] >= FULL)
		*value = STATUS_FULL;
	else
		*value = current_A > 0 ? STATUS_CHARGING : STATUS_IDLE;
	return 0;
}

/* cell_voltage_min, soc, CMIN, CLOW */
static int supply_level(const struct view *view, double *value)
{
	double lowest_V = view->number[0];

	if (lowest_V < view->number[2])
		*value = LEVEL_CRITICAL;
	else if (lowest_V < view->number[3])
		*value = LEVEL_LOW;
	else
		*value = view->number[1] >= FULL ? LEVEL_FULL : LEVEL_NORMAL;
	return 0;
}

/* Readers take nothing but 0 to 1, and what is called full is full in each file. */
static double shown_soc(double soc)
{
	return soc >= FULL ? 1 : fmax(soc, 0);
}

static int supply_capacity(const struct view *view, double *value)
{
	*value = shown_soc(view->number[0]) * 100;
	return 0;
}

/* No digits but those that a float32 setting can mean. */
static double to_milli(double value)
{
	return round(value * 1000) / 1000;
}

/*
 * CHARGE_SOURCES. All charges are rounded alike, so that none exceeds one that it is a part of.
 */
static int supply_charge_now(const struct view *view, double *value)
{
	*value = to_milli(shown_soc(view->number[0]) * view->number[1] * view->number[2]);
	return 0;
}

static int supply_charge_full(const struct view *view, double *value)
{
	*value = to_milli(view->number[0] * view->number[1]);
	return 0;
}

static int supply_charge_design(const struct view *view, double *value)
{
	*value = to_milli(view->number[0]);
	return 0;
}

/* CHARGE_SOURCES, FLOW_SOURCES. A battery that is full has no time to go. */
static int supply_time_to_full(const struct view *view, double *value)
{
	if (view->number[0] >= FULL)
		return -ENODATA;
	return pack_time_to_full(view, value);
}

/*
 * The cells of one string. Nobody tells whether the units of a master are in series or side by
 * side, but the voltages do: all cells, or those of one unit.
 */
static int string_cells(const struct view *view, double pack_V, double cell_V, double *cells)
{
	const struct shape *shape = device_shape(view->tree->device);
	double all = 0, measured = pack_V / cell_V;

	if (!shape->known || !shape->units)
		return -ENODEV;
	for (unsigned i = 0; i < shape->units; i++)
		all += shape->cells[i];
	*cells = fabs(measured - all) < fabs(measured - shape->cells[0]) ? all : shape->cells[0];
	if (shape->units > 1 && !(fabs(measured - *cells) <= STRING_SLACK * *cells))
		return -ENODATA;
	return 0;
}

/* What tells how many cells a string has. */
#define STRING_SOURCES                                                              \
	FROM_FIELD("LCD1", "pack_voltage"), FROM_FIELD("LCD1", "cell_voltage_min"), \
		FROM_FIELD("LCD1", "cell_voltage_max")

/* the limit of a cell, STRING_SOURCES */
static int supply_limit(const struct view *view, double *value)
{
	double cells;
	int ret = string_cells(view, view->number[1], (view->number[2] + view->number[3]) / 2,
			       &cells);

	if (!ret)
		*value = to_milli(view->number[0] * cells);
	return ret;
}

static int print_present(const struct view *view, struct text *text)
{
	bool online = !device_online(view->tree->device, view->fresh);

	return text_add(text, online ? "1\n" : "0\n");
}

static int print_sample_text(const struct view *view, struct text *text)
{
	int ret = text_add(text, view->sample[0]->text);

	return ret ? ret : text_add(text, "\n");
}

static void add_key(struct text *text, const char *name)
{
	text_add(text, "POWER_SUPPLY_");
	for (; *name; name++) {
		char letter = *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;

		text_add_bytes(text, &letter, 1);
	}
	text_add(text, "=");
}

static void uevent_rows(const struct tree *tree, struct row_set *rows)
{
	online_rows(tree, rows);
	for (size_t i = 0; i < supply_dir.nodes; i++) {
		const struct binding *binding = &tree->binding[DIR_SUPPLY][i];

		for (unsigned s = 0; s < binding->count; s++)
			row_set_add(rows, binding->row[s]);
	}
}

/*
 * i3status, for one, makes watts of amperes and of ampere-hours, and in an int: above 2147 W or Wh
 * it shows no battery at all, and nonsense where it has one of these lines without the others.
 * Without any it shows the percentage.
 */
static bool uevent_has_power(const struct view *view)
{
	struct place place = view->place;
	double value;

	for (size_t i = 0; view->sample[0] && i < supply_dir.nodes; i++) {
		place.entry = (uint8_t)(ENTRY_FIRST + i);
		if (supply_dir.node[i].uevent == UEVENT_POWER &&
		    (node_number(view->tree, &place, view->fresh, &value) ||
		     fabs(value) * fmax(view->number[0], 1) > INT32_MAX))
			return false;
	}
	return view->sample[0];
}

/* All other files of the directory, in its order; what cannot be had is left out. */
static int print_uevent(const struct view *view, struct text *text)
{
	const struct dir *dir = tree_dirs[view->place.dir];
	bool power = uevent_has_power(view);

	add_key(text, "NAME");
	text_add(text, view->tree->name);
	text_add(text, "\n");
	for (size_t i = 0; i < dir->nodes; i++) {
		struct place place = view->place;
		size_t before = text->used;

		if (dir->node[i].uevent == UEVENT_NONE ||
		    (dir->node[i].uevent == UEVENT_POWER && !power))
			continue;
		place.entry = (uint8_t)(ENTRY_FIRST + i);
		add_key(text, dir->node[i].name);
		if (node_render(view->tree, &place, view->fresh, text))
			text->used = before;
	}
	return text->full ? -ENOSPC : 0;
}

static const struct code status_codes[] = {
	{ STATUS_UNKNOWN, NULL, "Unknown", "error 12: the current is not measured" },
	{ STATUS_DISCHARGING, NULL, "Discharging", "else, with a current below -0.1 A" },
	{ STATUS_FULL, NULL, "Full", "else, with a state of charge of 100.0 %" },
	{ STATUS_CHARGING, NULL, "Charging", "else, with a current above 0.1 A" },
	{ STATUS_IDLE, NULL, "Not charging", "else" },
	{ 0, NULL, NULL, NULL },
};

static const struct code level_codes[] = {
	{ LEVEL_CRITICAL, NULL, "Critical", "the lowest cell is below CMIN" },
	{ LEVEL_LOW, NULL, "Low", "else, below CLOW" },
	{ LEVEL_FULL, NULL, "Full", "else, with a state of charge of 100.0 %" },
	{ LEVEL_NORMAL, NULL, "Normal", "else" },
	{ 0, NULL, NULL, NULL },
};

static const struct code health_codes[] = {
	{ 0, NULL, "Good", "no error" },
	{ 1, NULL, "Over voltage", "error 1, cell over-voltage" },
	{ 2, NULL, "Under voltage", "error 2, cell under-voltage" },
	{ 3, NULL, "Cell imbalance", "error 3, cell voltages differ by more than RAZL" },
	{ 4, NULL, "Overheat", "error 4, cell over-temperature" },
	{ 5, NULL, "Overheat", "error 5, BMS over-temperature" },
	{ 7, NULL, "Cold", "error 7, too cold to charge" },
	{ CODE_OTHER, NULL, "Unspecified failure", "any other error" },
	{ 0, NULL, NULL, NULL },
};

static const struct code technology_codes[] = {
	{ 1, NULL, "Li-poly", "CHEM is 1" },
	{ 2, NULL, "Li-poly", "CHEM is 2" },
	{ 3, NULL, "LiFe", "CHEM is 3" },
	{ 4, NULL, "LiFe", "CHEM is 4" },
	{ 5, NULL, "LiMn", "CHEM is 5" },
	{ CODE_OTHER, NULL, "Unknown", "CHEM is anything else" },
	{ 0, NULL, NULL, NULL },
};

static const struct node supply_nodes[] = {
	{
		.name = "type",
		.type = NODE_PRINT,
		.title = "type",
		.description = "That it is a battery.",
		.target = "Battery",
		.print = print_constant,
	},
	{
		.name = "scope",
		.type = NODE_PRINT,
		.title = "scope",
		.description = "That it powers the system and not a device: other programs skip "
			       "the batteries of mice.",
		.target = "System",
		.print = print_constant,
	},
	{
		.name = "present",
		.type = NODE_PRINT,
		.title = "present",
		.description = "1 if the BMS answers, as pack/online says, else 0.",
		.rows = online_rows,
		.always = true,
		.print = print_present,
	},
	{
		.name = "status",
		.type = NODE_VALUE,
		.title = "status",
		.description = "Where the current flows; the first of these that holds.",
		.source = { FLOW_SOURCES, FROM_FIELD("LCD1", "soc") },
		.compute = supply_status,
		.code = status_codes,
		.metric = "bms_charge_state",
		.metric_label = "state",
	},
	{
		.name = "health",
		.type = NODE_VALUE,
		.title = "health",
		.description = "The present error, in the kernel's words.",
		.source = { ERROR_SOURCES },
		.compute = pack_error,
		.code = health_codes,
	},
	{
		.name = "technology",
		.type = NODE_VALUE,
		.title = "technology",
		.description = "What the cells are made of.",
		.source = { FROM("CHEM") },
		.code = technology_codes,
	},
	{
		.name = "capacity",
		.type = NODE_VALUE,
		.title = "state of charge",
		.description = "What is in the pack, as a share of what it can hold.",
		.unit = "%",
		.source = { FROM_FIELD("LCD1", "soc") },
		.compute = supply_capacity,
	},
	{
		.name = "capacity_level",
		.type = NODE_VALUE,
		.title = "capacity level",
		.description = "How full the pack is, by the settings of the BMS; the first of "
			       "these that holds.",
		.source = { FROM_FIELD("LCD1", "cell_voltage_min"), FROM_FIELD("LCD1", "soc"),
			    FROM("CMIN"), FROM("CLOW") },
		.compute = supply_level,
		.code = level_codes,
	},
	{
		.name = "voltage_now",
		.type = NODE_VALUE,
		.title = "voltage",
		.description = "Voltage of the pack.",
		.unit = "uV",
		.source = { FROM_FIELD("LCD1", "pack_voltage") },
		.scale = MICRO,
	},
	{
		.name = "voltage_min",
		.type = NODE_VALUE,
		.title = "lowest voltage",
		.description =
			"CMIN times the cells of one string, as many as CELL told when the BMS was "
			"found. Of several units a string is all their cells, or the cells of the "
			"first unit, whichever comes closer to what the pack voltage makes of the "
			"cell voltages.",
		.unit = "uV",
		.source = { FROM("CMIN"), STRING_SOURCES },
		.compute = supply_limit,
		.scale = MICRO,
	},
	{
		.name = "voltage_max",
		.type = NODE_VALUE,
		.title = "highest voltage",
		.description = "CMAX times the cells of one string, counted as for voltage_min.",
		.unit = "uV",
		.source = { FROM("CMAX"), STRING_SOURCES },
		.compute = supply_limit,
		.scale = MICRO,
	},
	{
		.name = "voltage_min_design",
		.type = NODE_VALUE,
		.title = "voltage when empty",
		.description =
			"CLOW times the cells of one string, counted as for voltage_min: the "
			"battery counts as empty. Some readers make energies of charges "
			"with it.",
		.unit = "uV",
		.source = { FROM("CLOW"), STRING_SOURCES },
		.compute = supply_limit,
		.scale = MICRO,
	},
	{
		.name = "voltage_max_design",
		.type = NODE_VALUE,
		.title = "voltage when full",
		.description =
			"CHAR times the cells of one string, counted as for voltage_min: the "
			"battery counts as full.",
		.unit = "uV",
		.source = { FROM("CHAR"), STRING_SOURCES },
		.compute = supply_limit,
		.scale = MICRO,
	},
	{
		.name = "power_now",
		.type = NODE_VALUE,
		.title = "power",
		.description =
			"Voltage times current, negative while the pack is discharged. Above "
			"2147 W it is EOPNOTSUPP, for an int32 ends there.",
		.unit = "uW",
		.source = { FROM_FIELD("LCD1", "pack_voltage"), FROM_FIELD("LCD1", "current") },
		.compute = pack_power,
		.scale = MICRO,
		/* i3status takes the charges for energies where it sees a power. */
		.uevent = UEVENT_NONE,
	},
	{
		.name = "current_now",
		.type = NODE_VALUE,
		.title = "current",
		.description = "Current of the pack, negative while it is discharged.",
		.unit = "uA",
		.source = { FROM_FIELD("LCD1", "current") },
		.scale = MICRO,
		.uevent = UEVENT_POWER,
	},
	{
		.name = "charge_now",
		.type = NODE_VALUE,
		.title = "charge",
		.description = "Charge in the pack: capacity times state of charge times state of "
			       "health.",
		.unit = "uAh",
		.source = { CHARGE_SOURCES },
		.compute = supply_charge_now,
		.scale = MICRO,
		.uevent = UEVENT_POWER,
	},
	{
		.name = "charge_full",
		.type = NODE_VALUE,
		.title = "charge when full",
		.description = "What the pack can hold: capacity times state of health. Above 2147 "
			       "Ah charge_* are EOPNOTSUPP, for an int32 ends there; acpi, which "
			       "shows nothing else, says 0 % then.",
		.unit = "uAh",
		.source = { FROM_FIELD("LCD1", "soh"), FROM("CAPA") },
		.compute = supply_charge_full,
		.scale = MICRO,
		.uevent = UEVENT_POWER,
	},
	{
		.name = "charge_full_design",
		.type = NODE_VALUE,
		.title = "charge when full and new",
		.description = "Capacity of the pack when new.",
		.unit = "uAh",
		.source = { FROM("CAPA") },
		.compute = supply_charge_design,
		.scale = MICRO,
		.uevent = UEVENT_POWER,
	},
	{
		.name = "temp",
		.type = NODE_VALUE,
		.title = "temperature",
		.description = "Temperature at the hottest sensor.",
		.unit = "0.1 degC",
		.source = { FROM_FIELD("LCD1", "temperature_max") },
		.scale = 10,
	},
	{
		.name = "temp_max",
		.type = NODE_VALUE,
		.title = "highest temperature",
		.description = "Above this a sensor means an error.",
		.unit = "0.1 degC",
		.source = { FROM("TMAX") },
		.scale = 10,
	},
	{
		.name = "cycle_count",
		.type = NODE_VALUE,
		.title = "full cycles",
		.description = "Full cycles that the BMS has counted.",
		.source = { FROM("CYCL") },
	},
	{
		.name = "time_to_empty_now",
		.type = NODE_VALUE,
		.title = "time to empty",
		.description = "How long the charge lasts at the present current, as "
			       "pack/time_to_empty; EOPNOTSUPP where that is ENODATA.",
		.unit = "s",
		.source = { CHARGE_SOURCES, FLOW_SOURCES },
		.compute = pack_time_to_empty,
		/* Readers do not agree on its unit: i3status 2.14 takes it for minutes. */
		.uevent = UEVENT_NONE,
	},
	{
		.name = "time_to_full_now",
		.type = NODE_VALUE,
		.title = "time to full",
		.description = "When the pack is full at the present current, as "
			       "pack/time_to_full; EOPNOTSUPP where that is ENODATA, and from a "
			       "state of charge of 100.0 % on.",
		.unit = "s",
		.source = { CHARGE_SOURCES, FLOW_SOURCES },
		.compute = supply_time_to_full,
	},
	{
		.name = "manufacturer",
		.type = NODE_PRINT,
		.title = "manufacturer",
		.description = "Who made the BMS.",
		.target = "REC",
		.print = print_constant,
	},
	{
		.name = "model_name",
		.type = NODE_PRINT,
		.title = "model",
		.description = "How the BMS introduces itself.",
		.source = { FROM_WHOLE("*IDN") },
		.print = print_sample_text,
	},
	{
		.name = "serial_number",
		.type = NODE_PRINT,
		.title = "serial number",
		.description = "Serial number of the BMS.",
		.source = { FROM_WHOLE("SERI") },
		.print = print_sample_text,
	},
	{
		.name = "uevent",
		.type = NODE_PRINT,
		.title = "all in one",
		.description =
			"POWER_SUPPLY_NAME, then all files of this directory that have a value, "
			"each as POWER_SUPPLY_ and its name in capitals, \"=\", value. What "
			"readers of this file multiply by the voltage (charge_*, current_now) is "
			"left out as a whole if one of it has no value, or is above 2147 Wh or W, "
			"where their int overflows; and always time_to_empty_now, which i3status "
			"takes for minutes, and power_now, with which it takes charges for "
			"energies.",
		.source = { FROM_FIELD("LCD1", "pack_voltage") },
		.rows = uevent_rows,
		.always = true,
		.print = print_uevent,
		.uevent = UEVENT_NONE,
	},
};

static const struct node class_nodes[] = {
	{
		.name = "power_supply",
		.type = NODE_DIR,
		.dir = DIR_SUPPLIES,
		.title = "power supplies",
		.description = "The pack as a battery.",
	},
	{
		.name = "hwmon",
		.type = NODE_DIR,
		.dir = DIR_HWMONS,
		.title = "hardware monitors",
		.description = "The pack as a set of sensors.",
	},
};

static const struct node supplies_nodes[] = {
	{
		.name = NULL,
		.type = NODE_DIR,
		.dir = DIR_SUPPLY,
		.title = "power supply",
		.description = "The pack, under the name that the mount gave it.",
	},
};

const struct dir class_dir = {
	.parent = DIR_ROOT,
	.category = "class",
	.node = class_nodes,
	.nodes = sizeof(class_nodes) / sizeof(class_nodes[0]),
};

const struct dir supplies_dir = {
	.parent = DIR_CLASS,
	.category = "class",
	.node = supplies_nodes,
	.nodes = sizeof(supplies_nodes) / sizeof(supplies_nodes[0]),
};

const struct dir supply_dir = {
	.parent = DIR_SUPPLIES,
	.kernel = true,
	.category = "class",
	.node = supply_nodes,
	.nodes = sizeof(supply_nodes) / sizeof(supply_nodes[0]),
};

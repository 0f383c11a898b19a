// SPDX-License-Identifier: LGPL-3.0-or-later
/* pack/: what LCD1, LCD3, ERRO and a few settings say about the whole pack. */
#include <errno.h>
#include <math.h>

#include "tree/node.h"

#define PERCENT      100.0
#define HOUR_SECONDS 3600.0
#define IDLE_A       0.1 /* up to this is no current but the noise of its measurement */

#define ERROR_NO_CURRENT 12 /* the current is not measured, or beyond what can be */

int pack_power(const struct view *view, double *value)
{
	*value = view->number[0] * view->number[1];
	return 0;
}

static int pack_spread(const struct view *view, double *value)
{
	*value = view->number[1] - view->number[0];
	return 0;
}

int pack_remaining(const struct view *view, double *value)
{
	*value = view->number[0] * view->number[1] * view->number[2];
	return 0;
}

int pack_flow(const double number[3], double *current_A)
{
	*current_A = fabs(number[0]) > IDLE_A ? number[0] : 0;
	return number[1] != 0 && number[2] == ERROR_NO_CURRENT ? -ENODATA : 0;
}

int pack_time_to_empty(const struct view *view, double *value)
{
	double remaining_Ah = view->number[0] * view->number[1] * view->number[2];
	double current_A;
	int ret = pack_flow(&view->number[3], &current_A);

	if (ret || !(current_A < 0))
		return -ENODATA;
	*value = fmax(remaining_Ah, 0) / -current_A * HOUR_SECONDS;
	return 0;
}

int pack_time_to_full(const struct view *view, double *value)
{
	double missing_Ah = (1 - view->number[0]) * view->number[1] * view->number[2];
	double current_A;
	int ret = pack_flow(&view->number[3], &current_A);

	if (ret || !(current_A > 0))
		return -ENODATA;
	*value = fmax(missing_Ah, 0) / current_A * HOUR_SECONDS;
	return 0;
}

/* Without the flag the other bytes of ERRO mean nothing; with it, number 0 contradicts it. */
int pack_error(const struct view *view, double *value)
{
	bool present = view->number[0] != 0;

	*value = present ? view->number[1] : 0;
	return present && !view->number[1] ? -EIO : 0;
}

static int pack_online(const struct view *view, double *value)
{
	*value = 1;
	return device_online(view->tree->device, view->fresh);
}

static bool is_unsupported(const struct tree *tree, unsigned row)
{
	const struct freshness any = { .call = 0 };
	const struct sample *sample;

	return device_sample(tree->device, row, &any, &sample) == -EOPNOTSUPP;
}

/* LCD1, which most files need anyway; of a BMS without it any other. */
void online_rows(const struct tree *tree, struct row_set *rows)
{
	const struct instruction_table *table = tree->table;
	int usual = instruction_find(table, "LCD1");

	if (usual >= 0 && !is_unsupported(tree, (unsigned)usual)) {
		row_set_add(rows, (unsigned)usual);
		return;
	}
	for (unsigned row = 0; row < table->rows; row++) {
		if (table->row[row].class != CLASS_LIVE || table->row[row].consuming ||
		    is_unsupported(tree, row))
			continue;
		row_set_add(rows, row);
		return;
	}
}

static const struct code chemistry_codes[] = {
	{ 1, NULL, "Li-Po Kokam high power", NULL },
	{ 2, NULL, "Li-Po Kokam high capacity", NULL },
	{ 3, NULL, "LiFePO4 Winston, Thunder-Sky, GWL", NULL },
	{ 4, NULL, "LiFePO4 A123", NULL },
	{ 5, NULL, "Li-ion LiMn2O4", NULL },
	{ 0, NULL, NULL, NULL },
};

/* REC Active BMS manual; 15 and 16 as users of an Active BMS and of a master have met them. */
static const struct code error_codes[] = {
	{ 0, NULL, "none", NULL },
	{ 1, NULL, "cell over-voltage", NULL },
	{ 2, NULL, "cell under-voltage", NULL },
	{ 3, NULL, "cell voltages differ by more than RAZL", NULL },
	{ 4, NULL, "cell over-temperature", NULL },
	{ 5, NULL, "BMS over-temperature", NULL },
	{ 6, NULL, "number of cells or address not set properly", NULL },
	{ 7, NULL, "too cold to charge", NULL },
	{ 8, NULL, "temperature sensor fault", NULL },
	{ 9, NULL, "communication between master and slaves", NULL },
	{ 10, NULL, "cell short, measurement error or blown fuse", NULL },
	{ 11, NULL, "main relay stuck", NULL },
	{ 12, NULL, "current measurement disabled, or current above twice the shunt's", NULL },
	{ 13, NULL, "wrong chemistry selected", NULL },
	{ 14, NULL, "memory corrupted", NULL },
	{ 15, "abms", "CAN bit rate", NULL },
	{ 15, NULL, "balancing transistor, or CAN bit rate", NULL },
	{ 16, "abms", "internal communication", NULL },
	{ 16, NULL, "internal error, or internal communication", NULL },
	{ 0, NULL, NULL, NULL },
};

static const struct node nodes[] = {
	{
		.name = "voltage",
		.type = NODE_VALUE,
		.title = "voltage",
		.description = "Voltage of the pack.",
		.unit = "V",
		.source = { FROM_FIELD("LCD1", "pack_voltage") },
		.decimals = 3,
		.metric = "bms_pack_voltage_volts",
	},
	{
		.name = "current",
		.type = NODE_VALUE,
		.title = "current",
		.description = "Current of the pack, positive while it is charged.",
		.unit = "A",
		.source = { FROM_FIELD("LCD1", "current") },
		.decimals = 3,
		.metric = "bms_pack_current_amperes",
	},
	{
		.name = "power",
		.type = NODE_VALUE,
		.title = "power",
		.description = "Voltage times current, positive while the pack is charged.",
		.unit = "W",
		.source = { FROM_FIELD("LCD1", "pack_voltage"), FROM_FIELD("LCD1", "current") },
		.compute = pack_power,
		.decimals = 1,
		.metric = "bms_pack_power_watts",
	},
	{
		.name = "soc",
		.type = NODE_VALUE,
		.title = "state of charge",
		.description = "What is in the pack, as a share of what it can hold.",
		.unit = "%",
		.source = { FROM_FIELD("LCD1", "soc") },
		.scale = PERCENT,
		.decimals = 2,
		.metric = "bms_state_of_charge_ratio",
		.metric_shift = 2,
	},
	{
		.name = "soh",
		.type = NODE_VALUE,
		.title = "state of health",
		.description = "What is left of the capacity of the new pack.",
		.unit = "%",
		.source = { FROM_FIELD("LCD1", "soh") },
		.scale = PERCENT,
		.decimals = 2,
		.metric = "bms_state_of_health_ratio",
		.metric_shift = 2,
	},
	{
		.name = "capacity",
		.type = NODE_VALUE,
		.title = "capacity",
		.description = "Capacity of the pack when new, as set in CAPA.",
		.unit = "Ah",
		.source = { FROM("CAPA") },
		.decimals = 1,
		.metric = "bms_capacity_amperehours",
	},
	{
		.name = "charge_missing",
		.type = NODE_VALUE,
		.title = "charge missing",
		.description = "Charge missing since the pack was full, as the BMS counts it, in "
			       "whole Ah.",
		.unit = "Ah",
		.source = { FROM_FIELD("LCD3", "charge_missing") },
		.decimals = 1,
		.metric = "bms_charge_missing_amperehours",
	},
	{
		.name = "remaining",
		.type = NODE_VALUE,
		.title = "charge remaining",
		.description =
			"Charge in the pack: capacity times state of charge times state of health.",
		.unit = "Ah",
		.source = { CHARGE_SOURCES },
		.compute = pack_remaining,
		.decimals = 1,
		.metric = "bms_charge_remaining_amperehours",
	},
	{
		.name = "time_to_empty",
		.type = NODE_VALUE,
		.title = "time to empty",
		.description =
			"How long the remaining charge lasts at the present current; ENODATA "
			"unless the pack is discharged with more than 0.1 A, and with error 12, "
			"which is that the current is not measured.",
		.unit = "s",
		.source = { CHARGE_SOURCES, FLOW_SOURCES },
		.compute = pack_time_to_empty,
		.metric = "bms_time_to_empty_seconds",
	},
	{
		.name = "time_to_full",
		.type = NODE_VALUE,
		.title = "time to full",
		.description = "When the pack is full at the present current; ENODATA unless it is "
			       "charged with more than 0.1 A, and with error 12.",
		.unit = "s",
		.source = { CHARGE_SOURCES, FLOW_SOURCES },
		.compute = pack_time_to_full,
		.metric = "bms_time_to_full_seconds",
	},
	{
		.name = "cell_voltage_min",
		.type = NODE_VALUE,
		.title = "lowest cell voltage",
		.description = "Voltage of the cell with the lowest voltage.",
		.unit = "V",
		.source = { FROM_FIELD("LCD1", "cell_voltage_min") },
		.decimals = 4,
		.metric = "bms_cell_voltage_min_volts",
	},
	{
		.name = "cell_voltage_max",
		.type = NODE_VALUE,
		.title = "highest cell voltage",
		.description = "Voltage of the cell with the highest voltage.",
		.unit = "V",
		.source = { FROM_FIELD("LCD1", "cell_voltage_max") },
		.decimals = 4,
		.metric = "bms_cell_voltage_max_volts",
	},
	{
		.name = "cell_voltage_spread",
		.type = NODE_VALUE,
		.title = "cell voltage difference",
		.description = "Difference between the highest and the lowest cell voltage.",
		.unit = "V",
		.source = { FROM_FIELD("LCD1", "cell_voltage_min"),
			    FROM_FIELD("LCD1", "cell_voltage_max") },
		.compute = pack_spread,
		.decimals = 4,
		.metric = "bms_cell_voltage_spread_volts",
	},
	{
		.name = "cell_min",
		.type = NODE_VALUE,
		.title = "cell with the lowest voltage",
		.description = "Number of the cell with the lowest voltage in its unit, from 1.",
		.source = { FROM_FIELD("LCD3", "cell_min") },
	},
	{
		.name = "cell_min_unit",
		.type = NODE_VALUE,
		.title = "unit of that cell",
		.description = "Address of the unit of cell_min.",
		.source = { FROM_FIELD("LCD3", "cell_min_unit") },
	},
	{
		.name = "cell_max",
		.type = NODE_VALUE,
		.title = "cell with the highest voltage",
		.description = "Number of the cell with the highest voltage in its unit, from 1.",
		.source = { FROM_FIELD("LCD3", "cell_max") },
	},
	{
		.name = "cell_max_unit",
		.type = NODE_VALUE,
		.title = "unit of that cell",
		.description = "Address of the unit of cell_max.",
		.source = { FROM_FIELD("LCD3", "cell_max_unit") },
	},
	{
		.name = "temperature_max",
		.type = NODE_VALUE,
		.title = "highest temperature",
		.description = "Temperature at the hottest sensor.",
		.unit = "degC",
		.source = { FROM_FIELD("LCD1", "temperature_max") },
		.decimals = 1,
		.metric = "bms_temperature_max_celsius",
	},
	{
		.name = "temperature_max_sensor",
		.type = NODE_VALUE,
		.title = "hottest sensor",
		.description = "Number of the hottest sensor in its unit, from 1.",
		.source = { FROM_FIELD("LCD3", "temperature_max_sensor") },
	},
	{
		.name = "temperature_max_unit",
		.type = NODE_VALUE,
		.title = "unit of that sensor",
		.description = "Address of the unit of temperature_max_sensor.",
		.source = { FROM_FIELD("LCD3", "temperature_max_unit") },
	},
	{
		.name = "cycles",
		.type = NODE_VALUE,
		.title = "full cycles",
		.description = "Full cycles that the BMS has counted.",
		.source = { FROM("CYCL") },
		.metric = "bms_cycles_total",
		.metric_counts = true,
	},
	{
		.name = "chemistry",
		.type = NODE_VALUE,
		.title = "chemistry",
		.description = "What the cells are made of, as set in CHEM.",
		.source = { FROM("CHEM") },
		.code = chemistry_codes,
	},
	{
		.name = "error",
		.type = NODE_VALUE,
		.title = "present error",
		.description = "Number of the error that the BMS reports, 0 for none.",
		.source = { ERROR_SOURCES },
		.compute = pack_error,
		.metric = "bms_error",
	},
	{
		.name = "error_text",
		.type = NODE_VALUE,
		.title = "present error in words",
		.description =
			"The error that the BMS reports. What 15 and 16 mean depends on the model.",
		.source = { ERROR_SOURCES },
		.compute = pack_error,
		.code = error_codes,
		.metric = "bms_error_info",
		.metric_label = "name",
	},
	{
		.name = "online",
		.type = NODE_VALUE,
		.title = "online",
		.description = "1 if the BMS answered a request no older than ttl; else reading "
			       "fails, and the error says why. Values of grace do not count.",
		.rows = online_rows,
		.compute = pack_online,
	},
};

const struct dir pack_dir = {
	.parent = DIR_ROOT,
	.category = "pack",
	.node = nodes,
	.nodes = sizeof(nodes) / sizeof(nodes[0]),
};

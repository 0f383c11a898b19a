/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What there is to show of a battery, from one snapshot. What the mount did not give is NAN or "". */
#ifndef BMSFS_TOP_MODEL_H
#define BMSFS_TOP_MODEL_H

#include <jansson.h>
#include <stdbool.h>

#define MODEL_UNITS   15
#define MODEL_CELLS   16
#define MODEL_SENSORS 8

struct unit {
	double address, temperature_degC;
	unsigned cells, sensors;
	double cell_V[MODEL_CELLS], sensor_degC[MODEL_SENSORS];
};

/* Only some BMS tell which cell they balance. */
enum balancing { BALANCING_UNTOLD, BALANCING_MISSING, BALANCING_TOLD };

struct model {
	char name[32], identity[64], kind[16], link[64];
	bool online;       /* the BMS answers, as the mount says */
	char problem[256]; /* what is missing and why; "" if nothing is */
	char advice[256];  /* the mount's own sentence to that */
	double voltage_V, current_A, power_W, soc, soh, remaining_Ah, capacity_Ah;
	double to_full_s, to_empty_s, cycles;
	double lowest_V, lowest_cell, lowest_unit, highest_V, highest_cell, highest_unit;
	double error;
	char error_text[128];
	double scale_low_V, scale_high_V; /* of the bars: where the BMS switches off */
	enum balancing balancing;
	char balanced[32]; /* as the BMS has it: the number of a cell, usually */
	double requests, replies, timeouts, broken;
	unsigned units;
	struct unit unit[MODEL_UNITS];
	double age_s; /* of the oldest live value */
};

/* Nothing is known, for a reason. */
void model_fail(struct model *model, const char *reason);

void model_read(struct model *model, const json_t *snapshot);

/* Whether the BMS answers and the voltage is known: values that grace keeps are not live. */
bool model_is_live(const struct model *model);

/* Number of the cell that @unit, from 0, is known to balance, from 1; or 0. */
unsigned model_balanced(const struct model *model, unsigned unit);

#endif

/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The battery of the simulated BMS, with what the BMS measures, counts and decides: cells in series
 * that differ and drift, current that comes and goes, temperatures that lag, balancing, alarms and
 * the log of them. It moves in steps of one second on its own clock and only when asked, in coarser
 * steps after a long gap, so that asking costs a bounded time.
 */
#ifndef BMSFS_SIM_BATTERY_H
#define BMSFS_SIM_BATTERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/random.h"

#define BATTERY_UNIT_MAX   15
#define BATTERY_CELL_MAX   16 /* of each unit */
#define BATTERY_SENSOR_MAX 8  /* of each unit */
#define BATTERY_LOG_MAX    8

struct battery_shape {
	uint8_t units, cells, sensors; /* cells and sensors of each unit */
	bool lifepo4;                  /* else lithium-ion */
	double capacity_Ah;
	double resistance_ohm; /* of a typical cell */
};

/* The settings that matter to the battery, in the units of the wire. */
struct battery_limits {
	double balance_start_V;                                  /* BMIN */
	double over_V, over_release_V, under_V, under_release_V; /* CMAX, MAXH, CMIN, MINH */
	double full_V, low_V, difference_V;                      /* CHAR, CLOW, RAZL */
	double hot_degC, cold_degC, board_degC, board_release_K; /* TMAX, TMIN, TBAL, BMTH */
	double capacity_Ah, charge_C, discharge_C;               /* CAPA, CHAC, DCHC */
	double charge_A, discharge_A;                            /* MAXC, MAXD of all devices */
};

/* The numbers that ERRO gives (REC Active BMS manual). */
enum battery_alarm {
	BATTERY_NO_ALARM = 0,
	BATTERY_OVER_VOLTAGE = 1,
	BATTERY_UNDER_VOLTAGE = 2,
	BATTERY_DIFFERENCE = 3,
	BATTERY_HOT = 4,
	BATTERY_BOARD_HOT = 5,
	BATTERY_COLD = 7,
	BATTERY_ALARMS = 8,
};

enum battery_phase { BATTERY_CHARGING, BATTERY_FULL, BATTERY_DISCHARGING };

struct battery_cell {
	double charge;    /* 0 to 1, what is really in it */
	double capacity;  /* relative to the pack's */
	double ohm;       /* shown by RINT */
	double leak_A;    /* self discharge */
	double lag_V;     /* the slow part of the voltage drop */
	double voltage_V; /* as measured */
	bool bleeding;    /* being balanced */
};

struct battery_watch {
	bool active;
	double pending_s;     /* how long the limit has been crossed */
	uint8_t unit, number; /* where, both from 0 */
};

struct battery_event {
	uint8_t code, number; /* number from 1 */
	int64_t epoch_s;
};

struct battery {
	struct battery_shape shape;
	struct sim_random random;
	int64_t born, seconds; /* when it began; whole seconds it has lived */
	int64_t clock_s;       /* what the BMS's clock shows now, in seconds since 1970 */

	enum battery_phase phase;
	double phase_s;        /* for how long */
	double wish_C, wish_s; /* sun or load for now, and how long it lasts */
	double current_A;      /* positive charges */

	double soc, soh; /* fractions; soc as the BMS counts it */
	double cycles;   /* full ones */
	double over_count, under_count;
	double in_Wh, out_Wh;
	unsigned balanced; /* the cell that is balanced, from 1; 0: none */
	bool deep;         /* soc was low enough to make the next charge a cycle */

	struct battery_cell cell[BATTERY_UNIT_MAX * BATTERY_CELL_MAX]; /* unit after unit */
	double sensor_degC[BATTERY_UNIT_MAX * BATTERY_SENSOR_MAX];     /* likewise, exact */
	double board_degC[BATTERY_UNIT_MAX];

	struct battery_watch watch[BATTERY_ALARMS];
	struct battery_event log[BATTERY_LOG_MAX];
	unsigned logged;
};

/* What the whole pack shows; cells and sensors as indices over all units. */
struct battery_view {
	float min_V, max_V, pack_V, current_A, hot_degC;
	unsigned min_cell, max_cell, hot_sensor;
	unsigned missing_Ah;
	enum battery_alarm alarm; /* the first that is active, or BATTERY_NO_ALARM */
};

/* A battery in the middle of its charge at @now, some current flowing. */
void battery_init(struct battery *battery, const struct battery_shape *shape,
		  const struct battery_limits *limits, uint64_t seed, int64_t now);

/* Lives on to @now; time that runs backwards is ignored. */
void battery_advance(struct battery *battery, const struct battery_limits *limits, int64_t now);

void battery_look(const struct battery *battery, const struct battery_limits *limits,
		  struct battery_view *view);

/* As its sensor says it: in half degrees. */
float battery_sensor(const struct battery *battery, unsigned sensor);

/* Takes the oldest event out of the log; false if there is none. */
bool battery_pop(struct battery *battery, struct battery_event *event);

static inline unsigned battery_cells(const struct battery *battery)
{
	return battery->shape.units * battery->shape.cells;
}

static inline unsigned battery_sensors(const struct battery *battery)
{
	return battery->shape.units * battery->shape.sensors;
}

#endif

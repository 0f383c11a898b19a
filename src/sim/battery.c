// SPDX-License-Identifier: LGPL-3.0-or-later
#include "sim/battery.h"

#include <math.h>
#include <string.h>

#include "nsec.h"

#define STEPS_MAX     3072 /* of one call */
#define STEP_MAX_S    900  /* with the above: 32 days, the rest of a longer gap is sleep */
#define DAY_S         86400.0
#define SLEW_S        4.0    /* of the current */
#define LAG_S         60.0   /* of the slow part of the voltage drop */
#define CELL_HEAT_S   1800.0 /* thermal lag of cells */
#define BOARD_HEAT_S  300.0
#define FULL_REST_S   1200.0 /* after a charge, before the load comes back */
#define BLEED_A       1.5
#define TAIL_C        0.02 /* a current smaller than this ends a charge */
#define DISCHARGED    0.22 /* where the load is taken away */
#define CYCLE_LOW     0.35 /* REC Active BMS manual: a cycle counts if SOC fell to 35 % */
#define NOISE_V       0.0002
#define FIRST_CLOCK_S INT64_C(1748779200) /* 12:00:00 on 01.06.2025 */

struct curve_point {
	double charge, volt;
};

static const struct curve_point lifepo4_curve[] = {
	{ 0.00, 2.600 }, { 0.02, 2.900 }, { 0.05, 3.100 }, { 0.10, 3.200 }, { 0.20, 3.250 },
	{ 0.30, 3.280 }, { 0.40, 3.295 }, { 0.50, 3.301 }, { 0.60, 3.312 }, { 0.70, 3.326 },
	{ 0.80, 3.334 }, { 0.90, 3.342 }, { 0.95, 3.355 }, { 0.98, 3.390 }, { 0.99, 3.430 },
	{ 1.00, 3.560 }, { 1.03, 3.900 },
};

static const struct curve_point lithium_ion_curve[] = {
	{ 0.00, 3.000 }, { 0.05, 3.400 }, { 0.10, 3.500 }, { 0.20, 3.600 }, { 0.30, 3.660 },
	{ 0.40, 3.710 }, { 0.50, 3.770 }, { 0.60, 3.850 }, { 0.70, 3.940 }, { 0.80, 4.030 },
	{ 0.90, 4.110 }, { 1.00, 4.200 }, { 1.03, 4.350 },
};

/* How long a limit must be crossed before it counts (REC Active BMS manual). */
static const double alarm_delay_s[BATTERY_ALARMS] = {
	[BATTERY_OVER_VOLTAGE] = 10, [BATTERY_UNDER_VOLTAGE] = 10, [BATTERY_DIFFERENCE] = 5,
	[BATTERY_HOT] = 10,          [BATTERY_BOARD_HOT] = 5,      [BATTERY_COLD] = 2,
};

#define DIFFERENCE_RELEASE_V 0.02
#define SENSOR_RELEASE_K     2.0

static const double load_C[] = { 0.03, 0.05, 0.08, 0.12, 0.2, 0.3 };

#define LOADS (sizeof(load_C) / sizeof(load_C[0]))

static double clamp(double value, double low, double high)
{
	return value < low ? low : value > high ? high : value;
}

/* The voltage of a cell at rest. */
static double rest_voltage(const struct battery *battery, double charge)
{
	const struct curve_point *point =
		battery->shape.lifepo4 ? lifepo4_curve : lithium_ion_curve;

	charge = clamp(charge, 0, 1.03);
	while (charge > point[1].charge)
		point++;
	return point[0].volt + (point[1].volt - point[0].volt) * (charge - point[0].charge) /
				       (point[1].charge - point[0].charge);
}

static bool active(const struct battery *battery, enum battery_alarm alarm)
{
	return battery->watch[alarm].active;
}

static bool may_charge(const struct battery *battery)
{
	return !active(battery, BATTERY_OVER_VOLTAGE) && !active(battery, BATTERY_HOT) &&
	       !active(battery, BATTERY_BOARD_HOT) && !active(battery, BATTERY_COLD);
}

static bool may_discharge(const struct battery *battery)
{
	return !active(battery, BATTERY_UNDER_VOLTAGE) && !active(battery, BATTERY_HOT) &&
	       !active(battery, BATTERY_BOARD_HOT);
}

static void enter(struct battery *battery, enum battery_phase phase)
{
	battery->phase = phase;
	battery->phase_s = 0;
	battery->wish_s = 0;
}

/* Clouds pass and loads are switched: a new wish every few minutes. */
static void draw_wish(struct battery *battery)
{
	struct sim_random *random = &battery->random;

	switch (battery->phase) {
	case BATTERY_CHARGING:
		battery->wish_C = sim_random_between(random, 0.15, 0.3);
		battery->wish_s = sim_random_between(random, 60, 600);
		break;
	case BATTERY_FULL:
		battery->wish_C = 0;
		battery->wish_s = FULL_REST_S;
		break;
	case BATTERY_DISCHARGING:
		battery->wish_C = -load_C[sim_random_below(random, LOADS)] *
				  sim_random_between(random, 0.9, 1.1);
		battery->wish_s = sim_random_between(random, 30, 900);
		break;
	}
}

static double lowest_charge(const struct battery *battery)
{
	double low = 1;

	for (unsigned i = 0; i < battery_cells(battery); i++)
		low = fmin(low, battery->cell[i].charge);
	return low;
}

static double highest_charge(const struct battery *battery)
{
	double high = 0;

	for (unsigned i = 0; i < battery_cells(battery); i++)
		high = fmax(high, battery->cell[i].charge);
	return high;
}

/* The current at which the first cell reaches the end-of-charge voltage: this makes the taper. */
static double taper_A(const struct battery *battery, double full_V)
{
	double amps = INFINITY;

	for (unsigned i = 0; i < battery_cells(battery); i++) {
		const struct battery_cell *cell = &battery->cell[i];
		double room = full_V - rest_voltage(battery, cell->charge) - cell->lag_V;

		amps = fmin(amps, room / cell->ohm);
	}
	return fmax(amps, 0);
}

static double limit_charge(const struct battery *battery, const struct battery_limits *limits,
			   double amps, double dt)
{
	double full_Ah = (1 - highest_charge(battery)) * battery->shape.capacity_Ah;

	if (!may_charge(battery))
		return 0;
	amps = fmin(amps, limits->charge_C * limits->capacity_Ah);
	amps = fmin(amps, limits->charge_A);
	amps = fmin(amps, taper_A(battery, limits->full_V));
	return clamp(amps, 0, fmax(full_Ah, 0) * 3600 / dt);
}

static double limit_discharge(const struct battery *battery, const struct battery_limits *limits,
			      double amps, double dt)
{
	double left_Ah = (lowest_charge(battery) - 0.03) * battery->shape.capacity_Ah;

	if (!may_discharge(battery))
		return 0;
	amps = fmin(amps, limits->discharge_C * limits->capacity_Ah);
	amps = fmin(amps, limits->discharge_A);
	return clamp(amps, 0, fmax(left_Ah, 0) * 3600 / dt);
}

static void move_current(struct battery *battery, const struct battery_limits *limits, double dt)
{
	double ripple = sim_random_between(&battery->random, 0.99, 1.01);
	double wish = battery->wish_C * battery->shape.capacity_Ah * ripple;
	double next = battery->current_A + (wish - battery->current_A) * (1 - exp(-dt / SLEW_S));

	battery->current_A = next > 0 ? limit_charge(battery, limits, next, dt)
				      : -limit_discharge(battery, limits, -next, dt);
}

static double lowest_voltage(const struct battery *battery, unsigned *where)
{
	*where = 0;
	for (unsigned i = 1; i < battery_cells(battery); i++)
		if (battery->cell[i].voltage_V < battery->cell[*where].voltage_V)
			*where = i;
	return battery->cell[*where].voltage_V;
}

static double highest_voltage(const struct battery *battery, unsigned *where)
{
	*where = 0;
	for (unsigned i = 1; i < battery_cells(battery); i++)
		if (battery->cell[i].voltage_V > battery->cell[*where].voltage_V)
			*where = i;
	return battery->cell[*where].voltage_V;
}

static bool charge_ended(const struct battery *battery, const struct battery_limits *limits)
{
	unsigned where;

	if (!may_charge(battery))
		return true;
	if (battery->phase_s < 60 || battery->current_A > TAIL_C * battery->shape.capacity_Ah)
		return false;
	return highest_voltage(battery, &where) > limits->full_V - 0.02 ||
	       highest_charge(battery) > 0.998;
}

static bool discharge_ended(const struct battery *battery, const struct battery_limits *limits)
{
	unsigned where;

	return !may_discharge(battery) || battery->soc < DISCHARGED ||
	       lowest_charge(battery) < 0.08 || lowest_voltage(battery, &where) < limits->low_V;
}

/* A charge that came to its end tells the BMS what full is, and makes a cycle of a deep one. */
static void become_full(struct battery *battery)
{
	battery->soc = 1;
	battery->cycles += battery->deep;
	battery->soh -= battery->deep * 0.00002;
	battery->deep = false;
}

static void move_phase(struct battery *battery, const struct battery_limits *limits)
{
	switch (battery->phase) {
	case BATTERY_CHARGING:
		if (!charge_ended(battery, limits))
			break;
		if (may_charge(battery))
			become_full(battery);
		enter(battery, BATTERY_FULL);
		break;
	case BATTERY_FULL:
		if (battery->phase_s >= FULL_REST_S)
			enter(battery, BATTERY_DISCHARGING);
		break;
	case BATTERY_DISCHARGING:
		if (discharge_ended(battery, limits) && may_charge(battery))
			enter(battery, BATTERY_CHARGING);
		break;
	}
	if (battery->wish_s <= 0)
		draw_wish(battery);
}

/* Balancing takes the highest cells down, near the top and while no load is on. */
static void choose_bleeding(struct battery *battery, const struct battery_limits *limits)
{
	unsigned where;
	double low = lowest_voltage(battery, &where);
	double high = highest_voltage(battery, &where);
	bool idle = battery->phase == BATTERY_DISCHARGING;

	battery->balanced = 0;
	for (unsigned i = 0; i < battery_cells(battery); i++) {
		struct battery_cell *cell = &battery->cell[i];

		cell->bleeding = !idle && cell->voltage_V > limits->balance_start_V &&
				 cell->voltage_V > low + 0.005;
		if (cell->bleeding && cell->voltage_V >= high)
			battery->balanced = i % battery->shape.cells + 1;
	}
}

static void move_cells(struct battery *battery, double dt)
{
	double lag = 1 - exp(-dt / LAG_S);
	double pack_V = 0;

	for (unsigned i = 0; i < battery_cells(battery); i++) {
		struct battery_cell *cell = &battery->cell[i];
		double own_A = battery->current_A - cell->leak_A - cell->bleeding * BLEED_A;
		double size_Ah = battery->shape.capacity_Ah * cell->capacity;

		cell->charge = clamp(cell->charge + own_A * dt / 3600 / size_Ah, 0, 1.03);
		cell->lag_V += (own_A * cell->ohm * 1.5 - cell->lag_V) * lag;
		cell->voltage_V = rest_voltage(battery, cell->charge) + own_A * cell->ohm +
				  cell->lag_V +
				  sim_random_between(&battery->random, -NOISE_V, NOISE_V);
		pack_V += cell->voltage_V;
	}
	if (battery->current_A > 0)
		battery->in_Wh += pack_V * battery->current_A * dt / 3600;
	else
		battery->out_Wh -= pack_V * battery->current_A * dt / 3600;
}

static void count_charge(struct battery *battery, const struct battery_limits *limits, double dt)
{
	double size_Ah = limits->capacity_Ah * battery->soh;

	if (size_Ah > 0)
		battery->soc += battery->current_A * dt / 3600 / size_Ah;
	battery->soc = clamp(battery->soc, 0, 1);
	if (battery->soc <= CYCLE_LOW)
		battery->deep = true;
}

/*
 * Cells follow the air and what the current heats, each sensor from its own place; the board too.
 */
static void move_heat(struct battery *battery, double dt)
{
	double day = fmod((double)battery->seconds, DAY_S) / DAY_S;
	double air = 19 + 4 * sin(2 * M_PI * day);
	double rate_C = battery->current_A / battery->shape.capacity_Ah;
	double cells = 1 - exp(-dt / CELL_HEAT_S);
	double board = 1 - exp(-dt / BOARD_HEAT_S);

	for (unsigned i = 0; i < battery_sensors(battery); i++) {
		double place = 0.4 * (i % battery->shape.sensors);
		double target = air + place + 60 * rate_C * rate_C;

		battery->sensor_degC[i] += (target - battery->sensor_degC[i]) * cells;
	}
	for (unsigned i = 0; i < battery->shape.units; i++) {
		double target = air + 5 + 10 * fabs(rate_C) + 3 * (battery->balanced > 0);

		battery->board_degC[i] += (target - battery->board_degC[i]) * board;
	}
}

static void log_event(struct battery *battery, enum battery_alarm alarm, unsigned number)
{
	if (battery->logged == BATTERY_LOG_MAX) {
		battery->logged--;
		memmove(battery->log, battery->log + 1, battery->logged * sizeof(battery->log[0]));
	}
	battery->log[battery->logged++] = (struct battery_event){
		.code = alarm,
		.number = number,
		.epoch_s = battery->clock_s,
	};
}

/* @over: how far the limit is crossed, negative below it; @release: how far back ends the alarm. */
static void judge(struct battery *battery, enum battery_alarm alarm, double over, double release,
		  unsigned where, unsigned per_unit, double dt)
{
	struct battery_watch *watch = &battery->watch[alarm];

	if (watch->active) {
		watch->active = over > -release;
		return;
	}
	watch->pending_s = over > 0 ? watch->pending_s + dt : 0;
	if (watch->pending_s < alarm_delay_s[alarm])
		return;
	*watch = (struct battery_watch){
		.active = true,
		.unit = where / per_unit,
		.number = where % per_unit,
	};
	battery->over_count += alarm == BATTERY_OVER_VOLTAGE;
	battery->under_count += alarm == BATTERY_UNDER_VOLTAGE;
	log_event(battery, alarm, watch->number + 1);
}

static void watch_cells(struct battery *battery, const struct battery_limits *limits, double dt)
{
	unsigned cells = battery->shape.cells;
	unsigned low, high;
	double low_V = lowest_voltage(battery, &low);
	double high_V = highest_voltage(battery, &high);

	judge(battery, BATTERY_OVER_VOLTAGE, high_V - limits->over_V, limits->over_release_V, high,
	      cells, dt);
	judge(battery, BATTERY_UNDER_VOLTAGE, limits->under_V - low_V, limits->under_release_V, low,
	      cells, dt);
	judge(battery, BATTERY_DIFFERENCE, high_V - low_V - limits->difference_V,
	      DIFFERENCE_RELEASE_V, low, cells, dt);
}

static unsigned hottest_sensor(const struct battery *battery)
{
	unsigned hot = 0;

	for (unsigned i = 1; i < battery_sensors(battery); i++)
		if (battery_sensor(battery, i) > battery_sensor(battery, hot))
			hot = i;
	return hot;
}

static unsigned coldest_sensor(const struct battery *battery)
{
	unsigned cold = 0;

	for (unsigned i = 1; i < battery_sensors(battery); i++)
		if (battery_sensor(battery, i) < battery_sensor(battery, cold))
			cold = i;
	return cold;
}

static unsigned hottest_board(const struct battery *battery)
{
	unsigned hot = 0;

	for (unsigned i = 1; i < battery->shape.units; i++)
		if (battery->board_degC[i] > battery->board_degC[hot])
			hot = i;
	return hot;
}

static void watch_heat(struct battery *battery, const struct battery_limits *limits, double dt)
{
	unsigned sensors = battery->shape.sensors;
	unsigned hot = hottest_sensor(battery);
	unsigned cold = coldest_sensor(battery);
	unsigned board = hottest_board(battery);

	judge(battery, BATTERY_HOT, battery_sensor(battery, hot) - limits->hot_degC,
	      SENSOR_RELEASE_K, hot, sensors, dt);
	judge(battery, BATTERY_COLD, limits->cold_degC - battery_sensor(battery, cold),
	      SENSOR_RELEASE_K, cold, sensors, dt);
	judge(battery, BATTERY_BOARD_HOT, battery->board_degC[board] - limits->board_degC,
	      limits->board_release_K, board, 1, dt);
}

static void step(struct battery *battery, const struct battery_limits *limits, double dt)
{
	battery->phase_s += dt;
	battery->wish_s -= dt;
	move_phase(battery, limits);
	move_current(battery, limits, dt);
	choose_bleeding(battery, limits);
	move_cells(battery, dt);
	count_charge(battery, limits, dt);
	move_heat(battery, dt);
	watch_cells(battery, limits, dt);
	watch_heat(battery, limits, dt);
}

static void init_cells(struct battery *battery)
{
	struct sim_random *random = &battery->random;

	for (unsigned i = 0; i < battery_cells(battery); i++) {
		struct battery_cell *cell = &battery->cell[i];

		cell->charge = battery->soc + sim_random_between(random, -0.005, 0.005);
		cell->capacity = sim_random_between(random, 0.985, 1.015);
		cell->ohm = battery->shape.resistance_ohm * sim_random_between(random, 0.6, 1.8);
		cell->leak_A = sim_random_between(random, 0, 0.01);
	}
}

void battery_init(struct battery *battery, const struct battery_shape *shape,
		  const struct battery_limits *limits, uint64_t seed, int64_t now)
{
	*battery = (struct battery){
		.shape = *shape,
		.random = { seed },
		.born = now,
		.clock_s = FIRST_CLOCK_S,
		.soc = 0.7846,
		.soh = 0.9897,
		.cycles = 103,
		.logged = 2,
		.log = { { BATTERY_UNDER_VOLTAGE, 4, FIRST_CLOCK_S - 87 * 86400 - 20847 },
			 { BATTERY_COLD, 1, FIRST_CLOCK_S - 80 * 86400 - 23510 } },
	};
	init_cells(battery);
	for (unsigned i = 0; i < battery_sensors(battery); i++)
		battery->sensor_degC[i] = 19.5;
	for (unsigned i = 0; i < shape->units; i++)
		battery->board_degC[i] = 25.0;
	enter(battery, BATTERY_CHARGING);
	draw_wish(battery);
	battery->current_A = battery->wish_C * shape->capacity_Ah;
	step(battery, limits, 1);
}

void battery_advance(struct battery *battery, const struct battery_limits *limits, int64_t now)
{
	int64_t gap = (now - battery->born) / NSEC_PER_SEC - battery->seconds;
	int64_t coarse = 1 + (gap - 1) / STEPS_MAX;

	if (gap <= 0)
		return;
	if (coarse > STEP_MAX_S) {
		battery->clock_s += gap - STEPS_MAX * STEP_MAX_S;
		battery->seconds += gap - STEPS_MAX * STEP_MAX_S;
		gap = STEPS_MAX * STEP_MAX_S;
		coarse = STEP_MAX_S;
	}
	while (gap > 0) {
		int64_t dt = gap < coarse ? gap : coarse;

		gap -= dt;
		battery->seconds += dt;
		battery->clock_s += dt;
		step(battery, limits, (double)dt);
	}
}

static enum battery_alarm first_alarm(const struct battery *battery)
{
	static const enum battery_alarm alarms[] = {
		BATTERY_OVER_VOLTAGE, BATTERY_UNDER_VOLTAGE, BATTERY_DIFFERENCE,
		BATTERY_HOT,          BATTERY_BOARD_HOT,     BATTERY_COLD,
	};

	for (size_t i = 0; i < sizeof(alarms) / sizeof(alarms[0]); i++)
		if (active(battery, alarms[i]))
			return alarms[i];
	return BATTERY_NO_ALARM;
}

void battery_look(const struct battery *battery, const struct battery_limits *limits,
		  struct battery_view *view)
{
	double missing_Ah = (1 - battery->soc) * limits->capacity_Ah * battery->soh;

	view->min_V = (float)lowest_voltage(battery, &view->min_cell);
	view->max_V = (float)highest_voltage(battery, &view->max_cell);
	view->pack_V = 0;
	for (unsigned i = 0; i < battery_cells(battery); i++)
		view->pack_V += (float)battery->cell[i].voltage_V;
	view->current_A = (float)battery->current_A;
	view->hot_sensor = hottest_sensor(battery);
	view->hot_degC = battery_sensor(battery, view->hot_sensor);
	view->missing_Ah = (unsigned)lround(clamp(missing_Ah, 0, 65535));
	view->alarm = first_alarm(battery);
}

float battery_sensor(const struct battery *battery, unsigned sensor)
{
	return (float)(round(battery->sensor_degC[sensor] * 2) / 2);
}

bool battery_pop(struct battery *battery, struct battery_event *event)
{
	if (!battery->logged)
		return false;
	*event = battery->log[0];
	battery->logged--;
	memmove(battery->log, battery->log + 1, battery->logged * sizeof(battery->log[0]));
	return true;
}

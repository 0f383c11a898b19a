// SPDX-License-Identifier: LGPL-3.0-or-later
#include "sim/battery.h"

#include <math.h>
#include <string.h>

#include "nsec.h"
#include "test.h"

#define HOUR (3600 * NSEC_PER_SEC)

static const struct battery_limits usual = {
	.balance_start_V = 3.45,
	.over_V = 3.85,
	.over_release_V = 0.25,
	.under_V = 2.8,
	.under_release_V = 0.1,
	.full_V = 3.58,
	.low_V = 2.95,
	.difference_V = 0.25,
	.hot_degC = 55,
	.cold_degC = -10,
	.board_degC = 55,
	.board_release_K = 5,
	.capacity_Ah = 200,
	.charge_C = 0.6,
	.discharge_C = 1.5,
	.charge_A = 70,
	.discharge_A = 100,
};

static const struct battery_shape fourteen = {
	.units = 1,
	.cells = 14,
	.sensors = 3,
	.lifepo4 = true,
	.capacity_Ah = 200,
	.resistance_ohm = 0.00015,
};

static void start(struct battery *battery)
{
	battery_init(battery, &fourteen, &usual, 1, 0);
}

static void test_starts_in_mid_range(void **state)
{
	struct battery battery;
	struct battery_view view;

	(void)state;
	start(&battery);
	battery_look(&battery, &usual, &view);
	assert_true(fabs(battery.soc - 0.78) < 0.01);
	assert_true(fabsf(view.current_A) > 1);
	assert_true(view.min_V > 3.2F && view.max_V < 3.45F && view.min_V < view.max_V);
	assert_int_equal(view.alarm, BATTERY_NO_ALARM);
}

/* Two days: all phases, the current's sign as the charge moves, nothing out of range. */
static void test_lives_through_its_cycle(void **state)
{
	struct battery battery;
	struct battery_view view;
	bool seen[3] = { false }, tapered = false, balanced = false;

	(void)state;
	start(&battery);
	for (int64_t now = 0; now < 48 * HOUR; now += 30 * NSEC_PER_SEC) {
		double before = battery.soc;

		battery_advance(&battery, &usual, now);
		battery_look(&battery, &usual, &view);
		seen[battery.phase] = true;
		tapered |= battery.phase == BATTERY_CHARGING && battery.soc > 0.97 &&
			   view.current_A < 20;
		if (battery.balanced) {
			balanced = true;
			assert_true(battery.balanced <= 14);
			assert_true(battery.cell[battery.balanced - 1].bleeding);
			assert_true(view.max_V > 3.44F);
		}
		if (battery.phase == BATTERY_DISCHARGING)
			assert_true(battery.soc <= before + 0.002);
		assert_true(view.min_V > 2.8F && view.max_V < 3.65F);
		assert_true(view.hot_degC > 10 && view.hot_degC < 40);
		assert_int_equal(view.alarm, BATTERY_NO_ALARM);
	}
	assert_true(seen[BATTERY_CHARGING] && seen[BATTERY_FULL] && seen[BATTERY_DISCHARGING]);
	assert_true(tapered && balanced);
	assert_true(battery.cycles > 103);
}

static void test_cells_differ_and_drift(void **state)
{
	struct battery battery;
	double apart;

	(void)state;
	start(&battery);
	for (unsigned i = 1; i < 14; i++) {
		assert_true(battery.cell[i].voltage_V != battery.cell[0].voltage_V);
		assert_true(battery.cell[i].ohm != battery.cell[0].ohm);
	}
	apart = battery.cell[1].charge - battery.cell[0].charge;
	battery_advance(&battery, &usual, HOUR / 2);
	assert_true(battery.cell[1].charge - battery.cell[0].charge != apart);
}

/* Asked every second or every quarter of an hour, it is the same battery. */
static void test_is_the_same_however_often_asked(void **state)
{
	struct battery often, seldom;

	(void)state;
	start(&often);
	start(&seldom);
	for (int64_t now = 0; now <= 2 * HOUR; now += NSEC_PER_SEC)
		battery_advance(&often, &usual, now);
	for (int64_t now = 0; now <= 2 * HOUR; now += HOUR / 4)
		battery_advance(&seldom, &usual, now);
	assert_true(often.soc == seldom.soc && often.current_A == seldom.current_A);
	for (unsigned i = 0; i < 14; i++)
		assert_true(often.cell[i].voltage_V == seldom.cell[i].voltage_V);
}

static void test_seed_makes_the_battery(void **state)
{
	struct battery one, two;

	(void)state;
	battery_init(&one, &fourteen, &usual, 1, 0);
	battery_init(&two, &fourteen, &usual, 2, 0);
	assert_true(one.cell[0].ohm != two.cell[0].ohm);
}

/* A month costs as many steps as any long gap, and leaves a battery that is well. */
static void test_long_gaps(void **state)
{
	static const int64_t days[] = { 1, 31, 32, 33, 400, 20000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(days); i++) {
		struct battery battery;
		struct battery_view view;
		int64_t clock;

		start(&battery);
		clock = battery.clock_s;
		battery_advance(&battery, &usual, days[i] * 24 * HOUR);
		battery_look(&battery, &usual, &view);
		assert_int_equal(battery.clock_s - clock, days[i] * 86400);
		assert_int_equal(battery.seconds, days[i] * 86400);
		assert_true(view.min_V > 2.8F && view.max_V < 3.65F);
		assert_true(battery.soc > 0.1 && battery.soc <= 1);
		assert_int_equal(view.alarm, BATTERY_NO_ALARM);
	}
}

static void test_time_backwards_is_ignored(void **state)
{
	struct battery battery;
	double soc;

	(void)state;
	start(&battery);
	battery_advance(&battery, &usual, HOUR);
	soc = battery.soc;
	battery_advance(&battery, &usual, HOUR / 2);
	assert_int_equal(battery.seconds, 3600);
	assert_true(battery.soc == soc);
}

struct alarm_case {
	enum battery_alarm alarm;
	size_t limit;
	double crossed, released;
	int delay_s;
};

#define LIMIT(field) offsetof(struct battery_limits, field)

static const struct alarm_case alarm_cases[] = {
	{ BATTERY_OVER_VOLTAGE, LIMIT(over_V), 3.2, 3.85, 10 },
	{ BATTERY_UNDER_VOLTAGE, LIMIT(under_V), 3.6, 2.8, 10 },
	{ BATTERY_DIFFERENCE, LIMIT(difference_V), 0.0001, 0.25, 5 },
	{ BATTERY_HOT, LIMIT(hot_degC), 15, 55, 10 },
	{ BATTERY_BOARD_HOT, LIMIT(board_degC), 15, 55, 5 },
	{ BATTERY_COLD, LIMIT(cold_degC), 30, -10, 2 },
};

static enum battery_alarm alarm_after(struct battery *battery, const struct battery_limits *limits,
				      int64_t seconds)
{
	struct battery_view view;

	battery_advance(battery, limits, (battery->seconds + seconds) * NSEC_PER_SEC);
	battery_look(battery, limits, &view);
	return view.alarm;
}

static void test_alarms_wait_come_and_go(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(alarm_cases); i++) {
		const struct alarm_case *row = &alarm_cases[i];
		struct battery_limits limits = usual;
		double *limit = (double *)(void *)((char *)&limits + row->limit);
		struct battery battery;

		start(&battery);
		*limit = row->crossed;
		assert_int_equal(alarm_after(&battery, &limits, row->delay_s - 1), 0);
		assert_int_equal(alarm_after(&battery, &limits, 1), row->alarm);
		assert_int_equal(battery.logged, 3);
		assert_int_equal(battery.log[2].code, row->alarm);
		assert_in_range(battery.log[2].number, 1, 14);
		*limit = row->released;
		assert_int_equal(alarm_after(&battery, &limits, 1), 0);
	}
}

static void test_hysteresis_holds_an_alarm(void **state)
{
	struct battery_limits limits = usual;
	struct battery battery;

	(void)state;
	start(&battery);
	limits.over_V = 3.2;
	assert_int_equal(alarm_after(&battery, &limits, 10), BATTERY_OVER_VOLTAGE);
	assert_int_equal((int)battery.over_count, 1);
	limits.over_V = 3.5;
	assert_int_equal(alarm_after(&battery, &limits, 5), BATTERY_OVER_VOLTAGE);
	limits.over_release_V = 0.05;
	assert_int_equal(alarm_after(&battery, &limits, 1), BATTERY_NO_ALARM);
}

static void test_an_alarm_stops_the_charge(void **state)
{
	struct battery_limits limits = usual;
	struct battery battery;

	(void)state;
	start(&battery);
	assert_true(battery.current_A > 1);
	limits.over_V = 3.2;
	limits.discharge_A = 0;
	alarm_after(&battery, &limits, 20);
	assert_true(battery.current_A <= 0);
}

static void test_missing_charge(void **state)
{
	struct battery_limits limits = usual;
	struct battery battery;
	struct battery_view view;

	(void)state;
	start(&battery);
	battery.soc = 0.25;
	battery.soh = 0.99;
	limits.capacity_Ah = 560;
	battery_look(&battery, &limits, &view);
	assert_int_equal(view.missing_Ah, 416);
}

static void test_log_is_a_fifo_that_forgets_the_oldest(void **state)
{
	struct battery_limits limits = usual;
	struct battery battery;
	struct battery_event event;
	int popped = 0;

	(void)state;
	start(&battery);
	for (int i = 0; i < 10; i++) {
		limits.cold_degC = 30;
		alarm_after(&battery, &limits, 3);
		limits.cold_degC = -10;
		alarm_after(&battery, &limits, 1);
	}
	while (battery_pop(&battery, &event)) {
		assert_int_equal(event.code, BATTERY_COLD);
		popped++;
	}
	assert_int_equal(popped, BATTERY_LOG_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_starts_in_mid_range),
		cmocka_unit_test(test_lives_through_its_cycle),
		cmocka_unit_test(test_cells_differ_and_drift),
		cmocka_unit_test(test_is_the_same_however_often_asked),
		cmocka_unit_test(test_seed_makes_the_battery),
		cmocka_unit_test(test_long_gaps),
		cmocka_unit_test(test_time_backwards_is_ignored),
		cmocka_unit_test(test_alarms_wait_come_and_go),
		cmocka_unit_test(test_hysteresis_holds_an_alarm),
		cmocka_unit_test(test_an_alarm_stops_the_charge),
		cmocka_unit_test(test_missing_charge),
		cmocka_unit_test(test_log_is_a_fifo_that_forgets_the_oldest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

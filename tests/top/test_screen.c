// SPDX-License-Identifier: LGPL-3.0-or-later
/* Whole screens are compared in test_top.py; here is what the sizes of a terminal may do. */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/snapshot.h"
#include "test.h"
#include "top/screen.h"

static const char *const mounts[] = { "balancing", "junk", "master", "pack", "silent", "torn" };

static struct model model;
static struct history history = { .span_s = 5 };
static struct view view = { .mount = "/mnt/bms", .note = "", .delay_s = 2, .utf8 = true };

static void read_mount(const char *name)
{
	char path[64], reason[256];
	json_t *snapshot;

	snprintf(path, sizeof(path), "mounts/%s", name);
	snapshot = snapshot_read(path, reason, sizeof(reason));
	assert_non_null(snapshot);
	model_read(&model, snapshot);
	json_decref(snapshot);
}

static char *draw(unsigned rows, unsigned columns)
{
	struct canvas canvas;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(canvas_init(&canvas, rows, columns), 0);
	screen_draw(&canvas, &model, &history, &view);
	canvas_print(&canvas, out);
	canvas_free(&canvas);
	fclose(out);
	return text;
}

static void assert_shows(unsigned rows, unsigned columns, const char *words, bool expected)
{
	char *text = draw(rows, columns);

	if (!strstr(text, words) == expected)
		fail_msg("%u rows, %u columns: \"%s\" in\n%s", rows, columns, words, text);
	free(text);
}

/* Sanitizers and the canvas see to the rest. */
static void test_every_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		read_mount(mounts[i]);
		for (unsigned rows = 0; rows < 30; rows++)
			for (unsigned columns = 0; columns < 90; columns += 1 + columns / 7)
				free(draw(rows, columns));
		free(draw(1000, 1000));
	}
}

static void test_first_things_first(void **state)
{
	(void)state;
	read_mount("pack");
	assert_shows(1, 80, "online", true);
	assert_shows(3, 20, "46.79 V", true);
	assert_shows(5, 20, "+48.31 A charging", true);
	assert_shows(12, 40, "q quit", true);
	assert_shows(12, 40, "14 3.3408", false);
	assert_shows(12, 40, " more", true);
	assert_shows(24, 80, "14 3.3408", true);
	assert_shows(24, 80, " more", false);
	read_mount("balancing");
	assert_shows(5, 20, "error 3:", true);
	read_mount("silent");
	assert_shows(3, 30, "no answer: ETIMEDOUT", true);
	model_fail(&model, "/mnt/bms: no bmsfs is mounted there");
	assert_shows(4, 20, "no data", true);
	assert_shows(4, 20, "is mounted there", true);
}

static void test_direction(void **state)
{
	static const struct {
		double current_A;
		const char *words;
	} cases[] = {
		{ 0.004, "0.00 A at rest" },
		{ -0.004, "0.00 A at rest" },
		{ 0.006, "+0.01 A charging" },
		{ -7, "-7.00 A discharging" },
		{ NAN, "-- A   " },
	};

	(void)state;
	read_mount("pack");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		model.current_A = cases[i].current_A;
		assert_shows(24, 80, cases[i].words, true);
	}
	model.current_A = 5;
	model.to_full_s = NAN;
	assert_shows(24, 80, "full in --", true);
}

/* No cell is both, and a missing one is neither. */
static void test_marks(void **state)
{
	(void)state;
	read_mount("pack");
	for (unsigned i = 0; i < model.unit[0].cells; i++)
		model.unit[0].cell_V[i] = 3.3;
	assert_shows(24, 80, "max", false);
	assert_shows(24, 80, "min\n", false);
	assert_shows(24, 80, "0.0 mV apart", true);
	model.unit[0].cells = 3;
	model.unit[0].cell_V[0] = NAN;
	model.unit[0].cell_V[1] = 3.4;
	assert_shows(24, 80, "cells 3.3000 to 3.4000 V, 100.0 mV apart", true);
	view.by_voltage = true;
	assert_shows(24, 80, "\n 1     --\n", true);
	view.by_voltage = false;
}

static void test_past(void **state)
{
	(void)state;
	read_mount("pack");
	assert_shows(24, 80, "current    --", true);
	for (int i = 0; i < HISTORY_SPANS; i++)
		history_add(&history, 5 * i, i % 2 ? NAN : -12);
	assert_shows(24, 80, "-12.0 to -12.0 A in 3 min", true);
	assert_shows(24, 1000, "-12.0 to -12.0 A in 20 min", true);
	history.used = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_size), cmocka_unit_test(test_first_things_first),
		cmocka_unit_test(test_direction),  cmocka_unit_test(test_marks),
		cmocka_unit_test(test_past),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

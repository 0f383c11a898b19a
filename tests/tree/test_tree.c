// SPDX-License-Identifier: LGPL-3.0-or-later
#include "tree/tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fixture.h"
#include "test.h"
#include "tree/node.h"

static void set_model(struct fixture *fixture, const char *name)
{
	fixture->device.model = model_find(&fixture->device.table, name);
}

static void test_root_is_the_first_inode(void **state)
{
	struct fixture *fixture = *state;
	struct tree_stat stat;

	assert_int_equal(tree_stat(fixture->tree, TREE_ROOT, &stat), 0);
	assert_int_equal(stat.kind, TREE_DIR);
	assert_int_equal(stat.mode, S_IFDIR | 0755);
	assert_false(stat.timed);
	assert_int_equal(tree_parent(fixture->tree, TREE_ROOT), TREE_ROOT);
}

/* All that is listed can be looked up, has an inode of its own, a stat, its path and its parent. */
static void walk(struct fixture *fixture, uint64_t dir, const char *path, unsigned *files)
{
	char name[TREE_NAME_MAX], below[128], said[128];
	struct tree_stat stat;
	uint64_t ino;

	for (unsigned i = 0; (ino = tree_entry(fixture->tree, dir, i, name)); i++) {
		snprintf(below, sizeof(below), "%s%s%s", path, *path ? "/" : "", name);
		assert_true(ino <= UINT32_MAX && ino != TREE_ROOT);
		assert_int_equal(tree_lookup(fixture->tree, dir, name), ino);
		assert_int_equal(tree_stat(fixture->tree, ino, &stat), 0);
		for (unsigned j = 0; j < i; j++) {
			char other[TREE_NAME_MAX];

			assert_true(tree_entry(fixture->tree, dir, j, other) != ino);
			assert_string_not_equal(other, name);
		}
		(*files)++;
		if (!strcmp(below, "SOC") || !strcmp(below, "SOH"))
			continue;
		tree_path(fixture->tree, ino, said, sizeof(said));
		assert_string_equal(said, below);
		assert_int_equal(tree_parent(fixture->tree, ino), dir);
		if (stat.kind == TREE_DIR)
			walk(fixture, ino, below, files);
	}
}

static void test_listing_and_lookup_agree(void **state)
{
	struct fixture *fixture = *state;
	static const char *const models[] = { "1q", "2q", "abms", "master", "no such model" };
	static const unsigned shapes[][3] = {
		{ 0, 0, 0 }, { 1, 14, 3 }, { 3, 16, 8 }, { 15, 15, 0 }
	};

	for (size_t m = 0; m < ARRAY_SIZE(models); m++) {
		set_model(fixture, models[m]);
		for (size_t s = 0; s < ARRAY_SIZE(shapes); s++) {
			unsigned files = 0;

			fake_shape(&fixture->device, shapes[s][0], shapes[s][1], shapes[s][2]);
			walk(fixture, TREE_ROOT, "", &files);
			assert_true(files >
				    70 + shapes[s][0] * 3 * (shapes[s][1] + shapes[s][2] / 2));
		}
	}
}

static void test_what_the_model_lacks_is_not_there(void **state)
{
	struct fixture *fixture = *state;

	assert_true(fixture_ino(fixture, "EAVC") != 0);
	assert_true(fixture_lists(fixture, "", "EAVC"));
	assert_int_equal(fixture_ino(fixture, "ERRL"), 0);
	assert_false(fixture_lists(fixture, "", "ERRL"));
	set_model(fixture, "abms");
	assert_int_equal(fixture_ino(fixture, "EAVC"), 0);
	assert_true(fixture_ino(fixture, "ERRL") != 0);
	/* The star of *IDN? is no part of the name. */
	assert_true(fixture_ino(fixture, "IDN") != 0);
	assert_int_equal(fixture_ino(fixture, "*IDN"), 0);
}

static void test_derived_goes_with_its_rows(void **state)
{
	struct fixture *fixture = *state;
	static const char *const gone[] = { "capacity", "remaining", "time_to_empty" };

	assert_true(fixture_lists(fixture, "pack", "remaining"));
	for (unsigned v = 0; v < INSTRUCTION_VARIANTS; v++)
		fixture->device.table.row[fake_row(&fixture->device, "CAPA")].variant[v].present =
			false;
	for (size_t i = 0; i < ARRAY_SIZE(gone); i++) {
		assert_false(fixture_lists(fixture, "pack", gone[i]));
		assert_int_equal(tree_lookup(fixture->tree, fixture_ino(fixture, "pack"), gone[i]),
				 0);
	}
	assert_true(fixture_lists(fixture, "pack", "soc"));
}

/* A user's table may make of an instruction what no number can be taken from. */
static void test_derived_needs_its_fields(void **state)
{
	struct device device;
	struct tree *tree;
	uint64_t pack;

	(void)state;
	fake_init(&device, "[LCD1]\nfields = pack_voltage:f32:V\n");
	device.table.row[fake_row(&device, "CAPA")].type = VALUE_TEXT;
	assert_int_equal(tree_new(&tree, &device, "bms0", 0), 0);
	pack = tree_lookup(tree, TREE_ROOT, "pack");
	assert_true(tree_lookup(tree, pack, "voltage") != 0);
	assert_int_equal(tree_lookup(tree, pack, "soc"), 0);
	assert_int_equal(tree_lookup(tree, TREE_ROOT, "SOC"), 0);
	assert_int_equal(tree_lookup(tree, pack, "capacity"), 0);
	tree_free(tree);
	fake_free(&device);
}

static void test_soc_is_the_very_file(void **state)
{
	struct fixture *fixture = *state;
	char path[64];

	assert_int_equal(fixture_ino(fixture, "SOC"), fixture_ino(fixture, "pack/soc"));
	assert_int_equal(fixture_ino(fixture, "SOH"), fixture_ino(fixture, "pack/soh"));
	tree_path(fixture->tree, fixture_ino(fixture, "SOC"), path, sizeof(path));
	assert_string_equal(path, "pack/soc");
}

static void test_shape_decides(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *path;
		unsigned units; /* known; 0: unknown */
		bool there;
	} cases[] = {
		{ "units/1", 1, true },
		{ "units/2", 1, false },
		{ "units/0", 1, false },
		{ "units/01", 1, false },
		{ "units/1x", 1, false },
		{ "units/-1", 1, false },
		{ "units/257", 1, false },
		{ "units/4294967297", 1, false },
		{ "units/#", 1, false },
		{ "units/1/cells/14/voltage", 1, true },
		{ "units/1/cells/15", 1, false },
		{ "units/1/sensors/3/temperature", 1, true },
		{ "units/1/sensors/4", 1, false },
		{ "units/3/cells/14/resistance", 3, true },
		{ "units/4", 3, false },
		{ "units/15/cells/16/voltage", 0, true },
		{ "units/16", 0, false },
		{ "units/1/cells/17", 0, false },
		{ "units/1/sensors/8", 0, true },
		{ "units/1/sensors/9", 0, false },
		{ "cells", 1, true },
		{ "cells", 3, false },
		{ "cells", 0, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fake_shape(&fixture->device, cases[i].units, 14, 3);
		if (cases[i].there != (fixture_ino(fixture, cases[i].path) != 0))
			fail_msg("%s with %u units", cases[i].path, cases[i].units);
	}
	fake_shape(&fixture->device, 0, 0, 0);
	assert_false(fixture_lists(fixture, "units", "1"));
}

static void test_the_link(void **state)
{
	struct fixture *fixture = *state;
	uint64_t ino = fixture_ino(fixture, "cells");
	struct tree_stat stat;

	assert_string_equal(tree_target(fixture->tree, ino), "units/1/cells");
	assert_int_equal(tree_stat(fixture->tree, ino, &stat), 0);
	assert_int_equal(stat.kind, TREE_LINK);
	assert_int_equal(stat.mode, S_IFLNK | 0777);
	assert_int_equal(stat.size, strlen("units/1/cells"));
	assert_null(tree_target(fixture->tree, TREE_ROOT));
	assert_null(tree_target(fixture->tree, fixture_ino(fixture, "SOC")));
}

static void test_modes(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *path;
		bool unlock;
		mode_t mode;
	} cases[] = {
		{ "SOC", false, 0444 },       { "CELL", false, 0444 },
		{ "CMAX", false, 0644 },      { "RSBR", false, 0444 },
		{ "RSBR", true, 0644 },       { "ERRL", true, 0400 },
		{ "bus/state", false, 0444 }, { "units/1/cells/1/voltage", true, 0444 },
	};

	set_model(fixture, "abms");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tree_stat stat;

		fixture->device.config.unlock = cases[i].unlock;
		assert_int_equal(
			tree_stat(fixture->tree, fixture_ino(fixture, cases[i].path), &stat), 0);
		assert_int_equal(stat.kind, TREE_VALUE);
		assert_int_equal(stat.mode, S_IFREG | cases[i].mode);
		assert_int_equal(stat.size, 4096);
	}
}

static void test_sampled_is_the_oldest(void **state)
{
	struct fixture *fixture = *state;
	uint64_t remaining = fixture_ino(fixture, "pack/remaining");
	struct tree_stat stat;

	fake_main_data(&fixture->device, -2);
	assert_int_equal(tree_stat(fixture->tree, remaining, &stat), 0);
	assert_true(stat.timed);
	assert_int_equal(stat.sampled, 0);
	fake_number(&fixture->device, "CAPA", 450);
	fixture->device.asked[fake_row(&fixture->device, "CAPA")] = FAKE_NOW - 7;
	assert_int_equal(tree_stat(fixture->tree, remaining, &stat), 0);
	assert_int_equal(stat.sampled, FAKE_NOW - 7);
	assert_int_equal(tree_stat(fixture->tree, fixture_ino(fixture, "SOC"), &stat), 0);
	assert_int_equal(stat.sampled, FAKE_NOW);
	assert_int_equal(tree_stat(fixture->tree, fixture_ino(fixture, "bus/counters"), &stat), 0);
	assert_false(stat.timed);
}

static void test_needs(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *path;
		const char *rows[4];
	} cases[] = {
		{ "CMAX", { "CMAX" } },
		{ "SOC", { "LCD1" } },
		{ "pack/power", { "LCD1" } },
		{ "pack/time_to_full", { "LCD1", "CAPA", "ERRO" } },
		{ "units/1/temperature", { "BTEM" } },
		{ "units/1/cells/2/resistance", { "RINT" } },
		{ "bus/state", { NULL } },
		{ "pack", { NULL } },
		{ "cells", { NULL } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct row_set needs;

		tree_needs(fixture->tree, fixture_ino(fixture, cases[i].path), &needs);
		for (size_t r = 0; cases[i].rows[r]; r++) {
			unsigned row = fake_row(&fixture->device, cases[i].rows[r]);

			assert_true(row_set_has(&needs, row));
			row_set_remove(&needs, row);
		}
		assert_true(row_set_empty(&needs));
	}
}

/* No number that a kernel could come back with may lead out of the tables. */
static void test_every_inode_is_safe(void **state)
{
	struct fixture *fixture = *state;
	const struct freshness fresh = { .call = FAKE_NOW };
	unsigned there = 0;

	for (uint64_t dir = 0; dir < DIRS + 2; dir++)
		for (uint64_t rest = 0; rest < 0x1000000; rest += rest & 0xff00 ? 61 : 1) {
			uint64_t ino = dir << 24 | rest;
			struct tree_stat stat;
			struct row_set needs;
			char path[64];

			tree_needs(fixture->tree, ino, &needs);
			tree_path(fixture->tree, ino, path, sizeof(path));
			if (tree_stat(fixture->tree, ino, &stat)) {
				assert_int_equal(tree_lookup(fixture->tree, ino, "soc"), 0);
				assert_int_equal(tree_render(fixture->tree, ino, &fresh,
							     fixture->text, TREE_TEXT_MAX),
						 -ENOENT);
				continue;
			}
			there++;
			assert_true(tree_parent(fixture->tree, ino) != 0);
			if (stat.kind == TREE_VALUE || stat.kind == TREE_LONG)
				tree_render(fixture->tree, ino, &fresh, fixture->text,
					    TREE_TEXT_MAX);
			else
				assert_int_equal(tree_render(fixture->tree, ino, &fresh,
							     fixture->text, TREE_TEXT_MAX),
						 -EINVAL);
		}
	assert_true(there > 100);
	assert_int_equal(
		tree_stat(fixture->tree, (UINT64_C(1) << 32) + 1, &(struct tree_stat){ 0 }),
		-ENOENT);
	assert_int_equal(tree_entry(fixture->tree, fixture_ino(fixture, "SOC"), 0,
				    (char[TREE_NAME_MAX]){ "" }),
			 0);
}

static void test_path_is_cut(void **state)
{
	struct fixture *fixture = *state;
	uint64_t ino = fixture_ino(fixture, "units/1/cells/3/voltage");
	char path[8] = "-------";

	tree_path(fixture->tree, ino, path, 0);
	assert_string_equal(path, "-------");
	tree_path(fixture->tree, ino, path, sizeof(path));
	assert_true(strlen(path) < sizeof(path));
	tree_path(fixture->tree, TREE_ROOT, path, sizeof(path));
	assert_string_equal(path, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_root_is_the_first_inode),
		TEST(test_listing_and_lookup_agree),
		TEST(test_what_the_model_lacks_is_not_there),
		TEST(test_derived_goes_with_its_rows),
		TEST(test_derived_needs_its_fields),
		TEST(test_soc_is_the_very_file),
		TEST(test_shape_decides),
		TEST(test_the_link),
		TEST(test_modes),
		TEST(test_sampled_is_the_oldest),
		TEST(test_needs),
		TEST(test_every_inode_is_safe),
		TEST(test_path_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

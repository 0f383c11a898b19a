// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "fake_device.h"
#include "test.h"
#include "tree/forest.h"

struct grove {
	struct device device[FOREST_MAX];
	struct forest *forest;
};

static struct grove *grove_new(unsigned count)
{
	struct grove *grove = calloc(1, sizeof(*grove));
	struct device *device[FOREST_MAX];

	assert_non_null(grove);
	for (unsigned i = 0; i < count; i++) {
		fake_init(&grove->device[i], NULL);
		grove->device[i].config.address = (uint8_t)(10 + i);
		device[i] = &grove->device[i];
	}
	assert_int_equal(forest_new(&grove->forest, device, count, "bms"), 0);
	return grove;
}

static void grove_free(struct grove *grove)
{
	for (unsigned i = 0; i < forest_count(grove->forest); i++)
		fake_free(&grove->device[i]);
	forest_free(grove->forest);
	free(grove);
}

/* One: its tree is the forest. */
static void test_one(void **state)
{
	struct grove *grove = grove_new(1);
	struct tree *tree = forest_tree(grove->forest, 0);
	char name[TREE_NAME_MAX], path[64];
	uint64_t ino;

	(void)state;
	assert_int_equal(tree_root(tree), TREE_ROOT);
	ino = forest_lookup(grove->forest, TREE_ROOT, "CMAX");
	assert_true(ino && ino == tree_lookup(tree, TREE_ROOT, "CMAX"));
	assert_int_equal(forest_index(grove->forest, ino), 0);
	assert_int_equal(forest_index(grove->forest, ino | UINT64_C(1) << 32), -1);
	assert_int_equal(forest_entry(grove->forest, TREE_ROOT, 0, name),
			 tree_entry(tree, TREE_ROOT, 0, name));
	forest_path(grove->forest, ino, path, sizeof(path));
	assert_string_equal(path, "CMAX");
	ino = forest_lookup(grove->forest, TREE_ROOT, "class");
	assert_int_equal(forest_parent(grove->forest, ino), TREE_ROOT);
	assert_int_equal(forest_parent(grove->forest, TREE_ROOT), TREE_ROOT);
	grove_free(grove);
}

static void test_root_of_several(void **state)
{
	struct grove *grove = grove_new(3);
	char name[TREE_NAME_MAX], path[64] = "x";
	struct tree_stat stat;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		uint64_t ino = forest_entry(grove->forest, TREE_ROOT, i, name);

		assert_int_equal(atol(name), 10 + i);
		assert_int_equal(forest_lookup(grove->forest, TREE_ROOT, name), ino);
		assert_int_equal(forest_index(grove->forest, ino), i);
		assert_int_equal(forest_parent(grove->forest, ino), TREE_ROOT);
	}
	assert_int_equal(forest_entry(grove->forest, TREE_ROOT, 3, name), 0);
	assert_int_equal(forest_lookup(grove->forest, TREE_ROOT, "13"), 0);
	assert_int_equal(forest_lookup(grove->forest, TREE_ROOT, "CMAX"), 0);
	assert_int_equal(forest_index(grove->forest, TREE_ROOT), -1);
	assert_int_equal(forest_stat(grove->forest, TREE_ROOT, &stat), 0);
	assert_true(S_ISDIR(stat.mode));
	assert_int_equal(forest_stat(grove->forest, TREE_ROOT + 1, &stat), -ENOENT);
	assert_int_equal(forest_stat(grove->forest, UINT64_C(9) << 32 | 1, &stat), -ENOENT);
	assert_int_equal(forest_xattrs(grove->forest, TREE_ROOT, NULL, 0), 0);
	assert_int_equal(forest_xattr(grove->forest, TREE_ROOT, "user.bms.name", NULL, 0),
			 -ENODATA);
	forest_path(grove->forest, TREE_ROOT, path, sizeof(path));
	assert_string_equal(path, "");
	grove_free(grove);
}

/* Every inode that a tree gives is its own, and leads back by its path. */
static void test_inodes_of_several(void **state)
{
	struct grove *grove = grove_new(FOREST_MAX);
	static const char *const paths[] = { "CMAX",      "pack",
					     "bus/state", "units/3/cells/4/voltage",
					     "cells",     "class/power_supply" };

	(void)state;
	for (unsigned i = 0; i < FOREST_MAX; i++)
		for (size_t p = 0; p < ARRAY_SIZE(paths); p++) {
			uint64_t ino = tree_root(forest_tree(grove->forest, i));
			char path[64], wanted[64], name[64];
			struct tree_stat stat;

			for (const char *at = paths[p]; *at && ino;) {
				size_t length = strcspn(at, "/");

				snprintf(name, sizeof(name), "%.*s", (int)length, at);
				ino = forest_lookup(grove->forest, ino, name);
				at += length + (at[length] == '/');
			}
			if (!ino) /* "cells" only once the shape is known */
				continue;
			assert_int_equal(forest_index(grove->forest, ino), i);
			assert_int_equal(forest_stat(grove->forest, ino, &stat), 0);
			forest_path(grove->forest, ino, path, sizeof(path));
			snprintf(wanted, sizeof(wanted), "%u/%s", 10 + i, paths[p]);
			assert_string_equal(path, wanted);
		}
	grove_free(grove);
}

/* A BMS of the largest shape that its replies can have. */
#define LARGEST_UNIT (SAMPLE_NUMBER_MAX / SAMPLE_UNIT_MAX)

struct inodes {
	const struct forest *forest;
	uint32_t *seen; /* one bit for each 32-bit number */
	unsigned count;
};

static void walk_inodes(struct inodes *inodes, uint64_t dir)
{
	char name[TREE_NAME_MAX];
	uint64_t ino;

	for (unsigned i = 0; (ino = forest_entry(inodes->forest, dir, i, name)); i++) {
		struct tree_stat stat;
		bool alias = !strcasecmp(name, "soc") || !strcasecmp(name, "soh");

		assert_true(ino <= UINT32_MAX);
		assert_int_equal(forest_lookup(inodes->forest, dir, name), ino);
		if (!alias)
			assert_false(inodes->seen[ino / 32] >> ino % 32 & 1);
		inodes->seen[ino / 32] |= 1u << ino % 32;
		inodes->count++;
		assert_int_equal(forest_stat(inodes->forest, ino, &stat), 0);
		if (stat.kind == TREE_DIR)
			walk_inodes(inodes, ino);
	}
}

/* Programs without large file support see every file, also of the largest mount. */
static void test_inodes_of_the_largest_mount_fit_in_32_bits(void **state)
{
	struct grove *grove = grove_new(FOREST_MAX);
	struct inodes inodes = { .forest = grove->forest };

	(void)state;
	inodes.seen = calloc((size_t)1 << 27, sizeof(*inodes.seen));
	assert_non_null(inodes.seen);
	for (unsigned i = 0; i < FOREST_MAX; i++)
		fake_shape(&grove->device[i], SAMPLE_UNIT_MAX, LARGEST_UNIT, LARGEST_UNIT);
	walk_inodes(&inodes, TREE_ROOT);
	assert_true(inodes.count > FOREST_MAX * 4 * SAMPLE_NUMBER_MAX);
	free(inodes.seen);
	grove_free(grove);
}

static void test_names(void **state)
{
	struct grove *grove = grove_new(2);
	char name[TREE_NAME_MAX];
	uint64_t ino = tree_root(forest_tree(grove->forest, 1));

	(void)state;
	ino = forest_lookup(grove->forest, ino, "class");
	ino = forest_lookup(grove->forest, ino, "power_supply");
	assert_true(forest_entry(grove->forest, ino, 0, name) != 0);
	assert_string_equal(name, "bms11");
	grove_free(grove);
}

static void test_name_too_long(void **state)
{
	struct device device;
	struct device *two[] = { &device, &device };
	struct forest *forest;

	(void)state;
	fake_init(&device, NULL);
	device.config.address = 1;
	assert_int_equal(forest_new(&forest, two, 2, "a_name_of_thirty_one_characters"),
			 -ENAMETOOLONG);
	fake_free(&device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_root_of_several),
		cmocka_unit_test(test_inodes_of_several),
		cmocka_unit_test(test_inodes_of_the_largest_mount_fit_in_32_bits),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_name_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <string.h>

#include "fixture.h"
#include "test.h"
#include "tree/tree.h"

static void test_values(void **state)
{
	struct fixture *fixture = *state;
	struct device *device = &fixture->device;
	static const struct {
		const char *model, *path, *name;
		const char *value; /* NULL: ENODATA */
	} cases[] = {
		{ "1q", "CMAX", "name", "cell over-voltage switch-off" },
		{ "1q", "CMAX", "unit", "V" },
		{ "1q", "CMAX", "type", "float" },
		{ "1q", "CMAX", "min", "2" },
		{ "1q", "CMAX", "max", "4.3" },
		{ "1q", "CMAX", "default", "3.85" },
		{ "1q", "CMAX", "category", "cell_voltage" },
		{ "2q", "TMIN", "default", "0" },
		{ "1q", "TMIN", "default", "-10" },
		{ "abms", "RE1T", "max", "4294967295" },
		{ "1q", "CHEM", "unit", NULL },
		{ "abms", "PTEM", "max", NULL },
		{ "abms", "UBDI", "min", NULL },
		{ "1q", "IDN", "type", "text" },
		{ "1q", "SOC", "unit", "%" },
		{ "1q", "SOC", "type", "float" },
		{ "1q", "SOC", "min", NULL },
		{ "1q", "pack/error", "type", "int" },
		{ "1q", "pack/error_text", "type", "text" },
		{ "1q", "units/1/cells/1/voltage", "unit", "V" },
		{ "1q", "units/1/cells/1/voltage", "category", "units" },
		{ "1q", "bus/state", "type", "text" },
		{ "1q", "bus/state", "frequency", NULL },
		{ "1q", "pack", "description", NULL },
		{ "1q", "cells", "description", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char name[64] = "user.bms.", value[512];
		uint64_t ino;
		ssize_t size;

		device->model = model_find(&device->table, cases[i].model);
		ino = fixture_ino(fixture, cases[i].path);
		strcat(name, cases[i].name);
		size = tree_xattr(fixture->tree, ino, name, value, sizeof(value) - 1);
		if (!cases[i].value) {
			assert_int_equal(size, -ENODATA);
			continue;
		}
		assert_true(size > 0);
		value[size] = '\0';
		assert_string_equal(value, cases[i].value);
		assert_int_equal(tree_xattr(fixture->tree, ino, name, NULL, 0), size);
		assert_int_equal(tree_xattr(fixture->tree, ino, name, value, (size_t)size - 1),
				 -ERANGE);
	}
}

static void test_names_belong_to_us(void **state)
{
	struct fixture *fixture = *state;
	uint64_t ino = fixture_ino(fixture, "CMAX");

	assert_int_equal(tree_xattr(fixture->tree, ino, "unit", NULL, 0), -ENODATA);
	assert_int_equal(tree_xattr(fixture->tree, ino, "security.selinux", NULL, 0), -ENODATA);
	assert_int_equal(tree_xattr(fixture->tree, 0, "user.bms.unit", NULL, 0), -ENOENT);
	assert_int_equal(tree_xattrs(fixture->tree, 0, NULL, 0), -ENOENT);
}

/* The list names all that can be asked for, and nothing else. */
static void test_list(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *path;
		unsigned count;
	} cases[] = {
		{ "CMAX", 8 }, { "IDN", 4 },       { "CELL", 5 },  { "SOC", 5 },
		{ "pack", 0 }, { "bus/state", 4 }, { "cells", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t ino = fixture_ino(fixture, cases[i].path);
		char names[512];
		ssize_t size = tree_xattrs(fixture->tree, ino, names, sizeof(names));
		unsigned count = 0;

		assert_true(size >= 0);
		assert_int_equal(tree_xattrs(fixture->tree, ino, NULL, 0), size);
		if (size)
			assert_int_equal(tree_xattrs(fixture->tree, ino, names, (size_t)size - 1),
					 -ERANGE);
		for (char *at = names; at < names + size; at += strlen(at) + 1, count++)
			assert_true(tree_xattr(fixture->tree, ino, at, NULL, 0) > 0);
		assert_int_equal(count, cases[i].count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_values),
		TEST(test_names_belong_to_us),
		TEST(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/snapshot.h"
#include "test.h"

static const char text[] =
	"{\"name\": \"bms0\", \"link\": {\"state\": \"online\"},"
	" \"instructions\": {\"CMAX\": {\"value\": 3.85, \"unit\": \"V\", \"age\": 0.3},"
	" \"IDN\": {\"value\": \"REC\"}},"
	" \"pack\": {\"soc\": {\"value\": 78}},"
	" \"units\": {\"1\": {\"cells\": {\"3\": {\"voltage\": {\"value\": 3.34}}}}},"
	" \"failed\": {\"pack/time_to_full\": \"ENODATA\", \"SOCH\": \"ETIMEDOUT\"}}";

static int set_up(void **state)
{
	*state = json_loads(text, 0, NULL);
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	json_decref(*state);
	return 0;
}

static void test_numbers(void **state)
{
	static const struct {
		const char *path;
		int ret;
		double number;
	} cases[] = {
		{ "CMAX", 0, 3.85 },
		{ "pack/soc", 0, 78 },
		{ "units/1/cells/3/voltage", 0, 3.34 },
		{ "IDN", -ENODATA, 0 },
		{ "SOCH", -ENODATA, 0 },
		{ "pack", -ENODATA, 0 },
		{ "pack/", -ENODATA, 0 },
		{ "pack/soc/value", -ENODATA, 0 },
		{ "units/1/cells", -ENODATA, 0 },
		{ "units/2/cells/3/voltage", -ENODATA, 0 },
		{ "", -ENODATA, 0 },
		{ "/", -ENODATA, 0 },
		{ "a-name-that-is-longer-than-any-that-the-tree-could-have-in-any-of-its-places/x",
		  -ENODATA, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		double number = 0;

		assert_int_equal(snapshot_number(*state, cases[i].path, &number), cases[i].ret);
		assert_true(number == cases[i].number);
	}
}

static void test_words(void **state)
{
	assert_string_equal(snapshot_text(*state, "IDN"), "REC");
	assert_null(snapshot_text(*state, "CMAX"));
	assert_null(snapshot_text(*state, "NONE"));
	assert_string_equal(snapshot_failure(*state, "SOCH"), "ETIMEDOUT");
	assert_string_equal(snapshot_failure(*state, "pack/time_to_full"), "ENODATA");
	assert_null(snapshot_failure(*state, "CMAX"));
	assert_string_equal(snapshot_link(*state), "online");
	assert_string_equal(snapshot_link(NULL), "");
}

static void write_snapshot(const char *folder, const char *bytes)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/snapshot.json", folder);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(bytes, file);
	assert_int_equal(fclose(file), 0);
}

static void test_reading(void **state)
{
	char folder[] = "/tmp/bmsfs-client-XXXXXX", path[64], reason[256] = "";
	json_t *snapshot;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_null(snapshot_read(folder, reason, sizeof(reason)));
	assert_non_null(strstr(reason, "no bmsfs is mounted there"));
	write_snapshot(folder, "{\"pack\": ");
	assert_null(snapshot_read(folder, reason, sizeof(reason)));
	assert_non_null(strstr(reason, "/snapshot.json: "));
	write_snapshot(folder, text);
	snapshot = snapshot_read(folder, reason, sizeof(reason));
	assert_non_null(snapshot);
	assert_true(json_equal(snapshot, *state));
	json_decref(snapshot);
	snprintf(path, sizeof(path), "%s/snapshot.json", folder);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

/* What failed is told, not what JSON made of it. */
static void test_reading_fails(void **state)
{
	char folder[] = "/tmp/bmsfs-client-XXXXXX", path[64], reason[256] = "", expected[128];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/snapshot.json", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_null(snapshot_read(folder, reason, sizeof(reason)));
	snprintf(expected, sizeof(expected), "%s: Is a directory", path);
	assert_string_equal(reason, expected);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void test_one_of_several(void **state)
{
	char folder[] = "/tmp/bmsfs-client-XXXXXX", path[64], one[48], reason[256] = "";
	char expected[256];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(one, sizeof(one), "%s/16", folder);
	assert_int_equal(mkdir(one, 0700), 0);
	write_snapshot(one, text);
	assert_null(snapshot_read(folder, reason, sizeof(reason)));
	snprintf(expected, sizeof(expected), "%s: several BMSs are there, name one of them, as %s",
		 folder, one);
	assert_string_equal(reason, expected);
	snprintf(path, sizeof(path), "%s/snapshot.json", one);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(one), 0);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),        cmocka_unit_test(test_words),
		cmocka_unit_test(test_reading),        cmocka_unit_test(test_reading_fails),
		cmocka_unit_test(test_one_of_several),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

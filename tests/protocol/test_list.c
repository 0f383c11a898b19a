/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"

static int setup(void **state)
{
	static struct instruction_table table;
	struct table_error error;

	*state = &table;
	return instruction_table_init(&table, &error);
}

static int teardown(void **state)
{
	instruction_table_free(*state);
	return 0;
}

/* What list_print() prints, to be freed. */
static char *list(const struct instruction_table *table, const struct list_options *options)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(list_print(out, table, options), 0);
	fclose(out);
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s'", part);
}

static void columns(void **state)
{
	const struct list_options options = { .category = "temperature" };
	char *text = list(*state, &options);

	assert_string_equal(
		text,
		"MNEMONIC  ACCESS  UNIT  RANGE    DEFAULT  NAME\n"
		"TMAX      rw      degC  -20..65  55       cell over-temperature\n"
		"TMIN      rw      degC  -30..65  -10      lowest charging temperature\n"
		"TBAL      rw      degC  -20..65  55       BMS over-temperature\n"
		"BMTH      rw      K     1..30    5        BMS over-temperature hysteresis\n");
	free(text);
}

static void columns_of_all(void **state)
{
	const struct list_options options = { 0 };
	const struct instruction_table *table = *state;
	char *text = list(table, &options);
	size_t lines = 0;

	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, table->rows + 1);
	assert_has(text,
		   "\nPTEM      ro      degC   -                -        cell temperatures\n");
	assert_has(text, "\nIOFF      locked  A      -2..2            0        current offset\n");
	assert_has(text, "\nRE1T      rw      -      0..4294967295    -        relay 1 task\n");
	free(text);
}

static void only_writable(void **state)
{
	const struct list_options options = { .writable = true, .category = "calibration" };
	char *text = list(*state, &options);

	assert_has(text, "\nIOFF ");
	assert_null(strstr(text, "REFC"));
	free(text);
}

static void an_open_range(void **state)
{
	static const char text[] = "[XYZ]\nname=n\ncategory=mine\ntype=float\naccess=rw\nmin=0.5\n"
				   "[XYW]\nname=n\ncategory=mine\ntype=int\naccess=rw\nmax=7\n";
	const struct list_options options = { .category = "mine" };
	struct table_error error;
	char *listed;

	assert_int_equal(instruction_table_add(*state, "t", text, strlen(text), &error), 0);
	listed = list(*state, &options);
	assert_has(listed, " 0.5.. ");
	assert_has(listed, " ..7 ");
	free(listed);
}

static void json(void **state)
{
	static const char added[] =
		"[XYZ]\nname = a \"quoted\" \\ name\ncategory = mine\ntype = float\n"
		"access = rw\nverify = near=0.25\ndefault = 007.50\nmin = 0.0001\n"
		"default.2q = 8\nmodels = 1q 2q\n";
	const struct list_options options = { .json = true, .category = "mine" };
	struct table_error error;
	char *text;

	assert_int_equal(instruction_table_add(*state, "t", added, strlen(added), &error), 0);
	text = list(*state, &options);
	assert_string_equal(
		text,
		"[\n{\"mnemonic\": \"XYZ\", \"file\": \"XYZ\", \"name\": \"a \\\"quoted\\\" \\\\ "
		"name\", "
		"\"description\": \"\", \"category\": \"mine\", \"type\": \"float\", \"unit\": "
		"\"\", "
		"\"access\": \"rw\", \"locked\": false, \"class\": \"setting\", \"consuming\": "
		"false, \"padded\": false, \"blank\": false, "
		"\"pattern\": \"\", \"verify\": \"near\", \"near\": 0.25, \"header\": \"none\", "
		"\"repeats\": false, \"fields\": [], \"min\": 0.0001, \"max\": null, \"default\": "
		"7.5, "
		"\"frames\": \"header\", \"trim\": false, \"variants\": ["
		"{\"model\": \"1q\", \"present\": true}, "
		"{\"model\": \"2q\", \"present\": true, \"default\": 8}, "
		"{\"model\": \"abms\", \"present\": false}, "
		"{\"model\": \"master\", \"present\": false}]}\n]\n");
	free(text);
}

static void json_of_fields(void **state)
{
	const struct list_options options = { .json = true };
	char *text = list(*state, &options);

	assert_has(text,
		   "\"repeats\": true, \"fields\": [{\"name\": \"voltage\", \"type\": \"f32\", "
		   "\"unit\": \"V\"}]");
	assert_has(text, "{\"name\": \"charge_missing\", \"type\": \"u16be\", \"unit\": \"Ah\"}]");
	assert_has(text, "\"max\": 4294967295");
	assert_has(text, "{\"model\": \"abms\", \"present\": true, \"max\": 350}");
	free(text);
}

static void json_of_nothing(void **state)
{
	const struct list_options options = { .json = true,
					      .writable = true,
					      .category = "identity" };
	char *text = list(*state, &options);

	assert_string_equal(text, "[\n]\n");
	free(text);
}

static void no_such_category(void **state)
{
	const struct list_options options = { .category = "weather" };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(list_print(out, *state, &options), -ENOENT);
	fclose(out);
	assert_string_equal(text, "");
	free(text);
}

static void a_full_disk(void **state)
{
	const struct list_options options = { 0 };
	FILE *out = fopen("/dev/full", "w");

	assert_non_null(out);
	assert_int_equal(list_print(out, *state, &options), -EIO);
	fclose(out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(columns),
		TEST(columns_of_all),
		TEST(only_writable),
		TEST(an_open_range),
		TEST(json),
		TEST(json_of_fields),
		TEST(json_of_nothing),
		TEST(no_such_category),
		TEST(a_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

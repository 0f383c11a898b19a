// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tables.h"
#include "test.h"

/* A folder of its own for each test, which is the working directory then, and a table. */
struct place {
	char folder[32];
	struct instruction_table table;
	struct table_error error;
};

static int place_make(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	snprintf(place->folder, sizeof(place->folder), "/tmp/bmsfs-test-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	assert_int_equal(chdir(place->folder), 0);
	assert_int_equal(instruction_table_init(&place->table, &place->error), 0);
	*state = place;
	return 0;
}

static int place_remove(void **state)
{
	static const char *const names[] = { "a.ini", "b.ini", "c.txt", "file" };
	struct place *place = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unlink(names[i]);
	rmdir("folder");
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(place->folder), 0);
	instruction_table_free(&place->table);
	free(place);
	return 0;
}

static void put_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static const char *name_of(const struct place *place, const char *mnemonic)
{
	int row = instruction_find(&place->table, mnemonic);

	return row < 0 ? "" : place->table.row[row].name;
}

static void test_file(void **state)
{
	struct place *place = *state;

	put_file("file", "[SOCS]\nname = by hand\n");
	assert_int_equal(tables_add_file(&place->table, "file", "/mnt", &place->error), 0);
	assert_string_equal(name_of(place, "SOCS"), "by hand");
}

static void test_matching(void **state)
{
	struct place *place = *state;

	assert_int_equal(tables_add_matching(&place->table, "*.ini", NULL, &place->error), 0);
	put_file("b.ini", "[SOCS]\nname = second\n");
	put_file("a.ini", "[SOCS]\nname = first\n[SOCH]\nname = first too\n");
	put_file("c.txt", "[SOCS]\nname = third\n");
	assert_int_equal(tables_add_matching(&place->table, "*.ini", NULL, &place->error), 0);
	assert_string_equal(name_of(place, "SOCS"), "second");
}

static void assert_refused(struct place *place, const char *file, const char *mountpoint,
			   const char *reason)
{
	assert_true(tables_add_file(&place->table, file, mountpoint, &place->error) < 0);
	if (!strstr(place->error.text, reason) || strncmp(place->error.text, file, strlen(file)))
		fail_msg("\"%s\" is not about %s: %s", place->error.text, file, reason);
}

static void test_refused(void **state)
{
	struct place *place = *state;

	assert_refused(place, "file", NULL, "No such file");
	assert_int_equal(mkdir("folder", 0700), 0);
	assert_refused(place, "folder", NULL, "regular");
	assert_int_equal(mkfifo("file", 0600), 0);
	assert_refused(place, "file", NULL, "regular");
	assert_int_equal(unlink("file"), 0);
	assert_refused(place, "/dev/zero", NULL, "regular");
	put_file("file", "[SOCS]\nname = good\nnonsense = 1\n");
	assert_refused(place, "file", NULL, "file:3:");
	assert_int_equal(truncate("file", TABLES_FILE_MAX + 1), 0);
	assert_refused(place, "file", NULL, "1 MiB");
}

static void test_below(void **state)
{
	struct place *place = *state;
	char inside[64];

	put_file("file", "[SOCS]\nname = by hand\n");
	assert_refused(place, "file", place->folder, "MOUNTPOINT");
	snprintf(inside, sizeof(inside), "%s/folder", place->folder);
	assert_int_equal(tables_add_file(&place->table, "file", inside, &place->error), 0);
	assert_int_equal(mkdir("folder", 0700), 0);
	/* A link to it is as much in the way. */
	assert_int_equal(symlink("folder/../file", "a.ini"), 0);
	assert_refused(place, "a.ini", place->folder, "MOUNTPOINT");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_file, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_matching, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_refused, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_below, place_make, place_remove),
	};

	return cmocka_run_group_tests_name("tables", tests, NULL, NULL);
}

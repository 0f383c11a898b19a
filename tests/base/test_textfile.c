// SPDX-License-Identifier: LGPL-3.0-or-later
#include "base/textfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static char reason[256];

/* A folder of its own for each test, which is the working directory then. */
static int folder_make(void **state)
{
	char *folder = strdup("/tmp/bmsfs-text-XXXXXX");

	assert_non_null(folder);
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	*state = folder;
	return 0;
}

static int folder_remove(void **state)
{
	unlink("file");
	rmdir("folder");
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(*state), 0);
	free(*state);
	return 0;
}

static void put_file(const char *text, size_t size)
{
	FILE *file = fopen("file", "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static int read_file(struct textfile *file, const char *path, size_t max)
{
	reason[0] = '\0';
	return textfile_read(file, path, max, reason, sizeof(reason));
}

static void a_file_is_read_whole(void **state)
{
	struct textfile file;

	(void)state;
	put_file("a\0b", 3);
	assert_int_equal(chmod("file", 0640), 0);
	assert_int_equal(read_file(&file, "file", 3), 0);
	assert_int_equal(file.length, 3);
	assert_memory_equal(file.text, "a\0b", 3);
	assert_int_equal(file.mode & 0777, 0640);
	assert_int_equal(file.owner, geteuid());
	textfile_free(&file);
	put_file("", 0);
	assert_int_equal(read_file(&file, "file", 3), 0);
	assert_int_equal(file.length, 0);
	textfile_free(&file);
}

static void assert_refused(const char *path, size_t max, int err, const char *why)
{
	struct textfile file;

	assert_int_equal(read_file(&file, path, max), err);
	assert_string_equal(reason, why);
}

static void what_is_not_a_text_file_is_refused(void **state)
{
	(void)state;
	assert_refused("file", 1024, -ENOENT, "file: No such file or directory");
	put_file("longer", 6);
	assert_refused("file/x", 1024, -ENOTDIR, "file/x: Not a directory");
	assert_int_equal(truncate("file", 1025), 0);
	assert_refused("file", 1024, -EINVAL, "file: longer than 1 KiB");
	assert_int_equal(mkdir("folder", 0700), 0);
	assert_refused("folder", 1024, -EINVAL, "folder: not a regular file");
	assert_int_equal(unlink("file"), 0);
	/* Waiting for the writer of a FIFO would take forever. */
	assert_int_equal(mkfifo("file", 0600), 0);
	assert_refused("file", 1024, -EINVAL, "file: not a regular file");
	assert_refused("/dev/zero", 1024, -EINVAL, "/dev/zero: not a regular file");
}

static void a_file_that_may_not_be_read_is_refused(void **state)
{
	(void)state;
	if (!geteuid())
		skip();
	put_file("text", 4);
	assert_int_equal(chmod("file", 0), 0);
	assert_refused("file", 1024, -EACCES, "file: Permission denied");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_read_whole),
		TEST(what_is_not_a_text_file_is_refused),
		TEST(a_file_that_may_not_be_read_is_refused),
	};

	return cmocka_run_group_tests_name("textfile", tests, NULL, NULL);
}

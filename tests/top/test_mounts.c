// SPDX-License-Identifier: LGPL-3.0-or-later
#include <stdlib.h>
#include <string.h>

#include "test.h"
#include "top/mounts.h"

static size_t find(const char *text, char *place[MOUNTS_MAX])
{
	FILE *table = fmemopen((void *)text, strlen(text), "r");
	size_t places;

	assert_non_null(table);
	places = mounts_find(table, place);
	fclose(table);
	return places;
}

static void test_finds(void **state)
{
	char *place[MOUNTS_MAX];

	(void)state;
	assert_int_equal(find("/dev/sda1 / ext4 rw 0 0\n"
			      "/dev/ttyUSB0 /mnt/my\\040bms fuse.bmsfs rw,allow_other 0 0\n"
			      "sim: /srv/bms fuse.bmsfs rw 0 0\n"
			      "sim: /srv/bms fuse.bmsfs rw 0 0\n"
			      "bmsfs /mnt/fuse.bmsfs fuse.sshfs rw 0 0\n",
			      place),
			 2);
	assert_string_equal(place[0], "/mnt/my bms");
	assert_string_equal(place[1], "/srv/bms");
	free(place[0]);
	free(place[1]);
	assert_int_equal(find("proc /proc proc rw 0 0\n", place), 0);
}

static void test_many(void **state)
{
	char *place[MOUNTS_MAX], *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	for (int i = 0; i < MOUNTS_MAX + 5; i++)
		fprintf(out, "sim: /mnt/%d fuse.bmsfs rw 0 0\n", i);
	fclose(out);
	assert_int_equal(find(text, place), MOUNTS_MAX);
	for (int i = 0; i < MOUNTS_MAX; i++)
		free(place[i]);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

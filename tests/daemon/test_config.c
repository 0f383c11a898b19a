// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nsec.h"
#include "options.h"
#include "test.h"

#define FILE_NAME "house.conf"

/* A folder of its own for each test, which is the working directory then. */
struct place {
	char folder[32];
	struct options options;
	char reason[256];
};

static int place_make(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	snprintf(place->folder, sizeof(place->folder), "/tmp/bmsfs-test-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	assert_int_equal(chdir(place->folder), 0);
	*state = place;
	return 0;
}

static int place_remove(void **state)
{
	struct place *place = *state;

	unlink(FILE_NAME);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(place->folder), 0);
	options_free(&place->options);
	free(place);
	return 0;
}

static void put_file(const char *text, size_t size)
{
	FILE *file = fopen(FILE_NAME, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

/* Parses "bmsfs -c FILE_NAME" with up to three more words in front or behind. */
static int parse(struct place *place, const char *first, const char *second, const char *third)
{
	/* The options that are parsed point into the words. */
	static char words[4][64] = { "bmsfs" };
	char *argv[] = { words[0], words[1], words[2], words[3], NULL };
	const char *given[] = { first, second, third };
	int argc = 1;

	for (size_t i = 0; i < ARRAY_SIZE(given); i++)
		if (given[i])
			snprintf(words[argc++], sizeof(words[0]), "%s", given[i]);
	argv[argc] = NULL;
	options_free(&place->options);
	place->reason[0] = '\0';
	return options_parse(&place->options, argc, argv, place->reason, sizeof(place->reason));
}

static int parse_file(struct place *place, const char *text)
{
	put_file(text, strlen(text));
	return parse(place, "-c" FILE_NAME, NULL, NULL);
}

static void accept_file(struct place *place, const char *text)
{
	if (parse_file(place, text))
		fail_msg("%s: %s", text, place->reason);
}

static void test_all(void **state)
{
	struct place *place = *state;
	const struct options *options = &place->options;

	accept_file(place, "\xEF\xBB\xBF# a battery\n"
			   "\n"
			   "device = tcp:gateway:4001 ; in the cellar\r\n"
			   "mountpoint=/mnt/my bms,2\n"
			   "  ; an indented comment\n"
			   "baud : 115200\n"
			   "deadline =   2.5\t\n"
			   "unlock = yes\n"
			   "ro=no\n"
			   "private = yes\n"
			   "instructions = /a\n"
			   "instructions = /b\n"
			   "uid = root\n"
			   "umask = 027");
	assert_int_equal(options->action, ACTION_MOUNT);
	assert_string_equal(options->device, "tcp:gateway:4001");
	assert_string_equal(options->mountpoint, "/mnt/my bms,2");
	assert_int_equal(options->baud, 115200);
	assert_int_equal(options->deadline, 2500 * NSEC_PER_MSEC);
	assert_true(options->unlock && options->private);
	assert_false(options->read_only);
	assert_int_equal(options->instructions_count, 2);
	assert_string_equal(options->instructions[0], "/a");
	assert_string_equal(options->instructions[1], "/b");
	assert_int_equal(options->uid, 0);
	assert_int_equal(options->umask, 027);
	/* What the file does not name. */
	assert_int_equal(options->ttl, NSEC_PER_SEC);
}

/* The file stands where it is named: it overrides what comes before, and not what follows. */
static void test_order(void **state)
{
	static const char text[] = "device = sim:\nmountpoint = /m\nttl = 2\nro = yes\n";
	struct place *place = *state;

	put_file(text, strlen(text));
	assert_int_equal(parse(place, "--config=" FILE_NAME, "-ottl=3", "-orw"), 0);
	assert_int_equal(place->options.ttl, 3 * NSEC_PER_SEC);
	assert_false(place->options.read_only);
	assert_int_equal(parse(place, "-ottl=3", "-orw", "-c" FILE_NAME), 0);
	assert_int_equal(place->options.ttl, 2 * NSEC_PER_SEC);
	assert_true(place->options.read_only);
}

static void test_places(void **state)
{
	struct place *place = *state;

	assert_int_equal(parse_file(place, "device = sim:\n"), -EINVAL);
	assert_string_equal(place->reason, "MOUNTPOINT is missing; bmsfs --help explains");
	assert_int_equal(parse(place, "-c" FILE_NAME, "/m", NULL), 0);
	assert_string_equal(place->options.device, "sim:");
	assert_string_equal(place->options.mountpoint, "/m");
	assert_int_equal(parse(place, "-c" FILE_NAME, "sim:", "/m"), -EINVAL);
	assert_non_null(strstr(place->reason, "/m: one DEVICE"));
	assert_int_equal(parse(place, "sim:", "-c" FILE_NAME, NULL), -EINVAL);
	assert_string_equal(place->reason, FILE_NAME ":1: DEVICE is given already");
	assert_int_equal(parse(place, "-c" FILE_NAME, "--list", NULL), 0);
	assert_int_equal(place->options.action, ACTION_LIST);
	assert_int_equal(parse(place, "-c" FILE_NAME, "--list", "sim:"), -EINVAL);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{ "nonsense = 1", "1: nonsense: unknown key; bmsfs --help lists the options" },
		{ "\n\n# x\nBaud = 56000", "4: Baud: unknown key" },
		{ "nodev = yes", "1: nodev: unknown key" },
		{ "ttl = 1\nttl = 2", "2: ttl: given twice; remove one" },
		{ "ro = no\nro = no", "2: ro: given twice" },
		{ "device = sim:\ndevice = sim:", "2: device: given twice" },
		{ "mountpoint = /a\nmountpoint = /b", "2: mountpoint: given twice" },
		{ "device =", "1: DEVICE is empty" },
		{ "mountpoint = ; where?", "1: MOUNTPOINT is empty" },
		{ "ttl = soon", "1: ttl=soon: must be a number of seconds from 0 to 86400" },
		{ "ttl = 1 # second", "1: ttl=1 # second: must be" },
		{ "ttl =", "1: ttl=: must be" },
		{ "baud = 56000\nbaud2 = 1", "2: baud2: unknown key" },
		{ "unlock = true", "1: unlock=true: must be yes or no" },
		{ "unlock =", "1: unlock=: must be yes or no" },
		{ "unlock", "1: not a line \"key = value\"" },
		{ "unlock\nttl = x", "1: not a line" },
		{ "= 1", "1: not a line" },
		{ "instructions =", "1: instructions=: a file is missing" },
		{ "[house]\nttl = 1", "1: this file has no sections; remove this line" },
		{ "ttl = 1\n[house]", "2: this file has no sections" },
		{ "ttl = 1\n baud = 1", "2: an indented line; start the key in the first column" },
		{ " ttl = 1", "1: an indented line" },
		{ "ttl = 1\x1B[31m", "1: a control character" },
		{ "ttl\x7F = 1", "1: a control character" },
	};
	struct place *place = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (parse_file(place, cases[i].text) != -EINVAL)
			fail_msg("%s: accepted", cases[i].text);
		if (strncmp(place->reason, FILE_NAME ":", strlen(FILE_NAME ":")) != 0 ||
		    !strstr(place->reason + strlen(FILE_NAME), cases[i].reason))
			fail_msg("%s: \"%s\", expected %s", cases[i].text, place->reason,
				 cases[i].reason);
	}
}

static void test_many_files(void **state)
{
	char text[32 * (OPTIONS_FILE_MAX + 1)] = "";
	struct place *place = *state;

	for (int i = 0; i <= OPTIONS_FILE_MAX; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "instructions = /%d\n",
			 i);
	assert_int_equal(parse_file(place, text), -EINVAL);
	assert_string_equal(place->reason, FILE_NAME ":17: instructions= can be given 16 times");
}

static void test_unreadable(void **state)
{
	struct place *place = *state;

	assert_int_equal(parse(place, "-c" FILE_NAME, NULL, NULL), -ENOENT);
	assert_string_equal(place->reason, FILE_NAME ": No such file or directory");
	assert_int_equal(parse(place, "-c", "", NULL), -ENOENT);
	assert_int_equal(parse(place, "sim:", "/m", "-c"), -EINVAL);
	assert_string_equal(place->reason, "-c: something must follow");
}

/* That may be because names cannot be looked up yet. */
static void test_unknown_group(void **state)
{
	struct place *place = *state;

	assert_int_equal(parse_file(place, "device = sim:\ngid = no-such-group\n"), -EAGAIN);
	assert_string_equal(place->reason,
			    FILE_NAME ":2: gid=no-such-group: there is no such group");
}

static void test_two_files(void **state)
{
	struct place *place = *state;

	put_file("", 0);
	assert_int_equal(parse(place, "-c" FILE_NAME, "-c" FILE_NAME, NULL), -EINVAL);
	assert_string_equal(place->reason, FILE_NAME ": one configuration file only");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_order, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_places, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_refused, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_many_files, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_unreadable, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_unknown_group, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_two_files, place_make, place_remove),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}

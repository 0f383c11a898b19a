// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "nsec.h"
#include "options.h"
#include "test.h"

#define WORD_MAX 16

/* Splits a command line at blanks; "''" is an empty word. */
struct line {
	char text[512];
	char *word[WORD_MAX + 1];
	int words;
	struct options options;
	char reason[256];
};

static int parse(struct line *line, const char *text)
{
	char *next = line->text;

	snprintf(line->text, sizeof(line->text), "%s%s", strncmp(text, "/sbin/", 6) ? "bmsfs " : "",
		 text);
	line->words = 0;
	line->reason[0] = '\0';
	while (next && line->words < WORD_MAX) {
		char *word = strsep(&next, " ");

		line->word[line->words++] = strcmp(word, "''") ? word : word + 2;
	}
	line->word[line->words] = NULL;
	return options_parse(&line->options, line->words, line->word, line->reason,
			     sizeof(line->reason));
}

static void accept_line(struct line *line, const char *text)
{
	if (parse(line, text))
		fail_msg("%s: refused: %s", text, line->reason);
}

static void test_defaults(void **state)
{
	struct line line;
	const struct options *options = &line.options;

	(void)state;
	accept_line(&line, "/dev/ttyUSB0 /mnt/bms");
	assert_int_equal(options->action, ACTION_MOUNT);
	assert_string_equal(options->device, "/dev/ttyUSB0");
	assert_string_equal(options->mountpoint, "/mnt/bms");
	assert_false(options->foreground || options->debug || options->unlock ||
		     options->read_only || options->private);
	assert_int_equal(options->allow_other, geteuid() == 0);
	assert_int_equal(options->baud, 56000);
	assert_int_equal(options->addresses, 0);
	assert_int_equal(options->tries, 3);
	assert_int_equal(options->timeout, 350 * NSEC_PER_MSEC);
	assert_int_equal(options->deadline, 5 * NSEC_PER_SEC);
	assert_int_equal(options->ttl, NSEC_PER_SEC);
	assert_int_equal(options->ttl_settings, 10 * NSEC_PER_SEC);
	assert_int_equal(options->grace, 0);
	assert_int_equal(options->wait, 2 * NSEC_PER_SEC);
	assert_string_equal(options->model, "auto");
	assert_int_equal(options->sensors, OPTIONS_NO_SENSORS);
	assert_null(options->name);
	assert_int_equal(options->instructions_count, 0);
	assert_int_equal(options->uid, getuid());
	assert_int_equal(options->gid, OPTIONS_NO_GROUP);
	assert_int_equal(options->umask, 0);
	assert_string_equal(options->kernel, "");
	options_free(&line.options);
}

static void test_all_set(void **state)
{
	struct line line;
	const struct options *options = &line.options;

	(void)state;
	accept_line(&line, "-f -o baud=115200,address=127,timeout=0.2,tries=5,deadline=1.5,ttl=0 "
			   "sim: -ottl_settings=0.000001,grace=60,wait=0 /m "
			   "-o "
			   "model=abms,sensors=0,name=A_1,instructions=/a,instructions=/"
			   "b,unlock,ro,uid=7,gid=8 "
			   "-o umask=027,private");
	assert_true(options->foreground);
	assert_false(options->debug);
	assert_string_equal(options->device, "sim:");
	assert_string_equal(options->mountpoint, "/m");
	assert_int_equal(options->baud, 115200);
	assert_int_equal(options->addresses, 1);
	assert_int_equal(options->address[0], 127);
	assert_int_equal(options->timeout, 200 * NSEC_PER_MSEC);
	assert_int_equal(options->tries, 5);
	assert_int_equal(options->deadline, 1500 * NSEC_PER_MSEC);
	assert_int_equal(options->ttl, 0);
	assert_int_equal(options->ttl_settings, 1000);
	assert_int_equal(options->grace, 60 * NSEC_PER_SEC);
	assert_int_equal(options->wait, 0);
	assert_string_equal(options->model, "abms");
	assert_int_equal(options->sensors, 0);
	assert_string_equal(options->name, "A_1");
	assert_int_equal(options->instructions_count, 2);
	assert_string_equal(options->instructions[0], "/a");
	assert_string_equal(options->instructions[1], "/b");
	assert_true(options->unlock && options->read_only && options->private);
	assert_int_equal(options->uid, 7);
	assert_int_equal(options->gid, 8);
	assert_int_equal(options->umask, 027);
	options_free(&line.options);
}

static void test_names(void **state)
{
	struct line line;

	(void)state;
	accept_line(&line, "-o uid=root,gid=root sim: /m");
	assert_int_equal(line.options.uid, 0);
	assert_int_equal(line.options.gid, 0);
	options_free(&line.options);
}

static void test_last_counts(void **state)
{
	struct line line;

	(void)state;
	accept_line(&line, "-o ro,ttl=3 -o rw,ttl=4 sim: /m");
	assert_false(line.options.read_only);
	assert_int_equal(line.options.ttl, 4 * NSEC_PER_SEC);
	options_free(&line.options);
}

/* As in a configuration file; without a value it means yes. */
static void test_yes_and_no(void **state)
{
	static const struct {
		const char *line;
		bool unlock, read_only;
	} cases[] = {
		{ "-o unlock=yes,ro=no sim: /m", true, false },
		{ "-o unlock,ro sim: /m", true, true },
		{ "-o unlock,ro,unlock=no sim: /m", false, true },
		{ "-o rw=no sim: /m", false, true },
		{ "-o ro,rw=yes sim: /m", false, false },
	};
	struct line line;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		accept_line(&line, cases[i].line);
		if (line.options.unlock != cases[i].unlock ||
		    line.options.read_only != cases[i].read_only)
			fail_msg("%s", cases[i].line);
		options_free(&line.options);
	}
}

static void test_escapes(void **state)
{
	struct line line;

	(void)state;
	accept_line(&line, "-o instructions=/a\\,b\\\\c,,ro, sim: /m");
	assert_string_equal(line.options.instructions[0], "/a,b\\c");
	assert_true(line.options.read_only);
	options_free(&line.options);
}

/* Options after the words, as mount(8) puts them, and words that look like options. */
static void test_order(void **state)
{
	struct line line;

	(void)state;
	assert_int_equal(setenv("POSIXLY_CORRECT", "1", 1), 0);
	accept_line(&line, "sim: /m -o ro -d");
	assert_true(line.options.read_only && line.options.debug && line.options.foreground);
	options_free(&line.options);
	unsetenv("POSIXLY_CORRECT");
	accept_line(&line, "-f -- -device -f");
	assert_string_equal(line.options.device, "-device");
	assert_string_equal(line.options.mountpoint, "-f");
	options_free(&line.options);
}

static void test_mount_options(void **state)
{
	static const struct {
		const char *line, *kernel;
		unsigned long flags;
	} cases[] = {
		{ "sim: /m -o rw,dev,suid", "", 0 },
		{ "sim: /m -o defaults,nofail,_netdev,x-systemd.automount,comment=mine,user=me", "",
		  0 },
		{ "sim: /m -o noauto,users,owner,relatime,default_permissions,X-mount.mkdir", "",
		  0 },
		{ "sim: /m -o dirsync,sync,noatime,nodev,nosuid,noexec,noexec,sync",
		  "dirsync,sync,noatime,nodev,nosuid,noexec",
		  MS_DIRSYNC | MS_SYNCHRONOUS | MS_NOATIME | MS_NODEV | MS_NOSUID | MS_NOEXEC },
		{ "sim: /m -o silent,loud,mand,nomand,iversion,noiversion,lazytime,nolazytime", "",
		  0 },
		{ "sim: /m -o noexec,ro", "noexec", MS_NOEXEC | MS_RDONLY },
		{ "sim: /m -o ro,rw", "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct line line;

		accept_line(&line, cases[i].line);
		assert_string_equal(line.options.kernel, cases[i].kernel);
		assert_int_equal(line.options.flags, cases[i].flags);
		assert_false(line.options.flags_left);
		assert_string_equal(line.options.labels, "");
		options_free(&line.options);
	}
}

/* Not every libfuse hands it on. */
static void test_nosymfollow(void **state)
{
	const char *text = "sim: /m -o noatime,nosymfollow";
	struct line line;

	(void)state;
	if (geteuid() == 0) {
		accept_line(&line, text);
		assert_string_equal(line.options.kernel, "noatime");
		assert_true(line.options.flags_left);
		assert_int_equal(line.options.flags & ~MS_NOATIME, 256);
	} else {
		assert_int_equal(parse(&line, text), -EINVAL);
		assert_non_null(strstr(line.reason, "nosymfollow: only mounts by root"));
	}
	options_free(&line.options);
}

/* With what mount(8) of an SELinux system hands on: quotes around a context with commas. */
static void test_context(void **state)
{
	struct line line;

	(void)state;
	accept_line(
		&line,
		"sim: /m -o ro,context=\"system_u:object_r:x:s0:c1,c2\",ttl=3,fscontext=a\\\\b");
	assert_string_equal(line.options.labels,
			    "context=\"system_u:object_r:x:s0:c1\\,c2\",fscontext=a\\\\b");
	assert_true(line.options.read_only);
	assert_int_equal(line.options.ttl, 3 * NSEC_PER_SEC);
	options_free(&line.options);
	accept_line(&line, "sim: /m -o defcontext=a,rootcontext=\"b,ro");
	assert_string_equal(line.options.labels, "defcontext=a,rootcontext=\"b\\,ro");
	assert_false(line.options.read_only);
	options_free(&line.options);
}

/* In fstab user= is an option of mount(8), by which users may mount. */
static void test_user_in_fstab(void **state)
{
	struct line line;

	(void)state;
	accept_line(&line, "-o user=serves sim: /m");
	assert_string_equal(line.options.user, "serves");
	assert_null(line.options.of_mount);
	options_free(&line.options);
	accept_line(&line, "/sbin/mount.bmsfs sim: /m -o rw,user,noexec");
	assert_null(line.options.user);
	assert_null(line.options.of_mount);
	options_free(&line.options);
	accept_line(&line, "/sbin/mount.bmsfs sim: /m -o rw,user=joe,noexec");
	assert_null(line.options.user);
	assert_string_equal(line.options.of_mount, "user=joe");
	options_free(&line.options);
	accept_line(&line, "/sbin/mount.bmsfs sim: /m -o rw,user=joe,setuid=serves");
	assert_string_equal(line.options.user, "serves");
	options_free(&line.options);
}

/* mount(8) adds what fstab has, and without fstab what the kernel shows. */
static void test_remount(void **state)
{
	struct line line;

	(void)state;
	accept_line(&line, "/sbin/mount.bmsfs sim: /m -o "
			   "ro,remount,nosuid,relatime,user_id=0,group_id=0,default_permissions");
	assert_int_equal(line.options.action, ACTION_REMOUNT);
	assert_int_equal(line.options.flags, MS_RDONLY | MS_NOSUID);
	assert_false(line.options.own);
	options_free(&line.options);
	accept_line(&line, "/sbin/mount.bmsfs sim: /m -o remount,rw,ttl=3");
	assert_int_equal(line.options.action, ACTION_REMOUNT);
	assert_int_equal(line.options.flags, 0);
	assert_true(line.options.own);
	options_free(&line.options);
	accept_line(&line, "/sbin/mount.bmsfs sim: /m -f -o remount,ro");
	assert_int_equal(line.options.action, ACTION_NOTHING);
	options_free(&line.options);
}

/* As mount(8) calls its helpers, where -f means to do everything but mount. */
static void test_helper(void **state)
{
	static const char *const helpers[] = { "/sbin/mount.bmsfs", "/sbin/mount.fuse.bmsfs" };
	struct line line;
	char text[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++) {
		snprintf(text, sizeof(text), "%s sim: /m -n -v -o rw,ttl=2,nodev -t fuse.bmsfs",
			 helpers[i]);
		accept_line(&line, text);
		assert_int_equal(line.options.action, ACTION_MOUNT);
		assert_false(line.options.foreground);
		assert_string_equal(line.options.device, "sim:");
		assert_string_equal(line.options.mountpoint, "/m");
		assert_int_equal(line.options.ttl, 2 * NSEC_PER_SEC);
		assert_string_equal(line.options.kernel, "nodev");
		options_free(&line.options);
	}
	accept_line(&line, "/sbin/mount.bmsfs sim: /m -fnv -o rw");
	assert_int_equal(line.options.action, ACTION_NOTHING);
	assert_false(line.options.foreground);
	options_free(&line.options);
	accept_line(&line, "/sbin/mount.bmsfs sim: /m -s -o rw,quota,ttl=3");
	assert_int_equal(line.options.ttl, 3 * NSEC_PER_SEC);
	options_free(&line.options);
	accept_line(&line, "/sbin/mount.d/bmsfs -f sim: /m");
	assert_true(line.options.foreground);
	options_free(&line.options);
}

static void test_other_actions(void **state)
{
	static const struct {
		const char *line;
		enum options_action action;
	} cases[] = {
		{ "--help", ACTION_HELP },        { "-h", ACTION_HELP },
		{ "--version", ACTION_VERSION },  { "-V", ACTION_VERSION },
		{ "--list", ACTION_LIST },        { "--probe", ACTION_PROBE },
		{ "--probe sim:", ACTION_PROBE },
	};
	struct line line;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		accept_line(&line, cases[i].line);
		assert_int_equal(line.options.action, cases[i].action);
		options_free(&line.options);
	}
	accept_line(&line, "--list --writable --json --category=cells -o instructions=/x");
	assert_true(line.options.list_writable && line.options.list_json);
	assert_string_equal(line.options.list_category, "cells");
	options_free(&line.options);
}

/* Each refusal names what it refuses. */
static void test_refused(void **state)
{
	static const struct {
		const char *line, *named;
	} cases[] = {
		{ "", "DEVICE" },
		{ "sim:", "MOUNTPOINT" },
		{ "sim: ''", "MOUNTPOINT" },
		{ "'' /m", "DEVICE" },
		{ "sim: /m /n", "/n" },
		{ "--list sim: /m", "--list" },
		{ "--json sim: /m", "--json" },
		{ "--category", "--category" },
		{ "-x sim: /m", "-x" },
		{ "-fx sim: /m", "-x" },
		{ "--nonsense sim: /m", "--nonsense" },
		{ "--probe sim: /m", "--probe" },
		{ "--probe --json", "--json" },
		{ "sim: /m -o", "-o" },
		{ "-o nonsense sim: /m", "nonsense" },
		{ "-o nonsense=1 sim: /m", "nonsense=1" },
		{ "-o nodevs sim: /m", "nodevs" },
		{ "-o BAUD=56000 sim: /m", "BAUD=56000" },
		{ "-o baud sim: /m", "baud=RATE" },
		{ "-o baud= sim: /m", "50 to 4000000" },
		{ "-o baud=49 sim: /m", "50 to 4000000" },
		{ "-o baud=4000001 sim: /m", "50 to 4000000" },
		{ "-o baud=56000.5 sim: /m", "baud=56000.5" },
		{ "-o address=0 sim: /m", "1 to 127" },
		{ "-o address=128 sim: /m", "1 to 127" },
		{ "-o address=-1 sim: /m", "1 to 127" },
		{ "-o address=1,128 sim: /m", "1 to 127" },
		{ "-o address=1,2,1 sim: /m", "there twice" },
		{ "-o address= sim: /m", "1 to 127" },
		{ "-o address=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17 sim: /m", "at most 16" },
		{ "-o address=4294967297 sim: /m", "1 to 127" },
		{ "-o timeout=0 sim: /m", "0.01 to 60" },
		{ "-o timeout=61 sim: /m", "0.01 to 60" },
		{ "-o timeout=0,35 sim: /m", "timeout=0" },
		{ "-o tries=0 sim: /m", "1 to 10" },
		{ "-o tries=11 sim: /m", "1 to 10" },
		{ "-o deadline=0.09 sim: /m", "0.1 to 3600" },
		{ "-o deadline=3601 sim: /m", "0.1 to 3600" },
		{ "-o ttl=-1 sim: /m", "0 to 86400" },
		{ "-o ttl=1e3 sim: /m", "ttl=1e3" },
		{ "-o ttl=nan sim: /m", "ttl=nan" },
		{ "-o ttl=1s sim: /m", "ttl=1s" },
		{ "-o ttl_settings=86401 sim: /m", "86400" },
		{ "-o grace=31622420 sim: /m", "grace=31622420" },
		{ "-o wait=3601 sim: /m", "0 to 3600" },
		{ "-o model= sim: /m", "model=" },
		{ "-o sensors=9 sim: /m", "sensors=9: must be a whole number from 0 to 8" },
		{ "-o instructions= sim: /m", "instructions=" },
		{ "-o name= sim: /m", "name=: must be 1 to 28 letters" },
		{ "-o name=a/b sim: /m", "name=a/b:" },
		{ "-o name=.. sim: /m", "name=..:" },
		{ "-o name=a23456789b123456789c123456789d12 sim: /m", "1 to 28" },
		{ "-o unlock=1 sim: /m", "unlock=1: must be yes or no" },
		{ "-o unlock= sim: /m", "unlock=: must be yes or no" },
		{ "-o uid=4294967295 sim: /m", "4294967295" },
		{ "-o uid=-1 sim: /m", "-1" },
		{ "-o umask=1000 sim: /m", "1000" },
		{ "-o umask=8 sim: /m", "umask=8" },
		{ "-o umask= sim: /m", "umask=" },
		{ "/sbin/mount.bmsfs sim: /m -o quota", "quota" },
		{ "/sbin/mount.bmsfs sim: /m /n", "/n" },
		{ "/sbin/mount.bmsfs -f sim:", "MOUNTPOINT" },
		{ "/sbin/mount.bmsfs sim: /m -N /proc/1/ns/mnt", "-N" },
		{ "/sbin/mount.bmsfs sim: /m --list", "--" },
		{ "/sbin/mount.bmsfs sim: /m -o", "-o" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct line line;

		if (parse(&line, cases[i].line) != -EINVAL)
			fail_msg("%s: accepted", cases[i].line);
		if (!strstr(line.reason, cases[i].named))
			fail_msg("%s: \"%s\" does not name %s", cases[i].line, line.reason,
				 cases[i].named);
		options_free(&line.options);
	}
}

/* Not an error of usage: the service of names may not be up yet. */
static void test_unknown_user_or_group(void **state)
{
	static const char *const lines[] = { "-o uid=no-such-user sim: /m",
					     "-o gid=no-such-group sim: /m",
					     "/sbin/mount.bmsfs sim: /m -o rw,gid=no-such-group" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct line line;

		assert_int_equal(parse(&line, lines[i]), -EAGAIN);
		assert_non_null(strstr(line.reason, "there is no such"));
		options_free(&line.options);
	}
}

static void test_too_many_files(void **state)
{
	char text[400] = "sim: /m -o ro";
	struct line line;

	(void)state;
	for (int i = 0; i <= OPTIONS_FILE_MAX; i++) {
		size_t used = strlen(text);

		snprintf(text + used, sizeof(text) - used, ",instructions=/%d", i);
	}
	assert_int_equal(parse(&line, text), -EINVAL);
	assert_non_null(strstr(line.reason, "16 times"));
	options_free(&line.options);
}

/* The help text names what the parser takes. */
static void test_help(void **state)
{
	static const char *const expected[] = { "-o OPTIONS", "--category=NAME", "baud=RATE",
						"[56000]",    "umask=OCTAL",     "private",
						"--probe" };
	char text[8192] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	(void)state;
	assert_non_null(out);
	options_help(out);
	assert_int_equal(fclose(out), 0);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_non_null(strstr(text, expected[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),       cmocka_unit_test(test_all_set),
		cmocka_unit_test(test_names),          cmocka_unit_test(test_last_counts),
		cmocka_unit_test(test_yes_and_no),     cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_order),          cmocka_unit_test(test_mount_options),
		cmocka_unit_test(test_nosymfollow),    cmocka_unit_test(test_context),
		cmocka_unit_test(test_user_in_fstab),  cmocka_unit_test(test_remount),
		cmocka_unit_test(test_helper),         cmocka_unit_test(test_other_actions),
		cmocka_unit_test(test_refused),        cmocka_unit_test(test_unknown_user_or_group),
		cmocka_unit_test(test_too_many_files), cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}

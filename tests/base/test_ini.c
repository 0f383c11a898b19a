// SPDX-License-Identifier: LGPL-3.0-or-later
#include "base/ini.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

#define TEN   "0123456789"
#define FIFTY TEN TEN TEN TEN TEN

static char reason[256];

/* Reads @text to its end and writes what was found: "LINE[section] LINE:key=value LINE+more". */
static int read_items(const char *text, size_t size, unsigned format, char *items, size_t room)
{
	struct ini ini = {
		.file = "f",
		.format = format,
		.repeatable = "again",
		.reason = reason,
		.size = sizeof(reason),
	};
	size_t used = 0;
	int found;

	reason[0] = items[0] = '\0';
	ini_start(&ini, text, size);
	while ((found = ini_next(&ini)) > INI_END) {
		const char *gap = used ? " " : "";

		if (found == INI_SECTION)
			used += (size_t)snprintf(items + used, room - used, "%s%u[%s]", gap,
						 ini.line, ini.name);
		else if (found == INI_KEY)
			used += (size_t)snprintf(items + used, room - used, "%s%u:%s=%s", gap,
						 ini.line, ini.name, ini.value);
		else
			used += (size_t)snprintf(items + used, room - used, "%s%u+%s", gap,
						 ini.line, ini.value);
		assert_true(used < room);
	}
	return found;
}

static void lines_are_taken_as_they_are_meant(void **state)
{
	static const struct {
		const char *meaning, *text;
		unsigned format;
		const char *items;
	} cases[] = {
		{ "a pair", "a = b", INI_FLAT, "1:a=b" },
		{ "without blanks", "a=b\n", INI_FLAT, "1:a=b" },
		{ "with a colon", "a : b", INI_FLAT, "1:a=b" },
		{ "the first separator counts", "a = b=c:d", INI_FLAT, "1:a=b=c:d" },
		{ "an empty value", "a =", INI_FLAT, "1:a=" },
		{ "blanks within a value", "a = b  c", INI_FLAT, "1:a=b  c" },
		{ "blanks around a value", "a =\t b \t\n", INI_FLAT, "1:a=b" },
		{ "lines of Windows", "a = b\r\nc = d\r\n", INI_FLAT, "1:a=b 2:c=d" },
		{ "the mark of UTF-8", "\xEF\xBB\xBFx = y", INI_FLAT, "1:x=y" },
		{ "blank lines", "\n \n\t\na = b\n\n", INI_FLAT, "4:a=b" },
		{ "comments", "# x\n; y\n  # z = 1\na = b", INI_FLAT, "4:a=b" },
		{ "a comment behind a value", "a = b ; c\nd = e\t; f", INI_FLAT, "1:a=b 2:d=e" },
		{ "a comment in place of a value", "a = ; c", INI_FLAT, "1:a=" },
		{ "a semicolon within a value", "a = b;c#d", INI_FLAT, "1:a=b;c#d" },
		{ "a number sign behind a blank", "a = b # c", INI_FLAT, "1:a=b # c" },
		{ "all characters of a key", "aZ_0.9-x = 1", INI_FLAT, "1:aZ_0.9-x=1" },
		{ "a value in UTF-8", "a = caf\xC3\xA9", INI_FLAT, "1:a=caf\xC3\xA9" },
		{ "a value like a section", "a = [b]", INI_FLAT, "1:a=[b]" },
		{ "the key that may be repeated", "again = 1\nagain = 2", INI_FLAT,
		  "1:again=1 2:again=2" },
		{ "sections", "[s]\na = 1\n[t u] ; why\na = 2", INI_SECTIONS,
		  "1[s] 2:a=1 3[t u] 4:a=2" },
		{ "a continued value", "a = b\n  c\n\td = e ; f\ng = h", INI_CONTINUED,
		  "1:a=b 2+c 3+d = e 4:g=h" },
		{ "a continuation like a section", "a = b\n  [c]", INI_SECTIONS | INI_CONTINUED,
		  "1:a=b 2+[c]" },
		{ "a continuation behind a comment", "a = b\n# x\n\n  c", INI_CONTINUED,
		  "1:a=b 4+c" },
		{ "the longest line", "a = " FIFTY FIFTY FIFTY TEN TEN TEN TEN "0123", INI_FLAT,
		  "1:a=" FIFTY FIFTY FIFTY TEN TEN TEN TEN "0123" },
		{ "nothing", "", INI_FLAT, "" },
	};
	char items[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int err = read_items(cases[i].text, strlen(cases[i].text), cases[i].format, items,
				     sizeof(items));

		if (err || strcmp(items, cases[i].items) != 0)
			fail_msg("%s: %s (%s)", cases[i].meaning, items, reason);
	}
}

static void lines_are_refused_with_file_and_line(void **state)
{
	static const char indented[] = "an indented line; start the key in the first column";
	static const char pair[] = "not a line \"key = value\"";
	static const char either[] = "neither [section] nor key = value";
	static const struct {
		const char *fault, *text;
		unsigned format;
		const char *where, *what;
	} cases[] = {
		{ "an indented key", "a = 1\n  b = 2", INI_FLAT, "f:2: ", indented },
		{ "an indented key in front", "\tb = 2", INI_FLAT, "f:1: ", indented },
		{ "a continued value", "a = 1\n  2", INI_FLAT, "f:2: ", indented },
		{ "an indented key of a section", "[s]\n a = 1", INI_SECTIONS, "f:2: ", indented },
		{ "an indented section", " [s]\na = 1", INI_SECTIONS, "f:1: ", indented },
		{ "a continuation of nothing", " a\n", INI_CONTINUED, "f:1: ",
		  "an indented line with no key above it to continue; start it in the first "
		  "column" },
		{ "a continuation across a section", "a = 1\n[s]\n a", INI_SECTIONS | INI_CONTINUED,
		  "f:3: ",
		  "an indented line with no key above it to continue; start it in the first "
		  "column" },
		{ "a repeated key", "a = 1\nb = 2\na = 1", INI_FLAT,
		  "f:3: ", "a: given twice; remove one" },
		{ "a repeated key in a section", "[s]\na = 1\n[t]\na = 2\na = 3", INI_SECTIONS,
		  "f:5: ", "a: given twice; remove one" },
		{ "a line without a separator", "password hunter2", INI_FLAT, "f:1: ", pair },
		{ "a separator behind the value", "password hunter2=", INI_FLAT, "f:1: ", pair },
		{ "no key", "= hunter2", INI_FLAT, "f:1: ", pair },
		{ "a comment in front of the separator", "a ; = b", INI_FLAT, "f:1: ", pair },
		{ "a section in a flat file", "\n[s]", INI_FLAT,
		  "f:2: ", "this file has no sections; remove this line" },
		{ "an open section", "[s\na = 1", INI_SECTIONS, "f:1: ", either },
		{ "a section without a name", "[]", INI_SECTIONS, "f:1: ", either },
		{ "more behind a section", "[s] t", INI_SECTIONS, "f:1: ", either },
		{ "a control character", "a = \x1B[31m", INI_FLAT,
		  "f:1: ", "a control character; remove it" },
		{ "a control character in a comment", "# \x7F", INI_FLAT,
		  "f:1: ", "a control character; remove it" },
		{ "a carriage return within", "a = 1\rb = 2\n", INI_FLAT,
		  "f:1: ", "a control character; remove it" },
		{ "a line that is too long", "a = 1\n# " FIFTY FIFTY FIFTY FIFTY, INI_FLAT,
		  "f:2: ", "longer than 198 characters; shorten this line" },
	};
	char items[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int err = read_items(cases[i].text, strlen(cases[i].text), cases[i].format, items,
				     sizeof(items));
		size_t length = strlen(cases[i].where);

		if (err != -EINVAL || strncmp(reason, cases[i].where, length) != 0 ||
		    strcmp(reason + length, cases[i].what) != 0)
			fail_msg("%s: %d %s", cases[i].fault, err, reason);
	}
}

static void a_nul_is_refused(void **state)
{
	static const char text[] = "a = 1\nb\0 = 2\n";
	char items[64];

	(void)state;
	assert_int_equal(read_items(text, sizeof(text) - 1, INI_FLAT, items, sizeof(items)),
			 -EINVAL);
	assert_string_equal(reason, "f:2: a control character; remove it");
}

static void a_section_has_64_keys_at_most(void **state)
{
	char text[16 * (INI_KEYS_MAX + 1)], items[sizeof(text)];
	size_t used = 0;

	(void)state;
	for (int i = 0; i < INI_KEYS_MAX; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "k%d=\n", i);
	assert_int_equal(read_items(text, used, INI_FLAT, items, sizeof(items)), INI_END);
	used += (size_t)snprintf(text + used, sizeof(text) - used, "one=\n");
	assert_int_equal(read_items(text, used, INI_FLAT, items, sizeof(items)), -EINVAL);
	assert_string_equal(reason, "f:65: more than 64 keys; remove some");
}

/* Whatever stands in a file, its messages cannot control a terminal. */
static void messages_are_printable(void **state)
{
	char text[64];
	struct ini ini = { .file = "f", .reason = text, .size = sizeof(text) };

	(void)state;
	assert_int_equal(ini_fail(&ini, 7, "%s", "a\x1B[31m\n\xC3\xA9"), -EINVAL);
	assert_string_equal(text, "f:7: a?[31m???");
	/* The reason may be among the arguments. */
	assert_int_equal(ini_fail(&ini, 8, "[%s]", text), -EINVAL);
	assert_string_equal(text, "f:8: [f:7: a?[31m???]");
	ini.size = 5;
	assert_int_equal(ini_fail(&ini, 9, "too long for it"), -EINVAL);
	assert_string_equal(text, "f:9:");
}

/* --- whole files --- */

struct pairs {
	char text[256];
};

static int take(void *user, const char *name, const char *value)
{
	struct pairs *pairs = user;
	size_t used = strlen(pairs->text);

	if (!strcmp(name, "bad")) {
		snprintf(reason, sizeof(reason), "bad: must be good");
		return -EINVAL;
	}
	snprintf(pairs->text + used, sizeof(pairs->text) - used, "%s=%s;", name,
		 value ? value : "");
	return strcmp(name, "secret") ? 0 : INI_SECRET;
}

struct file {
	char path[32];
	struct pairs pairs;
};

static int file_make(void **state)
{
	struct file *file = calloc(1, sizeof(*file));
	int fd;

	assert_non_null(file);
	snprintf(file->path, sizeof(file->path), "/tmp/bmsfs-ini-XXXXXX");
	fd = mkstemp(file->path);
	assert_true(fd >= 0);
	close(fd);
	*state = file;
	return 0;
}

static int file_remove(void **state)
{
	struct file *file = *state;

	unlink(file->path);
	free(file);
	return 0;
}

static int read_file(struct file *file, const char *text, mode_t mode)
{
	FILE *stream = fopen(file->path, "w");

	assert_non_null(stream);
	assert_true(fputs(text, stream) >= 0);
	assert_int_equal(fclose(stream), 0);
	assert_int_equal(chmod(file->path, mode), 0);
	reason[0] = file->pairs.text[0] = '\0';
	return ini_read(file->path, "again", take, &file->pairs, reason, sizeof(reason));
}

static void assert_reason(const struct file *file, const char *what)
{
	size_t length = strlen(file->path);

	assert_int_equal(strncmp(reason, file->path, length), 0);
	assert_string_equal(reason + length, what);
}

static void a_file_is_read_whole(void **state)
{
	struct file *file = *state;

	assert_int_equal(read_file(file, "a = 1\nagain = x\nagain = y\n", 0644), 0);
	assert_string_equal(file->pairs.text, "a=1;again=x;again=y;");
	assert_int_equal(read_file(file, "", 0644), 0);
}

static void a_refusal_by_the_program_has_file_and_line(void **state)
{
	struct file *file = *state;

	assert_int_equal(read_file(file, "a = 1\n\nbad = 2\nb = 3\n", 0644), -EINVAL);
	assert_reason(file, ":3: bad: must be good");
	assert_string_equal(file->pairs.text, "a=1;");
	assert_int_equal(read_file(file, "a = 1\n b = 3\n", 0644), -EINVAL);
	assert_reason(file, ":2: an indented line; start the key in the first column");
}

static void only_its_owner_may_read_a_file_with_a_secret(void **state)
{
	static const mode_t too_many[] = { 0640, 0604, 0660, 0644, 0601, 0610, 0777 };
	struct file *file = *state;

	assert_int_equal(read_file(file, "secret = x\n", 0600), 0);
	assert_int_equal(read_file(file, "secret = x\n", 0400), 0);
	assert_int_equal(read_file(file, "a = x\n", 0644), 0);
	for (size_t i = 0; i < ARRAY_SIZE(too_many); i++) {
		assert_int_equal(read_file(file, "secret = x\n", too_many[i]), -EACCES);
		assert_reason(file, ": holds a password, and others than its owner can read it; "
				    "chmod 600");
	}
}

/* As LoadCredential= of systemd.exec(5) hands it over, by an access list. */
static void another_owner_may_let_a_group_read_a_secret(void **state)
{
	struct file *file = *state;

	if (geteuid())
		skip();
	assert_int_equal(read_file(file, "secret = x\n", 0600), 0);
	assert_int_equal(chown(file->path, 65534, (gid_t)-1), 0);
	assert_int_equal(read_file(file, "secret = x\n", 0440), 0);
	assert_int_equal(read_file(file, "secret = x\n", 0404), -EACCES);
}

static void a_file_has_16_kib_at_most(void **state)
{
	static char text[INI_FILE_MAX + 2];
	struct file *file = *state;

	memset(text, '\n', sizeof(text) - 1);
	memcpy(text + INI_FILE_MAX - 5, "a=bcd", 5);
	text[INI_FILE_MAX] = '\0';
	assert_int_equal(read_file(file, text, 0644), 0);
	assert_string_equal(file->pairs.text, "a=bcd;");
	text[INI_FILE_MAX] = '\n';
	assert_int_equal(read_file(file, text, 0644), -EINVAL);
	assert_reason(file, ": longer than 16 KiB");
}

static void an_absent_file_is_told_from_a_wrong_one(void **state)
{
	struct file *file = *state;

	assert_int_equal(unlink(file->path), 0);
	assert_int_equal(ini_read(file->path, NULL, take, &file->pairs, reason, sizeof(reason)),
			 -ENOENT);
	assert_reason(file, ": No such file or directory");
}

int main(void)
{
#define WITH_FILE(name) cmocka_unit_test_setup_teardown(name, file_make, file_remove)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_taken_as_they_are_meant),
		cmocka_unit_test(lines_are_refused_with_file_and_line),
		cmocka_unit_test(a_nul_is_refused),
		cmocka_unit_test(a_section_has_64_keys_at_most),
		cmocka_unit_test(messages_are_printable),
		WITH_FILE(a_file_is_read_whole),
		WITH_FILE(a_refusal_by_the_program_has_file_and_line),
		WITH_FILE(only_its_owner_may_read_a_file_with_a_secret),
		WITH_FILE(another_owner_may_let_a_group_read_a_secret),
		WITH_FILE(a_file_has_16_kib_at_most),
		WITH_FILE(an_absent_file_is_told_from_a_wrong_one),
	};

	return cmocka_run_group_tests_name("ini", tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "link_test.h"

/* A pseudoterminal: a master, and a symbolic link to its slave in a folder of its own. */
struct fixture {
	char folder[32], alias[64], slave[64];
	int master;
	struct link *link; /* through the alias */
};

static void plug_in(struct fixture *f)
{
	f->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	assert_true(f->master >= 0);
	assert_int_equal(grantpt(f->master), 0);
	assert_int_equal(unlockpt(f->master), 0);
	assert_int_equal(ptsname_r(f->master, f->slave, sizeof(f->slave)), 0);
	unlink(f->alias);
	assert_int_equal(symlink(f->slave, f->alias), 0);
}

static void unplug(struct fixture *f)
{
	close(f->master);
	f->master = -1;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->folder, sizeof(f->folder), "/tmp/test_tty.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->alias, sizeof(f->alias), "%s/bms", f->folder);
	plug_in(f);
	f->link = make_link(tty_link_new, f->alias);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	link_free(f->link);
	if (f->master >= 0)
		close(f->master);
	unlink(f->alias);
	rmdir(f->folder);
	free(f);
	return 0;
}

static void test_carries_every_byte(void **state)
{
	struct fixture *f = *state;
	unsigned char sent[256], got[256];
	size_t size = 0;

	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (unsigned char)i;
	assert_int_equal(link_open(f->link), 1);
	assert_string_equal(f->link->ops->name, "pty");
	assert_int_equal(f->link->actual_baud, 0);
	assert_int_equal(f->link->ops->read(f->link, got, sizeof(got)), 0);

	assert_int_equal(f->link->ops->write(f->link, sent, sizeof(sent)), sizeof(sent));
	for (; size < sizeof(sent); size += (size_t)read(f->master, got + size, sizeof(got) - size))
		assert_int_equal(wait_for(f->master, POLLIN), POLLIN);
	assert_memory_equal(sent, got, sizeof(sent));

	assert_int_equal(write(f->master, sent, sizeof(sent)), sizeof(sent));
	for (size = 0; size < sizeof(sent);) {
		ssize_t count = read_link(f->link, got + size, sizeof(got) - size);

		assert_true(count > 0);
		size += (size_t)count;
	}
	assert_memory_equal(sent, got, sizeof(sent));
	assert_int_equal(f->link->ops->read(f->link, got, sizeof(got)), 0);
}

static void test_hang_up_and_replug(void **state)
{
	struct fixture *f = *state;
	char byte;

	assert_int_equal(link_open(f->link), 1);
	unplug(f);
	assert_int_equal(read_link(f->link, &byte, 1), -ENODEV);
	assert_says(f->link, f->alias);
	assert_says(f->link, "is gone");
	assert_int_equal(f->link->ops->write(f->link, "x", 1), -ENODEV);
	link_close(f->link);

	assert_int_equal(link_open(f->link), -ENOENT);
	plug_in(f);
	assert_int_equal(link_open(f->link), 1);
	assert_string_equal(f->link->error, "");
	assert_int_equal(write(f->master, "y", 1), 1);
	assert_int_equal(read_link(f->link, &byte, 1), 1);
	assert_int_equal(byte, 'y');
}

static void test_follows_a_moved_link(void **state)
{
	struct fixture *f = *state;
	int first = f->master;
	char byte;

	assert_int_equal(link_open(f->link), 1);
	link_close(f->link);
	plug_in(f);
	assert_int_equal(link_open(f->link), 1);
	assert_int_equal(write(first, "1", 1), 1);
	assert_int_equal(write(f->master, "2", 1), 1);
	assert_int_equal(read_link(f->link, &byte, 1), 1);
	assert_int_equal(byte, '2');
	close(first);
}

static void test_nothing_to_read_is_no_hang_up(void **state)
{
	struct fixture *f = *state;
	struct termios settings;
	char byte;

	assert_int_equal(link_open(f->link), 1);
	assert_int_equal(tcgetattr(f->master, &settings), 0);
	settings.c_cc[VMIN] = 0;
	assert_int_equal(tcsetattr(f->master, TCSANOW, &settings), 0);
	assert_int_equal(f->link->ops->read(f->link, &byte, 1), 0);
}

static void test_busy_names_the_holder(void **state)
{
	struct fixture *f = *state;
	struct link *second = make_link(tty_link_new, f->slave);
	char expected[192], name[64];
	FILE *comm = fopen("/proc/self/comm", "re");

	assert_non_null(comm);
	assert_non_null(fgets(name, sizeof(name), comm));
	fclose(comm);
	name[strcspn(name, "\n")] = '\0';
	snprintf(expected, sizeof(expected), "%s is in use by %s (pid %d)", f->slave, name,
		 (int)getpid());

	assert_int_equal(link_open(f->link), 1);
	assert_int_equal(link_open(second), -EBUSY);
	assert_says(second, expected);
	link_close(f->link);
	assert_int_equal(link_open(second), 1);
	link_free(second);
}

static void test_what_cannot_be_opened(void **state)
{
	static const struct {
		const char *path;
		int err;
		const char *sentence;
	} cases[] = {
		{ "/nowhere/ttyUSB0", ENOENT,
		  "/nowhere/ttyUSB0: no such device; is the adapter plugged in?" },
		{ "/dev/null", ENOTTY, "/dev/null is no serial port" },
		{ "/etc/passwd", ENOTTY, "/etc/passwd is no serial port" },
		{ "/etc/passwd/x", ENOENT, "no such device" },
		{ "/proc", ENOTTY, "/proc is no serial port" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct link *link = make_link(tty_link_new, cases[i].path);
		char byte;

		assert_int_equal(link_open(link), -cases[i].err);
		assert_says(link, cases[i].sentence);
		assert_int_equal(descriptor(link), -1);
		assert_int_equal(link->ops->read(link, &byte, 1), -ENODEV);
		link_free(link);
	}
}

static void test_loop_of_links(void **state)
{
	struct fixture *f = *state;

	unlink(f->alias);
	assert_int_equal(symlink(f->alias, f->alias), 0);
	assert_int_equal(link_open(f->link), -ELOOP);
	assert_says(f->link, f->alias);
}

/* Root may open everything, so it steps down for the moment. */
static int open_denied(struct fixture *f, mode_t mode)
{
	uid_t user = geteuid();
	int result;

	assert_int_equal(chmod(f->slave, mode), 0);
	if (!user)
		assert_int_equal(seteuid(65534), 0);
	result = link_open(f->link);
	if (!user)
		assert_int_equal(seteuid(0), 0);
	return result;
}

static void test_denied_names_the_group(void **state)
{
	struct fixture *f = *state;
	char expected[128];
	struct group *group;
	struct stat st;

	assert_int_equal(chmod(f->folder, 0755), 0);
	if (!geteuid())
		assert_int_equal(chown(f->slave, 0, 1), 0);
	assert_int_equal(stat(f->slave, &st), 0);
	assert_int_equal(open_denied(f, 0060), -EACCES);
	group = getgrgid(st.st_gid);
	if (group)
		snprintf(expected, sizeof(expected), "to the group %s (", group->gr_name);
	else
		snprintf(expected, sizeof(expected), "to the group %u (", (unsigned)st.st_gid);
	assert_says(f->link, expected);
}

/* A pty of root's, which no group may read, and one in a folder that is closed. */
static void test_denied_names_the_user(void **state)
{
	struct fixture *f = *state;
	const struct passwd *nobody = getpwuid(65534);
	char expected[256];

	if (!nobody || geteuid())
		skip();
	assert_int_equal(chmod(f->folder, 0755), 0);
	assert_int_equal(open_denied(f, 0620), -EACCES);
	snprintf(expected, sizeof(expected),
		 ": permission denied to user %s; let root mount with -o user=root, or let a group "
		 "use it",
		 nobody->pw_name);
	assert_says(f->link, expected);
	assert_int_equal(chmod(f->folder, 0700), 0);
	assert_int_equal(open_denied(f, 0666), -EACCES);
	assert_says(f->link, "on the way there; see namei -l /");
}

static void test_full_line_takes_nothing(void **state)
{
	struct fixture *f = *state;
	char bytes[4096] = { 0 };
	ssize_t count;

	assert_int_equal(link_open(f->link), 1);
	do {
		count = f->link->ops->write(f->link, bytes, sizeof(bytes));
	} while (count > 0);
	assert_int_equal(count, 0);
	f->link->ops->flush(f->link);
	assert_true(f->link->ops->write(f->link, bytes, 1) == 1);
}

static void test_flush_drops_what_came(void **state)
{
	struct fixture *f = *state;
	char byte;

	assert_int_equal(link_open(f->link), 1);
	assert_int_equal(write(f->master, "old", 3), 3);
	assert_int_equal(wait_for(descriptor(f->link), POLLIN), POLLIN);
	f->link->ops->flush(f->link);
	assert_int_equal(write(f->master, "n", 1), 1);
	assert_int_equal(read_link(f->link, &byte, 1), 1);
	assert_int_equal(byte, 'n');
}

static void test_relative_path(void **state)
{
	struct fixture *f = *state;
	char here[PATH_MAX];
	struct link *link;

	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(chdir(f->folder), 0);
	link = make_link(tty_link_new, "./bms");
	assert_int_equal(chdir(here), 0);
	assert_int_equal(link_open(link), 1);
	link_free(link);
}

static void test_no_rate(void **state)
{
	const struct link_config config = { .baud = 0 };
	char reason[64];
	struct link *link;

	(void)state;
	assert_int_equal(tty_link_new(&link, "/dev/x", &config, reason, sizeof(reason)), -EINVAL);
	assert_non_null(strstr(reason, "baud"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_carries_every_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hang_up_and_replug, setup, teardown),
		cmocka_unit_test_setup_teardown(test_follows_a_moved_link, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_to_read_is_no_hang_up, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_busy_names_the_holder, setup, teardown),
		cmocka_unit_test(test_what_cannot_be_opened),
		cmocka_unit_test_setup_teardown(test_loop_of_links, setup, teardown),
		cmocka_unit_test_setup_teardown(test_denied_names_the_group, setup, teardown),
		cmocka_unit_test_setup_teardown(test_denied_names_the_user, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_line_takes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flush_drops_what_came, setup, teardown),
		cmocka_unit_test_setup_teardown(test_relative_path, setup, teardown),
		cmocka_unit_test(test_no_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

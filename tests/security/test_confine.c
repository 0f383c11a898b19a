// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine.h"
#include "log.h"
#include "test.h"

static char said[256];

/* In place of the daemon's log. */
void log_print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(said, sizeof(said), format, args);
	va_end(args);
}

static void need_root(void)
{
	if (geteuid() != 0)
		skip();
}

/* A number of /proc/self/status: "CapEff:", say. */
static uint64_t own_status(const char *name, int base)
{
	FILE *file = fopen("/proc/self/status", "r");
	uint64_t value = UINT64_MAX;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			value = strtoull(line + strlen(name), NULL, base);
	if (file)
		fclose(file);
	return value;
}

/* Runs @deed in a child and returns its exit status; what a server gives up does not come back. */
static int in_child(int (*deed)(void))
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(deed());
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define EXPECT(true_thing)                     \
	do {                                   \
		if (!(true_thing))             \
			return __LINE__ % 256; \
	} while (0)

static void test_unknown(void **state)
{
	static const char *const names[] = { "no-such-user", "4294967295", "4294967294",
					     "-1",           "",           "99999999999999999999",
					     "65534x",       "0x0" };
	struct confine_user user;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char reason[256] = "";

		assert_int_equal(confine_user_find(&user, names[i], reason, sizeof(reason)),
				 -EAGAIN);
		assert_non_null(strstr(reason, names[i]));
		assert_non_null(strstr(reason, "no such user"));
		assert_false(user.other);
	}
}

/* mount(8) adds user=NAME to what a user mounts by fstab. */
static void test_oneself(void **state)
{
	const struct passwd *entry = getpwuid(getuid());
	struct confine_user user;
	char reason[256], number[16];

	(void)state;
	if (!entry)
		skip();
	snprintf(number, sizeof(number), "%u", getuid());
	assert_int_equal(confine_user_find(&user, number, reason, sizeof(reason)), 0);
	assert_false(user.other);
	assert_int_equal(confine_user_find(&user, entry->pw_name, reason, sizeof(reason)), 0);
	assert_false(user.other);
	confine_user_free(&user);
}

static void test_other(void **state)
{
	static const char *const names[] = { "nobody", "65534" };
	struct confine_user user;
	char reason[256];

	(void)state;
	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(confine_user_find(&user, names[i], reason, sizeof(reason)), 0);
		assert_true(user.other);
		assert_int_equal(user.uid, 65534);
		assert_int_equal(user.gid, 65534);
		assert_string_equal(user.name, "nobody");
		assert_true(user.groups >= 1);
		confine_user_free(&user);
	}
}

static int ask_as_nobody(void)
{
	struct confine_user user;
	char reason[256] = "";

	EXPECT(!setresuid(65534, 65534, 65534));
	EXPECT(confine_user_find(&user, "root", reason, sizeof(reason)) == -EPERM);
	EXPECT(strstr(reason, "only root"));
	EXPECT(!confine_user_find(&user, NULL, reason, sizeof(reason)) && !user.other);
	EXPECT(!confine_user_find(&user, "nobody", reason, sizeof(reason)) && !user.other);
	return 0;
}

static void test_only_root(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(in_child(ask_as_nobody), 0);
}

static int serve_as_nobody(void)
{
	gid_t groups[] = { 65534, 12345 }, now[4] = { 0 };
	struct confine_user user = { .other = true,
				     .uid = 65534,
				     .gid = 65534,
				     .group = groups,
				     .groups = 2,
				     .name = "nobody" };

	EXPECT(!confine_server(&user, "sim:", false));
	EXPECT(!strcmp(said, "serving as user nobody"));
	EXPECT(getuid() == 65534 && geteuid() == 65534 && getgid() == 65534);
	EXPECT(getgroups(4, now) == 2 && (now[0] == 12345 || now[1] == 12345));
	EXPECT(setresuid(0, 0, 0) < 0 && errno == EPERM);
	EXPECT(setgroups(0, NULL) < 0 && errno == EPERM);
	EXPECT(open("/proc/1/mem", O_RDWR) < 0 && errno == EACCES);
	return 0;
}

static void test_server_as_other(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(in_child(serve_as_nobody), 0);
}

static int serve_as_oneself(void)
{
	static const char *const sets[] = { "CapInh:", "CapPrm:", "CapEff:", "CapAmb:" };
	struct confine_user user = { .other = false };
	uid_t uid = getuid();

	EXPECT(!confine_server(&user, "sim:", false));
	EXPECT(getuid() == uid);
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		EXPECT(own_status(sets[i], 16) == 0);
	EXPECT(uid != 0 || own_status("CapBnd:", 16) == 0);
	EXPECT(own_status("NoNewPrivs:", 10) == 1);
	EXPECT(own_status("Seccomp:", 10) == 0);
	return 0;
}

static void test_server_without_rights(void **state)
{
	(void)state;
	assert_int_equal(in_child(serve_as_oneself), 0);
}

static int serve_impossibly(void)
{
	struct confine_user user = { .other = true, .uid = 1, .gid = 1, .name = "daemon" };

	EXPECT(geteuid() || !setresuid(65534, 65534, 65534));
	EXPECT(confine_server(&user, "sim:", false) == -EPERM);
	EXPECT(strstr(said, "daemon"));
	return 0;
}

static void test_server_refused(void **state)
{
	(void)state;
	assert_int_equal(in_child(serve_impossibly), 0);
}

static int keep_for_other(void)
{
	const uint64_t kept = UINT64_C(1) << CAP_SYS_ADMIN | UINT64_C(1) << CAP_DAC_READ_SEARCH |
			      UINT64_C(1) << CAP_KILL;
	struct confine_user user = { .other = true };
	uint64_t had = own_status("CapPrm:", 16);

	EXPECT(!confine_keeper(&user));
	EXPECT(own_status("CapPrm:", 16) == (had & kept));
	EXPECT(own_status("CapEff:", 16) == (had & kept));
	EXPECT((own_status("CapBnd:", 16) & ~kept) == 0);
	EXPECT(setresuid(1, 1, 1) < 0 && errno == EPERM);
	user.other = false;
	EXPECT(!confine_keeper(&user));
	EXPECT((own_status("CapEff:", 16) >> CAP_KILL & 1) == 0);
	return 0;
}

static void test_keeper(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(in_child(keep_for_other), 0);
}

/* A keeper that could not run fusermount3 could not unmount. */
static int keep_as_nobody(void)
{
	struct confine_user user = { .other = false };

	EXPECT(geteuid() || !setresuid(65534, 65534, 65534));
	EXPECT(!confine_keeper(&user));
	EXPECT(own_status("NoNewPrivs:", 10) == 0);
	return 0;
}

static void test_keeper_of_a_user(void **state)
{
	(void)state;
	assert_int_equal(in_child(keep_as_nobody), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_oneself),
		cmocka_unit_test(test_other),
		cmocka_unit_test(test_only_root),
		cmocka_unit_test(test_server_as_other),
		cmocka_unit_test(test_server_without_rights),
		cmocka_unit_test(test_server_refused),
		cmocka_unit_test(test_keeper),
		cmocka_unit_test(test_keeper_of_a_user),
	};

	return cmocka_run_group_tests_name("confine", tests, NULL, NULL);
}

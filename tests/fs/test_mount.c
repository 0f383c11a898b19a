// SPDX-License-Identifier: LGPL-3.0-or-later
#define FUSE_USE_VERSION 312

#include "fs/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define LIMIT 30 /* seconds, for any test: only a fault comes near it */

/* A folder of this test's own with a mount point in it, whose name mountinfo has to encode. */
static char home[64], place[96];
static struct mount_id found; /* by mount_examine() */

static void give_up(int signal_number)
{
	(void)signal_number;
	while (!umount2(place, MNT_DETACH))
		;
	_exit(2);
}

static int setup(void **state)
{
	(void)state;
	signal(SIGALRM, give_up);
	alarm(LIMIT);
	snprintf(home, sizeof(home), "/tmp/test_mount.XXXXXX");
	if (!mkdtemp(home))
		return -1;
	snprintf(place, sizeof(place), "%s/a b\\c\td", home);
	return mkdir(place, 0755) || chdir(home) ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	while (!umount2(place, MNT_DETACH))
		;
	alarm(0);
	unlink("link");
	unlink("absolute");
	unlink("loop");
	unlink("file");
	return chdir("/") || rmdir(place) || rmdir(home) ? -1 : 0;
}

/* Returns the descriptor of the connection, on which nobody answers. */
static int mount_fuse(const char *type)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char options[96];

	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	assert_true(fd >= 0);
	assert_int_equal(mount("x", place, type, MS_NOSUID | MS_NODEV, options), 0);
	return fd;
}

static void answer_stat(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	const struct stat attr = { .st_ino = ino, .st_mode = S_IFDIR | 0755, .st_nlink = 2 };

	(void)info;
	fuse_reply_attr(req, &attr, 0);
}

/* A server for the connection @fd, in a child. */
static pid_t serve(int fd)
{
	const struct fuse_lowlevel_ops operations = { .getattr = answer_stat };
	char name[] = "test", path[32], *arguments[] = { name, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, arguments);
	struct fuse_session *session;
	pid_t pid = fork();

	if (pid)
		return pid;
	signal(SIGALRM, SIG_DFL);
	alarm(LIMIT);
	snprintf(path, sizeof(path), "/dev/fd/%d", fd);
	session = fuse_session_new(&args, &operations, sizeof(operations), NULL);
	if (session && !fuse_session_mount(session, path))
		fuse_session_loop(session);
	_exit(0);
}

static int detach_examined(void)
{
	return mount_detach(&found);
}

static void test_nothing_mounted(void **state)
{
	const struct mount_id gone = { .number = 1, .minor = 1 };
	struct mount_id id;

	(void)state;
	assert_int_equal(mount_examine(place, &found), MOUNT_FREE);
	assert_int_equal(mount_examine("/nowhere/at/all", &found), MOUNT_FREE);
	assert_int_equal(mount_identify(place, &id), -ENOENT);
	assert_int_equal(mount_detach(&gone), 0);
}

static void test_foreign(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(mount("x", place, "tmpfs", 0, ""), 0);
	assert_int_equal(mount_examine(place, &found), MOUNT_FOREIGN);
	assert_int_equal(detach_examined(), 0);
	assert_int_equal(mount_examine(place, &found), MOUNT_FREE);

	fd = mount_fuse("fuse.sshfs");
	assert_int_equal(mount_examine(place, &found), MOUNT_FOREIGN);
	close(fd);
}

static void test_dead(void **state)
{
	(void)state;
	close(mount_fuse("fuse.bmsfs"));
	assert_int_equal(mount_examine(place, &found), MOUNT_DEAD);
	assert_int_equal(detach_examined(), 0);
	assert_int_equal(mount_examine(place, &found), MOUNT_FREE);
}

static void test_only_a_dead_mount_is_removed(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(mount_remove_dead(place), 0);
	assert_int_equal(mount("x", place, "tmpfs", 0, ""), 0);
	assert_int_equal(mount_remove_dead(place), 0);
	assert_int_equal(mount_examine(place, &found), MOUNT_FOREIGN);
	assert_int_equal(umount2(place, 0), 0);
	fd = mount_fuse("fuse.bmsfs");
	assert_int_equal(mount_remove_dead(place), 0);
	assert_int_equal(mount_examine(place, &found), MOUNT_HANGING);
	close(fd);
	assert_int_equal(mount_remove_dead(place), 0);
	assert_int_equal(mount_examine(place, &found), MOUNT_FREE);
}

static void test_hanging(void **state)
{
	int fd;

	(void)state;
	fd = mount_fuse("fuse.bmsfs");
	assert_int_equal(mount_examine(place, &found), MOUNT_HANGING);
	close(fd);
	assert_int_equal(mount_examine(place, &found), MOUNT_DEAD);
}

static void test_live(void **state)
{
	pid_t server;
	int fd;

	(void)state;
	fd = mount_fuse("fuse.bmsfs");
	server = serve(fd);
	assert_int_equal(mount_examine(place, &found), MOUNT_LIVE);
	close(fd);
	kill(server, SIGKILL);
	assert_int_equal(waitpid(server, NULL, 0), server);
	assert_int_equal(mount_examine(place, &found), MOUNT_DEAD);
}

static void test_only_our_own_is_detached(void **state)
{
	struct mount_id ours, again, other;

	(void)state;
	close(mount_fuse("fuse.bmsfs"));
	assert_int_equal(mount_identify(place, &ours), 0);
	assert_int_equal(mount_identify(place, &again), 0);
	assert_memory_equal(&ours, &again, sizeof(ours));

	/* One on top of it is another one, and hides ours from umount2(2). */
	assert_int_equal(mount("x", place, "tmpfs", 0, ""), 0);
	assert_int_equal(mount_identify(place, &other), 0);
	assert_memory_not_equal(&ours, &other, sizeof(ours));
	assert_int_equal(mount_detach(&ours), -EBUSY);
	assert_int_equal(mount_examine(place, &found), MOUNT_FOREIGN);
	assert_int_equal(mount_detach(&other), 0);
	assert_int_equal(mount_examine(place, &found), MOUNT_DEAD);
	assert_int_equal(mount_detach(&ours), 0);
	assert_int_equal(mount_examine(place, &found), MOUNT_FREE);

	/* The next mount has the old number, and is not ours all the same. */
	assert_int_equal(mount("x", place, "tmpfs", 0, ""), 0);
	assert_int_equal(mount_detach(&ours), 0);
	assert_int_equal(mount_examine(place, &found), MOUNT_FOREIGN);
}

/* Whether the table of mounts reports a change. */
static bool is_changed(FILE *table)
{
	struct pollfd change = { .fd = fileno(table), .events = POLLPRI };

	return poll(&change, 1, 0) == 1 && change.revents & POLLPRI;
}

static void test_each_way_to_unmount_is_found(void **state)
{
	char parent[128];
	struct mount_id id;
	FILE *table;
	int file;

	(void)state;
	assert_int_equal(mount_table_open(&table), 0);
	for (int lazy = 0; lazy <= 1; lazy++) {
		assert_int_equal(mount("x", place, "tmpfs", 0, ""), 0);
		assert_int_equal(mount_identify(place, &id), 0);
		assert_true(is_changed(table));
		assert_false(is_changed(table));
		assert_int_equal(mount_find(table, &id), 0);
		/* An open file keeps a mount alive that was unmounted lazily. */
		file = lazy ? open(place, O_RDONLY | O_CLOEXEC) : -1;
		assert_int_equal(umount2(place, lazy ? MNT_DETACH : 0), 0);
		assert_true(is_changed(table));
		assert_int_equal(mount_find(table, &id), -ENOENT);
		if (lazy)
			close(file);
	}

	/* With the mount that its directory lies on. */
	assert_int_equal(mount("x", place, "tmpfs", 0, ""), 0);
	snprintf(parent, sizeof(parent), "%s/below", place);
	assert_int_equal(mkdir(parent, 0755), 0);
	assert_int_equal(mount("x", parent, "tmpfs", 0, ""), 0);
	assert_int_equal(mount_identify(parent, &id), 0);
	assert_int_equal(umount2(place, MNT_DETACH), 0);
	assert_true(is_changed(table));
	assert_int_equal(mount_find(table, &id), -ENOENT);
	fclose(table);
}

static void test_moved_mount_is_found_and_detached(void **state)
{
	char other[96];
	struct mount_id id;
	FILE *table;

	(void)state;
	/* The folder of a moved mount must not be shared. */
	assert_int_equal(mount("x", home, "tmpfs", 0, ""), 0);
	assert_int_equal(mount(NULL, home, NULL, MS_PRIVATE, NULL), 0);
	snprintf(other, sizeof(other), "%s/else where", home);
	assert_int_equal(mkdir(place, 0755) || mkdir(other, 0755), 0);
	close(mount_fuse("fuse.bmsfs"));
	assert_int_equal(mount_identify(place, &id), 0);
	assert_int_equal(mount(place, other, NULL, MS_MOVE, NULL), 0);
	assert_int_equal(mount_table_open(&table), 0);
	assert_int_equal(mount_find(table, &id), 0);
	assert_int_equal(mount_examine(other, &found), MOUNT_DEAD);
	assert_int_equal(mount_detach(&id), 0);
	assert_int_equal(mount_find(table, &id), -ENOENT);
	assert_int_equal(mount_examine(other, &found), MOUNT_FREE);
	fclose(table);
	assert_int_equal(umount2(home, MNT_DETACH), 0);
}

/* Locks @place in a child. Returns 0 or the errno. */
static int claim_in_child(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		int claim = mount_claim(place);

		_exit(claim < 0 ? -claim : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_two_starts_cannot_have_one_directory(void **state)
{
	int claim, copy;

	(void)state;
	assert_int_equal(mount("x", place, "tmpfs", 0, ""), 0);
	assert_int_equal(mount_claim(place), -EEXIST);
	assert_int_equal(umount2(place, 0), 0);

	claim = mount_claim(place);
	assert_true(claim >= 0);
	assert_int_equal(claim_in_child(), EWOULDBLOCK);
	/* The directory is covered, and its lock survives that. */
	assert_int_equal(mount("x", place, "tmpfs", 0, ""), 0);
	assert_int_equal(claim_in_child(), EEXIST);
	assert_int_equal(umount2(place, 0), 0);
	assert_int_equal(claim_in_child(), EWOULDBLOCK);
	copy = dup(claim);
	mount_release(claim);
	assert_int_equal(claim_in_child(), 0);
	/* The end of a process releases what it had. */
	assert_int_equal(claim_in_child(), 0);
	close(copy);

	assert_int_equal(mount_claim("/nowhere/at/all"), -ENOENT);
	mount_release(-ENOENT);
}

/* fusermount3, asked by somebody who did not mount this, refuses. */
static void test_detach_without_rights(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	close(mount_fuse("fuse.bmsfs"));
	assert_int_equal(mount_identify(place, &found), 0);
	assert_int_equal(chmod(home, 0755), 0);
	pid = fork();
	if (!pid) {
		/* What a program that was started by this user can do: read its own /proc/self. */
		if (setuid(65534) || prctl(PR_SET_DUMPABLE, 1))
			_exit(1);
		_exit(mount_detach(&found) == -EPERM ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(mount_examine(place, &found), MOUNT_DEAD);
}

static void test_resolve(void **state)
{
	static const struct {
		const char *path;
		int error;
		const char *expected; /* below home */
	} cases[] = {
		{ "a b\\c\td", 0, "/a b\\c\td" },
		{ "./a b\\c\td///", 0, "/a b\\c\td" },
		{ "new", 0, "/new" },
		{ ".", 0, "" },
		{ "link", 0, "/a b\\c\td" },
		{ "absolute/", 0, "/a b\\c\td" },
		{ "none/new", -ENOENT, NULL },
		{ "", -ENOENT, NULL },
		{ "loop", -ELOOP, NULL },
	};
	char absolute[PATH_MAX], expected[PATH_MAX], small[4];

	(void)state;
	assert_int_equal(symlink("./a b\\c\td", "link"), 0);
	assert_int_equal(symlink(place, "absolute"), 0);
	assert_int_equal(symlink("loop", "loop"), 0);
	/* All of it must do with a dead mount there. */
	close(mount_fuse("fuse.bmsfs"));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(mount_resolve(cases[i].path, absolute, sizeof(absolute)),
				 cases[i].error);
		if (cases[i].error)
			continue;
		snprintf(expected, sizeof(expected), "%s%s", home, cases[i].expected);
		assert_string_equal(absolute, expected);
	}
	assert_int_equal(mount_resolve("/", absolute, sizeof(absolute)), 0);
	assert_string_equal(absolute, "/");
	assert_int_equal(mount_resolve("new", small, sizeof(small)), -ENAMETOOLONG);
}

static void test_contains(void **state)
{
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(close(open("file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)), 0);
	assert_int_equal(symlink(place, "link"), 0);
	assert_true(mount_contains(home, "file"));
	assert_true(mount_contains(home, home));
	assert_true(mount_contains(home, "new"));
	assert_true(mount_contains("/", "/etc/passwd"));
	assert_false(mount_contains(place, "file"));
	assert_false(mount_contains(home, "/etc/passwd"));
	assert_true(mount_contains(place, "link/new"));
	snprintf(path, sizeof(path), "%se", place);
	assert_false(mount_contains(place, path));

	close(mount_fuse("fuse.bmsfs"));
	snprintf(path, sizeof(path), "%s/below/it", place);
	assert_true(mount_contains(place, path));
	assert_true(mount_contains(place, "a b\\c\td/x"));
	assert_false(mount_contains(place, "file"));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_mounted),
		TEST(test_foreign),
		TEST(test_dead),
		TEST(test_only_a_dead_mount_is_removed),
		TEST(test_hanging),
		TEST(test_live),
		TEST(test_only_our_own_is_detached),
		TEST(test_each_way_to_unmount_is_found),
		TEST(test_moved_mount_is_found_and_detached),
		TEST(test_two_starts_cannot_have_one_directory),
		TEST(test_resolve),
		TEST(test_contains),
		TEST(test_detach_without_rights),
	};
	bool possible = !geteuid() && !access("/dev/fuse", R_OK | W_OK) && !setup(NULL);

	if (possible) {
		possible = !mount("x", place, "tmpfs", 0, "");
		teardown(NULL);
	}
	if (possible)
		return cmocka_run_group_tests(tests, NULL, NULL);
	fprintf(stderr, "skipped: cannot mount here\n");
	return 77;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/snapshot.h"
#include "test.h"
#include "top/reader.h"

#define PATIENCE_MS 60000

static json_t *read_mount(const char *mount, char *reason, size_t size)
{
	struct pollfd done = { .events = POLLIN };
	struct reader reader;

	assert_int_equal(reader_start(&reader, mount), 0);
	done.fd = reader.process;
	assert_int_equal(poll(&done, 1, PATIENCE_MS), 1);
	return reader_take(&reader, reason, size);
}

static void test_reads(void **state)
{
	char reason[256];
	json_t *there = snapshot_read("mounts/pack", reason, sizeof(reason));
	json_t *read = read_mount("mounts/pack", reason, sizeof(reason));

	(void)state;
	assert_non_null(there);
	assert_true(json_equal(there, read));
	json_decref(there);
	json_decref(read);
}

static void test_fails(void **state)
{
	char reason[256];

	(void)state;
	assert_null(read_mount("mounts/none", reason, sizeof(reason)));
	assert_string_equal(reason, "mounts/none: no bmsfs is mounted there");
	assert_null(read_mount("mounts/none", reason, 8));
	assert_string_equal(reason, "mounts/");
}

/* Opening a FIFO that nobody writes is as good as a mount that does not answer. */
struct silent_mount {
	char folder[32], path[64];
};

static void silent_mount_make(struct silent_mount *mount)
{
	snprintf(mount->folder, sizeof(mount->folder), "/tmp/bmsfs-reader-XXXXXX");
	assert_non_null(mkdtemp(mount->folder));
	snprintf(mount->path, sizeof(mount->path), "%s/snapshot.json", mount->folder);
	assert_int_equal(mkfifo(mount->path, 0600), 0);
}

static void silent_mount_remove(const struct silent_mount *mount)
{
	assert_int_equal(unlink(mount->path), 0);
	assert_int_equal(rmdir(mount->folder), 0);
}

static void test_stops(void **state)
{
	struct silent_mount mount;
	struct reader reader;

	(void)state;
	silent_mount_make(&mount);
	assert_int_equal(reader_start(&reader, mount.folder), 0);
	reader_stop(&reader);
	assert_int_equal(reader.process, -1);
	reader_stop(&reader);
	/* No child is left. */
	assert_int_equal(wait(NULL), -1);
	silent_mount_remove(&mount);
}

/* As when its time is over, which test_top.py waits for. */
static void test_gives_up(void **state)
{
	struct pollfd done = { .events = POLLIN };
	struct silent_mount mount;
	struct reader reader;
	char reason[64] = "-";

	(void)state;
	silent_mount_make(&mount);
	assert_int_equal(reader_start(&reader, mount.folder), 0);
	assert_int_equal(pidfd_send_signal(reader.process, SIGALRM, NULL, 0), 0);
	done.fd = reader.process;
	assert_int_equal(poll(&done, 1, PATIENCE_MS), 1);
	assert_null(reader_take(&reader, reason, sizeof(reason)));
	assert_string_equal(reason, "");
	silent_mount_remove(&mount);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_fails),
		cmocka_unit_test(test_stops),
		cmocka_unit_test(test_gives_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

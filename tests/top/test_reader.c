// SPDX-License-Identifier: LGPL-3.0-or-later
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/snapshot.h"
#include "test.h"
#include "top/reader.h"

#define PATIENCE_MS 60000

static json_t *take_answer(struct reader *reader, char *reason, size_t size)
{
	struct pollfd answered = { reader_fd(reader), POLLIN, 0 };
	json_t *snapshot;

	do {
		assert_int_equal(poll(&answered, 1, PATIENCE_MS), 1);
		snapshot = reader_take(reader, reason, size);
	} while (reader->waiting);
	return snapshot;
}

static json_t *read_mount(const char *mount, char *reason, size_t size)
{
	struct reader reader = { .mount = mount };
	json_t *snapshot;

	assert_int_equal(reader_ask(&reader), 0);
	snapshot = take_answer(&reader, reason, size);
	reader_stop(&reader);
	return snapshot;
}

/* One process reads again and again. */
static void test_reads(void **state)
{
	char reason[256];
	json_t *there = snapshot_read("mounts/pack", reason, sizeof(reason));
	struct reader reader = { .mount = "mounts/pack" };
	pid_t first = 0;

	(void)state;
	assert_non_null(there);
	for (int i = 0; i < 3; i++) {
		json_t *read;

		assert_int_equal(reader_ask(&reader), 0);
		first = first ? first : reader.agent.process;
		assert_int_equal(reader.agent.process, first);
		read = take_answer(&reader, reason, sizeof(reason));
		assert_true(json_equal(there, read));
		json_decref(read);
	}
	reader_stop(&reader);
	json_decref(there);
}

static void test_fails(void **state)
{
	char reason[256];

	(void)state;
	assert_null(read_mount("mounts/none", reason, sizeof(reason)));
	assert_string_equal(reason, "mounts/none: no bmsfs is mounted there");
	assert_null(read_mount("mounts/none", reason, 8));
	assert_string_equal(reason, "mounts/");
	assert_null(read_mount("mounts/caf\xe9", reason, sizeof(reason)));
	assert_string_equal(reason, "mounts/caf?: no bmsfs is mounted there");
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
	struct reader reader = { .mount = mount.folder };

	(void)state;
	silent_mount_make(&mount);
	assert_int_equal(reader_ask(&reader), 0);
	reader_stop(&reader);
	assert_int_equal(reader_fd(&reader), -1);
	assert_false(reader.waiting);
	reader_stop(&reader);
	/* No child is left. */
	assert_int_equal(wait(NULL), -1);
	silent_mount_remove(&mount);
}

/* Another takes the place of one that was killed. */
static void test_is_started_anew(void **state)
{
	struct silent_mount mount;
	struct reader reader = { .mount = mount.folder };
	char reason[64] = "";

	(void)state;
	silent_mount_make(&mount);
	assert_int_equal(reader_ask(&reader), 0);
	assert_int_equal(kill(reader.agent.process, SIGKILL), 0);
	assert_null(take_answer(&reader, reason, sizeof(reason)));
	assert_string_equal(reason, "the reading process has ended");
	assert_int_equal(reader_fd(&reader), -1);
	reader.mount = "mounts/pack";
	assert_int_equal(reader_ask(&reader), 0);
	json_decref(take_answer(&reader, reason, sizeof(reason)));
	assert_string_equal(reason, "");
	reader_stop(&reader);
	silent_mount_remove(&mount);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_fails),
		cmocka_unit_test(test_stops),
		cmocka_unit_test(test_is_started_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

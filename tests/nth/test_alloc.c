// SPDX-License-Identifier: LGPL-3.0-or-later
/* Everything that is built before and while a mount serves, with its Nth allocation failing. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "bus/bus.h"
#include "device/device.h"
#include "link/link.h"
#include "options.h"
#include "sim/sim.h"
#include "tables.h"
#include "test.h"
#include "tree/tree.h"

#define N_MAX 100000 /* nothing here allocates so often */

static struct instruction_table table; /* a good one, for what needs one */
static char terminal[64];              /* a pty */
static char file[] = "/tmp/bmsfs-alloc.XXXXXX";

static const char more[] = "[XTRA]\nname = more\ncategory = more\ntype = float\naccess = rw\n"
			   "description = More.\n  And more.\nmin = 1\nmax = 3\n";

/* Each makes something and takes it down again. Returns 0 or -errno. */

static int make_table(void)
{
	struct instruction_table made;
	struct table_error error;
	int err = instruction_table_init(&made, &error);

	if (!err)
		instruction_table_free(&made);
	return err;
}

static int make_more(void)
{
	struct instruction_table made;
	struct table_error error;
	int err = instruction_table_init(&made, &error);

	if (err)
		return err;
	err = instruction_table_add(&made, "more.ini", more, sizeof(more) - 1, &error);
	instruction_table_free(&made);
	return err;
}

static int make_file(void)
{
	struct instruction_table made;
	struct table_error error;
	int err = instruction_table_init(&made, &error);

	if (err)
		return err;
	err = tables_add_file(&made, file, "/nowhere", &error);
	if (!err)
		err = tables_add_matching(&made, "/tmp/bmsfs-allo[c].none*", NULL, &error);
	instruction_table_free(&made);
	return err;
}

static int make_sim(void)
{
	struct sim_config config = sim_config_default;
	char reason[256];
	struct sim *sim;
	int err;

	assert_int_equal(sim_config_parse(&config, "model=master,units=15", reason, 256), 0);
	err = sim_new(&sim, &config, &table, 1, reason, sizeof(reason));
	if (!err)
		sim_free(sim);
	return err;
}

static int make_link(struct link **link, const char *device)
{
	const struct link_config config = { .baud = 56000, .table = &table, .now = 1 };
	char reason[256];

	return link_new(link, device, &config, reason, sizeof(reason));
}

static int make_links(void)
{
	const char *const devices[] = { "sim:",
					"sim:model=master,units=3",
					"tcp:localhost:4001",
					"unix:/nowhere",
					"/dev/ttyS0",
					terminal };

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		struct link *link;
		int err = make_link(&link, devices[i]);

		if (err)
			return err;
		link_free(link);
	}
	return 0;
}

/* A link that cannot be opened for want of memory says so, and can be opened later. */
static int open_terminal(void)
{
	struct link *link;
	int err = make_link(&link, terminal);

	if (err)
		return err;
	err = link_open(link);
	if (err >= 0)
		link_close(link);
	else
		assert_true(*link->error);
	link_free(link);
	return err < 0 ? err : 0;
}

/* All that a mount is made of but the mount itself. */
static int make_tree(void)
{
	static const struct bus_config bus_config = { .timeout = 1, .tries = 3 };
	static const struct device_config config = { .address = 1, .model = MODEL_UNKNOWN };
	struct device *device = NULL;
	struct tree *tree = NULL;
	struct bus *bus = NULL;
	struct link *link;
	int err = make_link(&link, "sim:");

	if (err)
		return err;
	err = bus_new(&bus, link, &table, &bus_config);
	if (!err)
		err = device_new(&device, bus, &table, &config);
	if (!err)
		err = tree_new(&tree, device, "bms0", 0);
	if (!err)
		tree_free(tree);
	if (device)
		device_free(device);
	if (bus)
		bus_free(bus);
	link_free(link);
	return err;
}

static int parse_options(void)
{
	char text[] = "ro,baud=9600,instructions=/a,instructions=/b,model=1q,noatime,uid=0,gid=0";
	char name[] = "bmsfs", option[] = "-o", device[] = "sim:", place[] = "/mnt";
	char *arguments[] = { name, option, text, device, place, NULL };
	struct options options;
	char reason[512];
	int err;

	optind = 0;
	err = options_parse(&options, 5, arguments, reason, sizeof(reason));
	options_free(&options);
	return err;
}

static void try_all(int (*make)(void), bool forever)
{
	/* What the C library allocates once for itself is there afterwards. */
	assert_int_equal(make(), 0);
	for (uint64_t n = 1; n < N_MAX; n++) {
		int64_t live = alloc_live();
		uint64_t failed;
		int err;

		alloc_fail(n, forever);
		err = make();
		failed = alloc_failed();
		alloc_fail(0, false);
		assert_int_equal(alloc_live(), live);
		if (!failed) {
			assert_int_equal(err, 0);
			assert_true(n > 1);
			return;
		}
		/* Some can do without what failed. */
		if (err)
			assert_int_equal(err, -ENOMEM);
	}
	fail();
}

struct maker {
	int (*make)(void);
};

static void run_case(void **state)
{
	const struct maker *maker = *state;

	try_all(maker->make, false);
	try_all(maker->make, true);
}

static int set_up(void **state)
{
	struct table_error error;
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC); /* stays open until the end */

	(void)state;
	if (fd < 0 || grantpt(fd) || unlockpt(fd) || ptsname_r(fd, terminal, sizeof(terminal)))
		return -1;
	fd = mkostemp(file, O_CLOEXEC);
	if (fd < 0 || write(fd, more, sizeof(more) - 1) != sizeof(more) - 1 || close(fd))
		return -1;
	return instruction_table_init(&table, &error);
}

static int tear_down(void **state)
{
	(void)state;
	instruction_table_free(&table);
	return unlink(file);
}

#define CASE(function)                                                                     \
	{                                                                                  \
		.name = #function, .test_func = run_case, .initial_state = &(struct maker) \
		{                                                                          \
			function                                                           \
		}                                                                          \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(make_table), CASE(make_more),     CASE(make_file), CASE(make_sim),
		CASE(make_links), CASE(open_terminal), CASE(make_tree), CASE(parse_options),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

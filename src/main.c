// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checks.h"
#include "confine.h"
#include "descriptors.h"
#include "fs/mount.h"
#include "keeper.h"
#include "link/capture.h"
#include "link/link.h"
#include "list.h"
#include "log.h"
#include "options.h"
#include "probe.h"
#include "sim/sim.h"
#include "tables.h"

#define EXIT_USAGE 2
#define LONG_TEXT  65536

/* Descriptors that a caller forgot to close are not ours to hold, and the standard ones must be. */
static int tidy_descriptors(void)
{
	int err = descriptors_fill();

	if (!err)
		close_range(STDERR_FILENO + 1, ~0U, 0);
	return err;
}

static int load_table(struct instruction_table *table, const struct options *options,
		      const char *mountpoint)
{
	struct table_error error = { "out of memory" };
	int err = instruction_table_init(table, &error);

	if (!err) {
		err = tables_add_matching(table, TABLES_DIRECTORY, mountpoint, &error);
		for (unsigned i = 0; !err && i < options->instructions_count; i++)
			err = tables_add_file(table, options->instructions[i], mountpoint, &error);
		if (err)
			instruction_table_free(table);
		else if (options->sensors != OPTIONS_NO_SENSORS)
			instruction_table_set_sensors(table, (uint8_t)options->sensors);
	}
	if (err)
		log_print("%s", error.text);
	return err;
}

static void print_categories(const struct instruction_table *table, const char *unknown)
{
	const char *last = "";

	log_print("%s: there is no such category, but these:", unknown);
	for (size_t i = 0; i < table->rows; i++) {
		if (strcmp(table->row[i].category, last) != 0)
			log_print("  %s", table->row[i].category);
		last = table->row[i].category;
	}
}

static int print_list(const struct options *options)
{
	const struct list_options list = { .writable = options->list_writable,
					   .json = options->list_json,
					   .category = options->list_category };
	struct instruction_table table;
	int err = load_table(&table, options, NULL);

	if (err < 0)
		return EXIT_FAILURE;
	err = list_print(stdout, &table, &list);
	if (!err && fflush(stdout) == EOF)
		err = -EIO;
	if (err == -ENOENT)
		print_categories(&table, options->list_category);
	else if (err < 0)
		log_print("cannot print the list: %s", strerror(-err));
	instruction_table_free(&table);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int probe(const struct options *options)
{
	const struct probe_options probe = { .device = options->device,
					     .dev = "/dev",
					     .timeout = options->timeout,
					     .progress = isatty(STDERR_FILENO),
					     .wait = probe_wait };
	struct instruction_table table;
	int found;

	if (load_table(&table, options, NULL) < 0)
		return EXIT_FAILURE;
	found = probe_run(stdout, &table, &probe);
	if (found < 0)
		log_print("cannot go on: %s", strerror(-found));
	instruction_table_free(&table);
	return found > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* A service manager tries again unless it is an error of usage. */
static int exit_status(int err)
{
	return err == -EAGAIN || err == -ENOMEM ? EXIT_FAILURE : EXIT_USAGE;
}

static int find_model(const struct options *options, const struct instruction_table *table,
		      int *model)
{
	*model = MODEL_UNKNOWN;
	if (!strcmp(options->model, "auto"))
		return 0;
	*model = model_named(table, options->model);
	if (*model != MODEL_UNKNOWN)
		return 0;
	log_print("model=%s: unknown; bmsfs knows auto and these:", options->model);
	for (size_t i = 0; i < table->models; i++)
		log_print("  %s (%s)", table->model[i].name, table->model[i].description);
	return -EINVAL;
}

/* The addresses that were given, or the one that such a BMS has from the factory. */
static unsigned choose_addresses(const struct options *options,
				 const struct instruction_table *table, int model,
				 uint8_t address[FOREST_MAX])
{
	struct sim_config sim = sim_config_default;
	const char *target;
	char reason[256];

	if (options->addresses) {
		memcpy(address, options->address, options->addresses);
		return options->addresses;
	}
	if (link_kind(options->device, &target) == LINK_SIM &&
	    !sim_config_parse(&sim, target, reason, sizeof(reason))) {
		if (sim.addresses) {
			memcpy(address, sim.address, sim.addresses);
			return sim.addresses;
		}
		model = model_named(table, sim.model);
	}
	address[0] = model == MODEL_UNKNOWN ? 1 : table->model[model].address;
	return 1;
}

/* Puts the file of -o capture= around the link. */
static int start_capture(const struct options *options, const char *mountpoint, struct link **link)
{
	struct capture_config config = { .name = options->capture,
					 .device = options->device,
					 .log = log_print };
	int err;

	if (!options->capture)
		return 0;
	config.fd = checks_open_capture(options->capture, mountpoint);
	if (config.fd < 0)
		return config.fd;
	/* Where a file has reached its limit, writing shall fail and no more. */
	signal(SIGXFSZ, SIG_IGN);
	err = capture_link_new(link, &config);
	if (err < 0) {
		log_print("out of memory");
		close(config.fd);
	}
	return err;
}

static int serve(const struct options *options, const struct instruction_table *table,
		 const char *mountpoint, int claim)
{
	const struct link_config config = { .baud = options->baud,
					    .table = table,
					    .now = link_boottime(NULL) };
	struct confine_user user;
	struct service service = { .options = options,
				   .user = &user,
				   .table = table,
				   .mountpoint = mountpoint,
				   .claim = claim,
				   .ready_fd = -1 };
	uint8_t address[FOREST_MAX];
	char reason[256] = "out of memory";
	const char *target;
	int status, err;

	if (find_model(options, table, &service.model) < 0)
		return EXIT_USAGE;
	service.address = address;
	service.addresses = choose_addresses(options, table, service.model, address);
	service.address_is_given = options->addresses || service.model != MODEL_UNKNOWN ||
				   link_kind(options->device, &target) == LINK_SIM;
	err = confine_user_find(&user, options->user, reason, sizeof(reason));
	if (err < 0) {
		log_print("%s", reason);
		return exit_status(err);
	}
	if (link_new(&service.link, options->device, &config, reason, sizeof(reason)) < 0) {
		log_print("%s", reason);
		status = EXIT_USAGE;
		goto out_free_user;
	}
	if (start_capture(options, mountpoint, &service.link) < 0)
		status = EXIT_FAILURE;
	else
		status = options->foreground ? keeper_run(&service) : keeper_launch(&service);
	link_free(service.link);
out_free_user:
	confine_user_free(&user);
	return status;
}

static int run_mount(const struct options *options)
{
	struct instruction_table table;
	char mountpoint[PATH_MAX];
	int status, claim;

	if (options->of_mount)
		log_print("%s: in fstab this is an option of mount(8); setuid= names the user of "
			  "the server",
			  options->of_mount);
	/* A reader of stderr that goes away does not end a mount. */
	signal(SIGPIPE, SIG_IGN);
	if (checks_fuse() < 0 ||
	    checks_mountpoint(options->mountpoint, mountpoint, sizeof(mountpoint), &claim) < 0 ||
	    checks_device(options->device, mountpoint) < 0 ||
	    load_table(&table, options, mountpoint) < 0)
		return EXIT_FAILURE;
	status = serve(options, &table, mountpoint, claim);
	instruction_table_free(&table);
	return status;
}

static int remount(const struct options *options)
{
	char place[PATH_MAX];
	struct mount_id id;
	enum mount_state state;
	int err = mount_resolve(options->mountpoint, place, sizeof(place));

	if (err < 0) {
		log_print("%s: %s", options->mountpoint, strerror(-err));
		return EXIT_FAILURE;
	}
	state = mount_examine(place, &id);
	if (state == MOUNT_FREE || state == MOUNT_FOREIGN) {
		log_print("%s: is not a mount of bmsfs", place);
		return EXIT_FAILURE;
	}
	err = mount_change(&id, options->flags);
	if (err == -EBUSY)
		log_print("%s: cannot be remounted: a file is open for writing; close it first",
			  place);
	else if (err < 0)
		log_print("%s: cannot be remounted: %s", place, strerror(-err));
	else if (options->own)
		log_print("%s: options of bmsfs itself stay as they are until it is mounted anew",
			  place);
	return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int act(const struct options *options)
{
	switch (options->action) {
	case ACTION_MOUNT:
		return run_mount(options);
	case ACTION_REMOUNT:
		return remount(options);
	case ACTION_NOTHING:
		return EXIT_SUCCESS;
	case ACTION_LIST:
		return print_list(options);
	case ACTION_PROBE:
		return probe(options);
	case ACTION_HELP:
		options_help(stdout);
		break;
	case ACTION_VERSION:
		puts("bmsfs " BMSFS_VERSION);
		break;
	}
	return fflush(stdout) == EOF ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
	struct options options;
	char reason[512];
	int status = tidy_descriptors();

	/* Long texts come and go; by itself the C library would keep what the largest one took. */
	mallopt(M_MMAP_THRESHOLD, LONG_TEXT);
	log_start();
	if (status < 0) {
		log_print("cannot open /dev/null: %s", strerror(-status));
		return EXIT_FAILURE;
	}
	status = options_parse(&options, argc, argv, reason, sizeof(reason));
	if (status < 0) {
		log_print("%s", reason);
		status = exit_status(status);
	} else {
		status = act(&options);
	}
	options_free(&options);
	return status;
}

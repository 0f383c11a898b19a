// SPDX-License-Identifier: LGPL-3.0-or-later
#include "bench.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nsec.h"

#define STEPS_MAX 1000000 /* of one bench_run(): then something spins */

static struct bench *to_bench(const struct link *link)
{
	return (struct bench *)link;
}

__attribute__((noreturn)) static void give_up(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(2);
}

static int link_opens(struct link *link)
{
	to_bench(link)->open = true;
	link->actual_baud = link->baud;
	return 1;
}

static int link_polls(struct link *link)
{
	(void)link;
	return 1;
}

static void link_closes(struct link *link)
{
	to_bench(link)->open = false;
}

static ssize_t link_reads(struct link *link, void *bytes, size_t size)
{
	return (ssize_t)sim_transmit(to_bench(link)->sim, bytes, size, to_bench(link)->now);
}

static ssize_t link_writes(struct link *link, const void *bytes, size_t size)
{
	sim_receive(to_bench(link)->sim, bytes, size, to_bench(link)->now);
	return (ssize_t)size;
}

static int link_fd(const struct link *link, short *opening_events)
{
	(void)link;
	*opening_events = 0;
	return -1;
}

static int64_t link_wake(const struct link *link)
{
	return to_bench(link)->open ? sim_wake(to_bench(link)->sim) : NSEC_NEVER;
}

static int64_t link_now(const struct link *link)
{
	return to_bench(link)->now;
}

static void link_frees(struct link *link)
{
	(void)link;
}

static const struct link_ops ops = {
	.name = "bench",
	.open = link_opens,
	.poll = link_polls,
	.close = link_closes,
	.read = link_reads,
	.write = link_writes,
	.fd = link_fd,
	.wake = link_wake,
	.now = link_now,
	.free = link_frees,
};

/* After "XXXX 3.6" comes "XXXX?" and nothing else, if it can be read back. */
static void watch_order(struct bench *bench, const struct frame *frame)
{
	size_t length = strcspn(bench->last, " ");

	if (bench->last[length] &&
	    (frame->len != length + 1 || memcmp(frame->payload, bench->last, length))) {
		int row;

		bench->last[length] = '\0';
		row = instruction_find(&bench->table, bench->last);
		if (row >= 0 && bench->table.row[row].verify != VERIFY_NONE)
			bench->interrupted++;
	}
	memcpy(bench->last, frame->payload, frame->len);
	bench->last[frame->len] = '\0';
}

static void observe(void *user, bool sent, const struct frame *frame, int64_t when)
{
	struct bench *bench = user;

	(void)when;
	if (sent) {
		/* A refusal ends the job. */
		if (!frame_is_text(frame, "SET"))
			bench->last[0] = '\0';
		return;
	}
	bench->requests++;
	watch_order(bench, frame);
	if (!memchr(frame->payload, ' ', frame->len))
		return;
	if (bench->sets < BENCH_SETS)
		memcpy(bench->set[bench->sets], bench->last, frame->len + 1U);
	bench->sets++;
}

void bench_start(struct bench *bench, const struct sim_config *config, bool unlock)
{
	static const struct bus_config bus = { .timeout = 350 * NSEC_PER_MSEC, .tries = 3 };
	struct device_config device = {
		.model = MODEL_UNKNOWN,
		.ttl = NSEC_PER_SEC,
		.ttl_settings = 10 * NSEC_PER_SEC,
		.deadline = 5 * NSEC_PER_SEC,
		.tries = 3,
		.unlock = unlock,
	};
	struct sim_config healthy = *config;
	struct table_error error;
	char reason[256];

	*bench = (struct bench){ .link.ops = &ops, .now = 1000 * NSEC_PER_SEC };
	memset(healthy.rate, 0, sizeof(healthy.rate));
	if (instruction_table_init(&bench->table, &error) ||
	    sim_new(&bench->sim, &healthy, &bench->table, bench->now, reason, sizeof(reason)) ||
	    bus_new(&bench->bus, &bench->link, &bench->table, &bus))
		give_up("cannot be built");
	bench->model = model_find(&bench->table, config->model);
	device.address = bench->table.model[bench->model].address;
	if (device_new(&bench->device, bench->bus, &bench->table, &device) ||
	    tree_new(&bench->tree, bench->device, "bms0", 0))
		give_up("cannot be built");
	sim_observe(bench->sim, observe, bench);
	device_start(bench->device);
	bench_run(bench, 10 * NSEC_PER_SEC, NULL);
	if (device_model(bench->device) != bench->model)
		give_up("the BMS was not identified");
	for (unsigned i = 0; i < SIM_FAULTS; i++)
		sim_set_fault(bench->sim, sim_fault_name[i], config->rate[i]);
}

void bench_stop(struct bench *bench)
{
	tree_free(bench->tree);
	device_free(bench->device);
	bus_free(bench->bus);
	sim_free(bench->sim);
	instruction_table_free(&bench->table);
}

void bench_run(struct bench *bench, int64_t duration, const unsigned *left)
{
	int64_t end = bench->now + duration;

	for (unsigned step = 0; step < STEPS_MAX; step++) {
		unsigned sets = bench->sets;
		int64_t wake;

		bus_run(bench->bus);
		if (bench->sets != sets && bench->after_set)
			bench->after_set(bench->user);
		device_run(bench->device);
		if (left && !*left)
			return;
		wake = nsec_min(bus_wake(bench->bus), device_wake(bench->device));
		if (wake > end) {
			if (wake != NSEC_NEVER)
				bench->now = end;
			return;
		}
		if (wake > bench->now)
			bench->now = wake;
	}
	give_up("the bus spins");
}

void bench_forget(struct bench *bench)
{
	bench->sets = 0;
}

double bench_holds(struct bench *bench, const char *mnemonic)
{
	double value;

	return sim_get(bench->sim, mnemonic, &value, bench->now) ? NAN : value;
}

static void read_done(struct device_query *query)
{
	*(unsigned *)query->user = 0;
}

int bench_read(struct bench *bench, unsigned row, struct sample *sample)
{
	unsigned left = 1;
	struct device_query query = {
		.fresh = { .call = ++bench->now, .direct = true },
		.done = read_done,
		.user = &left,
	};
	const struct sample *found;
	int err;

	row_set_add(&query.need, row);
	if (!device_query(bench->device, &query))
		bench_run(bench, 60 * NSEC_PER_SEC, &left);
	err = device_sample(bench->device, row, &query.fresh, &found);
	if (!err)
		sample_copy(sample, found);
	return err;
}

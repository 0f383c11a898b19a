// SPDX-License-Identifier: LGPL-3.0-or-later
#include "world.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "bus/engine.h"

#define MSEC(n) ((n) * NSEC_PER_MSEC)

#define STUCK_MAX 500 /* turns at one moment: what they do must come to an end */
#define ERA       400 /* requests, more or less */
#define CYCLE     MSEC(1000)

/* How often a fault hits in a normal era at most, of RATE_ALWAYS; in a horrible one eight times. */
static const uint32_t usual_rate[FAULTS] = {
	[FAULT_HALF_WRITE] = 1000, [FAULT_LOSE_REQUEST] = 1500, [FAULT_LOSE_REPLY] = 1500,
	[FAULT_SLOW] = 3000,       [FAULT_LATE] = 2000,         [FAULT_DUPLICATE] = 1000,
	[FAULT_SPLIT] = 3000,      [FAULT_MERGE] = 1500,        [FAULT_CORRUPT] = 1500,
	[FAULT_TRUNCATE] = 800,    [FAULT_ECHO] = 8000,         [FAULT_GARBAGE] = 1000,
	[FAULT_ADDRESS] = 500,     [FAULT_LENGTH] = 800,        [FAULT_HEADER] = 800,
	[FAULT_REFUSE] = 300,      [FAULT_STUBBORN] = 3000,
};

/* Likewise of what happens of its own accord, for each event. */
static const uint32_t usual_event[FAULTS] = {
	[FAULT_FOREIGN] = 600, [FAULT_HANG_UP] = 60, [FAULT_RESET] = 100, [FAULT_EXCHANGE] = 40,
	[FAULT_CHANGE] = 3000, [FAULT_STALL] = 300,  [FAULT_SUSPEND] = 6,
};

const char *world_name(const struct world *world, unsigned row)
{
	return world->table->row[row].mnemonic;
}

void world_tell(struct world *world, const char *format, ...)
{
	char *line = world->event[world->events % EVENTS_SHOWN];
	int64_t us = world_now(world) / 1000;
	va_list args;
	int length;

	if (!world->telling)
		return;
	length = snprintf(line, sizeof(world->event[0]), "%8lld.%06lld  ",
			  (long long)(us / 1000000), (long long)(us % 1000000));
	va_start(args, format);
	vsnprintf(line + length, sizeof(world->event[0]) - (size_t)length, format, args);
	va_end(args);
	world->events++;
	if (world->out)
		fprintf(world->out, "%s\n", line);
}

void world_violate(struct world *world, const char *format, ...)
{
	va_list args;

	if (world->violation[0])
		return;
	va_start(args, format);
	vsnprintf(world->violation, sizeof(world->violation), format, args);
	va_end(args);
	world_tell(world, "VIOLATION %s", world->violation);
}

static void tell_frame(void *user, bool sent, const struct frame *frame, const char *meaning,
		       int64_t when)
{
	struct world *world = user;
	char text[48];
	size_t length = 0;

	(void)when;
	if (!world->telling)
		return;
	for (; length < frame->len && length < sizeof(text) - 1; length++)
		text[length] = frame->payload[length] >= ' ' && frame->payload[length] <= '~'
				       ? (char)frame->payload[length]
				       : '.';
	text[length] = '\0';
	world_tell(world, "%s %u>%u \"%s\" %s", sent ? "->" : "<-", frame->snd, frame->dst, text,
		   meaning);
}

/* --- the eras --- */

static void era_begin(struct world *world)
{
	struct sim_random *random = &world->random;
	uint32_t kind = draw(random, 4), strength = kind == 0 ? 0 : kind == 3 ? 8 : 1;
	static const int64_t paces[] = { MSEC(2), MSEC(10), MSEC(50), MSEC(400) };

	world->pace = paces[draw(random, 4)];
	world->era_end = world->link.requests + ERA / 2 + draw(random, ERA);
	for (int i = 0; i < FAULTS; i++) {
		uint32_t most = (usual_rate[i] + usual_event[i]) * strength;

		world->link.rate[i] = draw(random, 3) ? draw(random, most + 1) : 0;
	}
	world_tell(world, "era: %s, an event each %lld ms",
		   kind == 0   ? "calm"
		   : kind == 3 ? "horrible"
			       : "normal",
		   (long long)(world->pace / NSEC_PER_MSEC));
}

static bool happens(struct world *world, enum fault fault)
{
	uint32_t rate = world->link.rate[fault];

	if (!rate || draw(&world->random, RATE_ALWAYS) >= rate)
		return false;
	world->link.hits[fault]++;
	world_tell(world, "%s", fault_name[fault]);
	return true;
}

static void nature(struct world *world)
{
	struct fault_link *link = &world->link;

	if (happens(world, FAULT_FOREIGN))
		fault_link_foreign(link);
	if (link->port != PORT_CLOSED && happens(world, FAULT_HANG_UP))
		fault_link_hang_up(link);
	if (happens(world, FAULT_RESET))
		fault_link_reset(link);
	if (happens(world, FAULT_EXCHANGE))
		fault_link_exchange(link);
	if (happens(world, FAULT_CHANGE))
		fault_link_change(link);
	if (happens(world, FAULT_STALL))
		link->now += draw_time(&world->random, 1,
				       draw(&world->random, 4) ? MSEC(60) : MSEC(2500));
	if (happens(world, FAULT_SUSPEND))
		link->now += draw_time(&world->random, MSEC(60000), MSEC(1200000));
}

/* --- the loop --- */

static int64_t world_wake(const struct world *world)
{
	int64_t wake = nsec_min(bus_wake(world->bus), device_wake(world->device));

	return world->quiet ? wake : nsec_min(wake, world->next_event);
}

static void world_event(struct world *world)
{
	nature(world);
	actors_act(world);
	world->next_event = world_now(world) + draw_time(&world->random, 0, 2 * world->pace);
	if (draw(&world->random, 50) == 0)
		world->next_event += draw_time(&world->random, 0, MSEC(3000));
}

/* One turn of the loop, as the server makes it; sleeps until @latest at most. */
static void world_turn(struct world *world, int64_t latest)
{
	unsigned closes = world->link.closes;
	int64_t wake = nsec_min(world_wake(world), latest);

	if (wake > world_now(world)) {
		world->link.now = wake;
		world->stuck = 0;
	} else if (++world->stuck > STUCK_MAX) {
		world_violate(world, "the loop is busy: %d turns at one moment", STUCK_MAX);
	}
	world->news = false;
	if (!world->quiet && world->next_event <= world_now(world))
		world_event(world);
	bus_run(world->bus);
	device_run(world->device);
	world->figures->turns++;
	check_turn(world, closes);
}

static bool well(const struct world *world)
{
	return !world->violation[0];
}

static void run_until(struct world *world, int64_t end)
{
	while (well(world) && world_now(world) < end)
		world_turn(world, end);
}

static void run_out(struct world *world)
{
	int64_t end = world_now(world) + 2 * world->config.deadline;

	while (well(world) && (world->readers || world->writers) && world_now(world) < end)
		world_turn(world, end);
}

/* What interrupted readers have left behind runs to its end. */
static void run_dry(struct world *world)
{
	int64_t end = world_now(world) + 60 * NSEC_PER_SEC;

	while (well(world) && world_now(world) < end &&
	       (world->bus->current || !TAILQ_EMPTY(&world->bus->queue)))
		world_turn(world, end);
	if (well(world) && world_now(world) >= end)
		world_violate(world, "the queue does not come to its end");
}

/* Reads @ino now and waits for it. Returns what came of it. */
static ssize_t read_one(struct world *world, uint64_t ino)
{
	struct reader *reader = reader_start(world, ino, true);

	if (!reader)
		return -EBUSY;
	run_out(world);
	return reader->result;
}

static bool undefined(ssize_t result)
{
	return result == -ENODATA || result == -ENODEV || result == -EOPNOTSUPP;
}

/*
 * The faults stop, and what is late has come. One cycle of reading may fail, and what was marked as unknown by a fault stays
 * so for ten minutes; the second cycle must succeed.
 */
static void heal(struct world *world)
{
	uint64_t ino =
		tree_lookup(world->tree, TREE_ROOT, world_name(world, (unsigned)world->lcd1));
	ssize_t result;

	world_tell(world, "faults stop");
	fault_link_mend(&world->link);
	world->quiet = true;
	run_until(world, world->link.last_due);
	run_out(world);
	read_one(world, ino);
	run_dry(world);
	run_until(world, world_now(world) + CYCLE);
	result = read_one(world, ino);
	if (well(world) && result < 0 && result != -EOPNOTSUPP)
		world_violate(world, "the link did not heal within two cycles: reading gives %zd",
			      result);
	world->figures->heals++;
}

/* The end: everything can be read, and when nobody reads there is silence. */
static void end(struct world *world)
{
	uint64_t requests;

	heal(world);
	run_until(world, world_now(world) + 601 * NSEC_PER_SEC);
	read_one(world, world->file[0]);
	for (unsigned i = 0; well(world) && i < world->files; i++) {
		ssize_t result = read_one(world, world->file[i]);
		char path[64];

		if (result >= 0 || undefined(result))
			continue;
		tree_path(world->tree, world->file[i], path, sizeof(path));
		world_violate(world, "after all faults, reading %s gives %zd", path, result);
	}
	if (well(world) && device_shape(world->device)->units != world->link.units)
		world_violate(world, "the device shows %u units of %u",
			      device_shape(world->device)->units, world->link.units);
	if (well(world) && device_model(world->device) != world->link.model)
		world_violate(world, "after all faults the model is not known");
	run_until(world, world_now(world) + 30 * NSEC_PER_SEC);
	requests = world->link.requests;
	run_until(world, world_now(world) + 60 * NSEC_PER_SEC);
	if (well(world))
		check_idle(world, requests);
}

static const struct {
	const char *model;
	unsigned units;
} kinds[] = {
	{ "1q", 1 }, { "2q", 1 }, { "abms", 1 }, { "master", 1 }, { "master", 3 }, { "1q", 1 }
};

static int world_build(struct world *world)
{
	static const int64_t ttls[] = { MSEC(1000), MSEC(1000), MSEC(200), 0 };
	struct sim_random *random = &world->random;
	uint32_t kind = draw(random, 6), ttl = draw(random, 4);
	char reason[128] = "";
	int err = fault_link_init(&world->link, world->table, kinds[kind].model, kinds[kind].units,
				  world->seed, reason, sizeof(reason));

	if (err)
		return err;
	world->link.watch = check_request;
	world->link.user = world;
	world->bus_config = (struct bus_config){ .timeout = MSEC(350), .tries = 3 };
	world->config = (struct device_config){
		.address = world->link.address,
		.model = MODEL_UNKNOWN,
		.ttl = ttls[ttl],
		.ttl_settings = 10 * ttls[ttl],
		.grace = draw(random, 8) ? 0 : MSEC(3000),
		.deadline = draw(random, 4) ? MSEC(5000) : MSEC(2000),
		.tries = 3,
		.unlock = draw(random, 2),
	};
	err = bus_new(&world->bus, &world->link.link, world->table, &world->bus_config);
	if (!err)
		err = device_new(&world->device, world->bus, world->table, &world->config);
	if (!err)
		err = tree_new(&world->tree, world->device, "bms0", 0);
	if (err)
		return err;
	bus_observe(world->bus, tell_frame, world);
	device_observe(world->device, &check_observer, world);
	return 0;
}

static void world_take_down(struct world *world)
{
	tree_free(world->tree);
	device_free(world->device);
	bus_free(world->bus);
	fault_link_close(&world->link);
}

static void world_count(struct world *world)
{
	struct figures *figures = world->figures;

	figures->seeds++;
	figures->transactions += world->link.requests;
	figures->simulated_s += (double)(world_now(world) - 1000 * NSEC_PER_SEC) / NSEC_PER_SEC;
	for (int i = 0; i < FAULTS; i++)
		figures->hits[i] += world->link.hits[i];
}

bool world_live(struct world *world, const struct instruction_table *table, uint64_t seed,
		uint64_t transactions, struct figures *figures)
{
	bool telling = world->telling;
	FILE *out = world->out;

	memset(world, 0, sizeof(*world));
	world->telling = telling;
	world->out = out;
	world->table = table;
	world->seed = seed;
	world->random.state = ~seed * UINT64_C(0xD1342543DE82EF95);
	world->figures = figures;
	world->idn = instruction_find(table, "*IDN");
	world->lcd1 = instruction_find(table, "LCD1");
	if (world_build(world))
		world_violate(world, "the world cannot be built");
	else
		actors_init(world);
	device_start(world->device);
	while (well(world) && world->link.requests < transactions) {
		if (world->link.requests >= world->era_end) {
			if (draw(&world->random, 3) == 0)
				heal(world);
			world->quiet = false;
			era_begin(world);
			world->next_event = world_now(world);
		}
		world_turn(world, NSEC_NEVER);
	}
	if (well(world))
		end(world);
	world_count(world);
	world_take_down(world);
	return well(world);
}

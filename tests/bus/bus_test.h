/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A bus on a fake link with one peer, and one transaction at a time. */
#ifndef BMSFS_BUS_TEST_H
#define BMSFS_BUS_TEST_H

#include "bus/peer.h"
#include "fake_link.h"
#include "test.h"

#define IDENTITY "REC BMS 1Q VICTRON"

struct world {
	struct fake_link fake;
	struct instruction_table table;
	struct bus *bus;
	struct peer *peer;
	struct transaction transaction;
	struct sample sample;
	bool done;
	int error;
	unsigned identities, changes, losses;
	char identity[64];
	void *user;
};

static inline void world_identity(void *user, const char *text, int64_t asked)
{
	struct world *world = user;

	assert_true(asked > 0);
	world->identities++;
	world->changes += world->identities > 1 && strcmp(text, world->identity) != 0;
	assert_true(strlen(text) < sizeof(world->identity));
	memcpy(world->identity, text, strlen(text) + 1);
}

static inline void world_lost(void *user, int error)
{
	struct world *world = user;

	assert_true(error < 0);
	world->losses++;
}

static inline void world_opened(void *user)
{
	(void)user;
}

static const struct peer_observer world_observer = { world_opened, world_identity, world_lost };

static inline struct world *world_new(void (*request)(struct fake_link *, const struct frame *))
{
	static const struct bus_config config = { .timeout = MSEC(350), .tries = 3 };
	struct world *world = calloc(1, sizeof(*world));
	struct table_error error;

	assert_non_null(world);
	fake_link_init(&world->fake, request);
	world->fake.user = world;
	assert_int_equal(instruction_table_init(&world->table, &error), 0);
	assert_int_equal(bus_new(&world->bus, &world->fake.link, &world->table, &config), 0);
	assert_int_equal(bus_add_peer(world->bus, &world->peer, 1, &world_observer, world), 0);
	return world;
}

static inline void world_free(struct world *world)
{
	bus_free(world->bus);
	instruction_table_free(&world->table);
	free(world);
}

static inline void world_done(struct transaction *transaction, int error,
			      const struct sample *sample)
{
	struct world *world = transaction->user;

	world->done = true;
	world->error = error;
	if (sample)
		sample_copy(&world->sample, sample);
}

static inline void world_submit(struct world *world, const char *mnemonic, const char *value)
{
	int row = instruction_find(&world->table, mnemonic);

	assert_true(row >= 0);
	world->done = false;
	world->transaction = (struct transaction){
		.peer = world->peer,
		.row = &world->table.row[row],
		.set = value != NULL,
		.once = value != NULL,
		.done = world_done,
		.user = world,
	};
	if (value)
		memcpy(world->transaction.value, value, strlen(value) + 1);
	bus_submit(world->bus, &world->transaction);
}

/* Runs one transaction to its end, at most a minute, and returns its error. */
static inline int world_ask(struct world *world, const char *mnemonic, const char *value)
{
	world_submit(world, mnemonic, value);
	fake_run(&world->fake, world->bus, NULL, 60 * NSEC_PER_SEC, &world->done);
	assert_true(world->done);
	return world->error;
}

static inline bool frame_asks(const struct frame *frame, const char *text)
{
	return frame_is_text(frame, text);
}

#endif

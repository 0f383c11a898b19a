/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * One simulated life from one seed: the real bus, device and tree on a line with faults, readers
 * and writers that come and go at random, and the invariants that must hold after every turn.
 *
 *	world.c   the clock, the eras of faults, the calm end
 *	actors.c  readers, writers, interrupts
 *	check.c   the invariants
 */
#ifndef BMSFS_SIMULATION_WORLD_H
#define BMSFS_SIMULATION_WORLD_H

#include <stdio.h>

#include "device/device.h"
#include "fault_link.h"
#include "nsec.h"
#include "tree/tree.h"

#define READERS      16
#define WRITERS      3
#define FILES_MAX    640
#define FILE_ROWS    4
#define EVENTS_SHOWN 60

/* What is counted over all lives. */
struct figures {
	uint64_t seeds, transactions, reads, values, errors, writes, written, refused, interrupts,
		turns, heals;
	uint64_t hits[FAULTS];
	double simulated_s;
};

struct world;

struct reader {
	struct world *world;
	bool busy;
	uint64_t ino;
	struct device_query query;
	struct freshness fresh;
	int64_t deadline;
	unsigned rows;
	uint8_t row[FILE_ROWS];
	ssize_t result; /* of the last rendering */
};

struct writer {
	struct world *world;
	bool busy;
	struct device_write write;
	int64_t called, set_at; /* set_at: first byte of the last SET, 0 for none */
	bool executed;          /* ... and the BMS confirmed that one */
};

/* What the world knows of a row, from what it was told. */
struct row_state {
	int64_t asked, failed; /* of the newest sample; of the failure since, or 0 */
	bool wanted;           /* somebody waits for it, or did until interrupted */
};

struct world {
	const struct instruction_table *table;
	struct bus_config bus_config;
	struct device_config config;
	struct bus *bus;
	struct device *device;
	struct tree *tree;
	struct fault_link link;
	struct sim_random random; /* of the actors */
	uint64_t seed;

	unsigned files;
	uint64_t file[FILES_MAX];
	uint64_t hot[4];
	struct reader reader[READERS];
	struct writer writer[WRITERS];
	unsigned readers, writers; /* busy ones */
	int idn, lcd1;

	/* The era. */
	int64_t pace; /* mean time between events */
	int64_t next_event;
	uint64_t era_end; /* in requests */
	bool quiet;       /* nothing more happens of its own accord */

	/* What the checks keep. */
	struct row_state row[INSTRUCTION_MAX];
	bool news;           /* a row was told of in this turn */
	unsigned known;      /* generation of the BMS that the device shows */
	int64_t set_over;    /* first byte of the last SET whose job is over */
	bool lost;           /* the link went away in the last turn, */
	int64_t lost_at;     /* ... then */
	unsigned closes;     /* of the link when the last request was sent */
	unsigned stuck;      /* turns in a row without progress of time */
	char violation[512]; /* "" while all is well */
	struct figures *figures;

	/* The last events, in words; kept only when replayed. */
	bool telling;
	FILE *out; /* also print them there */
	uint64_t events;
	char event[EVENTS_SHOWN][160];
};

/* Lives @transactions requests long, and heals. Returns whether all invariants held. */
bool world_live(struct world *world, const struct instruction_table *table, uint64_t seed,
		uint64_t transactions, struct figures *figures);

void world_tell(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_violate(struct world *world, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
const char *world_name(const struct world *world, unsigned row);

static inline int64_t world_now(const struct world *world)
{
	return world->link.now;
}

/* actors.c */
void actors_init(struct world *world);
void actors_act(struct world *world);
struct reader *reader_start(struct world *world, uint64_t ino, bool direct);

/* check.c */
extern const struct device_observer check_observer;
void check_request(void *user, const struct frame *request, int64_t asked);
bool check_answered(const struct world *world, const struct reader *reader);
void check_parked(struct world *world, struct reader *reader, bool answered);
void check_read(struct world *world, const struct reader *reader, const char *text, ssize_t length);
void check_interrupted(struct world *world, const struct reader *reader);
void check_written(struct world *world, struct writer *writer, int error);
void check_turn(struct world *world, unsigned closes);
void check_idle(struct world *world, uint64_t requests);

#endif

/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * One BMS as samples with an age. Knows which sample may answer which call, asks the bus for what
 * is missing, once for all that wait for it, and carries out writes as uninterrupted jobs.
 *
 * The one rule of freshness: a sample may answer a call if its request was sent no earlier than
 * call - ttl, on CLOCK_BOOTTIME. A failure is shared like a value: it answers every call for ttl.
 */
#ifndef BMSFS_DEVICE_DEVICE_H
#define BMSFS_DEVICE_DEVICE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/queue.h>

#include "bus/bus.h"
#include "protocol/instruction.h"
#include "protocol/reply.h"
#include "protocol/setting.h"

struct device;

struct device_config {
	uint8_t address;
	int model; /* of the table, or MODEL_UNKNOWN: by the identity */
	int64_t ttl, ttl_settings, grace, deadline; /* ns */
	unsigned tries;                             /* SETs of one write; only after a lost one */
	bool unlock;                                /* locked settings may be written */
};

/* A set of rows of the instruction table. */
struct row_set {
	uint64_t word[(INSTRUCTION_MAX + 63) / 64];
};

static inline void row_set_add(struct row_set *set, unsigned row)
{
	set->word[row / 64] |= UINT64_C(1) << (row % 64);
}

static inline void row_set_remove(struct row_set *set, unsigned row)
{
	set->word[row / 64] &= ~(UINT64_C(1) << (row % 64));
}

static inline bool row_set_has(const struct row_set *set, unsigned row)
{
	return set->word[row / 64] >> (row % 64) & 1;
}

/* The first row of @set from @from on, or -1. */
static inline int row_set_next(const struct row_set *set, unsigned from)
{
	for (unsigned word = from / 64; word < sizeof(set->word) / sizeof(set->word[0]); word++) {
		uint64_t bits = set->word[word];

		if (word == from / 64)
			bits &= ~UINT64_C(0) << (from % 64);
		if (bits)
			return (int)(64 * word) + __builtin_ctzll(bits);
	}
	return -1;
}

#define row_set_foreach(row, set) \
	for (int row = row_set_next(set, 0); row >= 0; row = row_set_next(set, (unsigned)row + 1))

static inline bool row_set_empty(const struct row_set *set)
{
	for (size_t i = 0; i < sizeof(set->word) / sizeof(set->word[0]); i++)
		if (set->word[i])
			return false;
	return true;
}

/* Which samples may answer: those asked for no earlier than the call less the ttl of the row. */
struct freshness {
	int64_t call; /* when the call arrived; 0: any sample will do, the newest thing known */
	bool direct;  /* ttl is 0: asked after the call only */
};

/*
 * A call that waits for samples. The caller owns it and keeps it in place until done() is called,
 * or device_query_cancel().
 */
struct device_query {
	struct freshness fresh;
	struct row_set need;
	int64_t deadline;
	/*
	 * Each row has a fresh sample, a fresh failure, or the deadline is over: device_sample()
	 * tells. Never called from within device_query().
	 */
	void (*done)(struct device_query *query);
	void *user;

	/* Set by the device. */
	bool finished; /* done() is about to be called */
	TAILQ_ENTRY(device_query) entry;
};

/* One setting to write. As with a query, the caller keeps it in place. */
struct device_write {
	unsigned row;
	struct setting setting;
	int64_t deadline;
	/*
	 * @error is 0 when reading back agrees, and the BMS confirmed or held another value before, else
	 *	-EINVAL      contradicts another setting
	 *	-EREMOTEIO   the BMS refused
	 *	-EIO         reading back differs
	 *	-ETIMEDOUT, -ENODEV, -EIO, -EOPNOTSUPP   as a query; the setting may be old or new
	 */
	void (*done)(struct device_write *write, int error);
	void *user;

	/* Set by the device. */
	char before[VALUE_TEXT_MAX], after[VALUE_TEXT_MAX]; /* as the BMS reported; "" if unknown */
	bool sent;                   /* a byte of the SET may be on the wire */
	char reason[BUS_REASON_MAX]; /* of a failure: "problem; remedy"; "" if it is not known */
	TAILQ_ENTRY(device_write) entry;
};

/* Sets write->reason. */
__attribute__((format(printf, 2, 3))) static inline void write_explain(struct device_write *write,
								       const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(write->reason, sizeof(write->reason), format, args);
	va_end(args);
}

/* How many units, cells and sensors there are. Forgotten with the identity. */
struct shape {
	bool known;
	uint8_t units;
	uint8_t cells[SAMPLE_UNIT_MAX];
	uint8_t sensors[SAMPLE_UNIT_MAX];
};

/* What a device tells whoever shows it. Never called from within device_query() or _write(). */
struct device_observer {
	/* The newest sample, or failure, of a row changed; also when it was forgotten. */
	void (*sampled)(void *user, unsigned row);
	/* Shape or model became known or unknown. */
	void (*reshaped)(void *user);
	/* A write that changed something on the BMS, or may have, ended. */
	void (*wrote)(void *user, const struct device_write *write, int error);
};

/* @bus and @table stay the caller's. -ENOMEM, -EBUSY if the bus has a peer of that address. */
int device_new(struct device **device, struct bus *bus, const struct instruction_table *table,
	       const struct device_config *config);
void device_free(struct device *device);
void device_observe(struct device *device, const struct device_observer *observer, void *user);

/*
 * Starts a query; its fresh.call must be set, deadline 0 becomes call + the configured one. Returns
 * true if nothing is missing, so that device_sample() tells at once and done() will not be called;
 * false if done() will be.
 */
bool device_query(struct device *device, struct device_query *query);
void device_query_cancel(struct device *device, struct device_query *query);

/*
 * The sample of @row that may answer a call of that freshness. Returns 0; -ETIMEDOUT if there is
 * none; or the failure that is shared (-ENODEV, -ETIMEDOUT, -EIO, -EOPNOTSUPP). -ENODATA: never
 * asked (only for fresh.call 0).
 */
int device_sample(const struct device *device, unsigned row, const struct freshness *fresh,
		  const struct sample **sample);

/* When the newest sample of @row was asked for; 0: there is none. */
int64_t device_asked(const struct device *device, unsigned row);

/* All that a consuming row has given so far while mounted, a line each. */
const char *device_log(const struct device *device, unsigned row);

/*
 * Starts a write; done() is always called later, never from within. -EINTR semantics:
 * device_write_cancel() returns true if nothing was sent, and then done() will not be called; false
 * if it is too late.
 */
void device_write(struct device *device, struct device_write *write);
bool device_write_cancel(struct device *device, struct device_write *write);

/*
 * Asks for identity, CELL and PTEM, so that the shape becomes known; as anybody's query would. The
 * device does so by itself whenever it has learnt an identity.
 */
void device_start(struct device *device);
bool device_starting(
	const struct device *device); /* not all of it has been answered or has failed */

/* Ends what is over its deadline. The owner calls it, with bus_run() before it, in each turn. */
void device_run(struct device *device);
int64_t device_wake(const struct device *device);

const struct shape *device_shape(const struct device *device);
int device_model(const struct device *device); /* MODEL_UNKNOWN if it is not known */
const struct instruction_table *device_table(const struct device *device);
const struct device_config *device_config(const struct device *device);
struct bus *device_bus(const struct device *device);

/*
 * Why device_sample() fails for a call of that freshness: "problem; remedy", "" if it is not known.
 * @size: BUS_REASON_MAX is enough for any.
 */
void device_reason(const struct device *device, unsigned row, const struct freshness *fresh,
		   char *reason, size_t size);

/* Why the BMS, or the line, failed last; see peer_last_error(). */
const char *device_last_error(const struct device *device);
enum bus_state device_state(const struct device *device);

/*
 * Whether the BMS is online, the one meaning of the word for every file and program: the link is
 * open, and the BMS has answered a request that was sent no earlier than the call less ttl. grace
 * does not count. Returns 0; -ENODEV without a link; -EIO if what comes makes no frames; -ETIMEDOUT.
 */
int device_online(const struct device *device, const struct freshness *fresh);
bool device_identified(const struct device *device); /* false: it answers, but not to *IDN? */
int64_t device_ttl(const struct device *device, unsigned row);

/* Whether the row exists on this model, and whether this mount may write it. */
bool device_has(const struct device *device, unsigned row);
bool device_writable(const struct device *device, unsigned row);

#endif

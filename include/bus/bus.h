/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The bus: one transaction at a time on one link, for one or several BMSs (peers) on the wire.
 *
 * A reply names neither its request nor its instruction, so the bus must know by order alone which
 * reply answers which request. It relies on two facts: a BMS answers in order, and each request at
 * most once. Whenever a transaction ends other than with exactly its own frames, in time, the line
 * is in doubt, and a fence is put between it and the next: the bus asks *IDN?, whose answer it
 * knows by its text, until an answer comes that must belong to a question asked after the doubt
 * arose. Then everything older has been answered or lost. See the head of src/bus/peer.c for the
 * proof.
 *
 * Nothing here blocks or reads a clock of its own: bytes and time come from the link. The owner
 * calls bus_run() when the link's descriptor is ready or bus_wake() has come, and after it has
 * submitted something. Callbacks come from within bus_run() only, never from within bus_submit*().
 */
#ifndef BMSFS_BUS_BUS_H
#define BMSFS_BUS_BUS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "link/link.h"
#include "protocol/instruction.h"
#include "protocol/reply.h"
#include "protocol/value.h"

struct bus;
struct peer;
struct trace;

#define BUS_REASON_MAX 256 /* bytes of a sentence on a failure, NUL included */

struct bus_config {
	int64_t timeout; /* ns to the first byte of a reply; 350 ms by the manufacturer's manual */
	unsigned tries;  /* of a query */
};

enum bus_counter {
	BUS_REQUESTS, /* sent, questions of the fence included */
	BUS_REPLIES,  /* whole and fitting */
	BUS_REFUSALS, /* ERROR... */
	BUS_TIMEOUTS, /* no reply in time */
	BUS_LATE,     /* replies that came after that, and could still be told */
	BUS_BROKEN,   /* frames with a wrong end or checksum */
	BUS_UNFIT,    /* frames that fit no question, or came too many */
	BUS_FOREIGN,  /* requests of another master */
	BUS_FENCES,   /* doubts cleared by an identity */
	BUS_OPENS,    /* of the link */
	BUS_BYTES_SENT,
	BUS_BYTES_RECEIVED,
	BUS_COUNTERS,
};

extern const char *const bus_counter_name[BUS_COUNTERS];

enum bus_state {
	BUS_CLOSED,  /* nobody has asked yet, or the link went away and nobody has asked since */
	BUS_ABSENT,  /* the link could not be opened */
	BUS_OPENING, /* it is being opened, or the BMS has not had the time to answer */
	BUS_SILENT,  /* it is open, and the BMS does not answer */
	BUS_ONLINE,  /* it is open, and the BMS answers */
};

extern const char *const bus_state_name[]; /* "closed", "absent", ... */

/* Told of every frame; @meaning is a few words, "CELL?", "reply to CELL?", "foreign". */
typedef void bus_observer(void *user, bool sent, const struct frame *frame, const char *meaning,
			  int64_t when);

/*
 * One request and its reply. The submitter owns it and keeps it in place until done() is called or
 * bus_withdraw() has returned true; done() may submit the next.
 */
struct transaction {
	/* Set by the submitter. */
	struct peer *peer;
	const struct instruction *row;
	bool set;                   /* "XXXX value" instead of "XXXX?" */
	bool once;                  /* one try only */
	char value[VALUE_TEXT_MAX]; /* of a set */

	/*
	 * @error is 0, and then @sample is the reply to a query (NULL for a set), good until done()
	 * returns; or
	 *	-ENODEV      there is no link
	 *	-ETIMEDOUT   no answer
	 *	-EIO         an answer came and did not fit
	 *	-EREMOTEIO   the BMS refused
	 *	-EINVAL      the value is too long to be sent
	 *	-EOPNOTSUPP  the BMS was silent to every try of this query, and answered other
	 *	             questions in between
	 */
	void (*done)(struct transaction *transaction, int error, const struct sample *sample);
	void *user;

	/* Set by the bus. */
	int64_t asked;  /* when the first byte of the (last) request was sent; 0: never sent */
	unsigned tried; /* requests sent */
	bool silent;    /* all of them without any answer */
	bool verdict;   /* no try is left: the fence decides what to call it */
	bool passed;    /* others have had the line since the last try */
	int error;      /* of the last try */
	bool queued;
	uint64_t serial;
	TAILQ_ENTRY(transaction) entry;
};

/* What a peer tells its owner. */
struct peer_observer {
	/* The link is open, so whoever needs to know who is there may ask. */
	void (*opened)(void *user);

	/* The identity text was learnt, asked for at @asked; another than before is another BMS. */
	void (*identity)(void *user, const char *text, int64_t asked);

	/*
	 * The link dropped (-ENODEV), or the BMS was silent for a whole fence (-ETIMEDOUT, or -EIO if
	 * what came made no frames): what was known may be over. All that waits fails with @error.
	 */
	void (*lost)(void *user, int error);
};

/* @link and @table stay the caller's and must outlive the bus. -ENOMEM. */
int bus_new(struct bus **bus, struct link *link, const struct instruction_table *table,
	    const struct bus_config *config);
void bus_free(struct bus *bus);
void bus_observe(struct bus *bus, bus_observer *observer, void *user);

/* A BMS at @address (1 to 127) on this bus. -ENOMEM, -EBUSY if that address is taken. */
int bus_add_peer(struct bus *bus, struct peer **peer, uint8_t address,
		 const struct peer_observer *observer, void *user);

/* Likewise one that is not mounted, which leaves the line that of a single BMS. */
int bus_add_guest(struct bus *bus, struct peer **peer, uint8_t address,
		  const struct peer_observer *observer, void *user);

/*
 * Nobody answers at @address, but @found ("ACTIVE answers at address 2; ..."), which stays the
 * caller's: peer_last_error() says so, now and whenever. NULL: not any more.
 */
void bus_found_elsewhere(struct bus *bus, uint8_t address, const char *found);

/* The model decides what fits as a reply; MODEL_UNKNOWN at first. */
void peer_set_model(struct peer *peer, int model);
uint8_t peer_address(const struct peer *peer);

/* How the line is for one BMS. */
enum bus_state peer_state(const struct bus *bus, const struct peer *peer);
/* When the newest request that the BMS has answered was sent, in ns; 0: none since it was lost. */
int64_t peer_last_answered(const struct peer *peer);
bool peer_identified(const struct peer *peer); /* false: frames come, but never an identity */

/* Queues at the end, or before all others (for the next step of a job that must not be
 * interrupted). */
void bus_submit(struct bus *bus, struct transaction *transaction);
void bus_submit_first(struct bus *bus, struct transaction *transaction);

/*
 * Takes back what has been submitted: true if it is out of the queue and done() will not be called;
 * false if its request is on the wire and its reply is awaited.
 */
bool bus_withdraw(struct bus *bus, struct transaction *transaction);

void bus_run(struct bus *bus);

/* When bus_run() is due even if nothing comes, or NSEC_NEVER; what to poll, or -1. */
int64_t bus_wake(const struct bus *bus);
int bus_fd(const struct bus *bus, short *events);

int64_t bus_now(const struct bus *bus);
bool bus_shared(const struct bus *bus); /* another master has been heard in the last minute */
uint32_t bus_baud(const struct bus *bus);
const uint64_t *bus_counters(const struct bus *bus);
const struct trace *bus_trace(const struct bus *bus);

/*
 * Why the last transaction with this peer failed, or its last attempt, or the line: "problem; remedy"
 * without the name of the instruction; "" if nothing has failed.
 */
const char *peer_last_error(const struct peer *peer);

#endif

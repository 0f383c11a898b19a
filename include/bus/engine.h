/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Private to the bus room: the engine behind bus.h.
 *
 *	line.c      bytes: opening and losing the link, sending, receiving, pauses
 *	exchange.c  frames: what each one means, tries, the fence in progress, other masters
 *	bus.c       transactions: the queue, the turn of the loop, what is shown
 *	trace.c     what went over the wire last
 */
#ifndef BMSFS_BUS_ENGINE_H
#define BMSFS_BUS_ENGINE_H

#include "bus/bus.h"
#include "bus/peer.h"
#include "bus/trace.h"
#include "nsec.h"

#define BUS_GAP         (100 * NSEC_PER_MSEC) /* a longer pause ends a frame and a reply */
#define BUS_REPLY_MAX   (2 * NSEC_PER_SEC)    /* no reply takes longer, once it may have begun */
#define BUS_READS       16                    /* portions taken from the link in one turn */
#define BUS_STRAY       8                     /* so many lost bytes may have been a frame */
#define BUS_ABSENCE     (500 * NSEC_PER_MSEC) /* so late is nobody who listens */
#define BUS_ECHOES      4 /* so many make sure that it is our own frames that come back */
#define BUS_REOPEN      (500 * NSEC_PER_MSEC)
#define BUS_SHARED_TIME (60 * NSEC_PER_SEC)

/*
 * What the wire is doing for us. A transaction may be current in any of them.
 *
 *	REST    nothing of ours is on the wire   --request--> REPLY    --question--> ASK
 *	REPLY   a request is, its reply awaited  --whole, unfit, refused, late, foreign--> REST
 *	ASK     a question of the fence is       --any identity, late, foreign--> REST
 */
enum bus_phase { PHASE_REST, PHASE_REPLY, PHASE_ASK };

enum line_state { LINE_CLOSED, LINE_OPENING, LINE_OPEN };

TAILQ_HEAD(transactions, transaction);
TAILQ_HEAD(peers, peer);

struct bus {
	struct link *link;
	const struct instruction_table *table;
	struct bus_config config;
	bus_observer *observer;
	void *observer_user;
	int idn; /* row of *IDN */

	/* The line. */
	enum line_state line;
	bool absent;        /* the last attempt to open failed */
	int64_t opened;     /* last attempt, or 0 */
	int64_t byte_at;    /* when the last byte came */
	int64_t damaged_at; /* when bytes last came that made no frame, or 0 */
	uint64_t dropped_before;
	struct frame_decoder decoder;
	struct frame out; /* being sent, or sent last */
	uint8_t out_bytes[FRAME_MAX];
	size_t out_size, out_sent;
	bool echo_due;   /* our own frame may come back once */
	bool no_echo;    /* replies have come without it: who says the same is another master */
	unsigned echoes; /* in a row; of the first each may as well be another master's */

	/* The exchange. */
	enum bus_phase phase;
	struct transaction *current;
	struct peer *missed;  /* who has not answered what was sent last: it is the others' turn */
	bool late;            /* its last try timed out: its reply may still be told */
	enum reply_state got; /* the reply is over, unless a frame too many comes with it */
	struct peer *asking;  /* whom the question of the fence went to */
	int64_t sent;         /* when the last byte of the request has left, by the baud rate */
	int64_t due;          /* when the phase is over */
	uint64_t broken_seen; /* decoder.broken and .dropped when the line was last sound */
	uint64_t dropped_seen;
	struct reply reply;

	/* Another master's exchange that we wait out. */
	bool hold;
	bool hold_tracked; /* its reply will be known when it has passed */
	int64_t hold_until;
	struct peer *hold_peer;
	struct reply foreign;
	int64_t foreign_at; /* when the last one was heard, or 0 */

	struct transactions queue;
	uint64_t serial;
	struct peers peers;
	bool crowded;          /* there are several */
	const char *elsewhere; /* what answers while the only one is silent, or NULL */
	int64_t wake;
	int64_t ran, appointment; /* the last turn, and when it wanted the next one */
	uint64_t counter[BUS_COUNTERS];
	struct trace trace;
};

/* line.c */
bool line_open(struct bus *bus, int64_t now); /* whether it is open now */
void line_lost(struct bus *bus, int64_t now);
void line_send(struct bus *bus, struct peer *peer, const char *payload, size_t size,
	       const char *meaning, int64_t now);
bool line_push(struct bus *bus, int64_t now);    /* the rest of what is being sent; false: lost */
bool line_receive(struct bus *bus, int64_t now); /* false: lost */
void line_pause(struct bus *bus, int64_t now);   /* ends frames that stopped half-way */
bool line_damaged(const struct bus *bus);        /* something came that may have been a frame */
void line_forgive(struct bus *bus);

/* exchange.c */
void exchange_frame(struct bus *bus, const struct frame *frame, int64_t now);
void exchange_damage(struct bus *bus, int64_t now); /* has anything come that is no frame? */
void exchange_end(struct bus *bus, int64_t now);    /* what came has been looked at */
void exchange_timer(struct bus *bus, int64_t now);  /* ends what is over its time */
bool exchange_start(struct bus *bus, int64_t now);  /* the next step; whether there may be more */
int64_t exchange_due(const struct bus *bus);        /* of the phase */

/* bus.c */
void bus_finish(struct bus *bus, int error, const struct sample *sample);

/* Sets peer_last_error() of @peer, or of all with NULL. */
void bus_explain(struct bus *bus, const struct peer *peer, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void bus_fail_all(struct bus *bus, struct peer *peer, int error); /* NULL: of all peers */
void bus_tell(struct bus *bus, bool sent, const struct frame *frame, const char *meaning,
	      int64_t when);
struct peer *bus_find_peer(struct bus *bus, uint8_t address);

static inline void bus_wake_by(struct bus *bus, int64_t when)
{
	bus->wake = nsec_min(bus->wake, when);
}

#endif

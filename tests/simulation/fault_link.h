/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A link to a simulated BMS through a line on which everything goes wrong that may: the faults hit
 * by rates, drawn from one seed, on a clock that goes when told. What the BMS really said is kept
 * as the truth.
 *
 * The line keeps what the bus relies on: the BMS answers in order, each request at most once (a
 * copy of a reply comes before the next request or not at all), nothing more than 3.3 s late, other
 * masters are heard, and no damage leaves a frame whose checksum is right.
 */
#ifndef BMSFS_SIMULATION_FAULT_LINK_H
#define BMSFS_SIMULATION_FAULT_LINK_H

#include <sys/queue.h>

#include "link/link.h"
#include "sim/random.h"
#include "sim/sim.h"
#include "truth.h"

#define SEGMENT_MAX 1536
#define SEGMENTS    96
#define RATE_ALWAYS 65536

#define FAULT_LATEST INT64_C(3300000000) /* ns; what would come later is lost */

enum fault {
	/* Of one request and its reply. */
	FAULT_HALF_WRITE, /* the link takes a part of the request, or nothing yet */
	FAULT_LOSE_REQUEST,
	FAULT_LOSE_REPLY,
	FAULT_SLOW,      /* up to 300 ms */
	FAULT_LATE,      /* up to 3 s */
	FAULT_DUPLICATE, /* the reply comes again, before the next request is sent */
	FAULT_SPLIT,     /* byte by byte */
	FAULT_MERGE,     /* together with others, on the next tenth of a second */
	FAULT_CORRUPT,
	FAULT_TRUNCATE,
	FAULT_ECHO,
	FAULT_GARBAGE,
	FAULT_ADDRESS,  /* from another unit */
	FAULT_LENGTH,   /* a data frame of the wrong length */
	FAULT_HEADER,   /* a header that lies */
	FAULT_REFUSE,   /* ERROR1 */
	FAULT_STUBBORN, /* the BMS says SET and keeps the old value */
	/* Of their own accord. */
	FAULT_FOREIGN, /* another master asks or sets */
	FAULT_HANG_UP, /* and the next attempts to open fail, or take time */
	FAULT_RESET,
	FAULT_EXCHANGE,
	FAULT_CHANGE, /* a setting changes by itself */
	FAULT_STALL,  /* the loop is held up */
	FAULT_SUSPEND,
	FAULTS,
};

extern const char *const fault_name[FAULTS];

#define FAULT_FIRST_EVENT FAULT_FOREIGN

/* Bytes on their way to the host. */
struct segment {
	TAILQ_ENTRY(segment) next;
	int64_t due, step; /* the first byte; each following one (0: all at once) */
	unsigned size, sent;
	bool copy;                  /* dropped when the next request is sent */
	bool reply;                 /* of the BMS, and lost with it */
	struct truth_place deliver; /* true once the last byte has been read */
	uint8_t bytes[SEGMENT_MAX];
};

TAILQ_HEAD(segments, segment);

/* Told of each whole request of ours, before the BMS gets it. */
typedef void fault_link_watch(void *user, const struct frame *request, int64_t asked);

struct fault_link {
	struct link link;
	struct sim *sim;
	struct truth truth;
	struct sim_random random;
	int64_t now;
	uint8_t address;
	int model;
	unsigned units;
	uint32_t rate[FAULTS]; /* of RATE_ALWAYS */
	uint64_t hits[FAULTS];
	fault_link_watch *watch;
	void *user;

	/* The adapter. */
	enum { PORT_CLOSED, PORT_OPENING, PORT_OPEN } port;
	bool hung_up;
	int64_t gone_until, open_at, blocked_until; /* 0: not blocked */
	unsigned closes;                            /* of what was open or opening */
	uint8_t request[FRAME_MAX];
	unsigned request_size;
	int64_t asked;                 /* first byte of the request in the making */
	uint64_t requests;             /* whole ones */
	int64_t offered, last_offered; /* when it was first to be written; the last whole one */
	uint64_t delivered;            /* bytes read by the host since a request was offered */
	uint64_t heard;                /* ... from the one before to this one */

	/* The BMS. */
	int64_t silent_until, last_due;
	bool took_set; /* the last SET was carried out and confirmed */
	struct segments segments, spare;
	struct segment pool[SEGMENTS];
	char value[FRAME_PAYLOAD_MAX + 1]; /* of the last SET that was looked at */
	const char *misuse;                /* an operation that the port was not ready for */
};

int fault_link_init(struct fault_link *link, const struct instruction_table *table,
		    const char *model, unsigned units, uint64_t seed, char *reason, size_t size);
void fault_link_close(struct fault_link *link);

/* Faults from now on: none. The line is whole and the BMS there. */
void fault_link_mend(struct fault_link *link);

/* Another master speaks; the adapter goes away; the BMS starts over; another BMS takes its place. */
void fault_link_foreign(struct fault_link *link);
void fault_link_hang_up(struct fault_link *link);
void fault_link_reset(struct fault_link *link);
void fault_link_exchange(struct fault_link *link);

/* One setting, chosen by chance, gets another value. */
void fault_link_change(struct fault_link *link);

/* What the BMS holds of a scalar; false if it has none such. */
bool fault_link_holds(struct fault_link *link, unsigned row, double *value);

/*
 * The row of a payload, "CELL?" or "BVOL 3.5"; *@value is what follows the blank, until the next
 * call, else NULL.
 */
int fault_link_row(struct fault_link *link, const struct frame *frame, const char **value);

static inline uint32_t draw(struct sim_random *random, uint32_t limit)
{
	return (uint32_t)((sim_random_next(random) >> 32) * limit >> 32);
}

/* At least @from, less than @to. */
static inline int64_t draw_time(struct sim_random *random, int64_t from, int64_t to)
{
	return from + (int64_t)(sim_random_next(random) % (uint64_t)(to - from));
}

#endif

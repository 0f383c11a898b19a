/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Private to the device room.
 *
 *	device.c    samples and queries
 *	identity.c  who the BMS is, its model and its shape
 *	write.c     the write job
 */
#ifndef BMSFS_DEVICE_ENGINE_H
#define BMSFS_DEVICE_ENGINE_H

#include "device/device.h"
#include "nsec.h"

#define DEVICE_UNKNOWN_TIME (600 * NSEC_PER_SEC) /* an unknown instruction stays so */
#define DEVICE_LOG_MAX      4096                 /* bytes kept of what a consuming row gave */

/* What is known of one row. */
struct slot {
	struct transaction query;
	bool wanted;            /* query is submitted */
	bool has;               /* sample holds something */
	bool known;             /* it has answered since the identity was learnt */
	int error;              /* of the last try, or 0 */
	int64_t asked;          /* when the sample was asked for */
	int64_t failed;         /* when the last try failed */
	int64_t unknown_until;  /* the BMS does not know this instruction */
	unsigned unknown_times; /* ... as was found so often, one time after the other */
	char *log;              /* of a consuming row */
	char *reason;           /* of error, allocated; NULL if it is not known */
	struct sample sample;
};

/*
 * What the job is at. From the first byte of the SET to the end of the reading back it goes on.
 *
 *	IDLE --a write waits--> READ --all operands read, rules hold--> SET --> CHECK --> IDLE
 *	                                   lost, and the old value still stands: SET again
 */
enum job_step { JOB_IDLE, JOB_READ, JOB_SET, JOB_CHECK };

struct job {
	enum job_step step;
	struct device_write *write; /* NULL: its caller is gone, what is in flight ends it */
	struct transaction transaction;
	int64_t started;
	bool confirmed; /* the BMS said SET */
	double before;  /* the number that was in force before */
	bool agreed;    /* what stood before could pass for what is to be written */
	unsigned sets;  /* sent */
};

TAILQ_HEAD(device_queries, device_query);
TAILQ_HEAD(device_writes, device_write);

struct device {
	struct device_config config;
	const struct instruction_table *table;
	struct bus *bus;
	struct peer *peer;
	const struct device_observer *observer;
	void *user;
	int model;
	int idn, cell, ptem; /* rows that identity and shape come from, or -1 */
	struct shape shape;
	char identity[SAMPLE_TEXT_MAX]; /* the last one heard; never forgotten */
	struct device_queries parked, finished;
	struct device_query start;
	bool starting;
	struct device_writes writes;
	int away; /* why the whole BMS could not be asked, the last time it could not; 0 since it answers */
	int64_t away_since;
	char away_reason[BUS_REASON_MAX];
	struct job job;
	int64_t wrote;     /* when the last SET ended; samples asked for before it answer nobody */
	struct slot *slot; /* one per row */
};

/* device.c */
void device_store(struct device *device, unsigned row, int error, const struct sample *sample,
		  int64_t asked);
bool device_knows_not(const struct device *device, unsigned row); /* marked as unknown */

/* So often that no rule of order needs to wait for it: on a bad line once may be a mistake. */
bool device_lacks(const struct device *device, unsigned row);
void device_overwrite(struct device *device);          /* a SET has ended */
void device_drop(struct device *device, unsigned row); /* what was known of it is of another BMS */
void device_review(struct device *device); /* much has changed: who has all that he needs? */
void device_tell(struct device *device);   /* ... and tells them */

/* The sentence for a call whose deadline is over. */
void deadline_reason(const struct device *device, char *reason, size_t size);

/* identity.c */
extern const struct peer_observer identity_observer;
void identity_learn(struct device *device, const struct sample *sample);
void shape_learn(struct device *device, unsigned row); /* from its new sample, if it tells */

/* write.c */
void job_start(struct device *device);
void job_run(struct device *device, int64_t now);
void job_restart(struct device *device); /* what was read is of another BMS */
int64_t job_wake(const struct device *device);

#endif

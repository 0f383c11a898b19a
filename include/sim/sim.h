/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A simulated BMS: a battery that lives, a responder that answers for it, and faults on the line.
 * Bytes in, bytes out, and the time told by the caller: the same seed, the same bytes at the same
 * times give the same answers. It paces what it sends as a line at the baud rate would.
 */
#ifndef BMSFS_SIM_SIM_H
#define BMSFS_SIM_SIM_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/frame.h"
#include "protocol/instruction.h"

/* What can go wrong, each for the share of replies that its rate says. */
enum sim_fault {
	SIM_DROP,     /* the reply is lost */
	SIM_CORRUPT,  /* a bit of it flips */
	SIM_DELAY,    /* it comes up to 300 ms later, still in time */
	SIM_LATE,     /* it comes 0.4 to 1.6 s later, in order with those after it */
	SIM_ECHO,     /* the request comes back first, as from an adapter that hears itself */
	SIM_GARBAGE,  /* 1 to 20 random bytes come first */
	SIM_TRUNCATE, /* the reply breaks off */
	SIM_SILENT,   /* the BMS is busy and does not answer at all for 2 s */
	SIM_ERROR,    /* ERROR1 instead of an answer */
	SIM_FOREIGN,  /* another master's request and the reply to it pass by first */
	SIM_FAULTS,
};

extern const char *const sim_fault_name[SIM_FAULTS];

#define SIM_ADDRESS_MAX 16

struct sim_config {
	char model[16];                   /* "1q"; decides address, identity and instructions */
	uint8_t address[SIM_ADDRESS_MAX]; /* of each BMS on the line, all of this model */
	unsigned addresses;               /* 0: one, of the model's address */
	uint8_t units;                    /* 1 to 15; more than one only for a master */
	uint8_t cells;                    /* per unit, 1 to 16; 0: the model's usual number */
	uint8_t sensors;                  /* per unit, 1 to 8; 0: the model's usual number */
	uint32_t baud;                    /* pace; 0: no pace, bytes are due at once */
	double turnaround_s;              /* from the end of a request to the start of its reply */
	uint64_t seed;
	double rate[SIM_FAULTS]; /* 0 to 1 */
	char replay[PATH_MAX];   /* a capture whose BMS is played instead; "": none */
};

/* Model 1q, one unit, 56000 baud, turn-around 5 ms, seed 1, no faults. */
extern const struct sim_config sim_config_default;

/*
 * Reads KEY=VALUE[,KEY=VALUE...] with the keys model, address (one or several, "1,2"), units, cells,
 * sensors, baud, turnaround (ms), seed, replay and one per fault (drop=0.1). Returns 0, or -EINVAL
 * with a sentence in @reason.
 */
int sim_config_parse(struct sim_config *config, const char *text, char *reason, size_t size);

/* The same for a single key. */
int sim_config_set(struct sim_config *config, const char *key, const char *value, char *reason,
		   size_t size);

struct sim;

/*
 * @table must outlive the simulator; it says which instructions the model has, their forms, ranges
 * and defaults. A capture to be played is read now. Returns 0; -EINVAL with a sentence in @reason;
 * -ENOMEM.
 */
int sim_new(struct sim **sim, const struct sim_config *config,
	    const struct instruction_table *table, int64_t now, char *reason, size_t size);
void sim_free(struct sim *sim);

/*
 * Bytes from the host arrive; the line is busy with them for as long as they take at the baud rate.
 * Of more than 64 replies that wait to be sent the surplus is never made.
 */
void sim_receive(struct sim *sim, const void *bytes, size_t size, int64_t now);

/* Takes the bytes out that are due at @now, at most @size, and returns their number. */
size_t sim_transmit(struct sim *sim, void *bytes, size_t size, int64_t now);

/* When sim_transmit() has something next (it may be past), or NSEC_NEVER. */
int64_t sim_wake(const struct sim *sim);

/*
 * Tells of each frame as it is received (@sent false) and as its first byte is due (@sent true), at
 * which time; for logs and tests. What a fault destroyed is not told.
 */
typedef void sim_observer(void *user, bool sent, const struct frame *frame, int64_t when);
void sim_observe(struct sim *sim, sim_observer *observer, void *user);

/*
 * For tests: what the (first) BMS holds now. Reads or sets a scalar number by mnemonic; sets a fault's
 * rate; makes the BMS another one of the same model (other identity text, factory settings). Return
 * 0; -ENOENT for a name that this model does not have; -EOPNOTSUPP for a value that the simulator
 * makes itself, or a fault while it plays a capture.
 */
int sim_get(struct sim *sim, const char *mnemonic, double *value, int64_t now);
int sim_put(struct sim *sim, const char *mnemonic, double value);
int sim_set_fault(struct sim *sim, const char *name, double rate);
void sim_exchange(struct sim *sim, const char *identity);

/* An error that ERRO reports, and the setting that provokes it. */
struct sim_provocation {
	unsigned error;
	const char *mnemonic, *number; /* to put */
	unsigned delay_s;              /* from then until ERRO reports it */
	const char *meaning;
};

#define SIM_PROVOCATIONS 6
extern const struct sim_provocation sim_provocation[SIM_PROVOCATIONS];

/* While @silent is true requests are ignored, as if nobody were there; the observer sees them. */
void sim_set_silent(struct sim *sim, bool silent);

#endif

/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the simulated BMS answers: a request in, the frames of its reply out. */
#ifndef BMSFS_SIM_RESPONDER_H
#define BMSFS_SIM_RESPONDER_H

#include "protocol/frame.h"
#include "protocol/instruction.h"
#include "protocol/value.h"
#include "sim/battery.h"
#include "sim/sim.h"

#define ANSWER_FRAME_MAX (1 + BATTERY_UNIT_MAX)

/* Frames that follow one another without a gap; none is silence. */
struct answer {
	unsigned frames;
	struct frame frame[ANSWER_FRAME_MAX];
};

/* What a BMS of a model is like beyond what the table tells. */
struct responder_profile {
	const char *model;
	const char *identity; /* NULL: the model's description */
	uint8_t units_max, cells, sensors;
	uint8_t temperatures; /* that PTEM carries, whatever is fitted; 0: as many as sensors */
	double resistance_ohm;
};

struct responder {
	const struct instruction_table *table;
	const struct responder_profile *profile; /* of the model */
	int model;
	uint8_t address;
	uint64_t seed;
	char identity[64];
	double number[INSTRUCTION_MAX];             /* what a set stored, by row */
	char text[INSTRUCTION_MAX][VALUE_TEXT_MAX]; /* likewise */
	struct battery_shape shape;
	struct battery battery;
};

/* As sim_new(); @index is which of the addresses is meant. */
int responder_init(struct responder *responder, const struct sim_config *config, unsigned index,
		   const struct instruction_table *table, int64_t now, char *reason, size_t size);

/* Another BMS of the same model takes the place at @now: its own identity and factory settings. */
void responder_exchange(struct responder *responder, const char *identity, int64_t now);

/* Does what @request asks for, at @now, and fills @answer. */
void responder_answer(struct responder *responder, const struct frame *request,
		      struct answer *answer, int64_t now);

/* What the battery has to obey. */
void responder_limits(const struct responder *responder, struct battery_limits *limits);

/* A refusal, whatever was asked. */
void responder_refuse(const struct responder *responder, struct answer *answer);

/* Reads or sets a scalar number, without regard to its range. Return 0 or -ENOENT. */
int responder_get(struct responder *responder, const char *mnemonic, double *value, int64_t now);
int responder_put(struct responder *responder, const char *mnemonic, double value);

/* "4.50000e2": as the BMS writes a float (captured from a REC 1Q). Returns the length. */
int responder_format_float(char *text, size_t size, float value);

#endif

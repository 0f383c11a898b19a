/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * All that a mount is made of but the mount: the simulated BMS behind a link, the bus, the device
 * and the tree, on a clock that goes as fast as it is needed.
 */
#ifndef BMSFS_TESTS_WRITES_BENCH_H
#define BMSFS_TESTS_WRITES_BENCH_H

#include "bus/bus.h"
#include "device/device.h"
#include "link/link.h"
#include "sim/sim.h"
#include "tree/tree.h"

#define BENCH_SETS 64

struct bench {
	struct link link;
	bool open;
	int64_t now;
	struct instruction_table table;
	struct sim *sim;
	struct bus *bus;
	struct device *device;
	struct tree *tree;
	int model;
	void (*after_set)(void *user); /* called when the BMS was told to set something */
	void *user;
	unsigned long requests;    /* frames that the BMS has received */
	unsigned long interrupted; /* requests between a SET and its reading back */
	unsigned sets;             /* of those since bench_forget(), the ones that set something */
	char last[FRAME_PAYLOAD_MAX + 1];            /* request */
	char set[BENCH_SETS][FRAME_PAYLOAD_MAX + 1]; /* their payloads */
};

/* @config as for "sim:"; its faults begin when the BMS is known. Ends the program on failure. */
void bench_start(struct bench *bench, const struct sim_config *config, bool unlock);
void bench_stop(struct bench *bench);

/* Lets time go on until *@left is 0, or nothing is due any more, or @duration is over. */
void bench_run(struct bench *bench, int64_t duration, const unsigned *left);

void bench_forget(struct bench *bench);

/* What the BMS holds; NaN if it has no such number. */
double bench_holds(struct bench *bench, const char *mnemonic);

/* The number of @row, asked for now. Returns 0 or -errno. */
int bench_read(struct bench *bench, unsigned row, struct sample *sample);

#endif

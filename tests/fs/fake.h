/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A device and a tree made of nothing, in place of the real ones: a handful of files, each made of
 * one row whose text the test sets, with a clock that moves when the test says so.
 */
#ifndef BMSFS_TEST_FAKE_H
#define BMSFS_TEST_FAKE_H

#include "tree/forest.h"

#define FAKE_ROWS   4
#define FAKE_TTL    NSEC_PER_SEC
#define FAKE_LENGTH 10000 /* of the long text */

struct bus {
	int64_t now;
};

struct device {
	struct bus bus;
	struct device_config config;
	struct instruction_table table;
	struct instruction row[FAKE_ROWS];
	struct shape shape;
	int model;
	struct tree *tree;
	const struct device_observer *observer;
	void *user;

	char value[FAKE_ROWS][64]; /* what the BMS would say */
	int error[FAKE_ROWS];
	char sample[FAKE_ROWS][64]; /* what it said last */
	int failure[FAKE_ROWS];
	int64_t asked[FAKE_ROWS];
	int64_t tried[FAKE_ROWS]; /* asked for, with or without success */

	bool hold; /* nothing is answered */
	bool sent; /* writes cannot be taken back */
	int write_error;
	unsigned queries, writes; /* in all */
	unsigned waiting;         /* now */
	TAILQ_HEAD(, device_query) query;
	TAILQ_HEAD(, device_write) write;
};

struct tree {
	struct device *device;
	const struct last_error *last_error;
	bool gone;     /* the file GONE */
	uint32_t shot; /* size of the last rendering of shot */
};

void fake_init(struct device *device, struct tree *tree);

/* Answers what waits. */
void fake_run(struct device *device);

/* Somebody else's sample of @row. */
void fake_sample(struct device *device, unsigned row, int64_t asked);

#endif

/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A real mount that serves a fake device. The test process is the server; the client is a child that
 * works on files and, through a socket, on the device: it holds answers back, sets values, moves
 * the clock, and waits until the server has so many requests parked.
 */
#ifndef BMSFS_TEST_STAGE_H
#define BMSFS_TEST_STAGE_H

#include "fs/session.h"

#include <sys/types.h>

#include "fake.h"
#include "fs/mount.h"
#include "nsec.h"
#include "test.h"

#define LIMIT 30 /* seconds, for any test: only a fault comes near it */

enum { ROW_SOC, ROW_CMAX, ROW_LONG, ROW_ERRL };

enum wish {
	SET_VALUE, /* of row .number, to .text */
	SET_ERROR, /* of row .row, to .number */
	SET_HOLD,
	SET_SENT,
	SET_WRITE_ERROR,
	SET_GONE,           /* and tell that the tree has changed */
	SAMPLE,             /* row .row, asked for .number seconds ago */
	LOSE,               /* row .row, which fails with .number from now on */
	FORGET,             /* row .row */
	MOVE_CLOCK,         /* by .number ns */
	SET_WALL,           /* the wall clock, .number seconds later than it was */
	SET_WALL_UNNOTICED, /* ... and the loop has not been told yet */
	AWAIT_PARKED,       /* until .number requests wait */
	AWAIT_WAITER,       /* until .number descriptors wait for a change */
	GET_PARKED,
	GET_QUERIES,
	GET_WAITERS,
	GET_ARMED,
	GET_WAKE,   /* ns until fs_wake() */
	GET_LOGGED, /* whether a line of the log contains .text; forgets the log */
	AWAIT_LOGGED,
	GET_EXPLAINED, /* whether the last sentence about a failure is .text */
	GET_WRITES,    /* write jobs so far */
	STOP,
};

struct message {
	enum wish wish;
	unsigned row;
	int64_t number;
	char text[160];
};

extern struct stage {
	char place[64];
	struct mount_id id;
	struct fs *fs;
	struct device device;
	struct tree tree;
	struct forest *forest;
	int64_t wall_offset; /* the wall clock less that of the device */
	char log[65536];
	size_t logged;
} stage;

int setup(void **state);
int setup_debug(void **state);
int setup_read_only(void **state);

/* What every test ends with: unmounted, the server learns that it is over. */
int teardown(void **state);

/* Whether a mount can be made here; if not, it is said why. */
bool stage_is_possible(void);

/* Runs @client, in a child, against the mount. It returns 0, or the line where it failed. */
void play(int (*client)(int server));

#define MOUNTED(test)         cmocka_unit_test_setup_teardown(test, setup, teardown)
#define MOUNTED_AS(test, how) cmocka_unit_test_setup_teardown(test, how, teardown)

/* The client's side. */

#define CHECK(condition)                 \
	do {                             \
		if (!(condition))        \
			return __LINE__; \
	} while (0)

int64_t tell(int server, struct message message);

#define TELL(...) tell(server, (struct message){ __VA_ARGS__ })

/* Whether reading at @offset gives exactly @expected. */
bool reads(int fd, off_t offset, const char *expected);

/* Runs @work in a further process; its exit status is what work() returns. */
pid_t begin(int (*work)(int fd), int fd);
int end(pid_t pid); /* the exit status; -1: killed */

/* SIGUSR1 interrupts system calls and does nothing else. */
void interruptible(void);

#endif

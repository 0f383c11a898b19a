/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The process that serves: one thread, one loop, no rights. */
#ifndef BMSFS_SERVER_H
#define BMSFS_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "confine.h"
#include "fs/fs.h"
#include "link/link.h"
#include "options.h"
#include "protocol/instruction.h"

/* What was made ready before the mount. All of it stays the caller's. */
struct service {
	const struct options *options;
	const struct confine_user *user;
	const struct instruction_table *table;
	struct link *link;
	const char *mountpoint; /* absolute */
	const uint8_t *address; /* of each BMS on the line */
	unsigned addresses;
	bool address_is_given; /* by an option or by what the model is: no other is looked for */
	int model;
	int claim;    /* of mount_claim(), until the mount is there */
	int ready_fd; /* a byte goes there once the mount answers; -1: nobody waits for it */
	int lifeline; /* a byte comes from there once the mount is gone; closed: the supervisor is */
};

/*
 * Serves until the file system is unmounted, the supervisor is gone or a signal asks to end; the
 * supervisor must have blocked the signals. Returns the exit status. Takes over both descriptors.
 */
int server_run(struct fs *fs, const struct service *service);

#endif

/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* "bmsfs --probe": who answers, on which port, at which rate and address. Sends *IDN? alone. */
#ifndef BMSFS_PROBE_H
#define BMSFS_PROBE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "protocol/instruction.h"

struct probe_options {
	const char *device; /* as for link_new(); NULL: all serial ports on USB */
	const char *dev;    /* where ports are looked for: "/dev" */
	int64_t timeout;    /* ns that an answer may take */
	bool progress;      /* tell on stderr, a terminal, what is being asked */

	/* Waits for @fd or for @ns, whichever is first; probe_wait() but for tests. */
	void (*wait)(struct pollfd *fd, int64_t ns);
};

/*
 * Prints each BMS that answers to @out, with the line that mounts it, and what hindered or may have
 * to the log. Returns how many there are, -ENOMEM, or -EIO if @out does not take it.
 */
int probe_run(FILE *out, const struct instruction_table *table,
	      const struct probe_options *options);

void probe_wait(struct pollfd *fd, int64_t ns);

#endif

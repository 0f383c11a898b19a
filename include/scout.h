/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Asks the factory addresses of all models which BMS is there, once, when the default address does
 * not answer. The mount keeps its address: only the user knows which BMS is meant.
 */
#ifndef BMSFS_SCOUT_H
#define BMSFS_SCOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/bus.h"

struct scout;

/* Starts to ask; @silent is the address that does not answer. @bus and @table stay the caller's. -ENOMEM. */
int scout_start(struct scout **scout, struct bus *bus, const struct instruction_table *table,
		uint8_t silent);

/*
 * Whether one has answered, or all were silent. peer_last_error() names the one that has, now and
 * whenever the address is silent again.
 */
bool scout_run(struct scout *scout);

/* After bus_free(), which ends what is still asked. */
void scout_free(struct scout *scout);

#endif

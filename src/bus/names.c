// SPDX-License-Identifier: LGPL-3.0-or-later
/* The words in which files and documents speak of the bus. */
#include "bus/bus.h"

const char *const bus_counter_name[BUS_COUNTERS] = {
	[BUS_REQUESTS] = "requests",     [BUS_REPLIES] = "replies",
	[BUS_REFUSALS] = "refusals",     [BUS_TIMEOUTS] = "timeouts",
	[BUS_LATE] = "late_replies",     [BUS_BROKEN] = "broken_frames",
	[BUS_UNFIT] = "unfit_frames",    [BUS_FOREIGN] = "foreign_requests",
	[BUS_FENCES] = "fences",         [BUS_OPENS] = "opens",
	[BUS_BYTES_SENT] = "bytes_sent", [BUS_BYTES_RECEIVED] = "bytes_received",
};

const char *const bus_state_name[] = {
	[BUS_CLOSED] = "closed", [BUS_ABSENT] = "absent", [BUS_OPENING] = "opening",
	[BUS_SILENT] = "silent", [BUS_ONLINE] = "online",
};

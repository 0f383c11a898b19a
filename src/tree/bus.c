// SPDX-License-Identifier: LGPL-3.0-or-later
/* bus/: the line itself, as this program sees it. Nothing here asks the BMS anything. */
#include <errno.h>

#include "bus/bus.h"
#include "protocol/value.h"
#include "tree/node.h"

const char *const bus_counter_help[BUS_COUNTERS] = {
	[BUS_REQUESTS] = "Requests sent, those that clear doubts included.",
	[BUS_REPLIES] = "Replies that were whole and fitted their request.",
	[BUS_REFUSALS] = "Replies by which the BMS refused.",
	[BUS_TIMEOUTS] = "Requests without a reply in time.",
	[BUS_LATE] = "Replies that came after their time.",
	[BUS_BROKEN] = "Frames with a wrong checksum or end.",
	[BUS_UNFIT] = "Frames that fitted no request, or came too many.",
	[BUS_FOREIGN] = "Requests of another master.",
	[BUS_FENCES] = "Doubts about which reply is whose, cleared by asking who is there.",
	[BUS_OPENS] = "How often the line was opened.",
	[BUS_BYTES_SENT] = "Bytes sent.",
	[BUS_BYTES_RECEIVED] = "Bytes received.",
};

const char *tree_link_state(const struct tree *tree, const struct freshness *fresh,
			    const char *unanswered)
{
	enum bus_state state = device_state(tree->device);

	return state == BUS_ONLINE && device_online(tree->device, fresh) ? unanswered
									 : bus_state_name[state];
}

/*
 * This file asks the BMS nothing, so it looks at the oldest call that may still wait for its answer:
 * while anything reads the BMS, the state does not leave "online" between two samples.
 */
static int print_state(const struct view *view, struct text *text)
{
	const struct device *device = view->tree->device;
	const struct freshness fresh = {
		.call = bus_now(device_bus(device)) - device_config(device)->deadline,
	};
	int ret = text_add(text, tree_link_state(view->tree, &fresh, "idle"));

	if (!ret && bus_shared(device_bus(device)))
		ret = text_add(text, " shared");
	if (!ret && device_state(device) == BUS_ONLINE && !device_identified(device))
		ret = text_add(text, " unidentified");
	return ret ? ret : text_add(text, "\n");
}

static int print_baud(const struct view *view, struct text *text)
{
	uint32_t baud = bus_baud(device_bus(view->tree->device));

	if (!baud)
		return -ENODATA;
	return text_end_line(text, value_format_int(text_end(text), text_room(text), baud));
}

static int print_counter(struct text *text, const char *name, uint64_t count)
{
	int ret = text_add(text, name);

	if (!ret)
		ret = text_add(text, " ");
	if (ret)
		return ret;
	return text_end_line(text,
			     value_format_int(text_end(text), text_room(text), (int64_t)count));
}

static int print_counters(const struct view *view, struct text *text)
{
	const uint64_t *counters = bus_counters(device_bus(view->tree->device));
	int ret = 0;

	for (unsigned i = 0; !ret && i < BUS_COUNTERS; i++)
		ret = print_counter(text, bus_counter_name[i], counters[i]);
	return ret;
}

static int print_last_error(const struct view *view, struct text *text)
{
	const struct last_error *last = view->tree->last_error;
	char line[LAST_ERROR_TEXT] = "";
	int err;

	if (last)
		last_error_print(last, bus_now(device_bus(view->tree->device)), line);
	err = text_add(text, line);
	return err || !*line ? err : text_add(text, "\n");
}

static uint32_t last_error_revision(const struct tree *tree)
{
	return tree->last_error ? tree->last_error->changes + 1 : 1;
}

static const struct node nodes[] = {
	{
		.name = "state",
		.type = NODE_PRINT,
		.title = "state",
		.description =
			"How the line is: closed (nobody has asked), absent (it could not be "
			"opened), opening (nobody has had the time to answer), silent (nobody "
			"answers), online (the BMS answered a request no older than ttl and the "
			"deadline) or idle (it answered, and nothing has read it since: read "
			"pack/online to know); then \"shared\" if another master has been heard in "
			"the last minute, and \"unidentified\" if the BMS answers but never says "
			"who it is.",
		.print = print_state,
	},
	{
		.name = "baud",
		.type = NODE_PRINT,
		.title = "baud rate",
		.description =
			"The rate that the adapter took; ENODATA while the line is not open, and "
			"where there is no rate.",
		.unit = "baud",
		.print = print_baud,
	},
	{
		.name = "counters",
		.type = NODE_PRINT,
		.title = "counters",
		.description = "What has happened on the line since the mount, one name and number "
			       "a line.",
		.print = print_counters,
	},
	{
		.name = "last_error",
		.type = NODE_PRINT,
		.title = "last error",
		.description =
			"The last failure of a call in this mount, or of the line: one sentence "
			"with the file, the problem, the remedy and the age. \"succeeded since\" "
			"follows once the same call has succeeded on the same file. Empty if "
			"nothing has failed since the mount.",
		.print = print_last_error,
		.revision = last_error_revision,
	},
	{
		.name = "trace",
		.type = NODE_LONG,
		.title = "trace",
		.description =
			"What went over the line last: 256 requests and all that came after each "
			"of them, a line for each frame, the newest at the end. It can be read "
			"whether or not there is a line. Made when the file is opened.",
		.always = true,
		.print = print_trace,
	},
};

const struct dir bus_dir = {
	.parent = DIR_ROOT,
	.category = "bus",
	.node = nodes,
	.nodes = sizeof(nodes) / sizeof(nodes[0]),
};

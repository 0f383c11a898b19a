// SPDX-License-Identifier: LGPL-3.0-or-later
#include "mqtt/mount.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "client/snapshot.h"
#include "mqtt/catalogue.h"
#include "mqtt/watch.h"

struct mount {
	const char *place;
	struct watch watch;
	json_t *catalogue; /* of the last reading of an online BMS */
};

json_t *mount_read(bool again)
{
	return json_pack("{s:{s:b}}", "read", "again", again);
}

/* The text is a number by then, see setting_check(). */
json_t *mount_set(const struct setting_wish *wish)
{
	return json_pack("{s:{s:s, s:s, s:I}}", "set", "name", wish->name, "text", wish->text,
			 "came_ms", (json_int_t)wish->came_ms);
}

json_t *mount_rest(void)
{
	return json_pack("{s:b}", "rest", true);
}

/* --- in the agent --- */

static void describe(struct mount *mount, const json_t *snapshot, bool again)
{
	json_t *made =
		catalogue_make(snapshot, mount->catalogue, again, watch_describe, &mount->watch);

	json_decref(mount->catalogue);
	mount->catalogue = made;
}

/* The watch comes first, so that no change is missed. */
static json_t *read_mount(struct mount *mount, const json_t *request)
{
	char reason[256];
	json_t *snapshot;

	watch_arm(&mount->watch);
	snapshot = snapshot_read(mount->place, reason, sizeof(reason));
	if (!snapshot) {
		watch_close(&mount->watch);
		return json_pack("{s:o}", "reason", channel_text(reason));
	}
	if (!strcmp(snapshot_link(snapshot), "online"))
		describe(mount, snapshot, json_is_true(json_object_get(request, "again")));
	return json_pack("{s:o, s:O?}", "snapshot", snapshot, "catalogue", mount->catalogue);
}

static json_t *set(const struct mount *mount, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "name"));
	const char *text = json_string_value(json_object_get(request, "text"));
	struct setting_wish wish = {
		.came_ms = json_integer_value(json_object_get(request, "came_ms")),
	};
	char reason[512] = "";
	int err;

	snprintf(wish.name, sizeof(wish.name), "%s", name ? name : "");
	snprintf(wish.text, sizeof(wish.text), "%s", text ? text : "");
	wish.length = strlen(wish.text);
	err = setting_write(mount->place, &wish, reason, sizeof(reason));
	return json_pack("{s:i, s:o}", "error", err, "reason", channel_text(reason));
}

static int answer(struct mount *mount, struct channel *channel, const json_t *request)
{
	const json_t *details;

	details = json_object_get(request, "read");
	if (details)
		return channel_send(channel, read_mount(mount, details));
	details = json_object_get(request, "set");
	if (details)
		return channel_send(channel, set(mount, details));
	watch_close(&mount->watch);
	return 0;
}

static int answer_all(struct mount *mount, struct channel *channel)
{
	json_t *request;
	int err = 0, taken = 0;

	while (!err && (taken = channel_take(channel, &request)) > 0) {
		err = answer(mount, channel, request);
		json_decref(request);
	}
	return err ? err : taken;
}

static int report_change(struct mount *mount, struct channel *channel)
{
	watch_close(&mount->watch);
	return channel_send(channel, json_pack("{s:b}", "changed", true));
}

static void serve(struct channel *channel, void *user)
{
	struct mount mount = { .place = user };
	struct pollfd fds[1 + WATCH_FILES] = { { channel->fd, POLLIN, 0 } };
	int err = 0;

	watch_init(&mount.watch, mount.place);
	while (!err) {
		nfds_t count = 1 + watch_fds(&mount.watch, fds + 1);
		bool changed = false;

		if (poll(fds, count, -1) < 0)
			return;
		for (nfds_t i = 1; i < count; i++)
			changed |= fds[i].revents != 0;
		if (changed)
			err = report_change(&mount, channel);
		if (!err && fds[0].revents)
			err = answer_all(&mount, channel);
	}
}

int mount_start(struct agent *agent, const char *place)
{
	return agent_start(agent, serve, (void *)place);
}

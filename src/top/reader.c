// SPDX-License-Identifier: LGPL-3.0-or-later
#include "top/reader.h"

#include <poll.h>
#include <stdio.h>

#include "client/snapshot.h"

#define REASON_SIZE 512

static json_t *read_mount(const char *mount)
{
	char reason[REASON_SIZE];
	json_t *snapshot = snapshot_read(mount, reason, sizeof(reason));

	return snapshot ? json_pack("{s:o}", "snapshot", snapshot)
			: json_pack("{s:o}", "reason", channel_text(reason));
}

/* In the agent. Each request is for a snapshot. */
static void serve(struct channel *channel, void *user)
{
	const struct reader *reader = user;
	struct pollfd wait = { channel->fd, POLLIN, 0 };
	json_t *request;
	int taken = 0;

	while (taken >= 0 && poll(&wait, 1, -1) >= 0) {
		while ((taken = channel_take(channel, &request)) > 0) {
			json_decref(request);
			if (channel_send(channel, read_mount(reader->mount)))
				return;
		}
	}
}

int reader_ask(struct reader *reader)
{
	int err = reader->agent.process ? 0 : agent_start(&reader->agent, serve, reader);

	if (!err)
		err = channel_send(&reader->agent.channel, json_object());
	reader->waiting = !err;
	return err;
}

int reader_fd(const struct reader *reader)
{
	return reader->agent.process ? reader->agent.channel.fd : -1;
}

json_t *reader_take(struct reader *reader, char *reason, size_t size)
{
	const char *problem;
	json_t *answer, *snapshot;
	int taken = channel_take(&reader->agent.channel, &answer);

	if (!taken)
		return NULL;
	reader->waiting = false;
	if (taken < 0) {
		snprintf(reason, size, "the reading process has ended");
		reader_stop(reader);
		return NULL;
	}
	snapshot = json_incref(json_object_get(answer, "snapshot"));
	problem = json_string_value(json_object_get(answer, "reason"));
	snprintf(reason, size, "%s", problem ? problem : "");
	json_decref(answer);
	return snapshot;
}

void reader_stop(struct reader *reader)
{
	agent_stop(&reader->agent);
	reader->waiting = false;
}

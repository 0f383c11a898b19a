// SPDX-License-Identifier: LGPL-3.0-or-later
#include "client/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOP_LIMIT_MS 900 /* a program ends within 2 s, whatever the mount and a broker do */
#define CHUNK         65536
#define MESSAGE_MAX   (16 << 20)
#define TEXT_MAX      1024

static int send_all(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t sent = send(fd, text, size, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -errno;
		text += sent;
		size -= (size_t)sent;
	}
	return 0;
}

/* 17 digits are what a double needs to stay the same. */
int channel_send(struct channel *channel, json_t *message)
{
	char *text = json_dumps(message, JSON_COMPACT | JSON_REAL_PRECISION(17));
	int err = text ? send_all(channel->fd, text, strlen(text)) : -ENOMEM;

	if (!err)
		err = send_all(channel->fd, "\n", 1);
	free(text);
	json_decref(message);
	return err;
}

/* JSON has no newline in a string, and a compact text none between. */
static json_t *take_line(struct channel *channel)
{
	const char *end = memchr(channel->text, '\n', channel->used);
	size_t length = end ? (size_t)(end - channel->text) : 0;
	json_t *message;

	if (!end)
		return NULL;
	message = json_loadb(channel->text, length, 0, NULL);
	channel->used -= length + 1;
	memmove(channel->text, end + 1, channel->used);
	return message ? message : json_object();
}

static int make_room(struct channel *channel)
{
	char *text;

	if (channel->size - channel->used >= CHUNK)
		return 0;
	if (channel->used > MESSAGE_MAX)
		return -EMSGSIZE;
	text = realloc(channel->text, channel->size * 2 + CHUNK);
	if (!text)
		return -ENOMEM;
	channel->text = text;
	channel->size = channel->size * 2 + CHUNK;
	return 0;
}

int channel_take(struct channel *channel, json_t **message)
{
	for (;;) {
		ssize_t length;
		int err = make_room(channel);

		if (err)
			return err;
		*message = take_line(channel);
		if (*message)
			return 1;
		length = recv(channel->fd, channel->text + channel->used,
			      channel->size - channel->used, MSG_DONTWAIT);
		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (!length)
			return -EPIPE;
		channel->used += (size_t)length;
	}
}

json_t *channel_text(const char *text)
{
	json_t *whole = json_string(text);
	char ascii[TEXT_MAX];
	size_t length = 0;

	if (whole)
		return whole;
	for (; text[length] && length < sizeof(ascii); length++)
		ascii[length] = (unsigned char)text[length] < 0x80 ? text[length] : '?';
	return json_stringn(ascii, length);
}

static void channel_close(struct channel *channel)
{
	close(channel->fd);
	free(channel->text);
	*channel = (struct channel){ .fd = -1 };
}

/*
 * The standard files are let go: a terminal or a pipe would otherwise wait for an agent that the mount
 * holds.
 */
static void settle(void)
{
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		dup2(nothing, fd);
	close(nothing);
}

int agent_start(struct agent *agent, agent_run *run, void *user)
{
	int ends[2], err;

	*agent = (struct agent){ .channel.fd = -1 };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	agent->process = fork();
	if (agent->process < 0) {
		err = -errno;
		close(ends[0]);
		close(ends[1]);
		agent->process = 0;
		return err;
	}
	if (!agent->process) {
		struct channel channel = { .fd = ends[1] };

		close(ends[0]);
		settle();
		run(&channel, user);
		_exit(EXIT_SUCCESS);
	}
	close(ends[1]);
	agent->channel.fd = ends[0];
	return 0;
}

void agent_kill(const struct agent *agent)
{
	if (agent->process)
		kill(agent->process, SIGKILL);
}

void agent_stop(struct agent *agent)
{
	struct pollfd ended = { agent->channel.fd, 0, 0 };

	if (!agent->process)
		return;
	agent_kill(agent);
	/* Its side of the channel is closed late in its end. */
	if (poll(&ended, 1, STOP_LIMIT_MS) > 0)
		waitpid(agent->process, NULL, 0);
	channel_close(&agent->channel);
	agent->process = 0;
}

static bool is_at_or_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	return !strncmp(path, directory, length) && (!path[length] || path[length] == '/');
}

/* Whether the innermost mount that @path is in is one of bmsfs. */
static bool is_in_mount(const char *path)
{
	FILE *table = setmntent("/proc/self/mounts", "re");
	const struct mntent *entry;
	size_t innermost = 0;
	bool found = false;

	while (table && (entry = getmntent(table))) {
		size_t length = strlen(entry->mnt_dir);

		if (length < innermost || !is_at_or_below(path, entry->mnt_dir))
			continue;
		innermost = length;
		found = !strcmp(entry->mnt_type, "fuse.bmsfs");
	}
	if (table)
		endmntent(table);
	return found;
}

char *agent_leave_mount(const char *path)
{
	char directory[PATH_MAX], *absolute;

	if (!getcwd(directory, sizeof(directory)) || !is_in_mount(directory) || chdir("/") < 0 ||
	    *path == '/')
		return strdup(path);
	if (!strcmp(path, "."))
		return strdup(directory);
	return asprintf(&absolute, "%s/%s", directory, path) < 0 ? NULL : absolute;
}

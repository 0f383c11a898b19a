// SPDX-License-Identifier: LGPL-3.0-or-later
/* bmsfs-mqtt: publishes what a mount shows, and lets settings be set if it is told to. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"
#include "client/snapshot.h"
#include "descriptors.h"
#include "mqtt/broker.h"
#include "mqtt/clock.h"
#include "mqtt/config.h"
#include "mqtt/discovery.h"
#include "mqtt/mount.h"
#include "mqtt/say.h"
#include "mqtt/setting.h"
#include "mqtt/state.h"

#define CONFIG_FILE BMSFS_CONFIG_DIRECTORY "-mqtt.conf" /* "/etc/bmsfs-mqtt.conf" */
#define EXIT_USAGE  2
#define MSEC        1000

enum { FD_SIGNALS, FD_BROKER, FD_MOUNTS, FD_AGENT, FDS };

struct bridge {
	struct mqtt_config config;
	const char *name; /* of the mount, as it was given */
	char *mount;
	struct broker *broker;
	struct agent agent;
	int signals, mounts;
	int err;                               /* -errno: the program ends */
	json_t *catalogue, *discovery, *state; /* as they were published last */
	bool connected;                        /* to the broker */
	bool mounted;                          /* a bmsfs answered */
	bool online;                           /* and its BMS */
	bool again;                            /* all is to be published, changed or not */
	bool changed;
	int64_t next, due; /* ms: not before, and not later than */
};

void say(const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	utf8_clean(line);
	dprintf(STDERR_FILENO, "bmsfs-mqtt: %s\n", line);
}

static void replace(json_t **old, json_t *made)
{
	json_decref(*old);
	*old = made;
}

/* --- the agent, and a mount that hangs --- */

static const char *reason_of(const json_t *answer)
{
	const char *reason = json_string_value(json_object_get(answer, "reason"));

	return reason ? reason : "";
}

/* Takes the messages that are there. Returns the answer among them, or NULL. */
static json_t *take_messages(struct bridge *bridge)
{
	json_t *message, *answer = NULL;
	int ret;

	while ((ret = channel_take(&bridge->agent.channel, &message)) > 0) {
		if (json_object_get(message, "changed")) {
			bridge->changed = true;
			json_decref(message);
		} else {
			replace(&answer, message);
		}
	}
	if (ret < 0) {
		say("the process that works on %s has ended", bridge->name);
		bridge->err = ret;
	}
	return answer;
}

/*
 * Sends the agent @request and waits for its answer, which is the caller's. NULL if the program has to
 * end first: a signal came, the mount has not answered for too long, or the agent has ended.
 */
static json_t *ask(struct bridge *bridge, json_t *request)
{
	struct pollfd fds[] = {
		{ bridge->signals, POLLIN, 0 },
		{ bridge->agent.channel.fd, POLLIN, 0 },
	};
	int64_t until = clock_now_ms() + bridge->config.patience * MSEC, left;
	json_t *answer = NULL;

	bridge->err = channel_send(&bridge->agent.channel, request);
	while (!bridge->err && !answer) {
		left = until - clock_now_ms();
		if (left <= 0) {
			say("%s has not answered for %d s", bridge->name, bridge->config.patience);
			bridge->err = -ETIMEDOUT;
		} else if (poll(fds, 2, (int)left) < 0) {
			bridge->err = -errno;
		} else if (fds[0].revents) {
			return NULL;
		} else if (fds[1].revents) {
			answer = take_messages(bridge);
		}
	}
	return answer;
}

/* The agent closes its files. */
static void rest(struct bridge *bridge)
{
	bridge->err = channel_send(&bridge->agent.channel, mount_rest());
}

/* --- from the mount to the broker --- */

static void publish_discovery(struct bridge *bridge, const json_t *snapshot, bool *published)
{
	json_t *made =
		discovery_make(&bridge->config, bridge->catalogue, snapshot, bridge->discovery);

	*published = bridge->again || !json_equal(made, bridge->discovery);
	if (*published)
		broker_publish_json(bridge->broker, TOPIC_DISCOVERY, made);
	replace(&bridge->discovery, made);
}

static void publish_state(struct bridge *bridge, const json_t *snapshot)
{
	json_t *made = state_make(bridge->catalogue, snapshot);

	if (bridge->again || !bridge->online || clock_now_ms() >= bridge->due ||
	    !json_equal(made, bridge->state))
		broker_publish_json(bridge->broker, TOPIC_STATE, made);
	replace(&bridge->state, made);
}

static void publish_values(struct bridge *bridge, const json_t *snapshot, bool *discovered)
{
	if (*bridge->config.discovery)
		publish_discovery(bridge, snapshot, discovered);
	publish_state(bridge, snapshot);
}

static void publish_link(struct bridge *bridge, bool online)
{
	if (bridge->again || online != bridge->online)
		broker_publish(bridge->broker, TOPIC_LINK, online ? "online" : "offline");
	bridge->online = online;
}

/* Returns the snapshot in @answer, or NULL. */
static const json_t *take_reading(struct bridge *bridge, const json_t *answer)
{
	const json_t *snapshot = json_object_get(answer, "snapshot");

	if (!snapshot && (bridge->mounted || bridge->again))
		say("%s", reason_of(answer));
	if (snapshot && !bridge->mounted)
		say("publishing %s", bridge->name);
	bridge->mounted = snapshot != NULL;
	replace(&bridge->catalogue, json_incref(json_object_get(answer, "catalogue")));
	return snapshot;
}

/*
 * Home Assistant may only after a discovery listen to the state, so that it soon gets another one.
 * The daemon is available once all else is told.
 */
static void update(struct bridge *bridge)
{
	bool discovered = false, online;
	const json_t *snapshot;
	json_t *answer;

	bridge->changed = false;
	answer = ask(bridge, mount_read(!bridge->online));
	if (!answer)
		return;
	snapshot = take_reading(bridge, answer);
	online = snapshot && !strcmp(snapshot_link(snapshot), "online");
	if (online)
		publish_values(bridge, snapshot, &discovered);
	publish_link(bridge, online);
	if (bridge->again)
		broker_publish(bridge->broker, TOPIC_DAEMON, "online");
	json_decref(answer);
	bridge->again = false;
	bridge->next = clock_now_ms() + bridge->config.interval * MSEC;
	bridge->due = clock_now_ms() + (discovered ? MSEC : bridge->config.expire_after * MSEC / 3);
}

/* --- from the broker to the mount --- */

static int write_setting(struct bridge *bridge, const struct setting_wish *wish, char *reason,
			 size_t size)
{
	json_t *answer = ask(bridge, mount_set(wish));
	int error = answer ? (int)json_integer_value(json_object_get(answer, "error")) : -EINTR;

	if (!answer)
		snprintf(reason, size,
			 "bmsfs-mqtt ends and the mount has not answered; %s may be "
			 "set or not",
			 wish->name);
	else
		snprintf(reason, size, "%s", reason_of(answer));
	json_decref(answer);
	return error;
}

static void grant(struct bridge *bridge, const struct setting_wish *wish)
{
	char reason[512] = "";
	json_t *result;
	int error = setting_check(wish, bridge->catalogue, bridge->config.allow_write, reason,
				  sizeof(reason));

	if (!error)
		error = write_setting(bridge, wish, reason, sizeof(reason));
	say("set %s: %s", wish->name, error ? reason : wish->text);
	result = setting_result(wish, error, reason);
	broker_publish_result(bridge->broker, wish->name, result);
	json_decref(result);
	if (!error)
		bridge->changed = true;
	if (!error)
		bridge->next = 0;
}

/* What has gone since then is told to be removed, with the next discovery. */
static void remember(struct bridge *bridge, json_t *told)
{
	json_t *components = json_object_get(told, "components");

	if (!bridge->discovery)
		bridge->discovery = json_pack("{s:O*}", "components", components);
	else
		json_object_update_missing(json_object_get(bridge->discovery, "components"),
					   components);
	json_decref(told);
	bridge->changed = true;
}

/*
 * One event at a time, with the mount looked at in between: wishes that each wait for the BMS must not
 * keep its silence from being told.
 */
static void handle_next(struct bridge *bridge)
{
	struct broker_event event;

	if (!broker_next(bridge->broker, &event))
		return;
	switch (event.type) {
	case BROKER_CONNECTED:
	case BROKER_BIRTH:
		bridge->connected = bridge->again = true;
		break;
	case BROKER_LOST:
		bridge->connected = false;
		rest(bridge);
		break;
	case BROKER_TOLD:
		remember(bridge, event.told);
		break;
	case BROKER_WISH:
		grant(bridge, &event.wish);
		break;
	case BROKER_REFUSED:
		break;
	case BROKER_FAILED:
		bridge->err = -EPROTO;
		break;
	}
}

/* --- the loop --- */

/* Nobody reads the mount while nobody hears of it, and one change is enough for a message. */
static int time_to_wait(const struct bridge *bridge)
{
	int64_t now = clock_now_ms(), until = bridge->changed ? bridge->next : bridge->due;

	if (!bridge->connected)
		return -1;
	return until > now ? (int)(until - now) : 0;
}

static void fill(const struct bridge *bridge, struct pollfd fds[FDS])
{
	bool wait_for_mount = bridge->connected && !bridge->mounted;

	fds[FD_SIGNALS] = (struct pollfd){ .fd = bridge->signals, .events = POLLIN };
	fds[FD_BROKER] = (struct pollfd){ .fd = broker_fd(bridge->broker), .events = POLLIN };
	fds[FD_MOUNTS] = (struct pollfd){
		.fd = wait_for_mount ? bridge->mounts : -1,
		.events = POLLPRI,
	};
	fds[FD_AGENT] = (struct pollfd){ .fd = bridge->agent.channel.fd, .events = POLLIN };
}

static bool is_time(const struct bridge *bridge)
{
	int64_t now = clock_now_ms();

	if (!bridge->connected)
		return false;
	return bridge->again || now >= bridge->due || (bridge->changed && now >= bridge->next);
}

static int run(struct bridge *bridge)
{
	struct pollfd fds[FDS];

	while (!bridge->err) {
		fill(bridge, fds);
		if (poll(fds, FDS, time_to_wait(bridge)) < 0)
			return -errno;
		if (fds[FD_SIGNALS].revents)
			return 0;
		bridge->changed |= fds[FD_MOUNTS].revents != 0;
		if (fds[FD_AGENT].revents)
			json_decref(take_messages(bridge));
		if (!bridge->err)
			handle_next(bridge);
		if (!bridge->err && is_time(bridge))
			update(bridge);
	}
	return bridge->err;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	/* For all threads, that are still to come. */
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int serve(struct bridge *bridge)
{
	int ret;

	bridge->signals = open_signals();
	ret = bridge->signals < 0 ? -errno : 0;
	bridge->mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	bridge->mount = agent_leave_mount(bridge->name);
	if (!ret)
		ret = bridge->mount ? mount_start(&bridge->agent, bridge->mount) : -ENOMEM;
	if (ret)
		say("cannot start: %s", strerror(-ret));
	else
		ret = broker_open(&bridge->broker, &bridge->config);
	if (ret)
		goto out_stop;
	ret = run(bridge);
	/* The agent ends while the broker is told. */
	agent_kill(&bridge->agent);
	if (!broker_close(bridge->broker))
		_exit(ret ? EXIT_FAILURE : EXIT_SUCCESS);
out_stop:
	agent_stop(&bridge->agent);
	json_decref(bridge->catalogue);
	json_decref(bridge->discovery);
	json_decref(bridge->state);
	free(bridge->mount);
	return ret;
}

/* --- the command line --- */

static void print_help(void)
{
	puts("usage: bmsfs-mqtt [OPTION...] MOUNTPOINT\n"
	     "Publish a battery that bmsfs has mounted to an MQTT broker, for Home Assistant and "
	     "others.\n"
	     "\n"
	     "  --config FILE   the broker, and the rest [" CONFIG_FILE "]\n"
	     "  --name NAME     of the battery in the topics [the last part of MOUNTPOINT]\n"
	     "  --allow-write   let settings be set\n"
	     "  --help          print this\n"
	     "  --version       print the version\n");
}

struct arguments {
	const char *file, *name;
	bool allow_write;
};

/* Returns 0, or -1 where the program ends with @status. */
static int parse(int argc, char **argv, struct arguments *arguments, int *status)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "name", required_argument, NULL, 'n' },
		{ "allow-write", no_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int option;

	*status = EXIT_SUCCESS;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			arguments->file = optarg;
			break;
		case 'n':
			arguments->name = optarg;
			break;
		case 'w':
			arguments->allow_write = true;
			break;
		case 'h':
			print_help();
			return -1;
		case 'V':
			puts("bmsfs-mqtt " BMSFS_VERSION);
			return -1;
		default:
			*status = EXIT_USAGE;
			return -1;
		}
	}
	if (argc - optind == 1)
		return 0;
	say("it takes one MOUNTPOINT; see bmsfs-mqtt --help");
	*status = EXIT_USAGE;
	return -1;
}

static int configure(struct mqtt_config *config, const struct arguments *arguments,
		     const char *mount)
{
	char reason[512];
	int ret;

	config_init(config);
	ret = config_read(config, arguments->file ? arguments->file : CONFIG_FILE, reason,
			  sizeof(reason));
	if (ret == -ENOENT && !arguments->file)
		ret = 0;
	if (!ret && arguments->name)
		ret = config_set(config, "name", arguments->name, reason, sizeof(reason));
	if (!ret)
		ret = config_finish(config, mount, reason, sizeof(reason));
	if (ret)
		say("%s", reason);
	config->allow_write |= arguments->allow_write;
	return ret;
}

int main(int argc, char **argv)
{
	struct arguments arguments = { 0 };
	struct bridge bridge = { 0 };
	int status;

	if (descriptors_fill())
		return EXIT_FAILURE;
	/* No core file, and no other program of this user, may see the password. */
	prctl(PR_SET_DUMPABLE, 0);
	if (parse(argc, argv, &arguments, &status))
		return status;
	bridge.name = argv[optind];
	if (configure(&bridge.config, &arguments, bridge.name))
		return EXIT_USAGE;
	return serve(&bridge) ? EXIT_FAILURE : EXIT_SUCCESS;
}

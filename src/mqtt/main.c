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

#include "client/snapshot.h"
#include "descriptors.h"
#include "mqtt/broker.h"
#include "mqtt/catalogue.h"
#include "mqtt/clock.h"
#include "mqtt/config.h"
#include "mqtt/discovery.h"
#include "mqtt/say.h"
#include "mqtt/setting.h"
#include "mqtt/state.h"
#include "mqtt/watch.h"

#define CONFIG_FILE "/etc/bmsfs-mqtt.conf"
#define EXIT_USAGE  2
#define MSEC        1000

enum { FD_SIGNALS, FD_BROKER, FD_MOUNTS, FD_WATCH };

struct bridge {
	struct mqtt_config config;
	const char *mount;
	struct broker *broker;
	struct watch watch;
	int signals, mounts;
	timer_t patience;
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
	dprintf(STDERR_FILENO, "bmsfs-mqtt: %s\n", line);
}

/* --- a mount that hangs --- */

/*
 * In a thread of its own, because nothing else runs: the program waits for a file, and only the end
 * of the program ends that. The broker then publishes the last will.
 */
static void give_up(union sigval value)
{
	const struct bridge *bridge = value.sival_ptr;

	say("%s has not answered for %d s", bridge->mount, bridge->config.patience);
	_exit(EXIT_FAILURE);
}

static int patience_open(struct bridge *bridge)
{
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD,
		.sigev_notify_function = give_up,
		.sigev_value.sival_ptr = bridge,
	};

	return timer_create(CLOCK_MONOTONIC, &event, &bridge->patience) < 0 ? -errno : 0;
}

/* From now on, behind a wait of @wait ms; endless if only the broker is waited for. */
static void patience_start(struct bridge *bridge, int wait)
{
	struct itimerspec time = { 0 };

	if (wait >= 0)
		time.it_value.tv_sec = wait / MSEC + 1 + bridge->config.patience;
	timer_settime(bridge->patience, 0, &time, NULL);
}

/* --- from the mount to the broker --- */

static void replace(json_t **old, json_t *made)
{
	json_decref(*old);
	*old = made;
}

static void publish_discovery(struct bridge *bridge, const json_t *snapshot, bool *published)
{
	json_t *made =
		discovery_make(&bridge->config, bridge->catalogue, snapshot, bridge->discovery);

	*published = bridge->again || !json_equal(made, bridge->discovery);
	if (*published)
		broker_publish_discovery(bridge->broker, made);
	replace(&bridge->discovery, made);
}

static void publish_state(struct bridge *bridge, const json_t *snapshot)
{
	json_t *made = state_make(bridge->catalogue, snapshot);

	if (bridge->again || !bridge->online || clock_now_ms() >= bridge->due ||
	    !json_equal(made, bridge->state))
		broker_publish_json(bridge->broker, "state", made, false);
	replace(&bridge->state, made);
}

static void publish_values(struct bridge *bridge, const json_t *snapshot, bool *discovered)
{
	replace(&bridge->catalogue, catalogue_make(snapshot, bridge->catalogue, !bridge->online,
						   watch_describe, &bridge->watch));
	if (*bridge->config.discovery)
		publish_discovery(bridge, snapshot, discovered);
	publish_state(bridge, snapshot);
}

static void publish_link(struct bridge *bridge, bool online)
{
	if (bridge->again || online != bridge->online)
		broker_publish(bridge->broker, "link", online ? "online" : "offline", true);
	bridge->online = online;
}

static json_t *read_snapshot(struct bridge *bridge)
{
	char reason[256];
	json_t *snapshot = snapshot_read(bridge->mount, reason, sizeof(reason));

	if (!snapshot && (bridge->mounted || bridge->again))
		say("%s", reason);
	if (snapshot && !bridge->mounted)
		say("publishing %s", bridge->mount);
	bridge->mounted = snapshot != NULL;
	return snapshot;
}

/*
 * Home Assistant may only after a discovery listen to the state, so that it soon gets another one.
 * The daemon is available once all else is told.
 */
static void update(struct bridge *bridge)
{
	bool discovered = false, online;
	json_t *snapshot;

	watch_arm(&bridge->watch);
	snapshot = read_snapshot(bridge);
	if (!snapshot)
		watch_close(&bridge->watch);
	online = snapshot && !strcmp(snapshot_link(snapshot), "online");
	if (online)
		publish_values(bridge, snapshot, &discovered);
	publish_link(bridge, online);
	if (bridge->again)
		broker_publish(bridge->broker, "daemon", "online", true);
	json_decref(snapshot);
	bridge->again = bridge->changed = false;
	bridge->next = clock_now_ms() + bridge->config.interval * MSEC;
	bridge->due = clock_now_ms() + (discovered ? MSEC : bridge->config.expire_after * MSEC / 3);
}

/* --- from the broker to the mount --- */

static void grant(struct bridge *bridge, const struct setting_wish *wish)
{
	char reason[512] = "", topic[8 + SETTING_NAME_MAX];
	json_t *result;
	int error = setting_check(wish, bridge->catalogue, bridge->config.allow_write, reason,
				  sizeof(reason));

	if (!error)
		error = setting_write(bridge->mount, wish, reason, sizeof(reason));
	say("set %s: %s", wish->name, error ? reason : wish->text);
	result = setting_result(wish, error, reason);
	snprintf(topic, sizeof(topic), "result/%s", wish->name);
	broker_publish_json(bridge->broker, topic, result, false);
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
 * keep its silence from being told. False ends the program.
 */
static bool handle_next(struct bridge *bridge)
{
	struct broker_event event;

	if (!broker_next(bridge->broker, &event))
		return true;
	switch (event.type) {
	case BROKER_CONNECTED:
	case BROKER_BIRTH:
		bridge->connected = bridge->again = true;
		break;
	case BROKER_LOST:
		bridge->connected = false;
		watch_close(&bridge->watch);
		break;
	case BROKER_TOLD:
		remember(bridge, event.told);
		break;
	case BROKER_WISH:
		grant(bridge, &event.wish);
		break;
	case BROKER_FAILED:
		return false;
	}
	return true;
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

static nfds_t fill(const struct bridge *bridge, struct pollfd fds[FD_WATCH + WATCH_FILES])
{
	bool wait_for_mount = bridge->connected && !bridge->mounted;

	fds[FD_SIGNALS] = (struct pollfd){ .fd = bridge->signals, .events = POLLIN };
	fds[FD_BROKER] = (struct pollfd){ .fd = broker_fd(bridge->broker), .events = POLLIN };
	fds[FD_MOUNTS] = (struct pollfd){
		.fd = wait_for_mount ? bridge->mounts : -1,
		.events = POLLPRI,
	};
	if (!bridge->connected || bridge->changed)
		return FD_WATCH;
	return FD_WATCH + watch_fds(&bridge->watch, fds + FD_WATCH);
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
	struct pollfd fds[FD_WATCH + WATCH_FILES];
	nfds_t count;
	int wait;

	for (;;) {
		count = fill(bridge, fds);
		wait = time_to_wait(bridge);
		patience_start(bridge, wait);
		if (poll(fds, count, wait) < 0)
			return -errno;
		patience_start(bridge, 0);
		if (fds[FD_SIGNALS].revents)
			return 0;
		for (nfds_t i = FD_MOUNTS; i < count; i++)
			bridge->changed |= fds[i].revents != 0;
		if (!handle_next(bridge))
			return -EPROTO;
		if (is_time(bridge))
			update(bridge);
	}
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
	bridge->mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	watch_init(&bridge->watch, bridge->mount);
	ret = bridge->signals < 0 ? -errno : patience_open(bridge);
	if (!ret)
		ret = broker_open(&bridge->broker, &bridge->config);
	if (ret)
		return ret;
	ret = run(bridge);
	watch_close(&bridge->watch);
	if (!broker_close(bridge->broker))
		_exit(ret ? EXIT_FAILURE : EXIT_SUCCESS);
	json_decref(bridge->catalogue);
	json_decref(bridge->discovery);
	json_decref(bridge->state);
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
	bridge.mount = argv[optind];
	if (configure(&bridge.config, &arguments, bridge.mount))
		return EXIT_USAGE;
	return serve(&bridge) ? EXIT_FAILURE : EXIT_SUCCESS;
}

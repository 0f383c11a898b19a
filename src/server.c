// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/signals.h"
#include "bus/bus.h"
#include "confine.h"
#include "device/device.h"
#include "log.h"
#include "notify.h"
#include "nsec.h"
#include "scout.h"
#include "server.h"
#include "tree/forest.h"

#define WAIT_FAILURES_MAX 10

struct server {
	const struct service *service;
	struct fs *fs;
	struct bus *bus;
	struct device *device[FOREST_MAX];
	unsigned devices;
	struct forest *forest;
	bool answered;       /* a BMS has, at its address */
	struct scout *scout; /* NULL until the BMS is silent at an address that was not given */
	struct notify notify;
	int signal_fd;
	int clock_fd; /* readable when CLOCK_REALTIME was set */
	int ready_fd;
	int64_t started;
	int64_t wait_until; /* NSEC_NEVER once the start is over */
	enum bus_state told[FOREST_MAX];
	unsigned wait_failures; /* of ppoll(), in a row */
	bool stop;
	int status;
};

/* Requests, identities and most values are text; the rest is for those who read hexadecimal. */
static void quote_payload(char text[FRAME_PAYLOAD_MAX + 4], const struct frame *frame)
{
	*text = '\0';
	for (size_t i = 0; i < frame->len; i++)
		if (frame->payload[i] < ' ' || frame->payload[i] > '~')
			return;
	snprintf(text, FRAME_PAYLOAD_MAX + 4, " \"%.*s\"", frame->len,
		 (const char *)frame->payload);
}

/* -d: "> 0.499043 request "CELL?" 55 01 00 05 ...", '<' for what was received, seconds since start. */
static void print_frame(void *user, bool sent, const struct frame *frame, const char *meaning,
			int64_t when)
{
	const struct server *server = user;
	int64_t us = (when - server->started) / 1000;
	uint8_t bytes[FRAME_MAX];
	size_t size = frame_encode(frame, bytes);
	char hex[3 * FRAME_MAX + 1] = "", text[FRAME_PAYLOAD_MAX + 4];

	quote_payload(text, frame);
	for (size_t i = 0; i < size; i++)
		snprintf(hex + 3 * i, sizeof(hex) - 3 * i, " %02X", bytes[i]);
	log_print("%c %lld.%06lld %s%s %s", sent ? '>' : '<', (long long)(us / 1000000),
		  (long long)(us % 1000000), meaning, text, hex);
}

/*
 * A timer that never expires, and that setting CLOCK_REALTIME cancels. Without it a changed clock is
 * noticed when the kernel asks for a time: poll(2) skips a negative descriptor.
 */
static int open_clock(void)
{
	static const struct itimerspec never = { .it_value.tv_sec = INT32_MAX };
	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd >= 0)
		timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
	return fd;
}

/* A server that a terminal stops leaves everybody hanging who reads a file. */
static void ignore_terminal(void)
{
	signal(SIGTSTP, SIG_IGN);
	signal(SIGTTIN, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
}

static int server_build(struct server *server)
{
	const struct service *service = server->service;
	const struct options *options = service->options;
	const struct bus_config bus = { .timeout = options->timeout, .tries = options->tries };
	struct device_config device = {
		.model = service->model,
		.ttl = options->ttl,
		.ttl_settings = options->ttl_settings,
		.grace = options->grace,
		.deadline = options->deadline,
		.tries = options->tries,
		.unlock = options->unlock,
	};
	const char *name = options->name;
	int err = bus_new(&server->bus, service->link, service->table, &bus);

	if (err < 0)
		return err;
	server->started = bus_now(server->bus);
	server->wait_until = server->started + options->wait;
	if (options->debug)
		bus_observe(server->bus, print_frame, server);
	for (unsigned i = 0; i < service->addresses; i++) {
		device.address = service->address[i];
		err = device_new(&server->device[i], server->bus, service->table, &device);
		if (err < 0)
			return err;
		server->devices++;
	}
	if (!name)
		name = server->devices == 1 ? "bms0" : "bms";
	err = forest_new(&server->forest, server->device, server->devices, name);
	if (!err)
		fs_attach(server->fs, server->forest);
	return err;
}

static void server_take_down(struct server *server)
{
	if (server->forest)
		forest_free(server->forest);
	for (unsigned i = 0; i < server->devices; i++)
		device_free(server->device[i]);
	if (server->bus)
		bus_free(server->bus);
	scout_free(server->scout);
	if (server->signal_fd >= 0)
		close(server->signal_fd);
	if (server->clock_fd >= 0)
		close(server->clock_fd);
	if (server->ready_fd >= 0)
		close(server->ready_fd);
	close(server->service->lifeline);
	notify_close(&server->notify);
}

static int64_t server_wake(const struct server *server)
{
	int64_t wake = nsec_min(bus_wake(server->bus), fs_wake(server->fs));

	for (unsigned i = 0; i < server->devices; i++)
		wake = nsec_min(wake, device_wake(server->device[i]));
	wake = nsec_min(wake, server->notify.due);
	/* Before the kernel has said hello, only its descriptor can end the start. */
	return fs_ready(server->fs) ? nsec_min(wake, server->wait_until) : wake;
}

/*
 * Nobody needs to wait for the BMS's first answers when there is nothing that it could answer on.
 */
static bool server_settled(const struct server *server)
{
	bool starting = false;

	for (unsigned i = 0; i < server->devices; i++)
		starting = starting || (device_starting(server->device[i]) &&
					device_state(server->device[i]) != BUS_ABSENT);
	starting = starting || (server->scout && !scout_run(server->scout));
	return !starting || bus_now(server->bus) >= server->wait_until;
}

static unsigned server_online(const struct server *server)
{
	unsigned online = 0;

	for (unsigned i = 0; i < server->devices; i++)
		online += device_state(server->device[i]) == BUS_ONLINE;
	return online;
}

/* Why the first BMS that is not online is not. */
static const char *server_why_not_online(const struct server *server)
{
	unsigned i = 0;

	while (i + 1 < server->devices && device_state(server->device[i]) == BUS_ONLINE)
		i++;
	return device_last_error(server->device[i]);
}

/* One line for all of them: a service manager shows the last one only. */
static void server_notify_status(struct server *server)
{
	const char *why = server_why_not_online(server);
	unsigned online = server_online(server);

	if (online == server->devices)
		notify_send(&server->notify, "STATUS=%s is online",
			    server->service->options->device);
	else if (server->devices == 1)
		notify_send(&server->notify, "STATUS=%s", why);
	else
		notify_send(&server->notify, "STATUS=%u of %u online: %s", online, server->devices,
			    why);
}

/* Tells the launcher, once, that the mount answers. One that is gone has not wanted this mount. */
static void server_announce(struct server *server)
{
	const struct service *service = server->service;

	if (server->wait_until == NSEC_NEVER || !fs_ready(server->fs) || !server_settled(server))
		return;
	server->wait_until = NSEC_NEVER;
	if (server->ready_fd < 0) {
		/* What was good from the start is no news for the log. */
		if (server_online(server) == server->devices)
			server_notify_status(server);
		notify_send(&server->notify, "READY=1");
		log_print("%s is mounted on %s", service->options->device, service->mountpoint);
		return;
	}
	log_leave();
	if (write(server->ready_fd, "r", 1) != 1) {
		log_print("whoever started this has gone");
		server->stop = true;
		server->status = 1;
	}
	close(server->ready_fd);
	server->ready_fd = -1;
}

/*
 * Whether the start waits for the other factory addresses to be asked. That happens once, and not
 * beside another master, if no BMS has answered at an address that was not given.
 */
static bool server_looks_elsewhere(struct server *server)
{
	const struct service *service = server->service;

	if (service->address_is_given || server->answered)
		return false;
	if (!server->scout &&
	    (bus_shared(server->bus) ||
	     scout_start(&server->scout, server->bus, service->table, service->address[0]) < 0))
		return false;
	return !scout_run(server->scout) && bus_now(server->bus) < server->wait_until;
}

/* A line when it goes, and one when it is back; what is on its way to another state is no news. */
static void server_report(struct server *server, unsigned index)
{
	enum bus_state state = device_state(server->device[index]);
	const char *why = device_last_error(server->device[index]);
	uint64_t root = tree_root(forest_tree(server->forest, index));

	if (state == BUS_ONLINE) {
		server->answered = true;
		bus_found_elsewhere(server->bus, server->service->address[index], NULL);
	}
	if (state == server->told[index] || (state == BUS_SILENT && server_looks_elsewhere(server)))
		return;
	switch (state) {
	case BUS_OPENING:
		return;
	case BUS_CLOSED:
	case BUS_ABSENT:
		/* At the start nothing has gone yet. */
		if (!*why)
			return;
		forest_failed(server->forest, root, "", ACCESS_LINE, -ENODEV, why);
		if (index == 0)
			log_print("%s", why);
		break;
	case BUS_SILENT:
		forest_failed(server->forest, root, "", ACCESS_LINE, -ETIMEDOUT, why);
		log_print("%s", why);
		break;
	case BUS_ONLINE:
		forest_succeeded(server->forest, root, ACCESS_LINE);
		if (server->devices == 1)
			log_print("%s is online", server->service->options->device);
		else
			log_print("%s is online at address %u", server->service->options->device,
				  server->service->address[index]);
		break;
	}
	server->told[index] = state;
	server_notify_status(server);
}

static void server_end(struct server *server)
{
	int number = signals_take(server->signal_fd);
	const char *name = sigabbrev_np(number);

	if (!number)
		return;
	if (name)
		log_print("ended by SIG%s", name);
	else
		log_print("ended by signal %d", number);
	server->stop = true;
}

static void server_lose_mount(struct server *server)
{
	log_print("%s was unmounted", server->service->mountpoint);
	server->stop = true;
}

static void server_hear_supervisor(struct server *server)
{
	char byte;

	if (read(server->service->lifeline, &byte, 1) == 1) {
		server_lose_mount(server);
		return;
	}
	log_print("%s: the supervisor was killed and cannot unmount it; the next start replaces it",
		  server->service->mountpoint);
	server->stop = true;
	server->status = 1;
}

static void server_take_clock(struct server *server)
{
	uint64_t expirations;

	/* ECANCELED is the event: the clock was set. */
	if (read(server->clock_fd, &expirations, sizeof(expirations)) >= 0 || errno != EAGAIN)
		fs_clock_was_set(server->fs);
}

static void server_receive(struct server *server)
{
	int err = fs_receive(server->fs);

	if (err >= 0)
		return;
	if (err == -ENODEV) {
		server_lose_mount(server);
		return;
	}
	log_print("the connection to the kernel failed: %s", strerror(-err));
	server->stop = true;
	server->status = 1;
}

static struct timespec *time_left(int64_t now, int64_t wake, struct timespec *left)
{
	int64_t ns = wake > now ? wake - now : 0;

	if (wake == NSEC_NEVER)
		return NULL;
	left->tv_sec = (time_t)(ns / NSEC_PER_SEC);
	left->tv_nsec = (long)(ns % NSEC_PER_SEC);
	return left;
}

/* Once may be want of memory, and passes; who can never wait can serve nobody. */
static void server_cannot_wait(struct server *server, int err)
{
	if (err == EINTR || ++server->wait_failures < WAIT_FAILURES_MAX)
		return;
	log_print("cannot wait for events: %s", strerror(err));
	server->stop = true;
	server->status = 1;
}

/* One turn of the loop: sleeps until something comes or is due, and deals with it. */
static void server_turn(struct server *server)
{
	enum { SIGNALS, SUPERVISOR, KERNEL, LINK, CLOCK, SOURCES };
	struct pollfd set[SOURCES] = {
		[SIGNALS] = { .fd = server->signal_fd, .events = POLLIN },
		[SUPERVISOR] = { .fd = server->service->lifeline, .events = POLLIN },
		[KERNEL] = { .fd = fs_fd(server->fs), .events = POLLIN },
		[CLOCK] = { .fd = server->clock_fd, .events = POLLIN },
	};
	struct timespec left;

	set[LINK].fd = bus_fd(server->bus, &set[LINK].events);
	if (ppoll(set, SOURCES, time_left(bus_now(server->bus), server_wake(server), &left), NULL) <
	    0) {
		server_cannot_wait(server, errno);
		return;
	}
	server->wait_failures = 0;
	if (set[SIGNALS].revents)
		server_end(server);
	if (set[CLOCK].revents)
		server_take_clock(server);
	if (!server->stop && set[SUPERVISOR].revents)
		server_hear_supervisor(server);
	if (!server->stop && set[KERNEL].revents)
		server_receive(server);
	if (server->stop)
		return;
	/* Not for each request from the kernel: looking at a port takes system calls. */
	if (set[LINK].revents || bus_wake(server->bus) <= bus_now(server->bus))
		bus_run(server->bus);
	for (unsigned i = 0; i < server->devices; i++)
		device_run(server->device[i]);
	fs_run(server->fs);
	for (unsigned i = 0; i < server->devices; i++)
		server_report(server, i);
	server_announce(server);
	notify_alive(&server->notify, bus_now(server->bus));
}

int server_run(struct fs *fs, const struct service *service)
{
	struct server server = { .service = service, .fs = fs, .ready_fd = service->ready_fd };
	int err;

	ignore_terminal();
	/* In the background, whoever could be told has been left. */
	notify_open(&server.notify, service->ready_fd < 0 ? getppid() : 0);
	server.signal_fd = signals_open(false);
	server.clock_fd = open_clock();
	err = server.signal_fd < 0 ? server.signal_fd
				   : confine_server(service->user, service->options->device,
						    !service->options->nofilter);
	if (!err)
		err = server_build(&server);
	if (err < 0) {
		log_print("cannot start: %s", strerror(-err));
		server.status = 1;
		goto out_take_down;
	}
	for (unsigned i = 0; i < server.devices; i++) {
		server.told[i] = BUS_ONLINE;
		device_start(server.device[i]);
	}
	while (!server.stop)
		server_turn(&server);
	notify_send(&server.notify, "STOPPING=1");
	fs_stop(fs);
out_take_down:
	server_take_down(&server);
	return server.status;
}

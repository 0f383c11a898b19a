// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/signals.h"
#include "checks.h"
#include "confine.h"
#include "fs/mount.h"
#include "keeper.h"
#include "log.h"
#include "nsec.h"

#define PATIENCE      (2 * NSEC_PER_SEC) /* with a server that was asked to end, and then killed */
#define START_SLACK_s 10                 /* that a start may take besides -o wait */
/* Between two looks at the table of mounts, which changes often on a host of containers. */
#define LOOK_INTERVAL (100 * NSEC_PER_MSEC)

/* What the supervisor waits for while the server runs. */
struct watch {
	pid_t server;
	struct mount_id mount;
	int signals;
	FILE *table;       /* of mounts: POLLPRI after a change of any of them */
	int lifeline;      /* write end of service->lifeline */
	bool mounted;      /* as of the last look at the table */
	int64_t next_look; /* not before this time */
	int64_t until;     /* the server must have ended; NSEC_NEVER: it was not asked to */
	bool killed;
};

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * NSEC_PER_SEC + time.tv_nsec;
}

static int watch_open(struct watch *watch, int *lifeline)
{
	int ends[2], err;

	*watch = (struct watch){ .mounted = true, .until = NSEC_NEVER, .lifeline = -1 };
	/* A caller that ignores the ends of its children lets us inherit that. */
	signal(SIGCHLD, SIG_DFL);
	watch->signals = signals_open(true);
	err = watch->signals < 0 ? watch->signals : mount_table_open(&watch->table);
	if (!err && pipe2(ends, O_CLOEXEC) < 0)
		err = -errno;
	if (err)
		return err;
	*lifeline = ends[0];
	watch->lifeline = ends[1];
	return 0;
}

static void watch_close(struct watch *watch)
{
	if (watch->signals >= 0)
		close(watch->signals);
	if (watch->table)
		fclose(watch->table);
	if (watch->lifeline >= 0)
		close(watch->lifeline);
}

static void expect_end(struct watch *watch)
{
	if (watch->until == NSEC_NEVER)
		watch->until = now() + PATIENCE;
}

static void pass_signals_on(struct watch *watch)
{
	for (int signal; (signal = signals_take(watch->signals)) != 0;) {
		if (signal == SIGCHLD)
			continue;
		kill(watch->server, signal);
		expect_end(watch);
	}
}

/* Open files and other mount namespaces can hold a mount that is gone here; the server ends then. */
static void look_for_mount(struct watch *watch)
{
	watch->next_look = now() + LOOK_INTERVAL;
	if (mount_find(watch->table, &watch->mount) != -ENOENT)
		return;
	watch->mounted = false;
	/* A server that has closed its end is ending already. */
	if (write(watch->lifeline, "u", 1) < 0)
		return;
	expect_end(watch);
}

static void watch_turn(struct watch *watch)
{
	int64_t time = now(), wake = watch->until;
	bool rest = time < watch->next_look;
	struct pollfd set[] = {
		{ .fd = watch->signals, .events = POLLIN },
		{ .fd = watch->mounted && !rest ? fileno(watch->table) : -1, .events = POLLPRI },
	};
	struct timespec left = { 0, 0 };

	if (watch->mounted && rest)
		wake = nsec_min(wake, watch->next_look);
	if (wake > time) {
		left.tv_sec = (time_t)((wake - time) / NSEC_PER_SEC);
		left.tv_nsec = (long)((wake - time) % NSEC_PER_SEC);
	}
	if (ppoll(set, 2, wake == NSEC_NEVER ? NULL : &left, NULL) <= 0)
		return;
	if (set[0].revents)
		pass_signals_on(watch);
	if (set[1].revents)
		look_for_mount(watch);
}

/*
 * Waits for the end of the server, which a signal or the end of the mount brings about; a server
 * that does not end then is killed. Returns its wait status, or -1 if even that did not help (it
 * sits in a call to a driver).
 */
static int guard(struct watch *watch)
{
	int status = -1;

	while (waitpid(watch->server, &status, WNOHANG) == 0) {
		if (now() >= watch->until) {
			if (watch->killed)
				return -1;
			log_print("the server does not end, killing it");
			kill(watch->server, SIGKILL);
			watch->killed = true;
			watch->until = now() + PATIENCE;
		}
		watch_turn(watch);
	}
	return status;
}

static int explain_end(int status)
{
	if (status == -1)
		return 1;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	log_print("the server was killed by signal %d (%s)", WTERMSIG(status),
		  strsignal(WTERMSIG(status)));
	return 128 + WTERMSIG(status);
}

static void detach(const char *mountpoint, const struct mount_id *id)
{
	int err = mount_detach(id);

	if (err == -EBUSY)
		log_print("%s: another mount covers it; unmount both, that one first", mountpoint);
	else if (err < 0)
		log_print("%s: cannot be unmounted: %s", mountpoint, strerror(-err));
}

/* What a terminal or a waiting program could miss is let go, what could be in the way too. */
static void leave(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		close(null);
	}
}

static int serve(struct fs *fs, const struct service *service)
{
	int status = server_run(fs, service);

	fs_free(fs);
	return status;
}

static int mount_tree(struct fs **fs, const struct service *service)
{
	const struct options *options = service->options;
	const struct fs_config config = {
		.source = options->device,
		.options = options->kernel,
		/* Without SELinux labels mean nothing, and the kernel refuses them. */
		.labels = access("/sys/fs/selinux", F_OK) ? "" : options->labels,
		.uid = options->uid,
		.gid = options->gid != OPTIONS_NO_GROUP ? options->gid : getgid(),
		.umask = options->umask,
		.group_writes = options->gid != OPTIONS_NO_GROUP,
		.read_only = options->read_only,
		.allow_other = !options->private && options->allow_other,
		.debug = options->debug,
		.log = log_print,
	};

	return fs_mount(fs, &config, service->mountpoint);
}

/* Those that libfuse does not know. */
static int set_flags(const struct mount_id *id, const struct service *service)
{
	int err = mount_change(id, service->options->flags);

	if (err < 0) {
		log_print("%s: the kernel refuses its options: %s", service->mountpoint,
			  strerror(-err));
		mount_detach(id);
	}
	return err;
}

static int mount_and_identify(struct fs **fs, struct mount_id *id, const struct service *service)
{
	int err = mount_tree(fs, service);

	if (err < 0) {
		checks_explain_refusal(service->mountpoint);
		return err;
	}
	err = mount_identify(service->mountpoint, id);
	if (err < 0)
		log_print("%s: cannot find the new mount: %s", service->mountpoint, strerror(-err));
	else if (service->options->flags_left)
		err = set_flags(id, service);
	if (err < 0)
		fs_free(*fs);
	return err;
}

/* The rest of the supervisor's life, once the server has started. Returns the exit status. */
static int supervise(struct watch *watch, const struct service *service)
{
	int status, err;

	prctl(PR_SET_NAME, "bmsfs-keeper");
	err = confine_keeper(service->user);
	if (err < 0)
		log_print("the supervisor cannot give up rights: %s", strerror(-err));
	if (service->ready_fd >= 0) {
		close(service->ready_fd);
		log_leave();
	}
	status = watch->server < 0 ? -1 : guard(watch);
	detach(service->mountpoint, &watch->mount);
	return explain_end(status);
}

int keeper_run(struct service *service)
{
	struct watch watch;
	struct fs *fs;
	int status = 1, err = watch_open(&watch, &service->lifeline);

	if (!err && chdir("/") < 0)
		err = -errno;
	if (err < 0) {
		log_print("cannot start: %s", strerror(-err));
		goto out_close;
	}
	if (mount_and_identify(&fs, &watch.mount, service) < 0)
		goto out_close;
	mount_release(service->claim);
	if (service->ready_fd >= 0)
		leave();
	watch.server = fork();
	if (watch.server == 0) {
		watch_close(&watch);
		return serve(fs, service);
	}
	if (watch.server < 0)
		log_print("cannot start the server: %s", strerror(errno));
	/* From here on only the server holds the connection, so that it ends with the server. */
	fs_free(fs);
	close(service->lifeline);
	status = supervise(&watch, service);
out_close:
	watch_close(&watch);
	return status;
}

/* What the launcher tells its caller about a keeper that has ended before the mount answered. */
static int explain_failure(pid_t keeper)
{
	int status;

	while (waitpid(keeper, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	if (!WIFEXITED(status))
		log_print("the keeper was killed by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) > 128)
		log_print("the server was killed by signal %d", WEXITSTATUS(status) - 128);
	else if (WEXITSTATUS(status) == 0)
		log_print("ended before the mount answered");
	return 1;
}

/* The descriptor becomes readable when the mount answers, or when the server has ended. */
static int await(pid_t keeper, int fd, const struct options *options)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	int64_t until = now() + options->wait + START_SLACK_s * NSEC_PER_SEC;
	char byte;
	int got;

	do {
		int64_t left = until - now();

		got = poll(&ready, 1, left > 0 ? (int)(left / NSEC_PER_MSEC) : 0);
	} while (got < 0 && errno == EINTR);
	if (got == 0) {
		log_print("the mount does not answer");
		kill(keeper, SIGTERM);
	} else if (read(fd, &byte, 1) == 1) {
		return 0;
	}
	return explain_failure(keeper);
}

int keeper_launch(struct service *service)
{
	int ends[2], status;
	pid_t keeper;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		log_print("cannot start: %s", strerror(errno));
		return 1;
	}
	/* A caller that ignores the ends of its children lets us inherit that. */
	signal(SIGCHLD, SIG_DFL);
	keeper = fork();
	if (keeper == 0) {
		close(ends[0]);
		setsid();
		service->ready_fd = ends[1];
		return keeper_run(service);
	}
	close(ends[1]);
	if (keeper < 0) {
		log_print("cannot start: %s", strerror(errno));
		status = 1;
	} else {
		status = await(keeper, ends[0], service->options);
	}
	close(ends[0]);
	return status;
}

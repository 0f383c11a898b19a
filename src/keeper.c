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

#include "confine.h"
#include "fs/mount.h"
#include "keeper.h"
#include "log.h"
#include "nsec.h"

#define PATIENCE      (2 * NSEC_PER_SEC) /* with a server that was asked to end, and then killed */
#define START_SLACK_s 10                 /* that a start may take besides -o wait */

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * NSEC_PER_SEC + time.tv_nsec;
}

static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGCHLD);
	sigprocmask(SIG_BLOCK, set, NULL);
	/* Whoever ignores these lets us inherit that, and then they never come. */
	signal(SIGCHLD, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
}

/* The next signal, or 0 when @until has come. */
static int next_signal(const sigset_t *set, int64_t until)
{
	int64_t left = until == NSEC_NEVER ? 0 : until - now();
	struct timespec time;
	int signal;

	if (left < 0)
		left = 0;
	time.tv_sec = (time_t)(left / NSEC_PER_SEC);
	time.tv_nsec = (long)(left % NSEC_PER_SEC);
	do
		signal = until == NSEC_NEVER ? sigwaitinfo(set, NULL)
					     : sigtimedwait(set, NULL, &time);
	while (signal < 0 && errno == EINTR);
	return signal < 0 ? 0 : signal;
}

/*
 * Waits for the end of the server and passes on what asks it to end; one that does not is killed.
 * Returns its wait status, or -1 if even that did not help (it sits in a call to a driver).
 */
static int guard(pid_t server, const sigset_t *set)
{
	int64_t until = NSEC_NEVER;
	bool killed = false;
	int status = -1;

	while (waitpid(server, &status, WNOHANG) == 0) {
		int signal = next_signal(set, until);

		if (signal && signal != SIGCHLD) {
			kill(server, signal);
			if (until == NSEC_NEVER)
				until = now() + PATIENCE;
		} else if (!signal && until != NSEC_NEVER) {
			if (killed)
				return -1;
			log_print("the server does not end, killing it");
			kill(server, SIGKILL);
			killed = true;
			until = now() + PATIENCE;
		}
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

static void detach(const char *mountpoint, const char *id)
{
	int err = mount_detach(mountpoint, id);

	if (err < 0)
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
		.uid = options->uid,
		.gid = options->gid != OPTIONS_NO_GROUP ? options->gid : getgid(),
		.umask = options->umask,
		.group_writes = options->gid != OPTIONS_NO_GROUP,
		.read_only = options->read_only,
		.allow_other = !options->private && (options->allow_other || geteuid() == 0),
		.debug = options->debug,
		.log = log_print,
	};

	return fs_mount(fs, &config, service->mountpoint);
}

int keeper_run(const struct service *service)
{
	char id[64] = "";
	struct fs *fs;
	sigset_t set;
	pid_t server;
	int status, err;

	block_signals(&set);
	if (chdir("/") < 0) {
		log_print("cannot change to /: %s", strerror(errno));
		return 1;
	}
	if (mount_tree(&fs, service) < 0)
		return 1;
	err = mount_identify(service->mountpoint, id, sizeof(id));
	if (err < 0) {
		log_print("%s: cannot be told from other mounts: %s", service->mountpoint,
			  strerror(-err));
		fs_free(fs);
		detach(service->mountpoint, NULL);
		return 1;
	}
	if (service->ready_fd >= 0)
		leave();
	server = fork();
	if (server == 0)
		return serve(fs, service);
	if (server < 0)
		log_print("cannot start the server: %s", strerror(errno));
	/* From here on only the server holds the connection, so that it ends with the server. */
	fs_free(fs);
	prctl(PR_SET_NAME, "bmsfs-keeper");
	err = confine_keeper(service->user);
	if (err < 0)
		log_print("the keeper cannot give up rights: %s", strerror(-err));
	if (service->ready_fd >= 0) {
		close(service->ready_fd);
		log_leave();
	}
	status = server < 0 ? -1 : guard(server, &set);
	detach(service->mountpoint, id);
	return explain_end(status);
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

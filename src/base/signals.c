// SPDX-License-Identifier: LGPL-3.0-or-later
#include "base/signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* By default these do not end a process. All others do, those without a name included. */
static const int harmless[] = { SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP,
				SIGTTIN, SIGTTOU, SIGURG,  SIGWINCH };

/* A blocked signal is delivered even if it is ignored, so ignored ones must not be blocked. */
static const int from_terminal[] = { SIGHUP, SIGINT, SIGQUIT };

static bool is_ignored(int number)
{
	struct sigaction action;

	return !sigaction(number, NULL, &action) && action.sa_handler == SIG_IGN;
}

int signals_open(bool children)
{
	sigset_t set;
	int fd;

	/* sigfillset(3) and sigprocmask(2) of the C library leave out two that kill(2) can send. */
	memset(&set, 0xFF, sizeof(set));
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
		sigdelset(&set, harmless[i]);
	for (size_t i = 0; i < ARRAY_SIZE(from_terminal); i++)
		if (is_ignored(from_terminal[i]))
			sigdelset(&set, from_terminal[i]);
	if (children)
		sigaddset(&set, SIGCHLD);
	if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, _NSIG / 8) < 0)
		return -errno;
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int signals_take(int fd)
{
	struct signalfd_siginfo info;
	int number;

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	number = (int)info.ssi_signo;
	if ((number == SIGPIPE || number == SIGXFSZ) && info.ssi_pid == (uint32_t)getpid())
		return 0;
	return number;
}

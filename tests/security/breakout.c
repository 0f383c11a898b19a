// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * Preloaded into bmsfs: once the file that BREAK_OUT names exists, the next wait for events makes a
 * system call that the filter of a server of sim: forbids and that does nothing elsewhere.
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	const char *sign = getenv("BREAK_OUT");
	struct timespec left = { 0, 0 };

	if (sign && !access(sign, F_OK))
		syscall(SYS_getppid);
	if (timeout)
		left = *timeout;
	return (int)syscall(SYS_ppoll, fds, count, timeout ? &left : NULL, mask, _NSIG / 8);
}

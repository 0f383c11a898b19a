// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * Preloaded into bmsfs: a wall clock that a test can set, while that of the machine stays. The file
 * CLOCK_OFFSET holds the seconds by which it was set; what comes through the FIFO CLOCK_EVENT
 * cancels the timers of timerfd_create(2), as setting the clock does.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static const int64_t *offset_s;
static int (*real_gettime)(clockid_t clock, struct timespec *time);

/* Before the server loses the right to open files. */
__attribute__((constructor)) static void start(void)
{
	const char *path = getenv("CLOCK_OFFSET");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map = mmap(NULL, sizeof(*offset_s), PROT_READ, MAP_SHARED, fd, 0);

	*(void **)&real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
	if (map == MAP_FAILED || !real_gettime)
		abort();
	close(fd);
	offset_s = map;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int err = real_gettime(clock, now);

	if (!err && clock == CLOCK_REALTIME)
		now->tv_sec += (time_t)*offset_s;
	return err;
}

int timerfd_create(clockid_t clock, int flags)
{
	(void)flags;
	if (clock == CLOCK_REALTIME)
		return open(getenv("CLOCK_EVENT"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	errno = EINVAL;
	return -1;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *time, struct itimerspec *old)
{
	(void)fd;
	(void)time;
	(void)old;
	if (flags == (TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return 0;
	errno = EINVAL;
	return -1;
}

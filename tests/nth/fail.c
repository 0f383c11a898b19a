// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * Preloaded into the program under test: makes its Nth call of one kind fail, once or from then on,
 * in one of its processes, and counts all kinds of calls in both.
 *
 *	NTH_REPORT	file of two struct tally, for the process that starts and its child
 *	NTH_KIND	number of an enum kind
 *	NTH_CHILD	1: in the child, which serves; 0: in the process that starts
 *	NTH_N		the first call to fail, counted from 1; 0: none
 *	NTH_FOREVER	1: and all after it
 *	NTH_ERRNO	what they fail with
 */
/* They would give open() the name of open64(), and the like. */
#undef _FILE_OFFSET_BITS
#undef _TIME_BITS

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

enum kind { ALLOC, OPEN, IOCTL, READ, WRITE, LOG, REPLY, POLL, OTHER, KINDS };

struct tally {
	uint64_t calls[KINDS];
	uint64_t failed;
	int64_t live; /* blocks of memory in use */
	uint64_t ended;
};

static struct {
	enum kind kind;
	bool child, forever;
	uint64_t n;
	int error;
} plan;

static struct tally *tallies, *tally;
static int64_t live;
static bool paused; /* in a library that aborts when it has no memory, or goes on without */

/* The allocator of the C library, which is there before anything can be looked up. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

static uint64_t setting(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : 0;
}

static void become_child(void)
{
	if (tally == &tallies[0])
		tally = &tallies[1];
}

__attribute__((constructor)) static void start(void)
{
	const char *report = getenv("NTH_REPORT");
	int fd = report ? open(report, O_RDWR | O_CLOEXEC) : -1;
	void *map = MAP_FAILED;

	if (fd >= 0) {
		map = mmap(NULL, 2 * sizeof(*tallies), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		close(fd);
	}
	if (map == MAP_FAILED)
		return;
	plan.kind = (enum kind)setting("NTH_KIND");
	plan.child = setting("NTH_CHILD");
	plan.forever = setting("NTH_FOREVER");
	plan.n = setting("NTH_N");
	plan.error = (int)setting("NTH_ERRNO");
	pthread_atfork(NULL, NULL, become_child);
	tallies = map;
	tally = tallies;
}

__attribute__((destructor)) static void end(void)
{
	if (!tally)
		return;
	tally->live = live;
	tally->ended = 1;
}

/* Whether this call is one to fail; errno is set then. */
static bool fails(enum kind kind)
{
	uint64_t n;

	if (!tally || paused)
		return false;
	n = ++tally->calls[kind];
	if (kind != plan.kind || !plan.n || plan.child != (tally == &tallies[1]))
		return false;
	if (plan.forever ? n < plan.n : n != plan.n)
		return false;
	tally->failed++;
	errno = plan.error;
	return true;
}

#define NEXT(name)                     \
	static __typeof__(name) *next; \
	if (!next)                     \
	*(void **)(&next) = dlsym(RTLD_NEXT, #name)

static void *counted(void *block)
{
	live += block != NULL;
	return block;
}

void *malloc(size_t size)
{
	return fails(ALLOC) ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
	return fails(ALLOC) ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *block, size_t size)
{
	void *moved = fails(ALLOC) ? NULL : __libc_realloc(block, size);

	return block ? moved : counted(moved);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
	void *made = fails(ALLOC) ? NULL : counted(__libc_memalign(alignment, size));

	if (!made)
		return ENOMEM;
	*block = made;
	return 0;
}

void free(void *block)
{
	live -= block != NULL;
	__libc_free(block);
}

/* open() and its kin take a mode only if they may create something. */
#define OPEN_MODE(flags)                       \
	mode_t mode = 0;                       \
	if ((flags) & (O_CREAT | O_TMPFILE)) { \
		va_list args;                  \
		va_start(args, flags);         \
		mode = va_arg(args, mode_t);   \
		va_end(args);                  \
	}

int open(const char *path, int flags, ...)
{
	NEXT(open);
	OPEN_MODE(flags);
	return fails(OPEN) ? -1 : next(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	NEXT(open64);
	OPEN_MODE(flags);
	return fails(OPEN) ? -1 : next(path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
	NEXT(openat);
	OPEN_MODE(flags);
	return fails(OPEN) ? -1 : next(dir, path, flags, mode);
}

int openat64(int dir, const char *path, int flags, ...)
{
	NEXT(openat64);
	OPEN_MODE(flags);
	return fails(OPEN) ? -1 : next(dir, path, flags, mode);
}

int __open_2(const char *path, int flags);

int __open_2(const char *path, int flags)
{
	NEXT(__open_2);
	return fails(OPEN) ? -1 : next(path, flags);
}

FILE *fopen(const char *path, const char *mode)
{
	NEXT(fopen);
	return fails(OPEN) ? NULL : next(path, mode);
}

FILE *fopen64(const char *path, const char *mode)
{
	NEXT(fopen64);
	return fails(OPEN) ? NULL : next(path, mode);
}

DIR *opendir(const char *path)
{
	NEXT(opendir);
	return fails(OPEN) ? NULL : next(path);
}

int socket(int domain, int type, int protocol)
{
	NEXT(socket);
	return fails(OPEN) ? -1 : next(domain, type, protocol);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *data;

	NEXT(ioctl);
	va_start(args, request);
	data = va_arg(args, void *);
	va_end(args);
	return fails(IOCTL) ? -1 : next(fd, request, data);
}

int tcgetattr(int fd, struct termios *termios)
{
	NEXT(tcgetattr);
	return fails(IOCTL) ? -1 : next(fd, termios);
}

int tcsetattr(int fd, int when, const struct termios *termios)
{
	NEXT(tcsetattr);
	return fails(IOCTL) ? -1 : next(fd, when, termios);
}

int tcflush(int fd, int queue)
{
	NEXT(tcflush);
	return fails(IOCTL) ? -1 : next(fd, queue);
}

ssize_t read(int fd, void *bytes, size_t size)
{
	NEXT(read);
	return fails(READ) ? -1 : next(fd, bytes, size);
}

ssize_t readv(int fd, const struct iovec *part, int parts)
{
	NEXT(readv);
	return fails(READ) ? -1 : next(fd, part, parts);
}

ssize_t recv(int fd, void *bytes, size_t size, int flags)
{
	NEXT(recv);
	return fails(READ) ? -1 : next(fd, bytes, size, flags);
}

/* A line of the log is told by how it starts. */
ssize_t write(int fd, const void *bytes, size_t size)
{
	bool line = size > 7 && !memcmp(bytes, "bmsfs: ", 7);

	NEXT(write);
	return fails(line ? LOG : WRITE) ? -1 : next(fd, bytes, size);
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
	NEXT(send);
	return fails(WRITE) ? -1 : next(fd, bytes, size, flags);
}

/* Only libfuse uses it, for whatever it tells the kernel. */
ssize_t writev(int fd, const struct iovec *part, int parts)
{
	NEXT(writev);
	return fails(REPLY) ? -1 : next(fd, part, parts);
}

int poll(struct pollfd *set, nfds_t size, int timeout)
{
	NEXT(poll);
	return fails(POLL) ? -1 : next(set, size, timeout);
}

int ppoll(struct pollfd *set, nfds_t size, const struct timespec *timeout, const sigset_t *mask)
{
	NEXT(ppoll);
	return fails(POLL) ? -1 : next(set, size, timeout, mask);
}

pid_t fork(void)
{
	NEXT(fork);
	return fails(OTHER) ? -1 : next();
}

int pipe2(int ends[2], int flags)
{
	NEXT(pipe2);
	return fails(OTHER) ? -1 : next(ends, flags);
}

int signalfd(int fd, const sigset_t *set, int flags)
{
	NEXT(signalfd);
	return fails(OTHER) ? -1 : next(fd, set, flags);
}

int mount(const char *source, const char *target, const char *type, unsigned long flags,
	  const void *data)
{
	NEXT(mount);
	return fails(OTHER) ? -1 : next(source, target, type, flags, data);
}

int chdir(const char *path)
{
	NEXT(chdir);
	return fails(OTHER) ? -1 : next(path);
}

int connect(int fd, __CONST_SOCKADDR_ARG name, socklen_t size)
{
	NEXT(connect);
	return fails(OTHER) ? -1 : next(fd, name, size);
}

int fcntl64(int fd, int command, ...)
{
	va_list args;
	void *data;

	NEXT(fcntl64);
	va_start(args, command);
	data = va_arg(args, void *);
	va_end(args);
	return fails(OTHER) ? -1 : next(fd, command, data);
}

#define PAUSED(type, call)      \
	do {                    \
		type result;    \
		paused = true;  \
		result = call;  \
		paused = false; \
		return result;  \
	} while (0)

struct passwd *getpwnam(const char *name)
{
	NEXT(getpwnam);
	PAUSED(struct passwd *, next(name));
}

struct passwd *getpwuid(uid_t uid)
{
	NEXT(getpwuid);
	PAUSED(struct passwd *, next(uid));
}

struct group *getgrnam(const char *name)
{
	NEXT(getgrnam);
	PAUSED(struct group *, next(name));
}

int getgrouplist(const char *user, gid_t group, gid_t *groups, int *count)
{
	NEXT(getgrouplist);
	PAUSED(int, next(user, group, groups, count));
}

int seccomp_load(void *context);

int seccomp_load(void *context)
{
	NEXT(seccomp_load);
	PAUSED(int, next(context));
}

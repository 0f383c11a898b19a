// SPDX-License-Identifier: LGPL-3.0-or-later
#include "filter.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link/link.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Some machines hand these two over in the other order. */
#ifdef __s390__
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif

#define ALL_BITS   0xFFFFFFFFU
#define CHANGES    (O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))
#define FORK_FLAGS (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD)
#define SOCK_BITS  (ALL_BITS & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
#define NEGATIVE   0x80000000U

/* (argument & mask) == value. Only 32 bits of an argument count in any of these calls. */
struct condition {
	unsigned argument;
	uint32_t mask; /* 0: no condition */
	uint32_t value;
};

#define IOCTL(request)                       \
	{                                    \
		{                            \
			1, ALL_BITS, request \
		}                            \
	}
#define PARAMETER(name)                   \
	{                                 \
		{                         \
			0, ALL_BITS, name \
		}                         \
	}

/* All conditions of a row must hold; rows of the same call are alternatives. */
static const struct rule {
	const char *call;
	unsigned need; /* 0: every server's */
	struct condition when[2];
} rules[] = {
	/* Bytes. */
	{ .call = "read" },
	{ .call = "readv" },
	{ .call = "write" },
	{ .call = "writev" },
	{ .call = "pread64" },
	{ .call = "lseek" },
	{ .call = "_llseek" },
	{ .call = "close" },
	{ .call = "poll" },
	{ .call = "ppoll" },
	{ .call = "ppoll_time64" },
	{ .call = "dup2" },
	{ .call = "dup3" },
	{ .call = "fcntl", .when = { { 1, ALL_BITS, F_GETFD } } },
	{ .call = "fcntl", .when = { { 1, ALL_BITS, F_SETFD } } },
	{ .call = "fcntl", .when = { { 1, ALL_BITS, F_GETFL } } },
	{ .call = "fcntl", .when = { { 1, ALL_BITS, F_SETFL } } },
	{ .call = "fcntl64", .when = { { 1, ALL_BITS, F_GETFD } } },
	{ .call = "fcntl64", .when = { { 1, ALL_BITS, F_SETFD } } },
	{ .call = "fcntl64", .when = { { 1, ALL_BITS, F_GETFL } } },
	{ .call = "fcntl64", .when = { { 1, ALL_BITS, F_SETFL } } },

	/* Files: the port, /dev/null, of /proc/PID comm, status and stat. None is ever made or emptied. */
	{ .call = "open", .when = { { 1, CHANGES, 0 } } },
	{ .call = "openat", .when = { { 2, CHANGES, 0 } } },
	{ .call = "stat" },
	{ .call = "stat64" },
	{ .call = "lstat" },
	{ .call = "lstat64" },
	{ .call = "fstat" },
	{ .call = "fstat64" },
	{ .call = "fstatat64" },
	{ .call = "newfstatat" },
	{ .call = "statx" },
	{ .call = "access" },
	{ .call = "faccessat" },
	{ .call = "faccessat2" },
	{ .call = "readlink" },
	{ .call = "readlinkat" },
	{ .call = "getcwd" },
	{ .call = "getdents" },
	{ .call = "getdents64" },

	/* The system log. */
	{ .call = "socket", .when = { { 0, ALL_BITS, AF_UNIX }, { 1, SOCK_BITS, SOCK_DGRAM } } },
	{ .call = "connect" },
	{ .call = "send" },
	{ .call = "sendto" },

	/* Memory, none of it code. */
	{ .call = "brk" },
	{ .call = "mmap", .when = { { 2, PROT_EXEC, 0 } } },
	{ .call = "mmap2", .when = { { 2, PROT_EXEC, 0 } } },
	{ .call = "mprotect", .when = { { 2, PROT_EXEC, 0 } } },
	{ .call = "mremap" },
	{ .call = "munmap" },
	{ .call = "madvise" },

	/* Time, and what the C library asks for. */
	{ .call = "clock_gettime" },
	{ .call = "clock_gettime64" },
	{ .call = "gettimeofday" },
	{ .call = "time" },
	{ .call = "futex" },
	{ .call = "futex_time64" },
	{ .call = "getrandom" },
	{ .call = "getpid" },
	{ .call = "gettid" },
	{ .call = "getuid" },
	{ .call = "getuid32" },
	{ .call = "geteuid" },
	{ .call = "geteuid32" },
	{ .call = "getgid" },
	{ .call = "getgid32" },
	{ .call = "getegid" },
	{ .call = "getegid32" },
	{ .call = "uname" },
	{ .call = "sysinfo" },
	{ .call = "restart_syscall" },
	{ .call = "rt_sigaction" },
	{ .call = "rt_sigprocmask" },
	{ .call = "rt_sigreturn" },
	{ .call = "sigreturn" },
	{ .call = "exit" },
	{ .call = "exit_group" },

	/* A serial port or a pty, by libserialport and by link/tty. */
	{ .call = "flock", .need = FILTER_TTY },
	{ .call = "select", .need = FILTER_TTY },
	{ .call = "_newselect", .need = FILTER_TTY },
	{ .call = "pselect6", .need = FILTER_TTY },
	{ .call = "pselect6_time64", .need = FILTER_TTY },
	{ .call = "ioctl", .need = FILTER_TTY, .when = IOCTL(TCGETS) },
	{ .call = "ioctl", .need = FILTER_TTY, .when = IOCTL(TCSETS) },
	{ .call = "ioctl", .need = FILTER_TTY, .when = IOCTL(TCSETSW) },
	{ .call = "ioctl", .need = FILTER_TTY, .when = IOCTL(TCSETSF) },
#ifdef TCGETS2
	{ .call = "ioctl", .need = FILTER_TTY, .when = IOCTL(TCGETS2) },
	{ .call = "ioctl", .need = FILTER_TTY, .when = IOCTL(TCSETS2) },
	{ .call = "ioctl", .need = FILTER_TTY, .when = IOCTL(TCSETSW2) },
	{ .call = "ioctl", .need = FILTER_TTY, .when = IOCTL(TCSETSF2) },
#endif
	{ .call = "ioctl", .need = FILTER_TTY, .when = IOCTL(TCFLSH) },
	{ .call = "ioctl", .need = FILTER_TTY, .when = IOCTL(TIOCEXCL) },
	{ .call = "ioctl", .need = FILTER_TTY, .when = IOCTL(TIOCNXCL) },
	{ .call = "ioctl", .need = FILTER_TTY, .when = IOCTL(TIOCMGET) },
	{ .call = "ioctl", .need = FILTER_TTY, .when = IOCTL(TIOCMSET) },
	{ .call = "ioctl", .need = FILTER_TTY, .when = IOCTL(TIOCMBIS) },
	{ .call = "ioctl", .need = FILTER_TTY, .when = IOCTL(TIOCMBIC) },
	{ .call = "ioctl", .need = FILTER_TTY, .when = IOCTL(TIOCGSERIAL) },
	{ .call = "ioctl", .need = FILTER_TTY, .when = IOCTL(TIOCSSERIAL) },
	{ .call = "ioctl", .need = FILTER_TTY, .when = IOCTL(TIOCOUTQ) },
	{ .call = "ioctl", .need = FILTER_TTY | FILTER_TCP, .when = IOCTL(FIONREAD) },

	/* A stream, over TCP or not. */
	{ .call = "socket",
	  .need = FILTER_UNIX | FILTER_TCP,
	  .when = { { 0, ALL_BITS, AF_UNIX }, { 1, SOCK_BITS, SOCK_STREAM } } },
	{ .call = "recv", .need = FILTER_UNIX | FILTER_TCP },
	{ .call = "recvfrom", .need = FILTER_UNIX | FILTER_TCP },
	{ .call = "getsockopt", .need = FILTER_UNIX | FILTER_TCP },
	{ .call = "setsockopt", .need = FILTER_UNIX | FILTER_TCP },
	{ .call = "socket",
	  .need = FILTER_TCP,
	  .when = { { 0, ALL_BITS, AF_INET }, { 1, SOCK_BITS, SOCK_STREAM } } },
	{ .call = "socket",
	  .need = FILTER_TCP,
	  .when = { { 0, ALL_BITS, AF_INET6 }, { 1, SOCK_BITS, SOCK_STREAM } } },

	/* Names of hosts: a child, which the C library's name services may load code into. */
	{ .call = "clone",
	  .need = FILTER_TCP,
	  .when = { { CLONE_FLAGS, ALL_BITS & ~FORK_FLAGS, 0 } } },
	{ .call = "fork", .need = FILTER_TCP },
	{ .call = "wait4", .need = FILTER_TCP },
	{ .call = "waitpid", .need = FILTER_TCP },
	{ .call = "kill",
	  .need = FILTER_TCP,
	  .when = { { 0, NEGATIVE, 0 }, { 1, ALL_BITS, SIGKILL } } },
	{ .call = "pipe2", .need = FILTER_TCP },
	{ .call = "close_range", .need = FILTER_TCP },
	{ .call = "getppid", .need = FILTER_TCP },
	{ .call = "prctl", .need = FILTER_TCP, .when = PARAMETER(PR_SET_PDEATHSIG) },
	{ .call = "set_robust_list", .need = FILTER_TCP },
	{ .call = "rseq", .need = FILTER_TCP },
	{ .call = "mmap", .need = FILTER_TCP },
	{ .call = "mmap2", .need = FILTER_TCP },
	{ .call = "mprotect", .need = FILTER_TCP },
	{ .call = "socket",
	  .need = FILTER_TCP,
	  .when = { { 0, ALL_BITS, AF_INET }, { 1, SOCK_BITS, SOCK_DGRAM } } },
	{ .call = "socket",
	  .need = FILTER_TCP,
	  .when = { { 0, ALL_BITS, AF_INET6 }, { 1, SOCK_BITS, SOCK_DGRAM } } },
	{ .call = "socket",
	  .need = FILTER_TCP,
	  .when = { { 0, ALL_BITS, AF_NETLINK }, { 2, ALL_BITS, 0 /* NETLINK_ROUTE */ } } },
	{ .call = "bind", .need = FILTER_TCP },
	{ .call = "getpeername", .need = FILTER_TCP },
	{ .call = "getsockname", .need = FILTER_TCP },
	{ .call = "recvmsg", .need = FILTER_TCP },
	{ .call = "sendmsg", .need = FILTER_TCP },
	{ .call = "sendmmsg", .need = FILTER_TCP },
	{ .call = "epoll_create1", .need = FILTER_TCP },
	{ .call = "epoll_ctl", .need = FILTER_TCP },
	{ .call = "epoll_wait", .need = FILTER_TCP },
	{ .call = "epoll_pwait", .need = FILTER_TCP },
};

bool filter_built(void)
{
	return BMSFS_FILTER;
}

unsigned filter_needs(const char *device)
{
	static const unsigned needs[] = {
		[LINK_TTY] = FILTER_TTY,
		[LINK_TCP] = FILTER_TCP,
		[LINK_UNIX] = FILTER_UNIX,
		[LINK_SIM] = 0,
	};

	return needs[link_kind(device, &device)];
}

static int add_rule(scmp_filter_ctx context, const struct rule *rule)
{
	int call = seccomp_syscall_resolve_name(rule->call);
	struct scmp_arg_cmp arguments[ARRAY_SIZE(rule->when)];
	unsigned count = 0;

	/* An older libseccomp cannot name it, and a program of its age does not make it. */
	if (call == __NR_SCMP_ERROR)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(rule->when); i++)
		if (rule->when[i].mask)
			arguments[count++] = (struct scmp_arg_cmp){
				.arg = rule->when[i].argument,
				.op = SCMP_CMP_MASKED_EQ,
				.datum_a = rule->when[i].mask,
				.datum_b = rule->when[i].value,
			};
	return seccomp_rule_add_array(context, SCMP_ACT_ALLOW, call, count, arguments);
}

/* abort(3) shall be seen as what it is, and this signal goes nowhere else. */
static int add_abort(scmp_filter_ctx context)
{
	const struct scmp_arg_cmp own[] = {
		{ .arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)getpid() },
		{ .arg = 2, .op = SCMP_CMP_EQ, .datum_a = SIGABRT },
	};

	return seccomp_rule_add_array(context, SCMP_ACT_ALLOW,
				      seccomp_syscall_resolve_name("tgkill"), ARRAY_SIZE(own), own);
}

static int set_attributes(scmp_filter_ctx context)
{
	int err = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	/* A C library newer than this list asks for clone3() first and takes no for an answer. */
	if (!err)
		err = seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS),
				       seccomp_syscall_resolve_name("clone3"), 0);
	/* A tree of the numbers, not a list: the later calls of the list would pay for the first. */
	if (!err)
		seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return err;
}

static int add_rules(scmp_filter_ctx context, unsigned needs)
{
	int err = set_attributes(context);

	if (!err)
		err = add_abort(context);
	for (size_t i = 0; !err && i < ARRAY_SIZE(rules); i++)
		if (!rules[i].need || rules[i].need & needs)
			err = add_rule(context, &rules[i]);
	return err;
}

int filter_load(unsigned needs)
{
	scmp_filter_ctx context = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int err;

	/* Memory may be short, too, but a kernel without this action is likelier. */
	if (!context)
		return -ENOSYS;
	err = add_rules(context, needs);
	/* Else libseccomp says ECANCELED for whatever the kernel said. */
	if (!err)
		err = seccomp_attr_set(context, SCMP_FLTATR_API_SYSRAWRC, 1);
	if (!err)
		err = seccomp_load(context);
	seccomp_release(context);
	return err;
}

int filter_export(const char *machine, unsigned needs, int fd, bool binary)
{
	scmp_filter_ctx context = seccomp_init(SCMP_ACT_KILL_PROCESS);
	uint32_t arch = seccomp_arch_resolve_name(machine);
	int err;

	if (!context)
		return -ENOMEM;
	err = arch ? seccomp_arch_remove(context, SCMP_ARCH_NATIVE) : -EINVAL;
	if (!err)
		err = seccomp_arch_add(context, arch);
	if (!err)
		err = add_rules(context, needs);
	if (!err)
		err = binary ? seccomp_export_bpf(context, fd) : seccomp_export_pfc(context, fd);
	seccomp_release(context);
	return err;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "filter.h"
#include "test.h"

#define PROGRAM_MAX (4096 * 8) /* bytes that the kernel takes */
#define EVERY_KIND  { 0, FILTER_TTY, FILTER_UNIX, FILTER_TCP }
/* 32-bit ARM has one of the two only. */
#ifndef SYS_mmap
#define SYS_mmap SYS_mmap2
#endif

#define CALL(call) .name = #call, .number = SYS_##call
#define TEXT(text) ((long)(intptr_t)(text))

/* A system call with arguments that do no harm should the filter let it pass. */
struct deed {
	const char *name;
	long number;
	long argument[6];
};

static const char *const devices[] = { "sim:", "/dev/ttyS0", "unix:/s", "tcp:host:1" };

/* The wait status of a child that does @deed behind the filter. */
static int status_of(unsigned needs, const struct deed *deed)
{
	const long *a = deed->argument;
	pid_t child = fork();
	int status;

	if (child == 0) {
		static const struct rlimit no_core = { 0, 0 };

		setrlimit(RLIMIT_CORE, &no_core);
		if (filter_load(needs) < 0)
			_exit(2);
		syscall(deed->number, a[0], a[1], a[2], a[3], a[4], a[5]);
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void check_killed(unsigned needs, const struct deed *deed)
{
	int status = status_of(needs, deed);

	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
		fail_msg("%s is not refused to a server with needs %u", deed->name, needs);
}

static void check_allowed(unsigned needs, const struct deed *deed)
{
	int status = status_of(needs, deed);

	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("%s is refused to a server with needs %u", deed->name, needs);
}

/* What no server may do, whatever it serves. */
static void test_never(void **state)
{
	static const unsigned kinds[] = EVERY_KIND;
	const struct deed deeds[] = {
		{ CALL(execve), { TEXT("/nonexistent") } },
		{ CALL(execveat), { -1, TEXT("") } },
		{ CALL(mount) },
		{ CALL(umount2), { TEXT("/nonexistent") } },
		{ CALL(pivot_root) },
		{ CALL(chroot), { TEXT("/nonexistent") } },
		{ CALL(unshare), { CLONE_NEWNS } },
		{ CALL(setns), { -1 } },
		{ "clone of a namespace", SYS_clone, { CLONE_NEWUSER | SIGCHLD, -1 } },
		{ CALL(ptrace), { -1 } },
		{ CALL(process_vm_readv), { -1 } },
		{ CALL(process_vm_writev), { -1 } },
		{ "kill of a process", SYS_kill, { getpid(), 0 } },
		{ "kill of all", SYS_kill, { -1, 0 } },
		{ CALL(tkill), { getpid(), 0 } },
		{ "tgkill of another", SYS_tgkill, { getpid(), getpid(), 0 } },
		{ CALL(pidfd_open), { getpid() } },
		{ CALL(setuid), { -1 } },
		{ CALL(setgid), { -1 } },
		{ CALL(setresuid), { -1, -1, -1 } },
		{ CALL(setresgid), { -1, -1, -1 } },
		{ CALL(setgroups), { -1 } },
		{ CALL(capset) },
		{ "prctl to keep capabilities", SYS_prctl, { PR_SET_KEEPCAPS, 0 } },
		{ CALL(bpf), { BPF_MAP_CREATE } },
		{ CALL(init_module) },
		{ CALL(finit_module), { -1 } },
		{ CALL(delete_module) },
		{ CALL(kexec_load), { -1, 1000 } },
		{ CALL(reboot) },
		{ CALL(swapon) },
		{ CALL(settimeofday), { -1 } },
		{ CALL(sethostname), { 0, -1 } },
		{ CALL(fchmod), { -1 } },
		{ CALL(fchmodat), { -1 } },
		{ CALL(fchown), { -1 } },
		{ CALL(fchownat), { -1 } },
		{ CALL(unlinkat), { -1 } },
		{ CALL(renameat2), { -1, 0, -1 } },
		{ CALL(linkat), { -1, 0, -1 } },
		{ CALL(symlinkat), { 0, -1 } },
		{ CALL(mkdirat), { -1 } },
		{ CALL(mknodat), { -1 } },
		{ CALL(truncate) },
		{ CALL(ftruncate), { -1 } },
		{ CALL(setxattr) },
		{ CALL(utimensat), { -1 } },
		{ "making a file", SYS_openat, { -1, TEXT("x"), O_WRONLY | O_CREAT } },
		{ "emptying a file", SYS_openat, { -1, TEXT("x"), O_WRONLY | O_TRUNC } },
		{ "a nameless file", SYS_openat, { -1, TEXT("x"), O_WRONLY | O_TMPFILE } },
		{ CALL(memfd_create) },
		{ CALL(perf_event_open) },
		{ CALL(userfaultfd), { -1 } },
		{ CALL(io_uring_setup) },
		{ CALL(keyctl), { -1 } },
		{ CALL(add_key) },
		{ CALL(personality), { 0xFFFFFFFF } },
		{ CALL(open_by_handle_at), { -1 } },
		{ CALL(shmget), { 1, 0, 0 } },
		{ CALL(socketpair), { -1 } },
		{ CALL(listen), { -1 } },
		{ CALL(accept4), { -1 } },
		{ "a packet socket", SYS_socket, { AF_PACKET, SOCK_RAW, 0 } },
		{ "a vsock", SYS_socket, { AF_VSOCK, SOCK_STREAM, 0 } },
		{ "a crypto socket", SYS_socket, { AF_ALG, SOCK_SEQPACKET, 0 } },
		{ "a raw socket", SYS_socket, { AF_INET, SOCK_RAW, 1 } },
		{ "another netlink", SYS_socket, { AF_NETLINK, SOCK_RAW, 9 } },
		{ "typing into a terminal", SYS_ioctl, { -1, TIOCSTI } },
		{ "taking the console", SYS_ioctl, { -1, TIOCCONS } },
		{ "taking a terminal", SYS_ioctl, { -1, TIOCSCTTY } },
		{ "another line discipline", SYS_ioctl, { -1, TIOCSETD } },
		{ "signals from a descriptor", SYS_fcntl, { -1, F_SETOWN, 1 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(deeds); i++)
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
			check_killed(kinds[k], &deeds[i]);
}

/* What only those may do whose link needs it. */
static void test_by_need(void **state)
{
	static const unsigned kinds[] = EVERY_KIND;
	const struct {
		unsigned needs;
		struct deed deed;
	} cases[] = {
		{ FILTER_TTY, { CALL(flock), { -1 } } },
		{ FILTER_TTY, { "settings", SYS_ioctl, { -1, TCGETS } } },
		{ FILTER_TTY, { "settings", SYS_ioctl, { -1, (int)TIOCSSERIAL } } },
		{ FILTER_UNIX | FILTER_TCP, { "stream", SYS_socket, { AF_UNIX, SOCK_STREAM } } },
		{ FILTER_UNIX | FILTER_TCP, { CALL(recvfrom), { -1 } } },
		{ FILTER_TCP, { "TCP", SYS_socket, { AF_INET, SOCK_STREAM | SOCK_CLOEXEC } } },
		{ FILTER_TCP, { "TCP", SYS_socket, { AF_INET6, SOCK_STREAM | SOCK_NONBLOCK } } },
		{ FILTER_TCP, { "UDP", SYS_socket, { AF_INET, SOCK_DGRAM } } },
		{ FILTER_TCP, { "routes", SYS_socket, { AF_NETLINK, SOCK_RAW, 0 } } },
		{ FILTER_TCP, { CALL(bind), { -1 } } },
		{ FILTER_TCP, { "a child", SYS_clone, { SIGCHLD } } },
		{ FILTER_TCP, { "the end of a child", SYS_kill, { 0x7FFFFFFF, SIGKILL } } },
		{ FILTER_TCP, { "code", SYS_mmap, { 0, 0, PROT_EXEC, 0, -1 } } },
		{ FILTER_TCP, { "code", SYS_mprotect, { 1, 0, PROT_EXEC } } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
			(cases[i].needs & kinds[k] ? check_allowed : check_killed)(kinds[k],
										   &cases[i].deed);
}

static void test_always(void **state)
{
	static const unsigned kinds[] = EVERY_KIND;
	const struct deed deeds[] = {
		{ CALL(read), { -1 } },
		{ CALL(writev), { -1 } },
		{ CALL(ppoll), { 0, -1 } },
		{ CALL(close), { -1 } },
		{ CALL(getpid) },
		{ CALL(openat), { AT_FDCWD, TEXT("/dev/null"), O_RDWR | O_CLOEXEC } },
		{ CALL(readlinkat), { -1 } },
		{ CALL(getdents64), { -1 } },
		{ CALL(mmap), { 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1 } },
		{ CALL(restart_syscall) },
		{ "the system log", SYS_socket, { AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC } },
		{ CALL(clone3) },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(deeds); i++)
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
			check_allowed(kinds[k], &deeds[i]);
}

/* A failed assertion must not look like a forbidden call. */
static void test_abort(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		static const struct rlimit no_core = { 0, 0 };

		setrlimit(RLIMIT_CORE, &no_core);
		if (!filter_load(0))
			abort();
		_exit(2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* The filter cannot be replaced or taken off, nor a looser one put before it. */
static void test_final(void **state)
{
	static const struct deed deeds[] = {
		{ CALL(seccomp), { 1, 0, 0 } },
		{ "prctl for a filter", SYS_prctl, { PR_SET_SECCOMP, 2, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(deeds); i++)
		check_killed(FILTER_TCP | FILTER_UNIX | FILTER_TTY, &deeds[i]);
}

static void test_needs(void **state)
{
	static const unsigned expected[] = { 0, FILTER_TTY, FILTER_UNIX, FILTER_TCP };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		assert_int_equal(filter_needs(devices[i]), expected[i]);
	assert_int_equal(filter_needs("./tcp:host:1"), FILTER_TTY);
}

/* The list makes a filter of a size that the kernel takes on other machines too. */
static void test_machines(void **state)
{
	static const char *const machines[] = { "x86_64", "aarch64", "arm",  "x86",
						"x32",    "riscv64", "mips", "ppc64le" };
	static const unsigned kinds[] = EVERY_KIND;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
			FILE *file = tmpfile();
			struct stat stat;
			int err;

			assert_non_null(file);
			err = filter_export(machines[i], kinds[k], fileno(file), true);
			if (err)
				fail_msg("%s: %s", machines[i], strerror(-err));
			assert_int_equal(fstat(fileno(file), &stat), 0);
			assert_in_range(stat.st_size, 8 * 50, PROGRAM_MAX);
			fclose(file);
		}
	}
	assert_true(filter_export("abacus", 0, -1, false) < 0);
}

/* Each row counts on a machine of 32 bits, whose calls have other names. */
static void test_arm(void **state)
{
	static const char *const named[] = { "ppoll_time64", "clock_gettime64", "mmap2",
					     "fstatat64",    "futex_time64",    "sigreturn",
					     "_llseek",      "fcntl64" };
	static char list[1 << 20];
	FILE *file = tmpfile();
	size_t size;

	(void)state;
	assert_non_null(file);
	assert_int_equal(filter_export("arm", FILTER_TTY, fileno(file), false), 0);
	rewind(file);
	size = fread(list, 1, sizeof(list) - 1, file);
	list[size] = '\0';
	fclose(file);
	for (size_t i = 0; i < ARRAY_SIZE(named); i++)
		if (!strstr(list, named[i]))
			fail_msg("%s is missing", named[i]);
	assert_null(strstr(list, "execve"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_needs),
		cmocka_unit_test(test_machines),
		cmocka_unit_test(test_arm),
	};
	const struct CMUnitTest loaded[] = {
		cmocka_unit_test(test_never),  cmocka_unit_test(test_by_need),
		cmocka_unit_test(test_always), cmocka_unit_test(test_abort),
		cmocka_unit_test(test_final),
	};
	int failed = cmocka_run_group_tests_name("filter", tests, NULL, NULL);

	/* A sanitizer would make forbidden calls in these children. */
	if (filter_built())
		failed += cmocka_run_group_tests_name("filter, loaded", loaded, NULL, NULL);
	return failed;
}

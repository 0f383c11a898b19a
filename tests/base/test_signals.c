// SPDX-License-Identifier: LGPL-3.0-or-later
#include "base/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static const int harmless[] = { SIGCHLD, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH };

static bool is_harmless(int number)
{
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
		if (harmless[i] == number)
			return true;
	return number == SIGKILL || number == SIGSTOP;
}

/*
 * A process that has blocked its signals, after @prepare, and whose exit status is the next one
 * that it takes. It has written a byte to @ready by then.
 */
static pid_t start(void (*prepare)(void), int ready[2])
{
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		struct pollfd pending = { .events = POLLIN };
		int number = 0;

		if (prepare)
			prepare();
		pending.fd = signals_open(false);
		if (pending.fd < 0 || write(ready[1], "r", 1) != 1)
			_exit(255);
		while (!number && poll(&pending, 1, -1) == 1)
			number = signals_take(pending.fd);
		_exit(number);
	}
	assert_true(child > 0);
	return child;
}

/* The exit status of such a process, negative if a signal ended it. */
static int send_to(void (*prepare)(void), const int *numbers, size_t count)
{
	int ready[2], status;
	pid_t child = start(prepare, ready);
	char byte;

	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(kill(child, numbers[i]), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Also 32 and 33, which the C library keeps to itself. */
static void test_every_signal_that_can_end_a_process_is_taken(void **state)
{
	(void)state;
	for (int number = 1; number < NSIG; number++) {
		if (is_harmless(number))
			continue;
		print_message("signal %d\n", number);
		assert_int_equal(send_to(NULL, &number, 1), number);
	}
}

static void test_harmless_signals_are_not_taken(void **state)
{
	static const int then_term[] = { SIGCHLD, SIGCONT, SIGURG, SIGWINCH, SIGTERM };

	(void)state;
	assert_int_equal(send_to(NULL, then_term, ARRAY_SIZE(then_term)), SIGTERM);
}

static void ignore_as_nohup(void)
{
	signal(SIGHUP, SIG_IGN);
}

static void ignore_as_a_shell(void)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
}

static void ignore_others(void)
{
	signal(SIGTERM, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
}

static void test_nohup_and_background_of_a_shell_stay_ignored(void **state)
{
	static const int hangup[] = { SIGHUP, SIGTERM }, keys[] = { SIGINT, SIGQUIT, SIGTERM };

	(void)state;
	assert_int_equal(send_to(ignore_as_nohup, hangup, ARRAY_SIZE(hangup)), SIGTERM);
	assert_int_equal(send_to(ignore_as_a_shell, keys, ARRAY_SIZE(keys)), SIGTERM);
}

static void test_other_ignored_signals_are_taken(void **state)
{
	static const int numbers[] = { SIGTERM, SIGUSR1, SIGPIPE };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		assert_int_equal(send_to(ignore_others, &numbers[i], 1), numbers[i]);
}

static int open_in_child(void)
{
	int fd = signals_open(false);

	return fd < 0 ? -1 : fd;
}

/* Runs @act in a child. Returns its exit status, negative if a signal ended it. */
static int in_child(int (*act)(void))
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(act());
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int write_to_nobody(void)
{
	int ends[2], fd = open_in_child();

	if (fd < 0 || pipe(ends) || close(ends[0]))
		return 1;
	if (write(ends[1], "x", 1) != -1 || errno != EPIPE)
		return 2;
	return signals_take(fd) ? 3 : 0;
}

static int write_beyond_the_limit(void)
{
	const struct rlimit limit = { 0, 0 };
	int fd = open_in_child(), file = memfd_create("file", MFD_CLOEXEC);

	if (fd < 0 || file < 0 || setrlimit(RLIMIT_FSIZE, &limit))
		return 1;
	if (write(file, "x", 1) != -1 || errno != EFBIG)
		return 2;
	return signals_take(fd) ? 3 : 0;
}

static void test_a_failed_write_is_no_signal(void **state)
{
	(void)state;
	assert_int_equal(in_child(write_to_nobody), 0);
	assert_int_equal(in_child(write_beyond_the_limit), 0);
}

static int touch_nothing(void)
{
	void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED || open_in_child() < 0)
		return 1;
	*(volatile char *)page = 1;
	return 2;
}

static int give_up(void)
{
	if (open_in_child() < 0)
		return 1;
	abort();
}

static void test_a_fault_of_the_program_ends_it(void **state)
{
	(void)state;
	assert_int_equal(in_child(touch_nothing), -SIGSEGV);
	assert_int_equal(in_child(give_up), -SIGABRT);
}

static int lose_a_child(void)
{
	int fd = signals_open(true);
	struct pollfd pending = { .fd = fd, .events = POLLIN };
	pid_t child;

	if (fd < 0 || signals_take(fd))
		return 1;
	child = fork();
	if (child == 0)
		_exit(0);
	if (poll(&pending, 1, -1) != 1 || signals_take(fd) != SIGCHLD)
		return 2;
	return waitpid(child, NULL, 0) == child ? 0 : 3;
}

static void test_children(void **state)
{
	(void)state;
	assert_int_equal(in_child(lose_a_child), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_signal_that_can_end_a_process_is_taken),
		cmocka_unit_test(test_harmless_signals_are_not_taken),
		cmocka_unit_test(test_nohup_and_background_of_a_shell_stay_ignored),
		cmocka_unit_test(test_other_ignored_signals_are_taken),
		cmocka_unit_test(test_a_failed_write_is_no_signal),
		cmocka_unit_test(test_a_fault_of_the_program_ends_it),
		cmocka_unit_test(test_children),
	};

	return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}

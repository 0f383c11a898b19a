// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * Writes are whole or nothing, on a real mount against a fake device: a test for each row of the table
 * in src/fs/write.c. CMAX is 3.5 at first and takes 1 to 3 characters that begin with a digit.
 */
#include "stage.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define IN_PIECES "CMAX: the value came in pieces; write the value and its newline with one write()"
#define NOT_AT_START \
	"CMAX: a value must be written at offset 0; open the file again or seek to its start"
#define UNSEEN                                                                                   \
	"CMAX: the process of the writer cannot be seen; write the value with a newline at its " \
	"end"
#define INTERRUPTED "CMAX: a signal came before anything was sent; write the value again"

#define EXPLAINS(sentence) TELL(.wish = GET_EXPLAINED, .text = sentence)

/* Each is set to one value by a test, and then CMAX must be that value. */
static bool holds(const char *expected)
{
	char text[64];
	int fd = open("CMAX", O_RDONLY | O_DIRECT);
	ssize_t length = read(fd, text, sizeof(text));

	close(fd);
	return length == (ssize_t)strlen(expected) + 1 && !memcmp(text, expected, strlen(expected));
}

static bool takes(int fd, const char *text)
{
	return write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool refuses(int fd, const char *text, int error)
{
	return write(fd, text, strlen(text)) < 0 && errno == error;
}

static bool close_fails(int fd, int error)
{
	return close(fd) < 0 && errno == error;
}

static int newline_client(int server)
{
	int fd = open("CMAX", O_WRONLY | O_CREAT | O_TRUNC, 0666);

	prctl(PR_SET_NAME, "a\nb"); /* no name makes a line of its own in the log */
	CHECK(takes(fd, "3.6\n"));
	CHECK(holds("3.6"));
	CHECK(TELL(.wish = GET_LOGGED, .text = "(a?b) set CMAX 3.5 -> 3.6\n"));
	TELL(.wish = SET_WRITE_ERROR, .number = -EREMOTEIO);
	CHECK(pwrite(fd, "5\n", 2, 0) < 0 && errno == EREMOTEIO);
	CHECK(TELL(.wish = GET_LOGGED, .text = "set CMAX 3.6 -> 5 failed: the BMS refused"));
	CHECK(close(fd) == 0 && holds("3.6"));
	return 0;
}

static void test_a_line_is_set_by_its_write(void **state)
{
	(void)state;
	play(newline_client);
}

/* The newline is the end of a value, so what follows is the next one. */
static int lines_client(int server)
{
	char big[5000];
	int fd = open("CMAX", O_WRONLY);

	CHECK(takes(fd, "3.6\n"));
	CHECK(pwrite(fd, "x\n", 2, 0) < 0 && errno == EINVAL);
	CHECK(pwrite(fd, "3.666\n", 6, 0) < 0 && errno == ERANGE);
	memset(big, '1', sizeof(big));
	big[sizeof(big) - 1] = '\n';
	CHECK(pwrite(fd, big, sizeof(big), 0) < 0 && errno == EINVAL);
	CHECK(pwrite(fd, "3.7\n", 4, 0) == 4);
	CHECK(close(fd) == 0 && holds("3.7"));

	fd = open("CMAX", O_WRONLY | O_APPEND);
	CHECK(takes(fd, "1\n") && takes(fd, "2\n") && holds("2"));
	CHECK(TELL(.wish = GET_WRITES) == 4);
	return 0;
}

static void test_each_line_is_a_value_of_its_own(void **state)
{
	(void)state;
	play(lines_client);
}

static int close_client(int server)
{
	int fd = open("CMAX", O_RDWR);

	CHECK(takes(fd, "3.6"));
	CHECK(TELL(.wish = GET_WRITES) == 0 && reads(fd, 0, "3.5\n"));
	CHECK(ftruncate(fd, 0) == 0);
	CHECK(close(fd) == 0 && holds("3.6"));
	CHECK(TELL(.wish = GET_LOGGED, .text = "set CMAX 3.5 -> 3.6\n"));

	fd = open("CMAX", O_WRONLY);
	TELL(.wish = SET_WRITE_ERROR, .number = -EREMOTEIO);
	CHECK(takes(fd, "4"));
	CHECK(close_fails(fd, EREMOTEIO) && holds("3.6"));
	CHECK(TELL(.wish = GET_LOGGED, .text = "set CMAX 3.6 -> 4 failed: the BMS refused"));
	return 0;
}

static void test_a_value_without_newline_is_set_by_close(void **state)
{
	(void)state;
	play(close_client);
}

/* A descriptor for reading and writing shows what the BMS holds, never the text held. */
static int read_client(int server)
{
	int fd = open("CMAX", O_RDWR), copy = dup(fd);

	(void)server;
	CHECK(reads(fd, 0, "3.5\n") && takes(fd, "3.6\n") && reads(fd, 0, "3.6\n"));
	CHECK(lseek(fd, 0, SEEK_SET) == 0 && takes(fd, "3.7") && reads(fd, 0, "3.6\n"));
	CHECK(close(fd) == 0 && reads(copy, 0, "3.7\n"));
	return 0;
}

static void test_reading_beside_a_held_value(void **state)
{
	(void)state;
	play(read_client);
}

static int completion_client(int server)
{
	int fd = open("CMAX", O_WRONLY);

	CHECK(takes(fd, "3") && takes(fd, ".6\n") && holds("3.6"));
	CHECK(lseek(fd, 0, SEEK_SET) == 0 && takes(fd, "3.7") && takes(fd, "\n") && holds("3.7"));
	CHECK(close(fd) == 0 && TELL(.wish = GET_WRITES) == 2);

	fd = open("CMAX", O_WRONLY | O_APPEND);
	CHECK(takes(fd, "3") && takes(fd, ".8\n") && holds("3.8"));
	CHECK(close(fd) == 0 && TELL(.wish = GET_WRITES) == 3);
	return 0;
}

static void test_a_newline_completes_the_text_held(void **state)
{
	(void)state;
	play(completion_client);
}

/* A program that tries again has only the rest, which is another value. */
static int incompletion_client(int server)
{
	int fd = open("CMAX", O_WRONLY | O_APPEND);

	TELL(.wish = SET_WRITE_ERROR, .number = -EREMOTEIO);
	CHECK(takes(fd, "4") && refuses(fd, "1\n", EREMOTEIO));
	TELL(.wish = SET_WRITE_ERROR, .number = 0);
	CHECK(refuses(fd, "1\n", EINVAL) && EXPLAINS(IN_PIECES));
	CHECK(close(fd) == 0 && holds("3.5"));

	fd = open("CMAX", O_WRONLY | O_APPEND);
	CHECK(takes(fd, "4") && refuses(fd, "111\n", ERANGE));
	CHECK(refuses(fd, "1\n", EINVAL));
	CHECK(close(fd) == 0 && holds("3.5") && TELL(.wish = GET_WRITES) == 1);
	return 0;
}

static void test_a_completed_value_that_fails_leaves_no_rest(void **state)
{
	(void)state;
	play(incompletion_client);
}

static int pieces_client(int server)
{
	int fd = open("CMAX", O_WRONLY);

	CHECK(takes(fd, "3") && refuses(fd, ".", EINVAL) && EXPLAINS(IN_PIECES));
	CHECK(refuses(fd, "6\n", EINVAL) && pwrite(fd, "4\n", 2, 0) < 0 && errno == EINVAL);
	CHECK(close(fd) == 0 && holds("3.5"));

	fd = open("CMAX", O_WRONLY | O_APPEND);
	CHECK(takes(fd, "3") && refuses(fd, ".", EINVAL) && refuses(fd, "6\n", EINVAL));
	CHECK(close(fd) == 0 && holds("3.5") && TELL(.wish = GET_WRITES) == 0);
	return 0;
}

static void test_a_second_piece_is_refused(void **state)
{
	(void)state;
	play(pieces_client);
}

/* "-" or "x" first: the program may go on at offset 0, for nothing was written. */
static int first_piece_client(int server)
{
	static const struct {
		const char *piece;
		int error;
	} cases[] = { { "x", EINVAL }, { "3.66", ERANGE } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int fd = open("CMAX", O_WRONLY);

		CHECK(refuses(fd, cases[i].piece, cases[i].error));
		CHECK(refuses(fd, "5", cases[i].error) && refuses(fd, "5\n", cases[i].error));
		CHECK(close(fd) == 0 && holds("3.5") && TELL(.wish = GET_WRITES) == 0);
	}
	return 0;
}

static void test_nothing_follows_a_refused_piece(void **state)
{
	(void)state;
	play(first_piece_client);
}

static int offset_client(int server)
{
	int fd = open("CMAX", O_WRONLY);

	CHECK(pwrite(fd, "4\n", 2, 7) < 0 && errno == EINVAL && EXPLAINS(NOT_AT_START));
	close(fd);
	fd = open("CMAX", O_WRONLY);
	CHECK(pwrite(fd, "4", 1, 7) < 0 && errno == EINVAL && EXPLAINS(NOT_AT_START));
	close(fd);
	fd = open("CMAX", O_WRONLY);
	CHECK(takes(fd, "3.6\n") && refuses(fd, "3.7\n", EINVAL) && EXPLAINS(NOT_AT_START));
	close(fd);
	/* Over the text held, or behind a gap. */
	fd = open("CMAX", O_WRONLY);
	CHECK(takes(fd, "4") && pwrite(fd, "1\n", 2, 0) < 0 && errno == EINVAL);
	CHECK(EXPLAINS(IN_PIECES));
	close(fd);
	fd = open("CMAX", O_WRONLY);
	CHECK(takes(fd, "4") && pwrite(fd, "1\n", 2, 2) < 0 && errno == EINVAL);
	close(fd);
	CHECK(holds("3.6") && TELL(.wish = GET_WRITES) == 1);
	return 0;
}

static void test_text_at_another_offset_is_refused(void **state)
{
	(void)state;
	play(offset_client);
}

/* What shells do: they close a copy before the first write. */
static int early_flush_client(int server)
{
	int fd = open("CMAX", O_WRONLY);

	CHECK(close(dup(fd)) == 0 && TELL(.wish = GET_WRITES) == 0);
	CHECK(takes(fd, "3.6") && close(fd) == 0 && holds("3.6"));
	return 0;
}

static void test_closing_with_nothing_held_does_nothing(void **state)
{
	(void)state;
	play(early_flush_client);
}

/* exec 3>f; printf 3 >&3; printf .6 >&3: the first printf was complete for its shell. */
static int spent_client(int server)
{
	int fd = open("CMAX", O_WRONLY);

	CHECK(takes(fd, "3") && close(dup(fd)) == 0 && holds("3"));
	CHECK(refuses(fd, ".6", EINVAL) && EXPLAINS(IN_PIECES));
	CHECK(refuses(fd, "4\n", EINVAL));
	CHECK(close(fd) == 0 && holds("3") && TELL(.wish = GET_WRITES) == 1);
	return 0;
}

static void test_closing_sets_once(void **state)
{
	(void)state;
	play(spent_client);
}

static int write_piece(int fd)
{
	return takes(fd, "5") && close(fd) == 0 ? 0 : 1;
}

static int write_rest(int fd)
{
	return refuses(fd, "1", EINVAL) && close(fd) == 0 ? 0 : 1;
}

static int group_client(int server)
{
	int fd = open("CMAX", O_WRONLY);

	CHECK(end(begin(write_piece, fd)) == 0 && holds("3.5"));
	CHECK(close(fd) == 0 && holds("5"));

	fd = open("CMAX", O_WRONLY);
	CHECK(end(begin(write_piece, fd)) == 0 && end(begin(write_rest, fd)) == 0);
	CHECK(close(fd) == 0 && holds("5") && TELL(.wish = GET_WRITES) == 1);
	return 0;
}

static void test_children_leave_the_text_to_the_opener(void **state)
{
	(void)state;
	play(group_client);
}

/* A pipe that a child waits at until its parent closes the other end. */
static int gate[2];

static void wait_at_gate(void)
{
	char byte;

	close(gate[1]);
	while (read(gate[0], &byte, 1) > 0)
		;
}

static int write_after_gate(int fd)
{
	wait_at_gate();
	return write_piece(fd);
}

/* The opener has closed the file; no other process can know whether the value is complete. */
static int release_client(int server)
{
	int fd = open("CMAX", O_WRONLY);
	pid_t child;

	CHECK(pipe(gate) == 0);
	child = begin(write_after_gate, fd);
	CHECK(close(fd) == 0 && close(gate[1]) == 0);
	CHECK(end(child) == 0);
	TELL(.wish = AWAIT_LOGGED,
	     .text = "CMAX: 5 was dropped because the process that opened the "
		     "file did not close it; write the value with a newline "
		     "at its end\n");
	CHECK(holds("3.5") && TELL(.wish = GET_WRITES) == 0);
	return 0;
}

static void test_text_that_the_opener_left_is_dropped(void **state)
{
	(void)state;
	play(release_client);
}

static int report[2];

/* Opens the file and ends; its child, which is left with the file, tells how writing went. */
static int open_and_leave(int unused)
{
	int fd = open("CMAX", O_WRONLY);
	char refused;

	(void)unused;
	if (fork())
		_exit(0);
	wait_at_gate();
	refused = refuses(fd, "5", EINVAL);
	return write(report[1], &refused, 1) == 1 ? 0 : 1;
}

static int orphan_client(int server)
{
	char refused = 0;

	CHECK(pipe(gate) == 0 && pipe(report) == 0);
	CHECK(end(begin(open_and_leave, -1)) == 0 && close(gate[1]) == 0);
	CHECK(read(report[0], &refused, 1) == 1 && refused && EXPLAINS(UNSEEN));
	CHECK(holds("3.5") && TELL(.wish = GET_WRITES) == 0);
	return 0;
}

static void test_a_value_without_newline_needs_its_opener(void **state)
{
	(void)state;
	play(orphan_client);
}

static int write_and_exit(int unused)
{
	(void)unused;
	return takes(open("CMAX", O_WRONLY), "5") ? 0 : 1;
}

static int exit_client(int server)
{
	CHECK(end(begin(write_and_exit, -1)) == 0 && holds("5"));
	CHECK(TELL(.wish = GET_LOGGED, .text = "set CMAX 3.5 -> 5\n"));
	return 0;
}

static void test_an_exit_closes(void **state)
{
	(void)state;
	play(exit_client);
}

/* The kernel closes the file inside of execve(2), where other locks of the process are held. */
static int write_and_exec(int unused)
{
	char *arguments[] = { "true", NULL };

	(void)unused;
	if (takes(open("CMAX", O_WRONLY | O_CLOEXEC), "5"))
		execvp(arguments[0], arguments);
	return 1;
}

/* The same, while its child writes to a file that stays open. */
static int write_exec_and_leave(int unused)
{
	int fd = open("CMAX", O_WRONLY);

	begin(write_after_gate, fd);
	close(gate[1]);
	return write_and_exec(unused);
}

static int exec_client(int server)
{
	pid_t writer;

	CHECK(end(begin(write_and_exec, -1)) == 0 && holds("5"));
	CHECK(TELL(.wish = GET_LOGGED, .text = "set CMAX 3.5 -> 5\n"));

	TELL(.wish = SET_HOLD, .number = 1);
	CHECK(pipe(gate) == 0);
	writer = begin(write_exec_and_leave, -1);
	TELL(.wish = AWAIT_PARKED, .number = 1);
	CHECK(TELL(.wish = GET_LOGGED, .text = "flush CMAX by"));
	close(gate[1]);
	TELL(.wish = AWAIT_LOGGED, .text = "CMAX -> held\n");
	TELL(.wish = SET_HOLD, .number = 0);
	CHECK(end(writer) == 0);
	return 0;
}

static void test_an_exec_closes(void **state)
{
	(void)state;
	play(exec_client);
}

static int write_and_die(int signal_number)
{
	signal(signal_number, SIG_DFL); /* cmocka catches some */
	if (takes(open("CMAX", O_WRONLY), "5"))
		kill(getpid(), signal_number);
	return 1;
}

static int kill_client(int server)
{
	static const int signals[] = {
		SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGSEGV, SIGABRT
	};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		CHECK(end(begin(write_and_die, signals[i])) == -1);
		CHECK(TELL(.wish = GET_LOGGED,
			   .text = "CMAX: 5 was dropped because the program was killed before it "
				   "closed the file; write it again\n"));
		CHECK(EXPLAINS("CMAX: 5 was dropped because the program was killed before it "
			       "closed the file; write it again"));
		CHECK(holds("3.5"));
	}
	CHECK(TELL(.wish = GET_WRITES) == 0);
	return 0;
}

static void test_a_killed_writer_sets_nothing(void **state)
{
	(void)state;
	play(kill_client);
}

static int write_line_after_gate(int fd)
{
	char refused;

	wait_at_gate();
	refused = refuses(fd, "1\n", EINVAL);
	return write(report[1], &refused, 1) == 1 ? 0 : 1;
}

/* Its child has the rest of the value, "1\n" of "51\n". */
static int write_and_die_first(int unused)
{
	int fd = open("CMAX", O_WRONLY | O_APPEND);

	(void)unused;
	begin(write_line_after_gate, fd);
	close(gate[1]);
	if (takes(fd, "5"))
		kill(getpid(), SIGKILL);
	return 1;
}

static int killed_parent_client(int server)
{
	char refused = 0;

	CHECK(pipe(gate) == 0 && pipe(report) == 0);
	CHECK(end(begin(write_and_die_first, -1)) == -1 && close(gate[1]) == 0);
	CHECK(read(report[0], &refused, 1) == 1 && refused && holds("3.5"));
	CHECK(TELL(.wish = GET_WRITES) == 0);
	return 0;
}

static void test_nothing_follows_a_dropped_piece(void **state)
{
	(void)state;
	play(killed_parent_client);
}

static void *write_and_wait(void *end_of_pipe)
{
	char ok = takes(open("CMAX", O_WRONLY), "5");

	if (write(*(int *)end_of_pipe, &ok, 1) == 1)
		for (;;)
			pause();
	return NULL;
}

static void *exit_all(void *unused)
{
	(void)unused;
	_exit(0);
}

/* The second thread has written and lives on; then the first one ends all, or a third (-1). */
static int end_all(int signal_number)
{
	pthread_t thread;
	char ok = 0;

	if (pipe(report) || pthread_create(&thread, NULL, write_and_wait, &report[1]) ||
	    read(report[0], &ok, 1) != 1 || !ok)
		return 1;
	if (signal_number > 0) {
		signal(signal_number, SIG_DFL);
		kill(getpid(), signal_number);
	} else if (signal_number < 0) {
		if (pthread_create(&thread, NULL, exit_all, NULL))
			return 1;
		pthread_join(thread, NULL);
	}
	return 0;
}

/* Each thread of a process that ends looks as if a signal had ended it, but for the first. */
static int threads_client(int server)
{
	CHECK(end(begin(end_all, SIGKILL)) == -1 && holds("3.5"));
	CHECK(end(begin(end_all, SIGABRT)) == -1 && holds("3.5"));
	CHECK(end(begin(end_all, -1)) == 0 && holds("3.5"));
	CHECK(end(begin(end_all, 0)) == 0 && holds("5"));
	CHECK(TELL(.wish = GET_WRITES) == 1);
	return 0;
}

static void test_the_end_of_a_program_with_threads(void **state)
{
	(void)state;
	play(threads_client);
}

static int shared;

static void *open_and_write(void *unused)
{
	(void)unused;
	shared = open("CMAX", O_WRONLY);
	return takes(shared, "5") ? &shared : NULL;
}

static void *close_shared(void *unused)
{
	(void)unused;
	return close(shared) == 0 ? &shared : NULL;
}

static int other_thread_client(int server)
{
	pthread_t thread;
	void *done;

	(void)server;
	CHECK(pthread_create(&thread, NULL, open_and_write, NULL) == 0);
	CHECK(pthread_join(thread, &done) == 0 && done && holds("3.5"));
	CHECK(pthread_create(&thread, NULL, close_shared, NULL) == 0);
	CHECK(pthread_join(thread, &done) == 0 && done && holds("5"));
	return 0;
}

static void test_any_thread_of_the_opener_closes(void **state)
{
	(void)state;
	play(other_thread_client);
}

/* Below the namespace of the mount, where every process has a number here, too. */
static int write_in_namespace(int unused)
{
	(void)unused;
	if (unshare(CLONE_NEWPID))
		return 1;
	return end(begin(write_and_exit, -1));
}

static int namespace_client(int server)
{
	(void)server;
	CHECK(end(begin(write_in_namespace, -1)) == 0 && holds("5"));
	return 0;
}

static void test_a_writer_in_a_pid_namespace_below(void **state)
{
	(void)state;
	play(namespace_client);
}

static int write_line(int fd)
{
	interruptible();
	return takes(fd, "9.9\n") ? 0 : errno;
}

static int write_and_close(int fd)
{
	interruptible();
	if (fd < 0)
		fd = open("CMAX", O_WRONLY);
	if (!takes(fd, "9.9"))
		return 1;
	return close(fd) < 0 ? errno : 0;
}

static int interrupt_client(int server)
{
	static int (*const works[])(int) = { write_line, write_and_close };

	for (size_t i = 0; i < ARRAY_SIZE(works); i++) {
		int fd = works[i] == write_line ? open("CMAX", O_RDWR) : -1;
		pid_t writer;

		TELL(.wish = SET_VALUE, .row = ROW_CMAX, .text = "3.5");
		TELL(.wish = FORGET, .row = ROW_CMAX);
		TELL(.wish = SET_HOLD, .number = 1);
		writer = begin(works[i], fd);
		TELL(.wish = AWAIT_PARKED, .number = 1);
		CHECK(kill(writer, SIGUSR1) == 0);
		CHECK(end(writer) == EINTR && EXPLAINS(INTERRUPTED));
		CHECK(TELL(.wish = GET_LOGGED, .text = "-> 9.9 failed: a signal came before"));
		CHECK(TELL(.wish = GET_PARKED) == 0);
		TELL(.wish = SET_HOLD, .number = 0);
		CHECK(holds("3.5"));

		/* Once something was sent the job runs to its end. */
		TELL(.wish = SET_HOLD, .number = 1);
		TELL(.wish = SET_SENT, .number = 1);
		writer = begin(works[i], fd);
		TELL(.wish = AWAIT_PARKED, .number = 1);
		CHECK(kill(writer, SIGUSR1) == 0);
		CHECK(access("SOC", R_OK) == 0);
		TELL(.wish = SET_HOLD, .number = 0);
		CHECK(end(writer) == 0);
		TELL(.wish = SET_SENT, .number = 0);
		CHECK(holds("9.9"));
		close(fd);
	}
	return 0;
}

static void test_interrupts_before_and_after_the_first_byte(void **state)
{
	(void)state;
	play(interrupt_client);
}

/* A retry has the newline alone, or with O_APPEND the rest, which is another value. */
static int write_completion(int fd)
{
	interruptible();
	if (takes(fd, "1\n") || errno != EINTR)
		return 1;
	return refuses(fd, "1\n", EINVAL) ? 0 : 2;
}

static int interrupted_completion_client(int server)
{
	int fd = open("CMAX", O_WRONLY | O_APPEND);
	pid_t writer;

	CHECK(takes(fd, "4"));
	TELL(.wish = SET_HOLD, .number = 1);
	writer = begin(write_completion, fd);
	TELL(.wish = AWAIT_PARKED, .number = 1);
	CHECK(kill(writer, SIGUSR1) == 0 && end(writer) == 0);
	TELL(.wish = SET_HOLD, .number = 0);
	CHECK(close(fd) == 0 && holds("3.5"));
	return 0;
}

static void test_an_interrupted_completion_leaves_no_rest(void **state)
{
	(void)state;
	play(interrupted_completion_client);
}

/* A killed close() waits for the answer all the same: nothing is sent behind its back. */
static int killed_close_client(int server)
{
	pid_t writer;

	TELL(.wish = SET_HOLD, .number = 1);
	writer = begin(write_and_close, -1);
	TELL(.wish = AWAIT_PARKED, .number = 1);
	CHECK(kill(writer, SIGKILL) == 0 && end(writer) == -1);
	CHECK(TELL(.wish = GET_PARKED) == 0);
	TELL(.wish = SET_HOLD, .number = 0);
	CHECK(holds("3.5"));
	return 0;
}

static void test_a_writer_killed_in_close_sets_nothing(void **state)
{
	(void)state;
	play(killed_close_client);
}

static int two_client(int server)
{
	int first = open("CMAX", O_WRONLY), second = open("CMAX", O_WRONLY);

	CHECK(takes(first, "4") && takes(second, "5") && takes(first, "1\n") && holds("41"));
	CHECK(close(second) == 0 && holds("5"));
	CHECK(close(first) == 0 && holds("5") && TELL(.wish = GET_WRITES) == 2);
	return 0;
}

static void test_two_writers_do_not_mix(void **state)
{
	(void)state;
	play(two_client);
}

static int stop_client(int server)
{
	int fd = open("CMAX", O_WRONLY);
	pid_t writer;

	TELL(.wish = SET_HOLD, .number = 1);
	writer = begin(write_and_close, -1);
	TELL(.wish = AWAIT_PARKED, .number = 1);
	CHECK(takes(fd, "4"));
	TELL(.wish = STOP);
	CHECK(end(writer) == ENODEV);
	CHECK(TELL(.wish = GET_LOGGED, .text = "CMAX: 4 was dropped because the mount ended before "
					       "the file was closed; write it again\n"));
	CHECK(close(fd) == 0);
	TELL(.wish = SET_HOLD, .number = 0);
	CHECK(holds("3.5"));

	/* Too late to take it back: close() is answered, and the device ends the job alone. */
	TELL(.wish = SET_HOLD, .number = 1);
	TELL(.wish = SET_SENT, .number = 1);
	writer = begin(write_and_close, -1);
	TELL(.wish = AWAIT_PARKED, .number = 1);
	TELL(.wish = STOP);
	CHECK(end(writer) == ENODEV);
	CHECK(TELL(.wish = GET_LOGGED, .text = "set CMAX ? -> 9.9 failed"));
	TELL(.wish = SET_HOLD, .number = 0);
	CHECK(holds("9.9"));
	return 0;
}

static void test_the_end_of_the_mount(void **state)
{
	(void)state;
	play(stop_client);
}

/* Closing what was opened for reading costs nothing. */
static int flush_client(int server)
{
	int fd = open("CMAX", O_RDONLY);

	CHECK(reads(fd, 0, "3.5\n") && close(fd) == 0);
	TELL(.wish = AWAIT_LOGGED, .text = "close CMAX by");
	CHECK(TELL(.wish = GET_LOGGED, .text = "flush") == 0);
	fd = open("CMAX", O_RDWR);
	CHECK(close(fd) == 0 && TELL(.wish = GET_LOGGED, .text = "flush CMAX by"));
	return 0;
}

static void test_reading_needs_no_flush(void **state)
{
	(void)state;
	play(flush_client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MOUNTED(test_a_line_is_set_by_its_write),
		MOUNTED(test_each_line_is_a_value_of_its_own),
		MOUNTED(test_a_value_without_newline_is_set_by_close),
		MOUNTED(test_reading_beside_a_held_value),
		MOUNTED(test_a_newline_completes_the_text_held),
		MOUNTED(test_a_completed_value_that_fails_leaves_no_rest),
		MOUNTED(test_a_second_piece_is_refused),
		MOUNTED(test_nothing_follows_a_refused_piece),
		MOUNTED(test_text_at_another_offset_is_refused),
		MOUNTED(test_closing_with_nothing_held_does_nothing),
		MOUNTED(test_closing_sets_once),
		MOUNTED(test_children_leave_the_text_to_the_opener),
		MOUNTED(test_text_that_the_opener_left_is_dropped),
		MOUNTED(test_a_value_without_newline_needs_its_opener),
		MOUNTED(test_an_exit_closes),
		MOUNTED_AS(test_an_exec_closes, setup_debug),
		MOUNTED(test_a_killed_writer_sets_nothing),
		MOUNTED(test_nothing_follows_a_dropped_piece),
		MOUNTED(test_the_end_of_a_program_with_threads),
		MOUNTED(test_any_thread_of_the_opener_closes),
		MOUNTED(test_a_writer_in_a_pid_namespace_below),
		MOUNTED(test_interrupts_before_and_after_the_first_byte),
		MOUNTED(test_an_interrupted_completion_leaves_no_rest),
		MOUNTED(test_a_writer_killed_in_close_sets_nothing),
		MOUNTED(test_two_writers_do_not_mix),
		MOUNTED(test_the_end_of_the_mount),
		MOUNTED_AS(test_reading_needs_no_flush, setup_debug),
	};

	if (!stage_is_possible())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * The system calls with which other programs write a value, without those programs:
 *
 *	writer --list               names of all sequences
 *	writer --show NAME          the sequence
 *	writer NAME FILE            makes these calls on FILE, and prints each one that fails
 *	writer --steps STEPS FILE   does the same with a sequence of one's own
 *
 * Each sequence is what strace shows of the program: straces/NAME.strace. A failed call does not end
 * a sequence, so it is also that of a program that ignores every error.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OLD    "open WRONLY"
#define NEW    "open WRONLY|CREAT|TRUNC"
#define APPEND "open WRONLY|CREAT|APPEND"

/*
 * Steps: "open FLAGS", "dup", "write TEXT" and "close" of the last descriptor, "exit" with
 * descriptors still open, "kill" by SIGKILL. "childN STEP" is a step of a child, which inherits the
 * descriptors; its parent waits for its end.
 */
static const struct sequence {
	const char *name, *steps;
} sequences[] = {
	{ "bash-echo", NEW "; dup; close; write 2.75\\n; close" },
	{ "dash-echo", NEW "; dup; close; write 2.75\\n; close" },
	{ "busybox-echo", NEW "; dup; close; write 2.75\\n; close" },
	{ "bash-append", APPEND "; dup; close; write 2.75\\n; close" },
	{ "dash-append", APPEND "; dup; close; write 2.75\\n; close" },
	{ "busybox-append", APPEND "; dup; close; write 2.75\\n; close" },
	{ "bash-printf", NEW "; dup; close; write 2.75; close" },
	{ "dash-printf", NEW "; dup; close; write 2.75; close" },
	{ "busybox-printf", NEW "; dup; close; write 2.75; close" },
	{ "bash-group", NEW "; dup; close; write 2; write .75; close" },
	{ "dash-group", NEW "; dup; close; write 2; write .75; close" },
	{ "busybox-group", NEW "; dup; close; write 2; write .75; close" },
	{ "coreutils-group",
	  NEW "; dup; close; child1 write 2; child1 close; child2 write .75; child2 close; close" },
	{ "tee-line", NEW "; write 2.75\\n; close" },
	{ "tee", NEW "; write 2.75; close" },
	{ "dd-line", NEW "; dup; close; write 2.75\\n; close" },
	{ "dd-bytes", NEW "; dup; close; write 2; write .; write 7; write 5; close" },
	{ "awk-line", NEW "; write 2.75\\n; close" },
	{ "awk", NEW "; write 2.75; close" },
	{ "tmpfiles-line", OLD "; write 2.75\\n; close" },
	{ "tmpfiles", OLD "; write 2.75; close" },
	{ "python-print", NEW "; write 2.75\\n; close" },
	{ "python-with", NEW "; write 2.75; close" },
	{ "python-unbuffered", NEW "; write 2.75\\n; close" },
	{ "python-pieces", NEW "; write 2; write .75; close" },
	{ "python-line-unclosed", NEW "; write 2.75\\n; close" },
	{ "python-unclosed", NEW "; write 2.75; close" },
	{ "python-killed", OLD "; write 2; kill" },
	{ "node-line", NEW "; write 2.75\\n; close" },
	{ "node", NEW "; write 2.75; close" },
	{ "node-output", NEW "; dup; close; write 2.75; exit" },
	{ "c-line", NEW "; write 2.75\\n; close" },
	{ "c", NEW "; write 2.75; close" },
	{ "c-pieces", NEW "; write 2; write .75; close" },
	{ "c-output", NEW "; dup; close; write 2.75; exit" },
	{ "rust-line", NEW "; write 2.75\\n; close" },
	{ "rust", NEW "; write 2.75; close" },
	{ "rust-write-all", OLD "; write 2.75\\n; close" },
	{ "rust-write-macro", OLD "; write 2; write .; write 75; close" },
	{ "rust-writeln-macro", OLD "; write 2; write .; write 75; write \\n; close" },
	{ "go-fprintln", OLD "; write 2.75\\n; close" },
	{ "go-fprint", OLD "; write 2.75; close" },
	{ "go-writefile-line", NEW "; write 2.75\\n; close" },
	{ "go-writefile", NEW "; write 2.75; close" },
	{ "go-output", NEW "; dup; close; write 2.75; exit" },
};

struct flag {
	const char *name;
	int value;
};

static const struct flag flags[] = {
	{ "WRONLY", O_WRONLY }, { "RDWR", O_RDWR },     { "CREAT", O_CREAT },
	{ "TRUNC", O_TRUNC },   { "APPEND", O_APPEND },
};

static const char *file;
static int descriptor[16];
static unsigned descriptors;

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "writer: %s\n", what);
	exit(2);
}

static void report(const char *call, bool failed)
{
	if (failed)
		printf("%s: %s\n", call, strerrorname_np(errno));
	fflush(stdout);
}

static int top(void)
{
	if (!descriptors)
		die("a sequence uses a descriptor that is not open");
	return descriptor[descriptors - 1];
}

static void add(const char *call, int fd)
{
	report(call, fd < 0);
	if (fd < 0 || descriptors == sizeof(descriptor) / sizeof(descriptor[0]))
		die("no descriptor");
	descriptor[descriptors++] = fd;
}

static void open_file(char *names)
{
	int how = 0;

	for (char *name = strtok(names, "|"); name; name = strtok(NULL, "|")) {
		size_t i = 0;

		while (i < sizeof(flags) / sizeof(flags[0]) && strcmp(flags[i].name, name) != 0)
			i++;
		if (i == sizeof(flags) / sizeof(flags[0]))
			die("a sequence opens with an unknown flag");
		how |= flags[i].value;
	}
	add("open", open(file, how, 0666));
}

static void write_text(char *text)
{
	char *newline = strstr(text, "\\n");

	if (newline)
		memcpy(newline, "\n", 2);
	report("write", write(top(), text, strlen(text)) < 0);
}

static void take_step(char *step)
{
	char *argument = strchr(step, ' ');

	if (argument)
		*argument++ = '\0';
	if (!strcmp(step, "open"))
		open_file(argument);
	else if (!strcmp(step, "dup"))
		add("dup", dup(top()));
	else if (!strcmp(step, "write"))
		write_text(argument);
	else if (!strcmp(step, "close"))
		report("close", close(top()) < 0), descriptors--;
	else if (!strcmp(step, "exit"))
		_exit(0);
	else if (!strcmp(step, "kill"))
		raise(SIGKILL);
	else
		die("a sequence has an unknown step");
}

/* The number of the child whose step it is, or 0. */
static int child_of(const char *step)
{
	return strncmp(step, "child", 5) ? 0 : step[5] - '0';
}

/* Takes the steps from @step on, as long as they are of @child. Returns the first one that is not. */
static char *take_steps(char *step, int child)
{
	while (step && child_of(step) == child) {
		char *next = strstr(step, "; ");

		if (next) {
			*next = '\0';
			next += 2;
		}
		take_step(child ? strchr(step, ' ') + 1 : step);
		step = next;
	}
	return step;
}

static char *skip_steps(char *step, int child)
{
	while (step && child_of(step) == child) {
		step = strstr(step, "; ");
		if (step)
			step += 2;
	}
	return step;
}

static void run(char *step)
{
	while (step) {
		int child = child_of(step);
		pid_t pid;

		if (!child) {
			step = take_steps(step, 0);
			continue;
		}
		pid = fork();
		if (!pid) {
			take_steps(step, child);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
		step = skip_steps(step, child);
	}
}

static const struct sequence *find(const char *name)
{
	for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++)
		if (!strcmp(sequences[i].name, name))
			return &sequences[i];
	die("no such sequence; see --list");
}

static int play(const char *sequence, const char *path)
{
	char *steps = strdup(sequence);

	if (!steps)
		die("out of memory");
	file = path;
	run(steps);
	free(steps);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--list")) {
		for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++)
			puts(sequences[i].name);
		return 0;
	}
	if (argc == 3 && !strcmp(argv[1], "--show")) {
		puts(find(argv[2])->steps);
		return 0;
	}
	if (argc == 3)
		return play(find(argv[1])->steps, argv[2]);
	if (argc == 4 && !strcmp(argv[1], "--steps"))
		return play(argv[2], argv[3]);
	die("usage: writer --list | --show NAME | NAME FILE | --steps STEPS FILE");
}

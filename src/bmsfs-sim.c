// SPDX-License-Identifier: LGPL-3.0-or-later
/* bmsfs-sim: a simulated BMS behind a pty, a TCP port or a Unix socket. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/signals.h"
#include "base/textfile.h"
#include "nsec.h"
#include "protocol/capture.h"
#include "protocol/instruction.h"
#include "protocol/value.h"
#include "sim/sim.h"

#define TABLE_SIZE_MAX (1 << 20)
#define EXIT_USAGE     2
#define GROUP          "dialout" /* of serial ports */

struct program;

/* A way in. Each function says on stderr what went wrong and returns 0 or -errno. */
struct door {
	int (*open)(struct program *program);
	void (*hang_up)(struct program *program);
	void (*close)(struct program *program);
};

struct program {
	const struct door *door;
	const char *group;    /* that may open it; NULL: not given */
	const char *target;   /* of the door: LINK, PORT or PATH */
	char place[PATH_MAX]; /* what a client opens */
	int listener, client; /* client: where the bytes go, the master side of a pty too */
	int slave, watch;     /* of a pty */
	int users;            /* of a pty: how often a client has it open */
	int signals;
	bool control, ended;
	char line[256]; /* of control, not yet complete */
	size_t line_size;
	struct sim_config config;
	struct instruction_table table;
	struct sim *sim;
	FILE *log;
};

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
	va_list args;

	fputs("bmsfs-sim: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* Complains of @what with errno, which it returns negated. */
static int complain_errno(const char *what)
{
	int error = errno;

	complain("%s: %s", what, strerror(error));
	return -error;
}

static int64_t clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* --- the door of a pty --- */

static bool is_pts(const char *path)
{
	return !strncmp(path, "/dev/pts/", 9);
}

/* Makes room for the link: only a link of an earlier run may be in the way. */
static int pty_clear_link(const char *link)
{
	char target[PATH_MAX];
	struct stat st;
	ssize_t size;

	if (lstat(link, &st))
		return errno == ENOENT ? 0 : complain_errno(link);
	if (S_ISLNK(st.st_mode)) {
		size = readlink(link, target, sizeof(target) - 1);
		target[size < 0 ? 0 : size] = '\0';
		if (is_pts(target) || (stat(link, &st) && errno == ENOENT))
			return unlink(link) ? complain_errno(link) : 0;
	}
	complain("%s: is there already and is no link to a pty", link);
	return -EEXIST;
}

/*
 * As udev gives serial ports to a group: a daemon that serves as a user of its own can open it then.
 * Users that are not in the group cannot give it away, and need not for a daemon of their own.
 */
static int open_to_group(const struct program *program, const char *path)
{
	const struct group *group = getgrnam(program->group ? program->group : GROUP);
	int err = group ? 0 : -ENOENT;

	if (!err && (chown(path, (uid_t)-1, group->gr_gid) || chmod(path, 0660)))
		err = -errno;
	if (!err || !program->group)
		return 0;
	complain("--group %s: %s", program->group,
		 group ? strerror(-err) : "there is no such group");
	return err;
}

static int pty_make_raw(int fd)
{
	struct termios termios;

	if (tcgetattr(fd, &termios))
		return -errno;
	cfmakeraw(&termios);
	return tcsetattr(fd, TCSANOW, &termios) ? -errno : 0;
}

/* The slave stays open here, so that the master sees no hang-up when a client goes. */
static int pty_make(struct program *program, char *name, size_t size)
{
	int err;

	program->client = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (program->client < 0 || grantpt(program->client) || unlockpt(program->client) ||
	    ptsname_r(program->client, name, size))
		return complain_errno("cannot make a pty");
	program->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (program->slave < 0 || pty_make_raw(program->slave))
		return complain_errno(name);
	err = open_to_group(program, name);
	if (err)
		return err;
	program->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (program->watch < 0 || inotify_add_watch(program->watch, name, IN_OPEN | IN_CLOSE) < 0)
		return complain_errno(name);
	program->users = 0;
	return 0;
}

static int pty_open(struct program *program)
{
	char name[64];
	int ret = pty_clear_link(program->target);

	if (!ret)
		ret = pty_make(program, name, sizeof(name));
	if (!ret && symlink(name, program->target))
		ret = complain_errno(program->target);
	snprintf(program->place, sizeof(program->place), "%s", program->target);
	return ret;
}

/* Removes the link if it is still ours. */
static void pty_close(struct program *program)
{
	char name[64], target[64];
	ssize_t size = readlink(program->target, target, sizeof(target) - 1);

	target[size < 0 ? 0 : size] = '\0';
	if (program->client >= 0 && !ptsname_r(program->client, name, sizeof(name)) &&
	    !strcmp(name, target))
		unlink(program->target);
	close_fd(&program->watch);
	close_fd(&program->slave);
	close_fd(&program->client);
}

static void pty_hang_up(struct program *program)
{
	pty_close(program);
	if (pty_open(program))
		program->ended = true;
}

/* A serial port forgets when it is closed what nobody has read, and who had it for himself. */
static void pty_forget(struct program *program)
{
	ioctl(program->slave, TIOCNXCL);
	tcflush(program->slave, TCIFLUSH);
	pty_make_raw(program->slave);
}

static void pty_watch(struct program *program)
{
	union {
		struct inotify_event event;
		char bytes[1024];
	} buffer;
	ssize_t size = read(program->watch, &buffer, sizeof(buffer));

	for (ssize_t at = 0; at + (ssize_t)sizeof(buffer.event) <= size;) {
		struct inotify_event event;

		memcpy(&event, buffer.bytes + at, sizeof(event));
		if (event.mask & IN_OPEN)
			program->users++;
		if (event.mask & IN_CLOSE)
			program->users--;
		at += (ssize_t)(sizeof(event) + event.len);
	}
	if (program->users <= 0)
		pty_forget(program);
}

/* --- the doors of sockets --- */

static int listen_at(struct program *program, const struct sockaddr *address, socklen_t size)
{
	int one = 1;

	program->listener =
		socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (program->listener < 0)
		return complain_errno("cannot make a socket");
	setsockopt(program->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(program->listener, address, size) || listen(program->listener, 8))
		return complain_errno(program->target);
	return 0;
}

static int tcp_open(struct program *program)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof(address);
	int64_t port;
	int ret;

	if (value_parse_int(program->target, strlen(program->target), &port) || port < 0 ||
	    port > UINT16_MAX) {
		complain("\"%s\" is no port from 0 to 65535", program->target);
		return -EINVAL;
	}
	address.sin_port = htons((uint16_t)port);
	ret = listen_at(program, (struct sockaddr *)&address, size);
	if (ret)
		return ret;
	if (getsockname(program->listener, (struct sockaddr *)&address, &size))
		return complain_errno("getsockname");
	snprintf(program->place, sizeof(program->place), "127.0.0.1:%u", ntohs(address.sin_port));
	return 0;
}

/* Whether nobody listens at the socket, which an earlier run then left behind. */
static bool unix_is_left_behind(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool refused;

	if (fd < 0)
		return false;
	refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) &&
		  errno == ECONNREFUSED;
	close(fd);
	return refused;
}

static int unix_open(struct program *program)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;
	int ret;

	if (strlen(program->target) >= sizeof(address.sun_path)) {
		complain("%s: a socket's path has at most %zu characters", program->target,
			 sizeof(address.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	memcpy(address.sun_path, program->target, strlen(program->target) + 1);
	if (!lstat(program->target, &st) && S_ISSOCK(st.st_mode) && unix_is_left_behind(&address))
		unlink(program->target);
	ret = listen_at(program, (struct sockaddr *)&address, sizeof(address));
	if (ret)
		return ret;
	snprintf(program->place, sizeof(program->place), "%s", program->target);
	return open_to_group(program, program->target);
}

static void socket_hang_up(struct program *program)
{
	close_fd(&program->client);
}

static void socket_close(struct program *program)
{
	close_fd(&program->client);
	close_fd(&program->listener);
}

static void unix_close(struct program *program)
{
	socket_close(program);
	if (program->place[0])
		unlink(program->place);
}

static void socket_accept(struct program *program)
{
	int one = 1;

	program->client = accept4(program->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (program->client >= 0)
		setsockopt(program->client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static const struct door pty_door = { pty_open, pty_hang_up, pty_close };
static const struct door tcp_door = { tcp_open, socket_hang_up, socket_close };
static const struct door unix_door = { unix_open, socket_hang_up, unix_close };

/* --- the log --- */

/* What the BMS sends is what a capture of its host receives. */
static void log_frame(void *user, bool sent, const struct frame *frame, int64_t when)
{
	uint8_t bytes[FRAME_MAX];
	char line[CAPTURE_LINE_MAX];
	size_t size = frame_encode(frame, bytes);

	size = capture_format(line, sent ? CAPTURE_RECEIVED : CAPTURE_SENT, when, bytes, size);
	fwrite(line, 1, size, user);
}

/* --- control --- */

struct control {
	struct program *program;
	char reason[160]; /* of a refusal; "": the command was not as its usage says */
};

__attribute__((format(printf, 2, 3))) static bool refuse(struct control *control,
							 const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(control->reason, sizeof(control->reason), format, args);
	va_end(args);
	return false;
}

static bool take_number(struct control *control, const char *text, float *number)
{
	if (!value_parse_float(text, strlen(text), number))
		return true;
	return refuse(control, "%s: not a number; write digits and a point, as in 3.8", text);
}

static bool control_fault(struct control *control, char *text)
{
	char *value = strchr(text, '=');
	float rate;

	if (!value)
		return false;
	*value++ = '\0';
	if (!take_number(control, value, &rate))
		return false;
	if (rate < 0 || rate > 1)
		return refuse(control, "%s: outside 0 to 1, the share of replies", value);
	switch (sim_set_fault(control->program->sim, text, (double)rate)) {
	case 0:
		return true;
	case -ENOENT:
		return refuse(control, "%s: not a fault; help lists the faults", text);
	default:
		return refuse(control, "a capture is played, to which no fault can be added");
	}
}

/* Why a value is not one to be put, and for an error number what to put instead. */
static bool refuse_made(struct control *control, const char *mnemonic, unsigned error)
{
	const struct sim_provocation *provocation = sim_provocation;

	if (strcmp(mnemonic, "ERRO") != 0)
		return refuse(control, "%s: the simulator makes it from the battery", mnemonic);
	for (size_t i = 0; i < SIM_PROVOCATIONS; i++, provocation++)
		if (provocation->error == error)
			return refuse(control,
				      "ERRO: the simulator makes it from the battery; put %s %s "
				      "provokes error %u after %u s",
				      provocation->mnemonic, provocation->number, error,
				      provocation->delay_s);
	return refuse(control, "ERRO: the simulator makes it from the battery; help lists the "
			       "errors that can be provoked");
}

static bool control_put(struct control *control, char *text)
{
	char *value = strchr(text, ' ');
	float number;

	if (!value)
		return false;
	*value++ = '\0';
	if (!take_number(control, value, &number))
		return false;
	switch (sim_put(control->program->sim, text, (double)number)) {
	case 0:
		return true;
	case -ENOENT:
		return refuse(control, "%s: this model has no such instruction", text);
	default:
		return refuse_made(control, text, number > 0 ? (unsigned)number : 0);
	}
}

static bool control_exchange(struct control *control, char *text)
{
	if (!*text)
		return false;
	sim_exchange(control->program->sim, text);
	return true;
}

static bool control_silence(struct control *control, char *text)
{
	bool on = !strcmp(text, "on");

	if (!on && strcmp(text, "off") != 0)
		return false;
	sim_set_silent(control->program->sim, on);
	return true;
}

static bool control_hangup(struct control *control, char *text)
{
	struct program *program = control->program;

	if (*text)
		return false;
	program->door->hang_up(program);
	return !program->ended || refuse(control, "the door cannot be opened again");
}

static bool control_help(struct control *control, char *text);

static const struct command {
	const char *word, *usage, *meaning;
	bool (*run)(struct control *control, char *text);
} commands[] = {
	{ "fault", "fault KIND=RATE", "a fault for that share of the replies", control_fault },
	{ "put", "put MNEMONIC NUMBER", "set what the BMS holds, without a check", control_put },
	{ "exchange", "exchange IDENTITY", "make it another BMS of the same model",
	  control_exchange },
	{ "silence", "silence on|off", "answer nothing, or answer again", control_silence },
	{ "hangup", "hangup", "hang up on the client", control_hangup },
	{ "help", "help", "print this", control_help },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static bool control_help(struct control *control, char *text)
{
	const struct sim_provocation *provocation = sim_provocation;

	(void)control;
	if (*text)
		return false;
	for (size_t i = 0; i < COMMANDS; i++)
		printf("%-20s %s\n", commands[i].usage, commands[i].meaning);
	printf("KIND is");
	for (int i = 0; i < SIM_FAULTS; i++)
		printf("%s %s", i ? "," : "", sim_fault_name[i]);
	puts("");
	for (size_t i = 0; i < SIM_PROVOCATIONS; i++, provocation++)
		printf("put %s %-*s error %u after %u s: %s\n", provocation->mnemonic, 11,
		       provocation->number, provocation->error, provocation->delay_s,
		       provocation->meaning);
	return true;
}

static void control_run(struct program *program, char *line)
{
	struct control control = { .program = program };
	char none[] = "", *rest = line;
	const char *word = strsep(&rest, " ");
	const struct command *command = commands;

	while (command < commands + COMMANDS && strcmp(command->word, word) != 0)
		command++;
	if (command == commands + COMMANDS)
		printf("error: %s: not a command; help lists them\n", word);
	else if (command->run(&control, rest ? rest : none))
		puts("ok");
	else if (*control.reason)
		printf("error: %s\n", control.reason);
	else
		printf("error: the command is: %s\n", command->usage);
}

/* Runs the lines that are complete. When standard input ends, so does the program. */
static void control_read(struct program *program)
{
	size_t room = sizeof(program->line) - 1 - program->line_size;
	ssize_t size = read(STDIN_FILENO, program->line + program->line_size, room);
	char *start = program->line, *end;

	if (size <= 0) {
		program->ended = !(size < 0 && errno == EINTR);
		return;
	}
	program->line_size += (size_t)size;
	program->line[program->line_size] = '\0';
	while ((end = strchr(start, '\n'))) {
		*end = '\0';
		control_run(program, start);
		start = end + 1;
	}
	fflush(stdout);
	program->line_size -= (size_t)(start - program->line);
	memmove(program->line, start, program->line_size);
	if (program->line_size == sizeof(program->line) - 1)
		program->line_size = 0;
}

/* --- the loop --- */

static void read_client(struct program *program)
{
	uint8_t bytes[512];
	ssize_t size = read(program->client, bytes, sizeof(bytes));

	if (size > 0)
		sim_receive(program->sim, bytes, (size_t)size, clock_now());
	else if (program->listener >= 0 && (size == 0 || (errno != EAGAIN && errno != EINTR)))
		close_fd(&program->client);
}

/* What a client does not take is lost, as on a line. */
static void write_client(struct program *program)
{
	uint8_t bytes[512];
	size_t size;

	while ((size = sim_transmit(program->sim, bytes, sizeof(bytes), clock_now())))
		if (program->client >= 0 && write(program->client, bytes, size) < 0 &&
		    errno == EPIPE)
			close_fd(&program->client);
}

enum { POLL_SIGNALS, POLL_CONTROL, POLL_LISTENER, POLL_CLIENT, POLL_WATCH, POLL_COUNT };

static int wait_for_something(struct program *program, struct pollfd fds[POLL_COUNT])
{
	bool full = program->client >= 0;
	const int fd[POLL_COUNT] = {
		[POLL_SIGNALS] = program->signals,
		[POLL_CONTROL] = program->control ? STDIN_FILENO : -1,
		[POLL_LISTENER] = full ? -1 : program->listener,
		[POLL_CLIENT] = program->client,
		[POLL_WATCH] = program->watch,
	};
	int64_t wake = sim_wake(program->sim);
	int64_t left = wake - clock_now();
	struct timespec timeout;

	if (left < 0)
		left = 0;
	timeout.tv_sec = (time_t)(left / NSEC_PER_SEC);
	timeout.tv_nsec = (long)(left % NSEC_PER_SEC);
	for (int i = 0; i < POLL_COUNT; i++)
		fds[i] = (struct pollfd){ .fd = fd[i], .events = POLLIN };
	return ppoll(fds, POLL_COUNT, wake == NSEC_NEVER ? NULL : &timeout, NULL);
}

/* Control comes last: its hang-up closes what the others look at. */
static int serve(struct program *program)
{
	struct pollfd fds[POLL_COUNT];

	while (!program->ended) {
		if (wait_for_something(program, fds) < 0 && errno != EINTR)
			return complain_errno("ppoll");
		if (fds[POLL_SIGNALS].revents && signals_take(program->signals))
			return 0;
		if (fds[POLL_WATCH].revents)
			pty_watch(program);
		if (fds[POLL_LISTENER].revents)
			socket_accept(program);
		if (fds[POLL_CLIENT].revents)
			read_client(program);
		write_client(program);
		if (fds[POLL_CONTROL].revents)
			control_read(program);
	}
	return 0;
}

/* --- options --- */

static const char help[] =
	"Usage: bmsfs-sim (--pty LINK | --tcp PORT | --unix PATH) [OPTION]...\n"
	"A simulated REC BMS, for tests, demonstrations and other people's programs.\n"
	"\n"
	"  --pty LINK           make a pty and the symbolic link LINK to it\n"
	"  --tcp PORT           listen on 127.0.0.1; 0 takes any port that is free\n"
	"  --unix PATH          listen on a Unix socket\n"
	"  --group NAME         who else may open the pty or the socket; dialout unless given\n"
	"\n"
	"  --model NAME         1q (the default), 2q, abms, master or one of your own table\n"
	"  --address N[,N...]   on the bus, instead of the model's; several are several BMSs\n"
	"  --units N            of a master, 1 to 15\n"
	"  --cells N            of each unit, 1 to 16\n"
	"  --sensors N          of each unit, 1 to 8\n"
	"  --baud N             how fast bytes come, 56000 unless given; 0 is at once\n"
	"  --turnaround MS      from the end of a request to its reply, 5 unless given\n"
	"  --seed N             the same seed gives the same battery and the same faults\n"
	"  --fault KIND=RATE    for that share of the replies, 0 to 1; KIND is drop, corrupt,\n"
	"                       delay, late, echo, garbage, truncate, silent, error or foreign\n"
	"  --instructions FILE  more instructions; bmsfs-instructions(5) describes the format\n"
	"  --replay FILE        play the BMS of a capture (bmsfs -o capture=FILE, or --log)\n"
	"                       instead: its answers, delays and faults\n"
	"  --log FILE           one line for each frame: time, > to the BMS or < from it, bytes,\n"
	"                       meaning\n"
	"  --control            take commands on standard input until it ends; the command help\n"
	"                       lists them, and how to provoke each error\n"
	"  --help, --version\n"
	"\n"
	"When it can be reached it says \"ready\" and where, in one line on standard output.\n";

enum {
	OPT_PTY = 1,
	OPT_TCP,
	OPT_UNIX,
	OPT_GROUP,
	OPT_CONFIG,
	OPT_FAULT,
	OPT_INSTRUCTIONS,
	OPT_LOG,
	OPT_CONTROL,
	OPT_HELP,
	OPT_VERSION
};

/* The options of OPT_CONFIG are named as the simulator's own settings. */
static const struct option options[] = {
	{ "pty", required_argument, NULL, OPT_PTY },
	{ "tcp", required_argument, NULL, OPT_TCP },
	{ "unix", required_argument, NULL, OPT_UNIX },
	{ "group", required_argument, NULL, OPT_GROUP },
	{ "model", required_argument, NULL, OPT_CONFIG },
	{ "address", required_argument, NULL, OPT_CONFIG },
	{ "units", required_argument, NULL, OPT_CONFIG },
	{ "cells", required_argument, NULL, OPT_CONFIG },
	{ "sensors", required_argument, NULL, OPT_CONFIG },
	{ "baud", required_argument, NULL, OPT_CONFIG },
	{ "turnaround", required_argument, NULL, OPT_CONFIG },
	{ "seed", required_argument, NULL, OPT_CONFIG },
	{ "replay", required_argument, NULL, OPT_CONFIG },
	{ "fault", required_argument, NULL, OPT_FAULT },
	{ "instructions", required_argument, NULL, OPT_INSTRUCTIONS },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "control", no_argument, NULL, OPT_CONTROL },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static int set_door(struct program *program, const struct door *door, const char *target)
{
	if (program->door) {
		complain("only one of --pty, --tcp and --unix can be given");
		return -EINVAL;
	}
	program->door = door;
	program->target = target;
	return 0;
}

static int set_config(struct program *program, const char *key, const char *value)
{
	char reason[256] = "";
	int ret = sim_config_set(&program->config, key, value, reason, sizeof(reason));

	if (ret)
		complain("%s", reason);
	return ret;
}

static int set_fault(struct program *program, char *text)
{
	char *value = strchr(text, '=');

	if (value)
		*value++ = '\0';
	for (int i = 0; value && i < SIM_FAULTS; i++)
		if (!strcmp(text, sim_fault_name[i]))
			return set_config(program, text, value);
	complain("--fault %s: is not KIND=RATE with a KIND that --help names", text);
	return -EINVAL;
}

static int add_instructions(struct program *program, const char *path)
{
	struct table_error error = { "out of memory" };
	struct textfile file;
	int err = textfile_read(&file, path, TABLE_SIZE_MAX, error.text, sizeof(error.text));

	if (!err) {
		err = instruction_table_add(&program->table, path, file.text, file.length, &error);
		textfile_free(&file);
	}
	if (err)
		complain("%s", error.text);
	return err;
}

static int open_log(struct program *program, const char *path)
{
	if (program->log)
		fclose(program->log);
	program->log = fopen(path, "ae");
	if (!program->log)
		return complain_errno(path);
	setvbuf(program->log, NULL, _IOLBF, 0);
	return 0;
}

static int take_option(struct program *program, int option, int index, char *value)
{
	switch (option) {
	case OPT_PTY:
		return set_door(program, &pty_door, value);
	case OPT_TCP:
		return set_door(program, &tcp_door, value);
	case OPT_UNIX:
		return set_door(program, &unix_door, value);
	case OPT_GROUP:
		program->group = value;
		return 0;
	case OPT_CONFIG:
		return set_config(program, options[index].name, value);
	case OPT_FAULT:
		return set_fault(program, value);
	case OPT_INSTRUCTIONS:
		return add_instructions(program, value);
	case OPT_LOG:
		return open_log(program, value);
	case OPT_CONTROL:
		program->control = true;
		return 0;
	case OPT_HELP:
		fputs(help, stdout);
		program->ended = true;
		return 0;
	case OPT_VERSION:
		puts("bmsfs-sim " BMSFS_VERSION);
		program->ended = true;
		return 0;
	default:
		return -EINVAL;
	}
}

static int take_options(struct program *program, int argc, char **argv)
{
	int option, index = 0, ret = 0;

	while (!ret && !program->ended &&
	       (option = getopt_long(argc, argv, "", options, &index)) != -1)
		ret = take_option(program, option, index, optarg);
	if (ret || program->ended)
		return ret;
	if (optind < argc)
		complain("%s: is no option", argv[optind]);
	else if (!program->door)
		complain("one of --pty, --tcp and --unix must be given (see --help)");
	else
		return 0;
	return -EINVAL;
}

static int start_sim(struct program *program)
{
	char reason[256] = "out of memory";
	int ret = sim_new(&program->sim, &program->config, &program->table, clock_now(), reason,
			  sizeof(reason));

	if (ret)
		complain("%s", reason);
	else if (program->log)
		sim_observe(program->sim, log_frame, program->log);
	return ret;
}

static int run(struct program *program)
{
	int ret = start_sim(program);

	if (ret)
		return ret;
	/* Bytes are due every 180 us; the usual slack of 50 us would be heard. */
	prctl(PR_SET_TIMERSLACK, 1UL);
	program->signals = signals_open(false);
	if (program->signals < 0) {
		complain("cannot wait for signals: %s", strerror(-program->signals));
		return program->signals;
	}
	ret = program->door->open(program);
	if (!ret) {
		printf("ready %s\n", program->place);
		fflush(stdout);
		ret = serve(program);
	}
	program->door->close(program);
	close_fd(&program->signals);
	return ret;
}

int main(int argc, char **argv)
{
	struct program program = {
		.config = sim_config_default,
		.listener = -1,
		.client = -1,
		.slave = -1,
		.watch = -1,
		.signals = -1,
	};
	struct table_error error = { "out of memory" };
	int status = EXIT_USAGE;

	if (instruction_table_init(&program.table, &error)) {
		complain("%s", error.text);
		return EXIT_FAILURE;
	}
	if (!take_options(&program, argc, argv))
		status = !program.ended && run(&program) ? EXIT_FAILURE : EXIT_SUCCESS;
	sim_free(program.sim);
	instruction_table_free(&program.table);
	if (program.log)
		fclose(program.log);
	return status;
}

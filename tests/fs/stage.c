// SPDX-License-Identifier: LGPL-3.0-or-later
#include "stage.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct stage stage;

/* Options of the mount for the next setup(). */
static bool want_debug, want_read_only;

__attribute__((format(printf, 1, 2))) static void keep_log(const char *format, ...)
{
	size_t room = sizeof(stage.log) - stage.logged;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(stage.log + stage.logged, room, format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length + 2 > room)
		return;
	stage.logged += (size_t)length;
	stage.log[stage.logged++] = '\n';
	stage.log[stage.logged] = '\0';
}

static int64_t wall_clock(void)
{
	return stage.device.bus.now + stage.wall_offset;
}

static void give_up(int signal_number)
{
	static const char words[] = "time is over\n";

	(void)signal_number;
	if (write(STDERR_FILENO, words, strlen(words)) < 0)
		_exit(2);
	umount2(stage.place, MNT_DETACH);
	rmdir(stage.place);
	_exit(2);
}

static int mount_stage(void)
{
	const struct fs_config config = {
		.source = "/dev/a,b\\c",
		.options = "noatime",
		.uid = 0,
		.gid = 12,
		.umask = 02,
		.read_only = want_read_only,
		.allow_other = true,
		.debug = want_debug,
		.log = keep_log,
		.wall_clock = wall_clock,
	};
	int error;

	memset(&stage, 0, sizeof(stage));
	snprintf(stage.place, sizeof(stage.place), "/tmp/test_fs.XXXXXX");
	if (!mkdtemp(stage.place))
		return -errno;
	error = fs_mount(&stage.fs, &config, stage.place);
	if (error)
		rmdir(stage.place);
	return error;
}

bool stage_is_possible(void)
{
	if (geteuid() || access("/dev/fuse", R_OK | W_OK) || mount_stage()) {
		fprintf(stderr, "skipped: cannot mount here\n");
		return false;
	}
	umount2(stage.place, MNT_DETACH);
	fs_free(stage.fs);
	rmdir(stage.place);
	return true;
}

int setup(void **state)
{
	(void)state;
	signal(SIGALRM, give_up);
	alarm(LIMIT);
	if (mount_stage() || mount_identify(stage.place, &stage.id))
		return -1;
	fake_init(&stage.device, &stage.tree);
	stage.wall_offset = time(NULL) * NSEC_PER_SEC - stage.device.bus.now;
	if (forest_new(&stage.forest, &(struct device *){ &stage.device }, 1, "bms0"))
		return -1;
	fs_attach(stage.fs, stage.forest);
	return 0;
}

int setup_debug(void **state)
{
	int error;

	want_debug = true;
	error = setup(state);
	want_debug = false;
	return error;
}

int setup_read_only(void **state)
{
	int error;

	want_read_only = true;
	error = setup(state);
	want_read_only = false;
	return error;
}

int teardown(void **state)
{
	struct pollfd kernel = { .fd = fs_fd(stage.fs), .events = POLLIN };
	int error = mount_detach(&stage.id);

	(void)state;
	while (!error && poll(&kernel, 1, -1) >= 0)
		error = fs_receive(stage.fs);
	fs_stop(stage.fs);
	fs_free(stage.fs);
	forest_free(stage.forest);
	alarm(0);
	return rmdir(stage.place) || error != -ENODEV ? -1 : 0;
}

static int64_t count_waiters(void)
{
	const struct handle *handle;
	int64_t count = 0;

	TAILQ_FOREACH (handle, &stage.fs->waiters, waiting)
		count++;
	return count;
}

static int64_t find_in_log(const char *text)
{
	bool found = strstr(stage.log, text);

	stage.logged = 0;
	stage.log[0] = '\0';
	return found;
}

/* Returns false if the message has to wait. */
static bool obey(const struct message *message, int64_t *answer)
{
	struct device *device = &stage.device;

	*answer = 0;
	switch (message->wish) {
	case SET_VALUE:
		memcpy(device->value[message->row], message->text, sizeof(device->value[0]));
		break;
	case SET_ERROR:
		device->error[message->row] = (int)message->number;
		break;
	case SET_HOLD:
		device->hold = message->number;
		break;
	case SET_SENT:
		device->sent = message->number;
		break;
	case SET_WRITE_ERROR:
		device->write_error = (int)message->number;
		break;
	case SET_GONE:
		stage.tree.gone = message->number;
		device->observer->reshaped(device->user);
		break;
	case SAMPLE:
		fake_sample(device, message->row, device->bus.now - message->number * NSEC_PER_SEC);
		break;
	case LOSE: /* as a device does whose BMS has gone: of each row, and tells of none */
		device->failure[message->row] = (int)message->number;
		device->tried[message->row] = device->bus.now;
		break;
	case FORGET:
		device->tried[message->row] = 0;
		break;
	case MOVE_CLOCK:
		device->bus.now += message->number;
		break;
	case SET_WALL:
		stage.wall_offset += message->number * NSEC_PER_SEC;
		fs_clock_was_set(stage.fs);
		break;
	case SET_WALL_UNNOTICED:
		stage.wall_offset += message->number * NSEC_PER_SEC;
		break;
	case AWAIT_PARKED:
		return device->waiting >= (unsigned)message->number;
	case AWAIT_WAITER:
		return count_waiters() >= message->number;
	case GET_PARKED:
		*answer = device->waiting;
		break;
	case GET_QUERIES:
		*answer = device->queries;
		break;
	case GET_WAITERS:
		*answer = count_waiters();
		break;
	case GET_ARMED:
		*answer = stage.fs->armed_count;
		break;
	case GET_WAKE:
		*answer = fs_wake(stage.fs) - device->bus.now;
		break;
	case GET_LOGGED:
		*answer = find_in_log(message->text);
		break;
	case AWAIT_LOGGED:
		return strstr(stage.log, message->text);
	case GET_EXPLAINED:
		*answer = !strcmp(device->tree->last_error->sentence, message->text);
		break;
	case GET_WRITES:
		*answer = device->writes;
		break;
	case STOP:
		fs_stop(stage.fs);
		break;
	}
	return true;
}

/* Turns of the loop until nothing is due, as the daemon takes them. */
static void take_turns(void)
{
	do {
		fake_run(&stage.device);
		fs_run(stage.fs);
	} while (fs_wake(stage.fs) <= stage.device.bus.now);
}

/* The server's loop, until the client closes its socket. */
static void serve_until_closed(int client)
{
	struct pollfd wait[] = { { .fd = fs_fd(stage.fs), .events = POLLIN },
				 { .fd = client, .events = POLLIN } };
	struct message message;
	bool pending = false;
	int64_t answer;

	for (;;) {
		take_turns();
		if (pending && obey(&message, &answer)) {
			pending = false;
			take_turns();
			assert_int_equal(send(client, &answer, sizeof(answer), 0), sizeof(answer));
		}
		assert_true(poll(wait, 2, -1) > 0);
		if (wait[0].revents)
			assert_int_equal(fs_receive(stage.fs), 0);
		if (!wait[1].revents)
			continue;
		if (recv(client, &message, sizeof(message), 0) <= 0)
			return;
		pending = true;
	}
}

void play(int (*client)(int server))
{
	int sockets[2], status, line;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	pid = fork();
	if (!pid) {
		signal(SIGALRM, SIG_DFL);
		alarm(LIMIT - 10);
		close(sockets[0]);
		fs_free(stage.fs); /* as the keeper does: the mount must live on */
		line = chdir(stage.place) ? __LINE__ : client(sockets[1]);
		if (line)
			fprintf(stderr, "client failed at line %d, errno %d\n", line, errno);
		_exit(line ? 1 : 0);
	}
	close(sockets[1]);
	serve_until_closed(sockets[0]);
	close(sockets[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int64_t tell(int server, struct message message)
{
	int64_t answer = -1;

	if (send(server, &message, sizeof(message), 0) < 0 ||
	    recv(server, &answer, sizeof(answer), 0) != sizeof(answer))
		_exit(1);
	return answer;
}

bool reads(int fd, off_t offset, const char *expected)
{
	char text[256];
	ssize_t length = pread(fd, text, sizeof(text), offset);

	return length == (ssize_t)strlen(expected) && !memcmp(text, expected, (size_t)length);
}

pid_t begin(int (*work)(int fd), int fd)
{
	pid_t pid = fork();

	if (!pid) {
		alarm(LIMIT - 10);
		_exit(work(fd));
	}
	return pid;
}

int end(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void nothing(int signal_number)
{
	(void)signal_number;
}

void interruptible(void)
{
	struct sigaction action = { .sa_handler = nothing };

	sigaction(SIGUSR1, &action, NULL);
}

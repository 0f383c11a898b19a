// SPDX-License-Identifier: LGPL-3.0-or-later
#include "top/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/snapshot.h"

#define REASON_SIZE   512
#define STOP_LIMIT_MS 200

/*
 * The terminal is let go, which would wait for a process that can not even be killed. The alarm is
 * for a mount that does not answer.
 */
static void settle(void)
{
	int nothing = open("/dev/null", O_RDWR);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGALRM, SIG_DFL);
	alarm(READER_LIMIT_S);
	for (int fd = 0; fd <= 2; fd++)
		dup2(nothing, fd);
}

/* The snapshot is the result, or else the reason why there is none. */
static void __attribute__((noreturn)) read_mount(const char *mount, int result)
{
	char reason[REASON_SIZE];
	json_t *snapshot;
	FILE *out = fdopen(result, "w");

	settle();
	snapshot = snapshot_read(mount, reason, sizeof(reason));
	if (out && snapshot)
		json_dumpf(snapshot, out, JSON_COMPACT);
	else if (out)
		fputs(reason, out);
	if (!out || fclose(out))
		raise(SIGKILL);
	json_decref(snapshot);
	_exit(snapshot ? EXIT_SUCCESS : EXIT_FAILURE);
}

int reader_start(struct reader *reader, const char *mount)
{
	int ret;
	pid_t pid;

	reader->process = -1;
	reader->result = memfd_create("bmsfs-top", MFD_CLOEXEC);
	if (reader->result < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		ret = -errno;
		goto out_close;
	}
	if (!pid)
		read_mount(mount, reader->result);
	reader->process = pidfd_open(pid, 0);
	if (reader->process >= 0)
		return 0;
	ret = -errno;
	kill(pid, SIGKILL);
out_close:
	close(reader->result);
	return ret;
}

json_t *reader_take(struct reader *reader, char *reason, size_t size)
{
	json_t *snapshot = NULL;
	siginfo_t info = { 0 };
	ssize_t length;

	if (waitid(P_PIDFD, (id_t)reader->process, &info, WEXITED))
		info.si_code = CLD_KILLED;
	lseek(reader->result, 0, SEEK_SET);
	if (info.si_code == CLD_EXITED && info.si_status == EXIT_SUCCESS) {
		snapshot = snapshot_load(reader->result, reason, size);
	} else if (info.si_code == CLD_EXITED) {
		length = read(reader->result, reason, size - 1);
		reason[length < 0 ? 0 : length] = '\0';
	} else {
		reason[0] = '\0';
	}
	close(reader->process);
	close(reader->result);
	reader->process = -1;
	return snapshot;
}

void reader_stop(struct reader *reader)
{
	struct pollfd ended = { reader->process, POLLIN, 0 };

	if (reader->process < 0)
		return;
	pidfd_send_signal(reader->process, SIGKILL, NULL, 0);
	/* One that a broken mount holds is left to init. */
	if (poll(&ended, 1, STOP_LIMIT_MS) > 0)
		waitid(P_PIDFD, (id_t)reader->process, NULL, WEXITED);
	close(reader->process);
	close(reader->result);
	reader->process = -1;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include "link/resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child writes, in one piece. */
struct answer {
	int err;
	struct socket_list list;
};

_Static_assert(sizeof(struct answer) <= PIPE_BUF, "a pipe takes an answer whole or not at all");

static const struct {
	int code, err;
} errors[] = {
	{ EAI_NONAME, ENOENT }, { EAI_NODATA, ENOENT }, { EAI_ADDRFAMILY, ENOENT },
	{ EAI_AGAIN, EAGAIN },  { EAI_FAIL, EAGAIN },   { EAI_MEMORY, ENOMEM },
};

static int gai_errno(int code)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].code == code)
			return errors[i].err;
	return code == EAI_SYSTEM && errno ? errno : EIO;
}

static int ask(const char *host, const char *port, int flags, struct socket_list *list)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV | flags,
	};
	struct addrinfo *found;
	int code = getaddrinfo(host, port, &hints, &found);

	list->count = 0;
	if (code)
		return -gai_errno(code);
	for (struct addrinfo *info = found; info; info = info->ai_next) {
		struct socket_address *address = &list->address[list->count];

		if (list->count == SOCKET_ADDRESS_MAX || info->ai_addrlen > sizeof(address->name))
			break;
		memcpy(&address->name, info->ai_addr, info->ai_addrlen);
		address->size = info->ai_addrlen;
		list->count++;
	}
	freeaddrinfo(found);
	return list->count ? 0 : -ENOENT;
}

int resolver_parse(const char *host, const char *port, struct socket_list *list)
{
	return ask(host, port, AI_NUMERICHOST, list) ? -ENOENT : 0;
}

/* The descriptors go first: a child that kept our mount's alive would keep the mount alive. */
static void __attribute__((noreturn)) child(int pipe, pid_t parent, const char *host,
					    const char *port)
{
	struct answer answer;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	if (pipe != STDERR_FILENO + 1)
		pipe = dup2(pipe, STDERR_FILENO + 1);
	close_range(STDERR_FILENO + 2, UINT_MAX, 0);

	memset(&answer, 0, sizeof(answer));
	answer.err = -ask(host, port, AI_ADDRCONFIG, &answer.list);
	_exit(write(pipe, &answer, sizeof(answer)) != sizeof(answer));
}

int resolver_start(struct resolver *resolver, const char *host, const char *port)
{
	pid_t parent = getpid();
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	resolver->pid = fork();
	if (resolver->pid == 0)
		child(ends[1], parent, host, port);
	err = errno;
	close(ends[1]);
	resolver->fd = ends[0];
	if (resolver->pid > 0)
		return 0;
	close(ends[0]);
	*resolver = (struct resolver){ .fd = -1 };
	return -err;
}

int resolver_poll(struct resolver *resolver, struct socket_list *list)
{
	struct answer answer;
	ssize_t count = read(resolver->fd, &answer, sizeof(answer));

	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	resolver_stop(resolver);
	if (count != sizeof(answer))
		return -EIO;
	*list = answer.list;
	return answer.err ? -answer.err : 1;
}

/* A killed child ends at once, so waiting for it is no waiting. */
void resolver_stop(struct resolver *resolver)
{
	if (!resolver->pid)
		return;
	close(resolver->fd);
	kill(resolver->pid, SIGKILL);
	while (waitpid(resolver->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*resolver = (struct resolver){ .fd = -1 };
}

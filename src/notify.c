// SPDX-License-Identifier: LGPL-3.0-or-later
#include "notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "nsec.h"
#include "protocol/value.h"

#define TEXT_MAX 512

static int connect_to(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(name);
	int fd, err;

	if ((*name != '/' && *name != '@') || length >= sizeof(address.sun_path))
		return -EINVAL;
	memcpy(address.sun_path, name, length);
	/* A name of Linux's abstract kind. */
	if (*name == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* The number in the environment, or 0. */
static int64_t number_of(const char *name)
{
	const char *text = getenv(name);
	int64_t number;

	return text && !value_parse_int(text, strlen(text), &number) ? number : 0;
}

/* Half of what is allowed, as sd_watchdog_enabled(3) recommends. */
static int64_t find_interval(pid_t process)
{
	int64_t limit = number_of("WATCHDOG_USEC"), pid = number_of("WATCHDOG_PID");

	if (limit <= 0 || limit > INT64_MAX / 1000 || (pid && pid != process))
		return 0;
	return limit * 1000 / 2;
}

void notify_open(struct notify *notify, pid_t process)
{
	const char *name = process ? getenv("NOTIFY_SOCKET") : NULL;

	*notify = (struct notify){ .fd = -1, .due = NSEC_NEVER };
	if (!name)
		return;
	notify->fd = connect_to(name);
	if (notify->fd < 0) {
		log_print("%s: cannot tell the service manager: %s", name, strerror(-notify->fd));
		return;
	}
	notify->interval = find_interval(process);
	if (notify->interval)
		notify->due = 0;
}

void notify_close(struct notify *notify)
{
	if (notify->fd >= 0)
		close(notify->fd);
	*notify = (struct notify){ .fd = -1, .due = NSEC_NEVER };
}

void notify_send(struct notify *notify, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;

	if (notify->fd < 0)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* What comes from the wire shall not become a message of its own. */
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7F)
			*c = '?';
	if (send(notify->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_print("cannot tell the service manager %s: %s", text, strerror(errno));
}

void notify_alive(struct notify *notify, int64_t now)
{
	if (now < notify->due)
		return;
	notify_send(notify, "WATCHDOG=1");
	notify->due = now + notify->interval;
}

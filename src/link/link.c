// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "link/backends.h"
#include "nsec.h"

static const struct {
	const char *prefix;
	link_constructor *make;
} backends[] = {
	[LINK_TTY] = { "", tty_link_new },
	[LINK_TCP] = { "tcp:", tcp_link_new },
	[LINK_UNIX] = { "unix:", unix_link_new },
	[LINK_SIM] = { "sim:", sim_link_new },
};

enum link_kind link_kind(const char *device, const char **target)
{
	enum link_kind kind = LINK_SIM;

	/* That of a tty is the beginning of anything. */
	while (strncmp(device, backends[kind].prefix, strlen(backends[kind].prefix)) != 0)
		kind--;
	*target = device + strlen(backends[kind].prefix);
	return kind;
}

/* A word that is no path: mistyped kinds and bare names of ports end here, not as missing files. */
static int check_path(const char *device, char *reason, size_t size)
{
	size_t prefix = strcspn(device, ":/");

	if (!*device)
		snprintf(reason, size, "no device given: name a serial port such as /dev/ttyUSB0");
	else if (device[prefix] == ':')
		snprintf(reason, size,
			 "%.*s: is no kind of device: use a path, tcp:HOST:PORT, unix:PATH or sim:",
			 (int)prefix, device);
	else if (!strchr(device, '/') && access(device, F_OK) < 0)
		snprintf(reason, size,
			 "%s is not here: give a path (/dev/%s), tcp:HOST:PORT, unix:PATH or sim:",
			 device, device);
	else
		return 0;
	return -EINVAL;
}

int link_new(struct link **link, const char *device, const struct link_config *config, char *reason,
	     size_t size)
{
	enum link_kind kind = link_kind(device, &device);
	int err = kind == LINK_TTY ? check_path(device, reason, size) : 0;

	return err < 0 ? err : backends[kind].make(link, device, config, reason, size);
}

int64_t link_boottime(const struct link *link)
{
	struct timespec now;

	(void)link;
	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

int link_fail(struct link *link, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(link->error, sizeof(link->error), format, args);
	va_end(args);
	return -err;
}

/* Those with advice come first; the C library describes the others. */
static const struct {
	int err;
	const char *text;
} words[] = {
	{ ECONNREFUSED, "connection refused; is its server running, is the address right?" },
	{ EHOSTUNREACH, "host unreachable; is it switched on and on this network?" },
	{ ENETUNREACH, "network unreachable; is this machine's network up?" },
	{ ETIMEDOUT, "no answer in time; is it switched on, does a firewall block it?" },
	{ ECONNRESET, "the other end dropped the connection" },
	{ ENOENT, "no such socket; is its server running?" },
	{ EACCES, "permission denied; this user may not use it" },
	{ EAGAIN, "its server accepts no more connections now" },
	{ EMFILE, "too many open files; raise the limit (ulimit -n)" },
};

const char *link_strerror(int err)
{
	const char *text = strerrordesc_np(err);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].err == err)
			return words[i].text;
	return text ? text : "unknown error";
}

char *link_absolute_path(const char *path)
{
	char *here, *absolute;

	if (*path == '/')
		return strdup(path);
	here = getcwd(NULL, 0);
	if (!here || asprintf(&absolute, "%s/%s", here, path) < 0)
		absolute = NULL;
	free(here);
	return absolute;
}

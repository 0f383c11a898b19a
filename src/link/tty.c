// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include "denied.h"
#include "link/backends.h"
#include "link/holder.h"
#include "link/serial.h"

/* Where the kernel puts the slaves of Unix98 pseudoterminals. */
#define PTY_MAJOR_FIRST 136
#define PTY_MAJOR_LAST  143

struct tty_link {
	struct link link;
	char *path; /* DEVICE, absolute; where it leads to is found at each open */
	uint32_t baud;
	int fd;               /* carries the lock, and a pty's bytes; -1 when closed */
	struct sp_port *port; /* a serial port's bytes; NULL for a pty */
};

static const struct link_ops serial_ops;
static const struct link_ops pty_ops;

static struct tty_link *to_tty(const struct link *link)
{
	return (struct tty_link *)link;
}

static bool is_pty(dev_t device)
{
	return major(device) >= PTY_MAJOR_FIRST && major(device) <= PTY_MAJOR_LAST;
}

static int fail_busy(struct link *link, const char *device)
{
	char holder[128];

	holder_name(device, holder, sizeof(holder));
	return link_fail(link, EBUSY, "%s is in use by %s: end that first", device, holder);
}

static int fail_open(struct link *link, const char *device, int err)
{
	switch (err) {
	case ENOENT:
	case ENOTDIR:
		return link_fail(link, ENOENT, "%s: no such device; is the adapter plugged in?",
				 device);
	case EACCES:
	case EPERM:
		return link_fail_denied(link, err, device, device);
	case EBUSY:
	case EWOULDBLOCK:
		return fail_busy(link, device);
	case ENXIO:
	case ENODEV:
	case EIO:
		return link_fail(link, ENODEV, "%s: nothing answers behind it; plug it in again",
				 device);
	case ENOTTY:
		return link_fail(link, ENOTTY,
				 "%s is no serial port; give one such as /dev/ttyUSB0", device);
	default:
		return link_fail(link, err, "%s: %s", device, link_strerror(err));
	}
}

/*
 * A pty knows no rate. VMIN = 1 lets a read of nothing say EAGAIN. No TIOCEXCL: on a pty it
 * outlives the last close, so after a crash nobody but root could open it again.
 */
static int pty_start(struct tty_link *tty)
{
	struct termios settings;

	if (tcgetattr(tty->fd, &settings) < 0)
		return -errno;
	cfmakeraw(&settings);
	settings.c_cflag |= CREAD | CLOCAL;
	settings.c_cc[VMIN] = 1;
	settings.c_cc[VTIME] = 0;
	if (tcsetattr(tty->fd, TCSANOW, &settings) < 0)
		return -errno;
	tty->link.ops = &pty_ops;
	tty->link.baud = 0;
	return 0;
}

static int port_start(struct tty_link *tty)
{
	int err;

	tty->link.ops = &serial_ops;
	tty->link.baud = tty->baud;
	err = serial_start(tty->port, &tty->link, tty->baud);
	if (err < 0)
		return err;
	ioctl(tty->fd, TIOCEXCL);
	return 0;
}

/* Locked before it is configured, so that somebody else's session is left as it is. */
static int lock_device(struct tty_link *tty, const char *device)
{
	int err;

	tty->fd = open(device, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (tty->fd < 0)
		return -errno;
	if (flock(tty->fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	err = errno;
	close(tty->fd);
	tty->fd = -1;
	return -err;
}

/* libserialport is asked before anything is opened: opening some devices has consequences. */
static int find_device(struct tty_link *tty, const char *device, bool *pty)
{
	struct stat st;

	if (stat(device, &st) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode))
		return -ENOTTY;
	*pty = is_pty(st.st_rdev);
	return *pty ? 0 : serial_find(&tty->port, device);
}

static int tty_open(struct link *link)
{
	struct tty_link *tty = to_tty(link);
	char device[PATH_MAX], holder[128];
	bool pty;
	int err;

	link->error[0] = '\0';
	link->actual_baud = 0;
	link->low_latency = false;
	if (!realpath(tty->path, device))
		return fail_open(link, tty->path, errno);
	err = find_device(tty, device, &pty);
	/* Not everybody locks, and nothing is closed to root. The other end of a pty is open too. */
	if (!err && !pty && holder_name(device, holder, sizeof(holder)))
		err = -EBUSY;
	if (!err)
		err = lock_device(tty, device);
	if (!err)
		err = pty ? pty_start(tty) : port_start(tty);
	if (!err)
		return 1;
	link->ops->close(link);
	return *link->error ? err : fail_open(link, device, -err);
}

static int tty_poll(struct link *link)
{
	(void)link;
	return 1;
}

/* On an adapter that was pulled out the same calls fail, harmlessly. */
static void tty_close(struct link *link)
{
	struct tty_link *tty = to_tty(link);

	if (tty->fd >= 0) {
		tcflush(tty->fd, TCOFLUSH);
		ioctl(tty->fd, TIOCNXCL);
	}
	if (tty->port)
		serial_free(tty->port);
	if (tty->fd >= 0)
		close(tty->fd);
	tty->port = NULL;
	tty->fd = -1;
}

static int tty_gone(struct link *link, int err)
{
	struct tty_link *tty = to_tty(link);

	if (tty->fd < 0)
		return link_fail(link, ENODEV, "%s is not open", tty->path);
	if (err && err != EIO && err != ENXIO && err != ENODEV)
		return link_fail(link, ENODEV, "%s: %s", tty->path, link_strerror(err));
	return link_fail(link, ENODEV, "%s is gone; %s", tty->path,
			 tty->port ? "plug the adapter in again" : "its other end was closed");
}

/* A tty returns no bytes both when there are none and when it hung up: poll() knows which. */
static bool hung_up(int fd)
{
	struct pollfd poller = { .fd = fd };

	return poll(&poller, 1, 0) > 0 && poller.revents & (POLLHUP | POLLERR | POLLNVAL);
}

/* What a read or a write returns, given the bytes it moved or -errno. */
static ssize_t moved(struct link *link, int fd, ssize_t count)
{
	if (count > 0)
		return count;
	if (count == 0 || count == -EAGAIN || count == -EINTR)
		return hung_up(fd) ? tty_gone(link, 0) : 0;
	return tty_gone(link, (int)-count);
}

static ssize_t port_read(struct link *link, void *bytes, size_t size)
{
	struct sp_port *port = to_tty(link)->port;

	if (!port)
		return tty_gone(link, 0);
	return moved(link, serial_fd(port), serial_read(port, bytes, size));
}

static ssize_t port_write(struct link *link, const void *bytes, size_t size)
{
	struct sp_port *port = to_tty(link)->port;

	if (!port)
		return tty_gone(link, 0);
	return moved(link, serial_fd(port), serial_write(port, bytes, size));
}

static ssize_t pty_read(struct link *link, void *bytes, size_t size)
{
	int fd = to_tty(link)->fd;
	ssize_t count = read(fd, bytes, size);

	return moved(link, fd, count < 0 ? -errno : count);
}

static ssize_t pty_write(struct link *link, const void *bytes, size_t size)
{
	int fd = to_tty(link)->fd;
	ssize_t count = write(fd, bytes, size);

	return moved(link, fd, count < 0 ? -errno : count);
}

static void tty_flush(struct link *link)
{
	tcflush(to_tty(link)->fd, TCIOFLUSH);
}

static int tty_fd(const struct link *link, short *opening_events)
{
	const struct tty_link *tty = to_tty(link);

	*opening_events = 0;
	return tty->port ? serial_fd(tty->port) : tty->fd;
}

static void tty_free(struct link *link)
{
	struct tty_link *tty = to_tty(link);

	tty_close(link);
	free(tty->path);
	free(tty);
}

/* The two differ in how bytes move, so tty_open() chooses one of them each time. */
static const struct link_ops serial_ops = {
	.name = "serial",
	.open = tty_open,
	.poll = tty_poll,
	.close = tty_close,
	.read = port_read,
	.write = port_write,
	.flush = tty_flush,
	.fd = tty_fd,
	.now = link_boottime,
	.free = tty_free,
};

static const struct link_ops pty_ops = {
	.name = "pty",
	.open = tty_open,
	.poll = tty_poll,
	.close = tty_close,
	.read = pty_read,
	.write = pty_write,
	.flush = tty_flush,
	.fd = tty_fd,
	.now = link_boottime,
	.free = tty_free,
};

int tty_link_new(struct link **link, const char *target, const struct link_config *config,
		 char *reason, size_t size)
{
	struct tty_link *tty;

	if (!config->baud) {
		snprintf(reason, size, "0 baud is no rate; REC's BMSs have 56000");
		return -EINVAL;
	}
	tty = calloc(1, sizeof(*tty));
	if (!tty)
		return -ENOMEM;
	tty->link.ops = &serial_ops;
	tty->link.baud = tty->baud = config->baud;
	tty->fd = -1;
	tty->path = link_absolute_path(target);
	if (!tty->path) {
		free(tty);
		return -ENOMEM;
	}
	*link = &tty->link;
	return 0;
}

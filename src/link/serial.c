// SPDX-License-Identifier: LGPL-3.0-or-later
#include "link/serial.h"

#include <errno.h>
#include <libserialport.h>
#include <linux/serial.h>
#include <sys/ioctl.h>

#include "link/backends.h"

#define BAUD_TOLERANCE 50 /* one part in so many: 2 % */

/* The errno behind a failed call of libserialport, to be asked for at once. */
static int serial_errno(enum sp_return result)
{
	int err;

	switch (result) {
	case SP_ERR_ARG:
		return EINVAL;
	case SP_ERR_MEM:
		return ENOMEM;
	case SP_ERR_SUPP:
		return EOPNOTSUPP;
	case SP_ERR_FAIL:
	case SP_OK:
		break;
	}
	err = sp_last_error_code();
	return err > 0 ? err : EIO;
}

int serial_find(struct sp_port **port, const char *device)
{
	enum sp_return result = sp_get_port_by_name(device, port);

	if (result == SP_ERR_MEM)
		return -ENOMEM;
	return result == SP_OK ? 0 : -ENOTTY;
}

int serial_fd(const struct sp_port *port)
{
	int fd;

	return sp_get_port_handle(port, &fd) == SP_OK ? fd : -1;
}

bool serial_baud_fits(uint32_t asked, uint32_t actual)
{
	int64_t off = (int64_t)actual - asked;

	return (off < 0 ? -off : off) * BAUD_TOLERANCE <= asked;
}

/* All in one go. The flow control of now must be known to libserialport, else it cannot end it. */
static enum sp_return configure(struct sp_port *port, uint32_t baud)
{
	struct sp_port_config *config;
	enum sp_return result = sp_new_config(&config);

	if (result != SP_OK)
		return result;
	result = sp_get_config(port, config);
	if (result == SP_OK) {
		sp_set_config_baudrate(config, (int)baud);
		sp_set_config_bits(config, 8);
		sp_set_config_parity(config, SP_PARITY_NONE);
		sp_set_config_stopbits(config, 1);
		sp_set_config_flowcontrol(config, SP_FLOWCONTROL_NONE);
		sp_set_config_dtr(config, SP_DTR_ON);
		result = sp_set_config(port, config);
	}
	errno = result == SP_ERR_FAIL ? sp_last_error_code() : 0;
	sp_free_config(config);
	return result;
}

/*
 * FTDI's latency timer goes from 16 ms to 1 ms; close() stops waiting for unsent bytes. Two calls,
 * because the second is for root alone and its refusal would take the first along. Not every driver
 * knows either.
 */
static bool tune(int fd)
{
	struct serial_struct settings;

	if (ioctl(fd, TIOCGSERIAL, &settings) < 0)
		return false;
	settings.flags |= ASYNC_LOW_LATENCY;
	ioctl(fd, TIOCSSERIAL, &settings);
	if (ioctl(fd, TIOCGSERIAL, &settings) < 0)
		return false;
	settings.closing_wait = ASYNC_CLOSING_WAIT_NONE;
	ioctl(fd, TIOCSSERIAL, &settings);
	return settings.flags & ASYNC_LOW_LATENCY;
}

int serial_start(struct sp_port *port, struct link *link, uint32_t baud)
{
	const char *name = sp_get_port_name(port);
	enum sp_return result = sp_open(port, SP_MODE_READ_WRITE);
	uint32_t actual;
	int err;

	if (result != SP_OK) {
		err = serial_errno(result);
		return err == EINVAL ? -ENOTTY : -err; /* a console: no modem lines */
	}
	result = configure(port, baud);
	if (result != SP_OK) {
		err = serial_errno(result);
		return link_fail(link, err,
				 "%s does not take %u baud, 8N1: %s; try another adapter", name,
				 baud, link_strerror(err));
	}
	if (termios2_get_speed(serial_fd(port), &actual) < 0)
		actual = baud;
	link->actual_baud = actual;
	if (!serial_baud_fits(baud, actual))
		return link_fail(link, EINVAL,
				 "%s runs at %u baud instead of %u, too far off: use another "
				 "adapter or set the BMS to a rate that this one has",
				 name, actual, baud);
	link->low_latency = tune(serial_fd(port));
	return 0;
}

ssize_t serial_read(struct sp_port *port, void *bytes, size_t size)
{
	enum sp_return result = sp_nonblocking_read(port, bytes, size);

	return result < 0 ? -serial_errno(result) : (ssize_t)result;
}

ssize_t serial_write(struct sp_port *port, const void *bytes, size_t size)
{
	enum sp_return result = sp_nonblocking_write(port, bytes, size);

	return result < 0 ? -serial_errno(result) : (ssize_t)result;
}

void serial_free(struct sp_port *port)
{
	int fd;

	if (sp_get_port_handle(port, &fd) == SP_OK && fd >= 0)
		sp_close(port);
	sp_free_port(port);
}

/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The system calls that the server may make. */
#ifndef BMSFS_FILTER_H
#define BMSFS_FILTER_H

#include <stdbool.h>
#include <stdint.h>

/* What serving needs besides what every server does. */
enum filter_need {
	FILTER_TTY = 1,  /* settings of a serial port */
	FILTER_UNIX = 2, /* a stream socket of the Unix kind */
	FILTER_TCP = 4,  /* TCP, and a child that looks the host's name up */
};

/* False in builds with sanitizers or for coverage, which make system calls of their own. */
bool filter_built(void);

/* What @device (as on the command line) needs: a set of enum filter_need. */
unsigned filter_needs(const char *device);

/*
 * Lets this process and its children make only the listed system calls from now on; any other one
 * kills the process (SIGSYS). Returns 0 or -errno: -EINVAL or -ENOSYS when the kernel has no such
 * filters.
 */
int filter_load(unsigned needs);

/*
 * Makes the filter for another machine ("arm", "aarch64", as libseccomp names them) and writes it to
 * @fd, as a program if @binary, else as a list for people. Returns 0 or -errno. For tests.
 */
int filter_export(const char *machine, unsigned needs, int fd, bool binary);

#endif

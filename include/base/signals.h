/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Signals as events of a loop. Every signal that can end a process is blocked and read from a
 * descriptor, so that none of them ends the process before it has cleaned up. SIGKILL cannot be
 * blocked, and a fault of the program itself (SIGSEGV, abort(3)) still ends it.
 */
#ifndef BMSFS_BASE_SIGNALS_H
#define BMSFS_BASE_SIGNALS_H

#include <stdbool.h>

/*
 * Blocks the signals, SIGCHLD also if @children. SIGHUP, SIGINT and SIGQUIT that are ignored
 * already, as nohup(1) and a shell without job control leave them, stay ignored. Returns a
 * descriptor that is readable while a signal is pending, or -errno.
 */
int signals_open(bool children);

/*
 * Takes a pending signal. Returns its number; 0 if there is none, or only SIGPIPE or SIGXFSZ from a
 * write of this process, which the errno of that write reports.
 */
int signals_take(int fd);

#endif

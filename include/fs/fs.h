/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The tree as a FUSE file system. One thread: fs_receive() takes one request from the kernel and
 * answers it, or parks it until the device has what it needs; fs_run() ends what is due. Each request
 * gets exactly one reply.
 */
#ifndef BMSFS_FS_FS_H
#define BMSFS_FS_FS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tree/forest.h"

struct fs;

struct fs_config {
	const char *source;  /* DEVICE, as mount(8) shows it; the type is fuse.bmsfs */
	const char *options; /* further mount options for the kernel ("nodev,noatime"), or "" */
	const char *labels;  /* more of them, commas in values escaped; NULL */
	uid_t uid;           /* owner of all files */
	gid_t gid;
	mode_t umask;
	bool group_writes; /* settings are 0664 instead of 0644 */
	bool read_only;    /* -o ro */
	bool allow_other;
	bool debug; /* tell log() of each request */
	void (*log)(const char *format, ...) __attribute__((format(printf, 1, 2)));
	int64_t (*wall_clock)(void); /* ns since 1970; NULL: CLOCK_REALTIME */
};

/*
 * Makes the session and mounts it; from now on the kernel queues requests. Returns 0 or -errno, the
 * reason logged. The keeper calls it; the server, its child, inherits the session and serves it.
 */
int fs_mount(struct fs **fs, const struct fs_config *config, const char *mountpoint);

/* In the server: what to serve. Takes over device_observe() of each. */
void fs_attach(struct fs *fs, struct forest *forest);

/* What to poll for reading. */
int fs_fd(const struct fs *fs);

/*
 * poll(2) told something of the descriptor: serves requests until it would block, or a bounded
 * number. Returns 0; -ENODEV when the file system was unmounted; another -errno when the connection
 * has failed, and only its end answers those who wait.
 */
int fs_receive(struct fs *fs);

/* Whether the kernel has said hello, that is, the mount answers. */
bool fs_ready(const struct fs *fs);

/*
 * CLOCK_REALTIME was set: the kernel drops the times that it keeps, which were computed with the
 * clock before.
 */
void fs_clock_was_set(struct fs *fs);

/* Notifies pollers that are due and the kernel of changed times. */
void fs_run(struct fs *fs);
int64_t fs_wake(const struct fs *fs);

/* Answers everything parked with ENODEV before the server ends. */
void fs_stop(struct fs *fs);

/*
 * Frees the session without unmounting; in the keeper right after fork(), so that it holds no
 * descriptor of the connection, and in the server at its end: after fs_stop(), and after
 * device_free(), for a write that could not be taken back stays the device's until then.
 */
void fs_free(struct fs *fs);

#endif

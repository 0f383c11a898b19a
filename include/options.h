/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The command line. One table makes the parser, the defaults, the ranges and the help text. */
#ifndef BMSFS_OPTIONS_H
#define BMSFS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "tree/forest.h"

#define OPTIONS_FILE_MAX 16

enum options_action {
	ACTION_MOUNT,
	ACTION_REMOUNT, /* changes what the kernel keeps of a mount, .flags */
	ACTION_NOTHING, /* but what comes before a mount: mount(8) asks for that */
	ACTION_LIST,
	ACTION_PROBE,
	ACTION_HELP,
	ACTION_VERSION
};

#define OPTIONS_NO_GROUP   UINT32_MAX
#define OPTIONS_NO_SENSORS UINT32_MAX

struct options {
	enum options_action action;
	const char *device, *mountpoint;
	bool foreground;
	bool debug; /* which implies foreground */

	uint32_t baud;
	uint8_t address[FOREST_MAX]; /* one after the other */
	unsigned addresses;          /* 0: not given */
	uint32_t tries;
	int64_t timeout, deadline, ttl, ttl_settings, grace, wait; /* ns */
	const char *model;                                         /* "auto", or a name */
	uint32_t sensors; /* of each unit; OPTIONS_NO_SENSORS unless given */
	const char *name; /* of the supply under class/; NULL: not given */
	const char *instructions[OPTIONS_FILE_MAX]; /* in the order given */
	unsigned instructions_count;
	const char *capture; /* NULL: not given */
	bool unlock, read_only, private, allow_other;
	uint32_t uid, umask;
	uint32_t gid;     /* OPTIONS_NO_GROUP unless given */
	const char *user; /* who serves; NULL: not given */
	bool nofilter;
	char kernel[64];      /* options that libfuse hands on, "nodev,noatime" */
	unsigned long flags;  /* the same and others as mount(2) has them, MS_RDONLY included */
	char *labels;         /* options for SELinux, commas in them escaped; "" */
	bool flags_left;      /* there is one in .flags that is not in .kernel */
	bool own;             /* there was one that is neither of these nor ro or rw */
	const char *of_mount; /* "user=NAME" in fstab, which is not ours; NULL */

	bool list_writable, list_json;
	const char *list_category; /* NULL: all */

	char *text, *config; /* what the strings above point into */
};

/*
 * Reads the command line and the configuration file that it names. Under a name that begins with
 * "mount." it is a helper of mount(8). Returns 0, or with one sentence in @reason -EAGAIN if a user
 * or a group is not known, perhaps not yet; -ENOMEM; another -errno for what must be corrected.
 * Strings of @options live until options_free() and as long as @argv.
 */
int options_parse(struct options *options, int argc, char *argv[], char *reason, size_t size);
void options_free(struct options *options);

void options_help(FILE *out);

#endif

/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The one reader of configuration files and instruction tables: lines "key = value", blank lines,
 * comments and, where the format of the file has them, sections and continued values. It never
 * repeats a line that it does not understand, because that line may hold a secret.
 */
#ifndef BMSFS_BASE_INI_H
#define BMSFS_BASE_INI_H

#include <stddef.h>

#define INI_LINE_MAX 198         /* characters */
#define INI_KEYS_MAX 64          /* of one section */
#define INI_FILE_MAX (16 * 1024) /* bytes, of a file for ini_read() */

enum ini_format {
	INI_FLAT = 0,
	INI_SECTIONS = 1,  /* "[name]" starts a section */
	INI_CONTINUED = 2, /* an indented line continues the value above it */
};

enum ini_item { INI_END, INI_SECTION, INI_KEY, INI_CONTINUATION };

struct ini {
	const char *file;       /* its name in messages */
	unsigned format;        /* of enum ini_format */
	const char *repeatable; /* the key that a section may have more than once; NULL: none */
	char *reason;           /* receives "FILE:LINE: what is wrong" */
	size_t size;            /* of @reason */

	unsigned line;     /* the line of the item, from 1 */
	const char *name;  /* of a section or a key */
	const char *value; /* of a key, or the text of a continuation; may be empty */

	/* The reader's own. */
	const char *start, *text, *end; /* of the line, of what follows it, of all */
	char copy[INI_LINE_MAX + 1];
	unsigned keys; /* of this section so far, as they stand in the text */
	struct {
		const char *name;
		size_t length;
	} key[INI_KEYS_MAX];
};

/* Starts reading @text, which must outlive @ini. The caller has set the first five members. */
void ini_start(struct ini *ini, const char *text, size_t size);

/*
 * Finds the next item; name and value live until the next call. Returns one of enum ini_item, or
 * -EINVAL with the reason: a line that is neither, a repeated key, a continued or indented line or a
 * section where the format has none, a line that is too long, a control character.
 */
int ini_next(struct ini *ini);

/* Puts "FILE:LINE: " and the text into the reason, in printable ASCII; returns -EINVAL. */
int ini_fail(const struct ini *ini, unsigned line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Takes one pair of a configuration file. Returns 0; INI_SECRET if the value is a secret; -EINVAL
 * with one sentence in the reason that was given to ini_read(), which must not repeat a secret.
 */
#define INI_SECRET 1
typedef int ini_take(void *user, const char *name, const char *value);

/*
 * Reads a flat file whole and calls @take for each pair. Returns 0; -EACCES if the file holds a
 * secret and others than its owner can read it; -EINVAL if a line is wrong; -ENOMEM; or the -errno
 * of reading the file. Then @reason has one sentence.
 */
int ini_read(const char *file, const char *repeatable, ini_take *take, void *user, char *reason,
	     size_t size);

#endif

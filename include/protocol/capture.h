/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A capture: what went over a line, in lines of text that a person can read and edit.
 *
 *	# a remark
 *	8123.456789 > 55010005434150413F3BE0AA CAPA?
 *	8123.471234 < 55000109342E35303030306532FBB4AA 4.50000e2
 *	8130.000000 = closed
 *
 * Time in seconds, from any moment on, with up to nine decimals; ">" for what was sent to the BMS,
 * "<" for what came from it, each with the bytes in hexadecimal and, after a blank, a remark that
 * means nothing; "=" for what happened to the line itself, in words. Bytes of one line came without
 * a gap; each ">" is a request of its own. Empty lines mean nothing.
 */
#ifndef BMSFS_PROTOCOL_CAPTURE_H
#define BMSFS_PROTOCOL_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

#define CAPTURE_BYTES_MAX 512
#define CAPTURE_LINE_MAX  (2 * CAPTURE_BYTES_MAX + 320) /* of what capture_format() makes */

enum capture_kind {
	CAPTURE_REMARK = '#',
	CAPTURE_SENT = '>',
	CAPTURE_RECEIVED = '<',
	CAPTURE_LINE = '=',
};

struct capture_line {
	enum capture_kind kind;
	int64_t when; /* ns */
	size_t size;  /* of what was sent or received */
	uint8_t bytes[CAPTURE_BYTES_MAX];
};

/*
 * Writes what was sent or received as a line with a remark that tells its frames. @size is at most
 * CAPTURE_BYTES_MAX, @when not negative. Returns the length, newline included.
 */
size_t capture_format(char text[CAPTURE_LINE_MAX], enum capture_kind kind, int64_t when,
		      const void *bytes, size_t size);

/* The bytes as hexadecimal digits, without a NUL. Returns their number. */
size_t capture_hex(char *text, const uint8_t *bytes, size_t size);

/*
 * Reads a line of @size characters without its newline. Returns 0, or -EINVAL with a few words in
 * @reason.
 */
int capture_parse(const char *text, size_t size, struct capture_line *line, const char **reason);

#endif

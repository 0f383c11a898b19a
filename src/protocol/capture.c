// SPDX-License-Identifier: LGPL-3.0-or-later
#include "protocol/capture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "nsec.h"
#include "protocol/frame.h"

static const char hex_digits[] = "0123456789ABCDEF";

#define REMARK_MAX  256 /* longer ones are cut */
#define SECONDS_MAX 999999999

struct remark {
	char text[REMARK_MAX];
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void remark_add(struct remark *remark,
							     const char *format, ...)
{
	size_t room = sizeof(remark->text) - remark->used;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(remark->text + remark->used, room, format, args);
	va_end(args);
	if (length > 0)
		remark->used += (size_t)length < room ? (size_t)length : room - 1;
}

/* What frames there are in the bytes, and how many bytes are in none. */
static void remark_fill(struct remark *remark, const uint8_t *bytes, size_t size)
{
	struct frame_decoder decoder = { 0 };
	char text[FRAME_TEXT_MAX];
	struct frame frame;
	size_t others = size;

	for (size_t fed = 0; fed < size;) {
		fed += frame_decoder_feed(&decoder, bytes + fed, size - fed);
		while (frame_decoder_next(&decoder, &frame)) {
			frame_describe(&frame, text);
			remark_add(remark, "%s%s", remark->used ? ", " : " ", text);
			others -= frame.len + (size_t)FRAME_OVERHEAD;
		}
	}
	if (others)
		remark_add(remark, "%s%zu bytes of no frame", remark->used ? ", " : " ", others);
}

size_t capture_hex(char *text, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		text[2 * i] = hex_digits[bytes[i] >> 4];
		text[2 * i + 1] = hex_digits[bytes[i] & 15];
	}
	return 2 * size;
}

size_t capture_format(char text[CAPTURE_LINE_MAX], enum capture_kind kind, int64_t when,
		      const void *bytes, size_t size)
{
	struct remark remark = { .used = 0 };
	size_t used;

	remark_fill(&remark, bytes, size);
	used = (size_t)snprintf(text, CAPTURE_LINE_MAX, "%" PRId64 ".%06" PRId64 " %c ",
				when / NSEC_PER_SEC, when % NSEC_PER_SEC / 1000, kind);
	used += capture_hex(text + used, bytes, size);
	used += (size_t)snprintf(text + used, CAPTURE_LINE_MAX - used, "%s\n", remark.text);
	return used;
}

struct reader {
	const char *at, *end;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Whether there were any, or the line is over. */
static bool skip_blanks(struct reader *reader)
{
	const char *start = reader->at;

	while (reader->at < reader->end && is_blank(*reader->at))
		reader->at++;
	return reader->at > start || reader->at == reader->end;
}

static int digit(const struct reader *reader)
{
	if (reader->at == reader->end || *reader->at < '0' || *reader->at > '9')
		return -1;
	return *reader->at - '0';
}

static bool take_time(struct reader *reader, int64_t *when)
{
	int64_t seconds = 0, unit = NSEC_PER_SEC;
	const char *start = reader->at;

	for (; digit(reader) >= 0; reader->at++)
		if ((seconds = 10 * seconds + digit(reader)) > SECONDS_MAX)
			return false;
	if (reader->at == start)
		return false;
	*when = seconds * NSEC_PER_SEC;
	if (reader->at == reader->end || *reader->at != '.')
		return true;
	start = ++reader->at;
	for (; digit(reader) >= 0 && unit > 1; reader->at++)
		*when += digit(reader) * (unit /= 10);
	return reader->at > start && digit(reader) < 0;
}

static int nibble(char c)
{
	const char *found;

	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	found = c ? strchr(hex_digits, c) : NULL;
	return found ? (int)(found - hex_digits) : -1;
}

static const char *take_bytes(struct reader *reader, struct capture_line *line)
{
	while (reader->at < reader->end && !is_blank(*reader->at)) {
		int high = nibble(*reader->at++);
		int low = reader->at < reader->end ? nibble(*reader->at++) : -1;

		if (high < 0 || low < 0)
			return "the bytes are not pairs of hexadecimal digits";
		if (line->size == sizeof(line->bytes))
			return "more bytes than a line may have";
		line->bytes[line->size++] = (uint8_t)(high << 4 | low);
	}
	return line->size ? NULL : "the bytes are missing";
}

static const char *take_line(struct reader *reader, struct capture_line *line)
{
	skip_blanks(reader);
	if (reader->at == reader->end || *reader->at == CAPTURE_REMARK)
		return NULL;
	if (!take_time(reader, &line->when) || !skip_blanks(reader))
		return "it does not begin with a time in seconds";
	if (reader->at == reader->end || !strchr("<>=", *reader->at) || !*reader->at)
		return "no <, > or = follows the time";
	line->kind = (enum capture_kind) * reader->at++;
	if (!skip_blanks(reader))
		return "no blank follows the <, > or =";
	return line->kind == CAPTURE_LINE ? NULL : take_bytes(reader, line);
}

int capture_parse(const char *text, size_t size, struct capture_line *line, const char **reason)
{
	struct reader reader = { .at = text, .end = text + size };

	line->kind = CAPTURE_REMARK;
	line->when = 0;
	line->size = 0;
	*reason = take_line(&reader, line);
	return *reason ? -EINVAL : 0;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
/* A file that a stranger sent in as a capture: what is read of a line can be written and read again. */
#include "fuzz.h"

#include <string.h>

#include "protocol/capture.h"

static void check_again(const struct capture_line *line)
{
	static struct capture_line again;
	char text[CAPTURE_LINE_MAX];
	const char *reason;
	size_t size = capture_format(text, line->kind, line->when, line->bytes, line->size);

	CHECK(size <= sizeof(text) && text[size - 1] == '\n');
	CHECK(!memchr(text, '\n', size - 1));
	CHECK(!capture_parse(text, size - 1, &again, &reason));
	CHECK(again.kind == line->kind && again.size == line->size);
	CHECK(!memcmp(again.bytes, line->bytes, line->size));
	/* Microseconds are kept. */
	CHECK(again.when == line->when / 1000 * 1000);
}

static void check_line(const char *text, size_t size)
{
	static struct capture_line line;
	const char *reason = NULL;
	int ret = capture_parse(text, size, &line, &reason);

	CHECK(ret == 0 || reason);
	if (ret)
		return;
	CHECK(line.when >= 0 && line.size <= CAPTURE_BYTES_MAX);
	if (line.kind == CAPTURE_SENT || line.kind == CAPTURE_RECEIVED) {
		CHECK(line.size);
		check_again(&line);
	} else {
		CHECK(!line.size);
		CHECK(line.kind == CAPTURE_LINE || line.kind == CAPTURE_REMARK);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data;

	while (size) {
		const char *newline = memchr(at, '\n', size);
		size_t length = newline ? (size_t)(newline - at) : size;

		check_line(at, length);
		length += newline != NULL;
		at += length;
		size -= length;
	}
	return 0;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * Does one thing again and again, so that its instructions can be counted: loops THING COUNT.
 * COUNT 0 does nothing but start and end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../protocol/captured.h"
#include "protocol/frame.h"
#include "protocol/instruction.h"
#include "protocol/reply.h"
#include "protocol/value.h"

static struct instruction_table table;
static const struct instruction *cell, *cmax;

/* A reply as it comes from the line, to a sample: CELL? of 14 cells, 71 bytes. */
static int decode(void)
{
	static struct frame_decoder decoder;
	static struct reply reply;
	enum reply_state state = REPLY_MORE;
	struct frame frame;

	reply_begin(&reply, cell, MODEL_UNKNOWN, false, 1);
	frame_decoder_feed(&decoder, captured_cell, sizeof(captured_cell));
	while (frame_decoder_next(&decoder, &frame))
		state = reply_take(&reply, &frame);
	return state != REPLY_COMPLETE;
}

/* A request as it goes to the line: "CMAX 3.6". */
static int encode(void)
{
	char text[VALUE_TEXT_MAX], payload[64];
	uint8_t bytes[FRAME_MAX];
	struct frame frame;
	size_t size;

	if (value_format_float(text, sizeof(text), 3.6F) < 0)
		return 1;
	size = instruction_set(cmax, text, payload);
	frame_make(&frame, 1, 0, payload, (uint8_t)size);
	return !frame_encode(&frame, bytes);
}

/* A float32 as it stands in a file: the shortest decimal that reads back as the same. */
static int format(void)
{
	char text[VALUE_TEXT_MAX];

	return value_format_float(text, sizeof(text), 3.9661F) < 0;
}

/* An interpreted value as it stands in a file. */
static int format_fixed(void)
{
	char text[VALUE_TEXT_MAX];

	return value_format_fixed(text, sizeof(text), 78.462, 2) < 0;
}

static const struct {
	const char *name;
	int (*once)(void);
} things[] = {
	{ "decode", decode },
	{ "encode", encode },
	{ "format", format },
	{ "format_fixed", format_fixed },
};

static int repeat(const char *name, long count)
{
	int failed = 0;

	for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++) {
		if (strcmp(name, things[i].name) != 0)
			continue;
		while (!failed && count-- > 0)
			failed = things[i].once();
		return failed;
	}
	return 2;
}

int main(int argc, char **argv)
{
	struct table_error error;
	int failed;

	if (argc != 3 || instruction_table_init(&table, &error) < 0)
		return 2;
	cell = &table.row[instruction_find(&table, "CELL")];
	cmax = &table.row[instruction_find(&table, "CMAX")];
	failed = repeat(argv[1], strtol(argv[2], NULL, 10));
	instruction_table_free(&table);
	return failed;
}

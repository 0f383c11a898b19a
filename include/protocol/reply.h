/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * From the frames of a reply to a sample. A reply names neither its request nor its instruction, so
 * the only thing that can be checked is whether it fits: the number of frames, their lengths, the
 * type. What does not fit to the last byte is refused whole.
 */
#ifndef BMSFS_PROTOCOL_REPLY_H
#define BMSFS_PROTOCOL_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/frame.h"
#include "protocol/instruction.h"

#define SAMPLE_UNIT_MAX   15   /* slaves of a master */
#define SAMPLE_NUMBER_MAX 1023 /* 15 units of 63 float32 are 945 */
#define SAMPLE_TEXT_MAX   (FRAME_PAYLOAD_MAX + 1)

/* Every integer up to here, and down to its negative, is a double. */
#define SAMPLE_INTEGER_MAX ((int64_t)1 << 53)

/*
 * The value of one instruction. Numbers are doubles because a double holds every float32 and every
 * integer of this protocol exactly; the table says which they are.
 */
struct sample {
	uint8_t units;                    /* data frames: one per unit; 1 for what has no units */
	uint8_t address[SAMPLE_UNIT_MAX]; /* SND of each data frame */
	uint8_t count[SAMPLE_UNIT_MAX];   /* numbers of each unit */
	uint16_t numbers;                 /* all of them, unit after unit */
	uint16_t size;                    /* length of text */
	char text[SAMPLE_TEXT_MAX];       /* what has no array: the payload, cleaned, as it came */
	double number[SAMPLE_NUMBER_MAX];
};

enum reply_state {
	REPLY_MORE,     /* so far it fits; more frames belong to it */
	REPLY_COMPLETE, /* the sample is whole */
	REPLY_REFUSED,  /* the BMS said ERROR...; its text is in sample.text */
	REPLY_UNFIT,    /* this is no reply to that request; reason says why */
};

struct reply {
	const struct instruction *row;
	const struct instruction_variant *variant;
	bool set;           /* a reply to "XXXX value": SET or ERRORn */
	uint8_t address;    /* whom was asked */
	bool crowded;       /* others answer on this line: nobody may speak with other addresses */
	bool roams;         /* but this one, a master, has units that do */
	unsigned frames;    /* frames taken */
	unsigned expected;  /* data frames that the header announces */
	unsigned bytes;     /* their length, where the header states it; else 0 */
	const char *reason; /* a few words, for REPLY_UNFIT */
	struct sample sample; /* being filled */
};

/*
 * Prepares for the reply of unit @address to a query (or a @set) of @row on @model. For a line of
 * several BMSs the caller sets reply->crowded then.
 */
void reply_begin(struct reply *reply, const struct instruction *row, int model, bool set,
		 uint8_t address);

/*
 * Takes the next frame. The first must come from the unit that was asked; data frames of several
 * units may come from the master or from each unit. After anything but REPLY_MORE the reply is
 * over.
 */
enum reply_state reply_take(struct reply *reply, const struct frame *frame);

/*
 * Whether @frame can be an answer to *IDN?, of whatever BMS: a text with three letters in a row that
 * is none of the replies to a set. Puts the text, cleaned, into @text in any case.
 */
bool reply_identity(const struct frame *frame, char text[SAMPLE_TEXT_MAX]);

/* Where unit @unit (0..) starts in sample->number. */
unsigned sample_offset(const struct sample *sample, unsigned unit);

/* Copies only what is filled. */
void sample_copy(struct sample *to, const struct sample *from);

#endif

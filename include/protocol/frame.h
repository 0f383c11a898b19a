/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The frame of REC's RS-485 protocol:
 *
 *	offset  0    1    2    3    4 ... 4+n-1  4+n  5+n  6+n
 *	        STX  DST  SND  LEN  payload      CRC  CRC  ETX
 *	        55                  n bytes      high low  AA
 *
 * The host is address 0; units (BMSs) are 1 to 127. Nothing is escaped: 55 and AA may stand anywhere
 * inside, so a frame is cut by LEN and then checked by ETX and CRC.
 */
#ifndef BMSFS_PROTOCOL_FRAME_H
#define BMSFS_PROTOCOL_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_STX         0x55
#define FRAME_ETX         0xAA
#define FRAME_HOST        0
#define FRAME_UNIT_MAX    127
#define FRAME_PAYLOAD_MAX 255
#define FRAME_OVERHEAD    7
#define FRAME_MAX         (FRAME_PAYLOAD_MAX + FRAME_OVERHEAD)
#define FRAME_TEXT_MAX    (FRAME_PAYLOAD_MAX + 1)

struct frame {
	uint8_t dst;
	uint8_t snd;
	uint8_t len;
	uint8_t payload[FRAME_PAYLOAD_MAX];
};

/* Writes @frame as bytes to @out and returns their number, LEN + 7. */
size_t frame_encode(const struct frame *frame, uint8_t out[FRAME_MAX]);

/* A frame from @snd to @dst that carries the @len first bytes of @payload. */
void frame_make(struct frame *frame, uint8_t dst, uint8_t snd, const void *payload, uint8_t len);

/* Whether @frame carries exactly the bytes of the string @text. */
bool frame_is_text(const struct frame *frame, const char *text);

/* What it carries, for people: the text itself, or "56 bytes". */
void frame_describe(const struct frame *frame, char text[FRAME_TEXT_MAX]);

/*
 * The incremental decoder. Feed it bytes as they come, in portions of any size; take frames out as
 * long as there are any. A frame starts only at an STX whose DST and SND are the host and a unit, in
 * either order; what fails ETX or CRC loses one byte and is scanned again from the next. The cost is
 * linear in the bytes fed, and nothing is allocated.
 */
struct frame_decoder {
	uint16_t start; /* first byte not yet consumed */
	uint16_t end;   /* one past the last byte */
	uint8_t buffer[2 * FRAME_MAX];
	uint64_t dropped; /* bytes that were part of no frame */
	uint64_t broken;  /* candidates that had a start and a length but a wrong ETX or CRC */
};

/* Empties the decoder; the counters stay. */
void frame_decoder_reset(struct frame_decoder *decoder);

/* Takes up to @size bytes and returns how many fitted: all of them if frames are taken out between. */
size_t frame_decoder_feed(struct frame_decoder *decoder, const void *bytes, size_t size);

/* Takes the next whole frame out; false if the bytes so far hold none. */
bool frame_decoder_next(struct frame_decoder *decoder, struct frame *frame);

/* Whether bytes are waiting that may become a frame: a pause now means that they never will. */
bool frame_decoder_pending(const struct frame_decoder *decoder);

/*
 * The line paused inside a frame: gives up the start of the frame in progress (one byte) and makes
 * the rest available to frame_decoder_next(). Call both in turn until nothing is pending.
 */
void frame_decoder_pause(struct frame_decoder *decoder);

#endif

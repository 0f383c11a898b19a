// SPDX-License-Identifier: LGPL-3.0-or-later
#include "protocol/frame.h"

#include <stdio.h>
#include <string.h>

#include "protocol/crc16.h"

/* Where the fields stand. */
enum { AT_STX, AT_DST, AT_SND, AT_LEN, AT_PAYLOAD };

/* What the CRC covers besides the payload: DST, SND, LEN. */
#define CRC_HEAD 3

size_t frame_encode(const struct frame *frame, uint8_t out[FRAME_MAX])
{
	uint8_t *tail = out + AT_PAYLOAD + frame->len;
	uint16_t crc;

	out[AT_STX] = FRAME_STX;
	out[AT_DST] = frame->dst;
	out[AT_SND] = frame->snd;
	out[AT_LEN] = frame->len;
	memcpy(out + AT_PAYLOAD, frame->payload, frame->len);

	crc = crc16_arc(out + AT_DST, CRC_HEAD + frame->len);
	tail[0] = (uint8_t)(crc >> 8);
	tail[1] = (uint8_t)crc;
	tail[2] = FRAME_ETX;
	return frame->len + (size_t)FRAME_OVERHEAD;
}

void frame_make(struct frame *frame, uint8_t dst, uint8_t snd, const void *payload, uint8_t len)
{
	frame->dst = dst;
	frame->snd = snd;
	frame->len = len;
	if (len)
		memcpy(frame->payload, payload, len);
}

bool frame_is_text(const struct frame *frame, const char *text)
{
	return strlen(text) == frame->len && !memcmp(frame->payload, text, frame->len);
}

void frame_describe(const struct frame *frame, char text[FRAME_TEXT_MAX])
{
	bool printable = frame->len > 0;

	for (size_t i = 0; i < frame->len; i++)
		printable = printable && frame->payload[i] >= ' ' && frame->payload[i] <= '~';
	if (printable)
		snprintf(text, FRAME_TEXT_MAX, "%.*s", frame->len, (const char *)frame->payload);
	else
		snprintf(text, FRAME_TEXT_MAX, "%u bytes", frame->len);
}

/* Whether the bytes at @at, as far as they have come, can be the start of a frame. */
static bool start_is_possible(const uint8_t *at, size_t size)
{
	if (at[AT_STX] != FRAME_STX)
		return false;
	if (size > AT_DST && at[AT_DST] > FRAME_UNIT_MAX)
		return false;
	if (size <= AT_SND)
		return true;
	return at[AT_SND] <= FRAME_UNIT_MAX &&
	       (at[AT_DST] == FRAME_HOST) != (at[AT_SND] == FRAME_HOST);
}

static size_t decoder_fill(const struct frame_decoder *decoder)
{
	return (size_t)(decoder->end - decoder->start);
}

/* Drops bytes up to the next possible start. After every public call the decoder stands at one. */
static void decoder_seek(struct frame_decoder *decoder)
{
	while (decoder->start < decoder->end &&
	       !start_is_possible(decoder->buffer + decoder->start, decoder_fill(decoder))) {
		decoder->start++;
		decoder->dropped++;
	}
	if (decoder->start == decoder->end)
		decoder->start = decoder->end = 0;
}

/* Gives up the start where the decoder stands. */
static void decoder_skip(struct frame_decoder *decoder)
{
	decoder->start++;
	decoder->dropped++;
	decoder_seek(decoder);
}

/* The size of the candidate where the decoder stands once all of it has come, else 0. */
static size_t decoder_whole(const struct frame_decoder *decoder)
{
	size_t fill = decoder_fill(decoder);
	size_t size;

	if (fill <= AT_LEN)
		return 0;
	size = decoder->buffer[decoder->start + AT_LEN] + (size_t)FRAME_OVERHEAD;
	return fill >= size ? size : 0;
}

static bool candidate_is_sound(const uint8_t *at, size_t size)
{
	const uint8_t *tail = at + size - 3;

	if (tail[2] != FRAME_ETX)
		return false;
	return crc16_arc(at + AT_DST, size - 4) == (tail[0] << 8 | tail[1]);
}

void frame_decoder_reset(struct frame_decoder *decoder)
{
	decoder->start = decoder->end = 0;
}

size_t frame_decoder_feed(struct frame_decoder *decoder, const void *bytes, size_t size)
{
	size_t room = sizeof(decoder->buffer) - decoder->end;

	/*
	 * With all frames taken out fewer than FRAME_MAX bytes move and more than that become
	 * free, so that moving costs less than one step for each byte fed.
	 */
	if (size > room && decoder->start) {
		memmove(decoder->buffer, decoder->buffer + decoder->start, decoder_fill(decoder));
		decoder->end -= decoder->start;
		decoder->start = 0;
		room = sizeof(decoder->buffer) - decoder->end;
	}
	if (size > room)
		size = room;
	if (!size)
		return 0;

	memcpy(decoder->buffer + decoder->end, bytes, size);
	decoder->end = (uint16_t)(decoder->end + size);
	decoder_seek(decoder);
	return size;
}

bool frame_decoder_next(struct frame_decoder *decoder, struct frame *frame)
{
	size_t size;

	while ((size = decoder_whole(decoder))) {
		const uint8_t *at = decoder->buffer + decoder->start;

		if (candidate_is_sound(at, size)) {
			frame_make(frame, at[AT_DST], at[AT_SND], at + AT_PAYLOAD, at[AT_LEN]);
			decoder->start = (uint16_t)(decoder->start + size);
			decoder_seek(decoder);
			return true;
		}
		decoder->broken++;
		decoder_skip(decoder);
	}
	return false;
}

bool frame_decoder_pending(const struct frame_decoder *decoder)
{
	return decoder->start != decoder->end;
}

void frame_decoder_pause(struct frame_decoder *decoder)
{
	/* A candidate that is whole waits for frame_decoder_next() and is nobody's to give up. */
	if (frame_decoder_pending(decoder) && !decoder_whole(decoder))
		decoder_skip(decoder);
}

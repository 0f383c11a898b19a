// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * The frame decoder under any bytes. The first byte of the input says how: its low seven bits the
 * size of the portions, its highest whether the line pauses after each of them.
 */
#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "protocol/crc16.h"
#include "protocol/frame.h"

struct run {
	struct frame_decoder decoder;
	const uint8_t *input;
	size_t fed;
	size_t found;  /* in the input, one past the last frame that came out */
	size_t framed; /* bytes of all frames that came out */
	unsigned frames;
	uint32_t digest; /* FNV-1a over them */
};

static void run_check(const struct run *run)
{
	const struct frame_decoder *decoder = &run->decoder;

	CHECK(decoder->start <= decoder->end && decoder->end <= sizeof(decoder->buffer));
	CHECK(decoder->dropped + run->framed + (decoder->end - decoder->start) == run->fed);
	CHECK(decoder->broken <= decoder->dropped);
	CHECK(frame_decoder_pending(decoder) == (decoder->end > decoder->start));
}

/* Accepts a frame only if its bytes stand in the input, behind those of the frame before. */
static void run_accept(struct run *run, const struct frame *frame)
{
	uint8_t bytes[FRAME_MAX];
	size_t size = frame_encode(frame, bytes);
	const uint8_t *at = memmem(run->input + run->found, run->fed - run->found, bytes, size);

	CHECK(at);
	CHECK((frame->dst == FRAME_HOST) != (frame->snd == FRAME_HOST));
	CHECK(frame->dst <= FRAME_UNIT_MAX && frame->snd <= FRAME_UNIT_MAX);
	run->found = (size_t)(at - run->input) + size;
	run->framed += size;
	run->frames++;
	for (size_t i = 0; i < size; i++)
		run->digest = (run->digest ^ bytes[i]) * 16777619u;
}

static void run_take(struct run *run)
{
	struct frame frame;

	while (frame_decoder_next(&run->decoder, &frame)) {
		run_accept(run, &frame);
		run_check(run);
	}
	run_check(run);
	CHECK(run->decoder.end - run->decoder.start < FRAME_MAX);
}

/* Every pause gives up a byte at least, or lets a frame out. */
static void run_pause(struct run *run)
{
	size_t left = (size_t)(run->decoder.end - run->decoder.start);

	while (frame_decoder_pending(&run->decoder)) {
		CHECK(left-- > 0);
		frame_decoder_pause(&run->decoder);
		run_take(run);
	}
}

static void run_input(struct run *run, const uint8_t *data, size_t size, size_t portion, bool pause)
{
	memset(run, 0, sizeof(*run));
	run->input = data;
	while (run->fed < size) {
		size_t some = size - run->fed < portion ? size - run->fed : portion;
		size_t taken = frame_decoder_feed(&run->decoder, data + run->fed, some);

		CHECK(taken > 0 && taken <= some);
		run->fed += taken;
		run_take(run);
		if (pause)
			run_pause(run);
	}
	run_pause(run);
	CHECK(run->decoder.dropped + run->framed == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run run, whole;
	bool pause;

	if (!size)
		return 0;
	pause = data[0] & 0x80;
	run_input(&run, data + 1, size - 1, (data[0] & 0x7F) + (size_t)1, pause);
	if (pause)
		return 0;

	/* How the bytes are portioned must make no difference. */
	run_input(&whole, data + 1, size - 1, size, false);
	CHECK(run.frames == whole.frames && run.digest == whole.digest);
	CHECK(run.decoder.dropped == whole.decoder.dropped);
	CHECK(run.decoder.broken == whole.decoder.broken);
	return 0;
}

/*
 * No chance finds a CRC of 16 bits, so half of the mutants get those of the frames in them put right
 * and the decoder sees as many good frames as bad ones.
 */
static void frames_mend(uint8_t *data, size_t size)
{
	for (size_t at = 0; at + FRAME_OVERHEAD <= size;) {
		size_t whole = data[at + 3] + (size_t)FRAME_OVERHEAD;
		uint16_t crc;

		if (data[at] != FRAME_STX || at + whole > size) {
			at++;
			continue;
		}
		crc = crc16_arc(data + at + 1, whole - 4);
		data[at + whole - 3] = (uint8_t)(crc >> 8);
		data[at + whole - 2] = (uint8_t)crc;
		data[at + whole - 1] = FRAME_ETX;
		at += whole;
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed)
{
	size = LLVMFuzzerMutate(data, size, room);
	if (seed % 2 && size)
		frames_mend(data + 1, size - 1);
	return size;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include "truth.h"

#include <stdlib.h>
#include <string.h>

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9E3779B97F4A7C15);
	return hash ^ hash >> 29;
}

static uint64_t mix_bytes(uint64_t hash, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	hash = mix(hash, size);
	for (; size >= 8; size -= 8, at += 8) {
		uint64_t word;

		memcpy(&word, at, 8);
		hash = mix(hash, word);
	}
	for (; size; size--)
		hash = mix(hash, *at++);
	return hash;
}

static uint64_t mix_number(uint64_t hash, double number)
{
	uint64_t bits;

	memcpy(&bits, &number, sizeof(bits));
	return mix(hash, bits);
}

/* The next number of a data frame. */
static double number_take(enum field_type type, const uint8_t **at)
{
	uint32_t bits = 0;
	float value;

	switch (type) {
	case FIELD_U8:
		return *(*at)++;
	case FIELD_U16BE:
		*at += 2;
		return (*at)[-2] * 256 + (*at)[-1];
	case FIELD_F32:
		break;
	}
	for (int i = 3; i >= 0; i--)
		bits = bits << 8 | (*at)[i];
	*at += 4;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

static uint64_t hash_data(const struct truth *truth, uint64_t hash, const struct instruction *row,
			  const uint8_t *frame)
{
	const uint8_t *at = frame + 4, *end = at + frame[3];
	double number[FRAME_PAYLOAD_MAX];
	unsigned count = 0;

	for (; at < end; count++)
		number[count] = number_take(row->field[row->fields ? count : 0].type, &at);
	if (truth->sensors && !strcmp(row->mnemonic, "PTEM"))
		count = truth->sensors;
	hash = mix(mix(hash, frame[2]), count);
	for (unsigned i = 0; i < count; i++)
		hash = mix_number(hash, number[i]);
	return hash;
}

static uint64_t hash_reply(const struct truth *truth, const struct instruction *row,
			   const uint8_t *bytes, size_t size)
{
	uint64_t hash = 1;

	if (!row->array)
		return mix_bytes(hash, bytes + 4, bytes[3]);
	for (size_t at = row->header == HEADER_NONE ? 0 : bytes[3] + 7u; at < size;
	     at += bytes[at + 3] + 7u)
		hash = hash_data(truth, hash, row, bytes + at);
	return hash;
}

uint64_t truth_hash(const struct instruction *row, const struct sample *sample)
{
	const double *number = sample->number;
	uint64_t hash = 1;

	if (!row->array)
		return mix_bytes(hash, sample->text, sample->size);
	for (unsigned unit = 0; unit < sample->units; unit++) {
		hash = mix(mix(hash, sample->address[unit]), sample->count[unit]);
		for (unsigned i = 0; i < sample->count[unit]; i++)
			hash = mix_number(hash, *number++);
	}
	return hash;
}

static double reply_number(const uint8_t *bytes)
{
	char text[FRAME_PAYLOAD_MAX + 1];

	memcpy(text, bytes + 4, bytes[3]);
	text[bytes[3]] = '\0';
	return strtod(text, NULL);
}

struct truth_place truth_add(struct truth *truth, unsigned row, int64_t asked, const uint8_t *bytes,
			     size_t size)
{
	const struct instruction *instruction = &truth->table->row[row];
	struct truth_row *history = &truth->row[row];
	struct truth_place place = { .row = row, .number = history->count, .valid = true };

	if (!size || (bytes[3] >= 5 && !memcmp(bytes + 4, "ERROR", 5)))
		return (struct truth_place){ 0 };
	history->reply[history->count++ % TRUTH_DEPTH] = (struct truth_reply){
		.asked = asked,
		.hash = hash_reply(truth, instruction, bytes, size),
		.number = instruction->array ? 0 : reply_number(bytes),
		.generation = truth->generation,
	};
	return place;
}

void truth_deliver(struct truth *truth, const struct truth_place *place)
{
	struct truth_row *history = &truth->row[place->row];

	if (place->valid && history->count - place->number <= TRUTH_DEPTH)
		history->reply[place->number % TRUTH_DEPTH].delivered = true;
}

static const struct truth_reply *find(const struct truth *truth, unsigned row, int64_t since,
				      const uint64_t *hash)
{
	const struct truth_row *history = &truth->row[row];
	uint64_t oldest = history->count > TRUTH_DEPTH ? history->count - TRUTH_DEPTH : 0;

	for (uint64_t i = history->count; i-- > oldest;) {
		const struct truth_reply *reply = &history->reply[i % TRUTH_DEPTH];

		if (reply->asked < since)
			break;
		if (reply->delivered && (!hash || reply->hash == *hash))
			return reply;
	}
	return NULL;
}

const struct truth_reply *truth_find(const struct truth *truth, unsigned row, int64_t since,
				     uint64_t hash)
{
	return find(truth, row, since, &hash);
}

const struct truth_reply *truth_newest(const struct truth *truth, unsigned row, int64_t since)
{
	return find(truth, row, since, NULL);
}

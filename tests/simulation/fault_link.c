// SPDX-License-Identifier: LGPL-3.0-or-later
#include "fault_link.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nsec.h"

#define MSEC(n)   ((n) * NSEC_PER_MSEC)
#define BYTE_TIME INT64_C(178571) /* at 56000 baud */

const char *const fault_name[FAULTS] = {
	[FAULT_HALF_WRITE] = "half a write",
	[FAULT_LOSE_REQUEST] = "request lost",
	[FAULT_LOSE_REPLY] = "reply lost",
	[FAULT_SLOW] = "reply slow",
	[FAULT_LATE] = "reply late",
	[FAULT_DUPLICATE] = "reply twice",
	[FAULT_SPLIT] = "byte by byte",
	[FAULT_MERGE] = "replies merged",
	[FAULT_CORRUPT] = "bits flipped",
	[FAULT_TRUNCATE] = "reply cut",
	[FAULT_ECHO] = "echo",
	[FAULT_GARBAGE] = "garbage before",
	[FAULT_ADDRESS] = "wrong address",
	[FAULT_LENGTH] = "wrong length",
	[FAULT_HEADER] = "header that lies",
	[FAULT_REFUSE] = "ERROR1",
	[FAULT_STUBBORN] = "SET and not done",
	[FAULT_FOREIGN] = "other master",
	[FAULT_HANG_UP] = "hang-up",
	[FAULT_RESET] = "BMS reset",
	[FAULT_EXCHANGE] = "BMS exchanged",
	[FAULT_CHANGE] = "setting changed",
	[FAULT_STALL] = "loop held up",
	[FAULT_SUSPEND] = "suspend",
};

static struct fault_link *fault_of(const struct link *link)
{
	return (struct fault_link *)link;
}

static bool hit(struct fault_link *link, enum fault fault)
{
	if (!link->rate[fault] || draw(&link->random, RATE_ALWAYS) >= link->rate[fault])
		return false;
	link->hits[fault]++;
	return true;
}

/* Bit by bit, so that it shares nothing with the one under test. */
static uint16_t checksum(const uint8_t *bytes, size_t size)
{
	unsigned crc = 0;

	for (size_t i = 0; i < size; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0xA001 : crc >> 1;
	}
	return (uint16_t)crc;
}

static unsigned frame_size(const uint8_t *frame)
{
	return frame[3] + (unsigned)FRAME_OVERHEAD;
}

static void frame_seal(uint8_t *frame)
{
	uint16_t crc = checksum(frame + 1, frame[3] + 3u);
	uint8_t *tail = frame + frame_size(frame) - 3;

	tail[0] = (uint8_t)(crc >> 8);
	tail[1] = (uint8_t)crc;
	tail[2] = FRAME_ETX;
}

static bool frame_sound(const uint8_t *frame, unsigned left)
{
	const uint8_t *tail;

	if (left < FRAME_OVERHEAD || frame[0] != FRAME_STX || frame_size(frame) > left)
		return false;
	tail = frame + frame_size(frame) - 3;
	return tail[2] == FRAME_ETX &&
	       checksum(frame + 1, frame[3] + 3u) == tail[0] * 256 + tail[1];
}

/* Whether damage made a frame that was not there: one in 65536 does, and no bus can tell. */
static bool frame_forged(const uint8_t *bytes, const uint8_t *before, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		if (frame_sound(bytes + i, size - i) &&
		    memcmp(bytes + i, before + i, frame_size(bytes + i)) != 0)
			return true;
	return false;
}

/* --- the line to the host --- */

static struct segment *segment_new(struct fault_link *link)
{
	struct segment *segment = TAILQ_FIRST(&link->spare);

	if (!segment)
		return NULL;
	TAILQ_REMOVE(&link->spare, segment, next);
	segment->step = 0;
	segment->size = segment->sent = 0;
	segment->copy = segment->reply = false;
	segment->deliver.valid = false;
	return segment;
}

static void segment_drop(struct fault_link *link, struct segment *segment)
{
	TAILQ_REMOVE(&link->segments, segment, next);
	TAILQ_INSERT_HEAD(&link->spare, segment, next);
}

/* In the order of time, but never into what has begun. */
static void segment_queue(struct fault_link *link, struct segment *segment)
{
	struct segment *before = TAILQ_LAST(&link->segments, segments);

	while (before && before->due > segment->due && !before->sent)
		before = TAILQ_PREV(before, segments, next);
	if (before)
		TAILQ_INSERT_AFTER(&link->segments, before, segment, next);
	else
		TAILQ_INSERT_HEAD(&link->segments, segment, next);
}

static unsigned segment_there(const struct segment *segment, int64_t now)
{
	int64_t count;

	if (now < segment->due)
		return 0;
	if (!segment->step)
		return segment->size;
	count = 1 + (now - segment->due) / segment->step;
	return count < segment->size ? (unsigned)count : segment->size;
}

static void queue_bytes(struct fault_link *link, const uint8_t *bytes, unsigned size)
{
	struct segment *segment = segment_new(link);

	if (!segment)
		return;
	memcpy(segment->bytes, bytes, size);
	segment->size = size;
	segment->due = link->now;
	segment_queue(link, segment);
}

/* Bytes that came while nobody listened. */
static void drop_arrived(struct fault_link *link)
{
	struct segment *segment, *next;

	for (segment = TAILQ_FIRST(&link->segments); segment; segment = next) {
		next = TAILQ_NEXT(segment, next);
		if (segment->due <= link->now)
			segment_drop(link, segment);
	}
}

static void drop_copies(struct fault_link *link)
{
	struct segment *segment, *next;

	for (segment = TAILQ_FIRST(&link->segments); segment; segment = next) {
		next = TAILQ_NEXT(segment, next);
		if (segment->copy)
			segment_drop(link, segment);
	}
}

static void drop_replies(struct fault_link *link)
{
	struct segment *segment, *next;

	for (segment = TAILQ_FIRST(&link->segments); segment; segment = next) {
		next = TAILQ_NEXT(segment, next);
		if (segment->reply)
			segment_drop(link, segment);
	}
	link->last_due = link->now;
}

/* --- what the BMS says --- */

int fault_link_row(struct fault_link *link, const struct frame *frame, const char **value)
{
	char name[8];
	size_t length = 0;

	*value = NULL;
	while (length < frame->len && length < 7 && frame->payload[length] != '?' &&
	       frame->payload[length] != ' ') {
		name[length] = (char)frame->payload[length];
		length++;
	}
	name[length] = '\0';
	if (length < frame->len && frame->payload[length] == ' ') {
		memcpy(link->value, frame->payload + length + 1, frame->len - length - 1);
		link->value[frame->len - length - 1] = '\0';
		*value = link->value;
	}
	return instruction_find(link->truth.table, name);
}

bool fault_link_holds(struct fault_link *link, unsigned row, double *value)
{
	return sim_get(link->sim, link->truth.table->row[row].mnemonic, value, link->now) == 0;
}

/* Lets the BMS answer. Returns the length of the reply. */
static unsigned bms_answer(struct fault_link *link, const uint8_t *request, unsigned size,
			   uint8_t reply[SEGMENT_MAX])
{
	sim_receive(link->sim, request, size, link->now);
	return (unsigned)sim_transmit(link->sim, reply, SEGMENT_MAX - 64, link->now);
}

static unsigned bms_refuse(const struct fault_link *link, uint8_t *reply)
{
	struct frame frame;

	frame_make(&frame, FRAME_HOST, link->address, "ERROR1", 6);
	return (unsigned)frame_encode(&frame, reply);
}

static void damage_address(struct fault_link *link, struct segment *segment)
{
	uint8_t other = (uint8_t)(link->address + 1 + draw(&link->random, 9));

	for (unsigned at = 0; at < segment->size; at += frame_size(segment->bytes + at)) {
		segment->bytes[at + 2] = other;
		frame_seal(segment->bytes + at);
	}
}

/* The last frame loses or gains a few bytes: none of its forms has that length. */
static void damage_length(struct fault_link *link, struct segment *segment)
{
	unsigned at = 0;
	uint8_t *frame;

	while (at + frame_size(segment->bytes + at) < segment->size)
		at += frame_size(segment->bytes + at);
	frame = segment->bytes + at;
	if (draw(&link->random, 2) && frame[3] < FRAME_PAYLOAD_MAX)
		frame[3]++;
	else
		frame[3]--;
	frame_seal(frame);
	segment->size = at + frame_size(frame);
}

static void damage_header(struct fault_link *link, struct segment *segment)
{
	unsigned old_size = frame_size(segment->bytes), number = 0, digits;
	uint8_t rest[SEGMENT_MAX];
	char text[8];

	for (unsigned i = 0; i < segment->bytes[3]; i++)
		number = number * 10 + segment->bytes[4 + i] - '0';
	number = draw(&link->random, 2) ? number + 1 + draw(&link->random, 3) : number - 1;
	digits = (unsigned)snprintf(text, sizeof(text), "%u", number);
	memcpy(rest, segment->bytes + old_size, segment->size - old_size);
	segment->bytes[3] = (uint8_t)digits;
	memcpy(segment->bytes + 4, text, digits);
	frame_seal(segment->bytes);
	memcpy(segment->bytes + frame_size(segment->bytes), rest, segment->size - old_size);
	segment->size += frame_size(segment->bytes) - old_size;
}

static void damage_bits(struct fault_link *link, struct segment *segment)
{
	uint8_t before[SEGMENT_MAX];
	unsigned count = draw(&link->random, 3) ? 1 : 1 + draw(&link->random, 12);

	memcpy(before, segment->bytes, segment->size);
	do {
		memcpy(segment->bytes, before, segment->size);
		for (unsigned i = 0; i < count; i++) {
			unsigned bit = draw(&link->random, segment->size * 8);

			segment->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	} while (frame_forged(segment->bytes, before, segment->size) ||
		 !memcmp(segment->bytes, before, segment->size));
}

static void add_garbage(struct fault_link *link, struct segment *segment)
{
	unsigned count = 1 + draw(&link->random, 20);

	memmove(segment->bytes + count, segment->bytes, segment->size);
	for (unsigned i = 0; i < count; i++)
		segment->bytes[i] =
			draw(&link->random, 4) ? (uint8_t)draw(&link->random, 256) : FRAME_STX;
	segment->size += count;
}

/* What happens to the content of a reply to a query of @row (NULL: to something else). */
static void damage(struct fault_link *link, struct segment *segment, const struct instruction *row,
		   bool *whole)
{
	bool array = row && row->array && frame_size(segment->bytes) < segment->size;
	bool counts = array && !(row->header == HEADER_UNITS && row->variant[0].one_frame);
	struct truth_place deliver = segment->deliver;

	segment->deliver.valid = false;
	if (hit(link, FAULT_ADDRESS))
		damage_address(link, segment);
	else if (array && hit(link, FAULT_LENGTH))
		damage_length(link, segment);
	else if (counts && hit(link, FAULT_HEADER)) {
		damage_header(link, segment);
		*whole = true;
	} else if (hit(link, FAULT_CORRUPT))
		damage_bits(link, segment);
	else if (hit(link, FAULT_TRUNCATE))
		segment->size = 1 + draw(&link->random, segment->size - 1);
	else
		segment->deliver = deliver;
	if (hit(link, FAULT_GARBAGE))
		add_garbage(link, segment);
}

/* When a reply comes, in order behind those before it; false: never. */
static bool segment_time(struct fault_link *link, struct segment *segment, bool whole)
{
	int64_t latest = link->now + FAULT_LATEST;

	segment->due = link->now + draw_time(&link->random, MSEC(3), MSEC(12));
	if (hit(link, FAULT_SLOW))
		segment->due += draw_time(&link->random, 0, MSEC(300));
	if (hit(link, FAULT_LATE))
		segment->due += draw_time(&link->random, MSEC(300), MSEC(2900));
	if (segment->due < link->last_due)
		segment->due = link->last_due;
	if (hit(link, FAULT_MERGE))
		segment->due += MSEC(100) - segment->due % MSEC(100);
	if (!whole && hit(link, FAULT_SPLIT))
		segment->step =
			draw(&link->random, 4) ? BYTE_TIME : draw_time(&link->random, 1, MSEC(5));
	if (segment->due + segment->size * segment->step > latest)
		segment->step = 0;
	return segment->due <= latest;
}

static void send_copy(struct fault_link *link, const struct segment *segment)
{
	struct segment *copy = segment_new(link);

	if (!copy)
		return;
	memcpy(copy->bytes, segment->bytes, segment->size);
	copy->size = segment->size;
	copy->copy = copy->reply = true;
	copy->due = link->last_due +
		    (draw(&link->random, 2) ? 0 : draw_time(&link->random, 0, MSEC(400)));
	segment_queue(link, copy);
}

static void send_reply(struct fault_link *link, struct segment *segment,
		       const struct instruction *row)
{
	bool whole = false;

	segment->reply = true;
	damage(link, segment, row, &whole);
	if (!segment_time(link, segment, whole)) {
		TAILQ_INSERT_HEAD(&link->spare, segment, next);
		return;
	}
	link->last_due = segment->due + segment->size * segment->step;
	segment_queue(link, segment);
	if (hit(link, FAULT_DUPLICATE))
		send_copy(link, segment);
}

/* A request of ours has arrived at the BMS. */
static void bms_take(struct fault_link *link, const struct frame *frame)
{
	struct segment *segment = segment_new(link);
	const char *value;
	int row = fault_link_row(link, frame, &value);
	double before = 0;
	bool keep = value && hit(link, FAULT_STUBBORN) && fault_link_holds(link, row, &before);
	bool refuse = hit(link, FAULT_REFUSE);

	if (!segment)
		return;
	if (refuse)
		segment->size = bms_refuse(link, segment->bytes);
	else
		segment->size = bms_answer(link, link->request, link->request_size, segment->bytes);
	if (keep && !refuse)
		sim_put(link->sim, link->truth.table->row[row].mnemonic, before);
	if (value)
		link->took_set = segment->size == 10; /* the frame "SET" */
	if (!value && row >= 0)
		segment->deliver =
			truth_add(&link->truth, row, link->asked, segment->bytes, segment->size);
	if (!segment->size || hit(link, FAULT_LOSE_REPLY)) {
		TAILQ_INSERT_HEAD(&link->spare, segment, next);
		return;
	}
	send_reply(link, segment, value || row < 0 || refuse ? NULL : &link->truth.table->row[row]);
}

static void request_whole(struct fault_link *link)
{
	struct frame frame;

	frame_make(&frame, link->request[1], link->request[2], link->request + 4, link->request[3]);
	link->requests++;
	link->watch(link->user, &frame, link->asked);
	link->last_offered = link->offered;
	if (hit(link, FAULT_ECHO))
		queue_bytes(link, link->request, link->request_size);
	if (link->now >= link->silent_until && !hit(link, FAULT_LOSE_REQUEST))
		bms_take(link, &frame);
	link->request_size = 0;
}

/* --- the link --- */

static int port_refuse(struct fault_link *link, int error, const char *sentence)
{
	snprintf(link->link.error, sizeof(link->link.error), "%s", sentence);
	return -error;
}

static int port_try(struct fault_link *link)
{
	if (link->now < link->gone_until)
		return port_refuse(link, ENOENT, "there is no such port");
	if (link->now < link->open_at) {
		link->port = PORT_OPENING;
		return 0;
	}
	link->port = PORT_OPEN;
	link->hung_up = false;
	drop_arrived(link);
	return 1;
}

static int fault_open(struct link *base)
{
	struct fault_link *link = fault_of(base);

	if (link->port != PORT_CLOSED)
		link->misuse = "opened twice";
	link->open_at = link->now;
	if (link->rate[FAULT_HANG_UP] && draw(&link->random, 4) == 0)
		link->open_at += draw_time(&link->random, 1, MSEC(1500));
	link->request_size = 0;
	link->blocked_until = 0;
	return port_try(link);
}

static int fault_poll(struct link *base)
{
	struct fault_link *link = fault_of(base);

	if (link->port != PORT_OPENING)
		link->misuse = "polled while not opening";
	return port_try(link);
}

static void fault_close(struct link *base)
{
	struct fault_link *link = fault_of(base);

	link->closes++;
	link->port = PORT_CLOSED;
}

static ssize_t fault_read(struct link *base, void *bytes, size_t size)
{
	struct fault_link *link = fault_of(base);
	struct segment *segment;
	size_t total = 0;

	if (link->port != PORT_OPEN)
		link->misuse = "read while not open";
	if (link->hung_up)
		return port_refuse(link, ENODEV, "the adapter is gone");
	while (total < size && (segment = TAILQ_FIRST(&link->segments))) {
		size_t count = segment_there(segment, link->now) - (size_t)segment->sent;

		if (segment_there(segment, link->now) <= segment->sent)
			break;
		if (count > size - total)
			count = size - total;
		memcpy((uint8_t *)bytes + total, segment->bytes + segment->sent, count);
		segment->sent += (unsigned)count;
		total += count;
		if (segment->sent < segment->size)
			continue;
		truth_deliver(&link->truth, &segment->deliver);
		segment_drop(link, segment);
	}
	link->delivered += total;
	return (ssize_t)total;
}

static ssize_t fault_write(struct link *base, const void *bytes, size_t size)
{
	struct fault_link *link = fault_of(base);
	const uint8_t *from = bytes;
	size_t count = size;

	if (link->port != PORT_OPEN)
		link->misuse = "written while not open";
	if (link->hung_up)
		return port_refuse(link, ENODEV, "the adapter is gone");
	/* The start of another request: what there is of the last one stays unfinished. */
	if (from[0] == FRAME_STX && size >= FRAME_OVERHEAD && frame_size(from) == size) {
		if (link->request_size || !link->blocked_until) {
			link->offered = link->now;
			link->heard = link->delivered;
			link->delivered = 0;
		}
		link->request_size = 0;
	}
	if (link->now < link->blocked_until)
		return 0;
	link->blocked_until = 0;
	if (hit(link, FAULT_HALF_WRITE)) {
		count = draw(&link->random, (uint32_t)size);
		link->blocked_until =
			link->now +
			draw_time(&link->random, 1, draw(&link->random, 8) ? MSEC(20) : MSEC(600));
	}
	if (count && !link->request_size) {
		link->asked = link->now;
		drop_copies(link);
	}
	memcpy(link->request + link->request_size, from, count);
	link->request_size += (unsigned)count;
	if (count == size)
		request_whole(link);
	return (ssize_t)count;
}

static void fault_flush(struct link *base)
{
	drop_arrived(fault_of(base));
}

static int fault_fd(const struct link *base, short *opening_events)
{
	(void)base;
	*opening_events = 0;
	return -1;
}

static int64_t fault_wake(const struct link *base)
{
	const struct fault_link *link = fault_of(base);
	const struct segment *segment = TAILQ_FIRST(&link->segments);
	int64_t wake = NSEC_NEVER;

	if (link->port == PORT_OPENING)
		return link->open_at;
	if (link->hung_up)
		return link->now;
	if (segment)
		wake = segment->due + segment->sent * segment->step;
	return link->blocked_until > link->now ? nsec_min(wake, link->blocked_until) : wake;
}

static int64_t fault_now(const struct link *base)
{
	return fault_of(base)->now;
}

static void fault_free(struct link *base)
{
	(void)base;
}

static const struct link_ops fault_ops = {
	.name = "fault",
	.open = fault_open,
	.poll = fault_poll,
	.close = fault_close,
	.read = fault_read,
	.write = fault_write,
	.flush = fault_flush,
	.fd = fault_fd,
	.wake = fault_wake,
	.now = fault_now,
	.free = fault_free,
};

/* --- what happens of its own accord --- */

/* A value near the default, so that no two settings are alike and most rules hold. */
static void scramble(struct fault_link *link, unsigned row)
{
	const struct instruction *instruction = &link->truth.table->row[row];
	const struct instruction_variant *variant = instruction_variant(instruction, link->model);
	double value;

	if (!instruction->writable || instruction->array || !fault_link_holds(link, row, &value))
		return;
	if (instruction->type == VALUE_FLOAT)
		value = value * sim_random_between(&link->random, 0.985, 1.015) +
			sim_random_between(&link->random, 0, 0.004);
	else
		value += draw(&link->random, 40);
	if (variant->has_max && value > variant->max)
		value = instruction->type == VALUE_FLOAT
				? variant->max - sim_random_between(&link->random, 0, 0.001)
				: variant->max;
	if (variant->has_min && value < variant->min)
		value = variant->min;
	sim_put(link->sim, instruction->mnemonic, value);
	link->truth.row[row].changed = link->now;
}

void fault_link_change(struct fault_link *link)
{
	scramble(link, draw(&link->random, (uint32_t)link->truth.table->rows));
}

void fault_link_reset(struct fault_link *link)
{
	drop_replies(link);
	link->silent_until = link->now + draw_time(&link->random, MSEC(1000), MSEC(3000));
}

void fault_link_exchange(struct fault_link *link)
{
	static const char *const kind[] = { "1Q", "2Q", "ACTIVE", "MASTER" };
	const struct model *model = &link->truth.table->model[link->model];
	char identity[64];

	for (size_t i = 0; i < sizeof(kind) / sizeof(kind[0]); i++)
		if (strstr(model->identity, kind[i]))
			snprintf(identity, sizeof(identity), "REC %s NO %u", kind[i],
				 link->truth.generation + 1);
	link->truth.generation++;
	sim_exchange(link->sim, identity);
	for (unsigned row = 0; row < link->truth.table->rows; row++) {
		scramble(link, row);
		link->truth.row[row].changed = link->now;
	}
	fault_link_reset(link);
}

void fault_link_hang_up(struct fault_link *link)
{
	link->hung_up = true;
	link->gone_until =
		link->now + (draw(&link->random, 2) ? draw_time(&link->random, 0, MSEC(4000)) : 0);
	drop_arrived(link);
}

static void foreign_frame(struct fault_link *link, struct frame *frame)
{
	const struct instruction_table *table = link->truth.table;
	unsigned row = draw(&link->random, (uint32_t)table->rows);
	char text[64];
	double value;

	if (draw(&link->random, 8) == 0)
		row = (unsigned)instruction_find(table, "*IDN");
	snprintf(text, sizeof(text), "%s?", table->row[row].mnemonic);
	if (draw(&link->random, 10) == 0 && table->row[row].type == VALUE_FLOAT &&
	    table->row[row].writable && fault_link_holds(link, row, &value)) {
		snprintf(text, sizeof(text), "%s %.3f", table->row[row].mnemonic, value * 1.001);
		link->truth.row[row].changed = link->now;
	}
	frame_make(frame, link->address, FRAME_HOST, text, (uint8_t)strlen(text));
}

/* The other master asks another unit, which answers with something. */
static void foreign_elsewhere(struct fault_link *link)
{
	uint8_t other = (uint8_t)(link->address + 30), bytes[FRAME_MAX];
	struct frame frame;

	frame_make(&frame, other, FRAME_HOST, "BVOL?", 5);
	queue_bytes(link, bytes, (unsigned)frame_encode(&frame, bytes));
	frame_make(&frame, FRAME_HOST, other, "3.33333e0", 9);
	queue_bytes(link, bytes, (unsigned)frame_encode(&frame, bytes));
}

void fault_link_foreign(struct fault_link *link)
{
	struct segment *segment;
	uint8_t bytes[FRAME_MAX];
	struct frame frame;
	const char *value;
	unsigned size;
	int row;

	/* What it asks while nobody listens may not be answered later: the bus must hear it. */
	if (link->port != PORT_OPEN || link->hung_up)
		return;
	drop_copies(link);
	if (draw(&link->random, 10) == 0) {
		foreign_elsewhere(link);
		return;
	}
	foreign_frame(link, &frame);
	row = fault_link_row(link, &frame, &value);
	size = (unsigned)frame_encode(&frame, bytes);
	queue_bytes(link, bytes, size);
	segment = segment_new(link);
	if (!segment)
		return;
	if (link->now >= link->silent_until)
		segment->size = bms_answer(link, bytes, size, segment->bytes);
	if (!value && segment->size)
		segment->deliver =
			truth_add(&link->truth, row, link->now, segment->bytes, segment->size);
	if (segment->size)
		send_reply(link, segment, value ? NULL : &link->truth.table->row[row]);
	else
		TAILQ_INSERT_HEAD(&link->spare, segment, next);
}

void fault_link_mend(struct fault_link *link)
{
	memset(link->rate, 0, sizeof(link->rate));
	link->gone_until = link->now;
	link->silent_until = link->now;
	if (link->blocked_until > link->now)
		link->blocked_until = link->now;
	if (link->port == PORT_OPENING)
		link->open_at = link->now;
}

int fault_link_init(struct fault_link *link, const struct instruction_table *table,
		    const char *model, unsigned units, uint64_t seed, char *reason, size_t size)
{
	struct sim_config config = sim_config_default;
	int err;

	memset(link, 0, sizeof(*link));
	link->link.ops = &fault_ops;
	link->link.baud = link->link.actual_baud = 56000;
	link->now = 1000 * NSEC_PER_SEC;
	link->random.state = seed;
	link->model = model_find(table, model);
	link->address = table->model[link->model].address;
	link->units = units;
	link->truth.table = table;
	/* The simulated Active BMS has one, and sends four numbers. */
	link->truth.sensors = strcmp(model, "abms") ? 0 : 1;
	TAILQ_INIT(&link->segments);
	TAILQ_INIT(&link->spare);
	for (unsigned i = 0; i < SEGMENTS; i++)
		TAILQ_INSERT_TAIL(&link->spare, &link->pool[i], next);
	snprintf(config.model, sizeof(config.model), "%s", model);
	config.units = (uint8_t)units;
	config.baud = 0;
	config.turnaround_s = 0;
	config.seed = seed;
	err = sim_new(&link->sim, &config, table, link->now, reason, size);
	if (!err)
		fault_link_exchange(link);
	link->silent_until = 0;
	return err;
}

void fault_link_close(struct fault_link *link)
{
	sim_free(link->sim);
}

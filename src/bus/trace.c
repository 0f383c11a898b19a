// SPDX-License-Identifier: LGPL-3.0-or-later
#include "bus/trace.h"

#include <string.h>

#define HEAD_SIZE offsetof(struct trace_event, bytes)

/* The decoder keeps at most 2 * FRAME_MAX of what is older than the last portion. */
_Static_assert(sizeof(((struct trace *)0)->raw) >= 3 * FRAME_MAX, "room for what is still decoded");

const char *const trace_outcome_name[TRACE_OUTCOMES] = {
	[TRACE_RECEIVED] = "-",      [TRACE_WAITING] = "waiting", [TRACE_OK] = "ok",
	[TRACE_REFUSED] = "refused", [TRACE_TIMEOUT] = "timeout", [TRACE_DAMAGED] = "damaged",
	[TRACE_UNFIT] = "unfit",     [TRACE_FOREIGN] = "foreign", [TRACE_LOST] = "lost",
};

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t ring_size(const struct trace *trace)
{
	return (size_t)TRACE_BYTES << trace->doubled;
}

/* A position is where it was, or in the half that is new: so the new one begins as a copy. */
static void ring_double(struct trace *trace)
{
	size_t size = ring_size(trace);

	memcpy(trace->ring + size, trace->ring, size);
	trace->doubled++;
}

static void ring_put(struct trace *trace, uint64_t at, const void *from, size_t size)
{
	size_t start = at % ring_size(trace), first = smaller(size, ring_size(trace) - start);

	memcpy(trace->ring + start, from, first);
	memcpy(trace->ring, (const uint8_t *)from + first, size - first);
}

static void ring_get(const struct trace *trace, uint64_t at, void *to, size_t size)
{
	size_t start = at % ring_size(trace), first = smaller(size, ring_size(trace) - start);

	memcpy(to, trace->ring + start, first);
	memcpy((uint8_t *)to + first, trace->ring, size - first);
}

/* Forgets the oldest event. Returns whether the one that is then the oldest is a request. */
static bool forget(struct trace *trace)
{
	struct trace_event event;

	ring_get(trace, trace->tail, &event, HEAD_SIZE);
	trace->tail += HEAD_SIZE + event.size;
	trace->requests -= event.outcome != TRACE_RECEIVED;
	if (trace->tail == trace->head)
		return false;
	ring_get(trace, trace->tail, &event, HEAD_SIZE);
	return event.outcome != TRACE_RECEIVED;
}

static void add(struct trace *trace, const struct trace_event *event)
{
	size_t size = HEAD_SIZE + event->size;

	if (event->outcome != TRACE_RECEIVED) {
		/* With the oldest request goes what came after it. */
		while (trace->requests == TRACE_MAX)
			while (!forget(trace))
				;
		trace->asked = trace->head;
		trace->requests++;
	}
	while (trace->head + size - trace->tail > ring_size(trace))
		if (trace->doubled < TRACE_DOUBLES)
			ring_double(trace);
		else
			forget(trace);
	ring_put(trace, trace->head, event, size);
	trace->head += size;
}

static void raw_drop(struct trace *trace, size_t size)
{
	trace->raw_size -= size;
	memmove(trace->raw, trace->raw + size, trace->raw_size);
}

/* At most @limit of the oldest bytes that no frame explains. */
static void noise_make(const struct trace *trace, size_t from, size_t limit,
		       struct trace_event *event)
{
	*event = (struct trace_event){ .when = trace->raw_at, .meaning = "noise" };
	event->size = (uint16_t)smaller(limit - from, FRAME_MAX);
	memcpy(event->bytes, trace->raw + from, event->size);
}

static void noise_add(struct trace *trace, size_t size)
{
	struct trace_event event;

	for (size_t from = 0; from < size; from += event.size) {
		noise_make(trace, from, size, &event);
		add(trace, &event);
	}
	raw_drop(trace, size);
}

static void fill(struct trace_event *event, const struct frame *frame)
{
	event->address = frame->snd != FRAME_HOST ? frame->snd : frame->dst;
	event->size = (uint16_t)frame_encode(frame, event->bytes);
}

void trace_send(struct trace *trace, const struct frame *frame, const char *meaning, int64_t when)
{
	struct trace_event event = { .when = when, .meaning = meaning, .outcome = TRACE_WAITING };

	noise_add(trace, trace->raw_size);
	fill(&event, frame);
	add(trace, &event);
}

void trace_end(struct trace *trace, enum trace_outcome outcome, const char *detail, int64_t when)
{
	struct trace_event event;

	/* So much may have come since that the request is forgotten. */
	if (trace->head == trace->tail || trace->asked < trace->tail)
		return;
	ring_get(trace, trace->asked, &event, HEAD_SIZE);
	if (event.outcome != TRACE_WAITING)
		return;
	event.outcome = (uint8_t)outcome;
	event.detail = detail;
	event.took = when - event.when;
	ring_put(trace, trace->asked, &event, HEAD_SIZE);
}

void trace_take(struct trace *trace, const uint8_t *bytes, size_t size, int64_t when)
{
	while (size) {
		size_t part = smaller(size, FRAME_MAX);

		if (trace->raw_size + part > sizeof(trace->raw))
			noise_add(trace, FRAME_MAX);
		if (!trace->raw_size)
			trace->raw_at = when;
		memcpy(trace->raw + trace->raw_size, bytes, part);
		trace->raw_size += part;
		bytes += part;
		size -= part;
	}
}

void trace_receive(struct trace *trace, const struct frame *frame, const char *meaning,
		   int64_t when)
{
	struct trace_event event = { .when = when, .meaning = meaning };
	const uint8_t *found;

	fill(&event, frame);
	found = memmem(trace->raw, trace->raw_size, event.bytes, event.size);
	if (found) {
		noise_add(trace, (size_t)(found - trace->raw));
		event.when = trace->raw_at;
		raw_drop(trace, event.size);
		trace->raw_at = when;
	}
	add(trace, &event);
}

bool trace_next(const struct trace *trace, uint64_t *at, struct trace_event *event)
{
	if (*at < trace->tail)
		*at = trace->tail;
	if (*at < trace->head) {
		ring_get(trace, *at, event, HEAD_SIZE);
		ring_get(trace, *at + HEAD_SIZE, event->bytes, event->size);
		*at += HEAD_SIZE + event->size;
		return true;
	}
	/* The end of the trace, as if it were noise, goes on behind the ring. */
	if (*at - trace->head >= trace->raw_size)
		return false;
	noise_make(trace, (size_t)(*at - trace->head), trace->raw_size, event);
	*at += event->size;
	return true;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
/* The byte side of the bus: opening and losing the link, sending, receiving, pauses. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bus/engine.h"

static bool line_opened(struct bus *bus, int result, int64_t now)
{
	struct peer *peer;

	if (result == 0) {
		bus->line = LINE_OPENING;
		return false;
	}
	if (result < 0) {
		bus->line = LINE_CLOSED;
		bus->absent = true;
		bus->link->ops->close(bus->link);
		bus_explain(bus, NULL, "%s", bus->link->error);
		bus_fail_all(bus, NULL, -ENODEV);
		return false;
	}
	bus->line = LINE_OPEN;
	bus->absent = false;
	bus->counter[BUS_OPENS]++;
	if (bus->link->ops->flush)
		bus->link->ops->flush(bus->link);
	frame_decoder_reset(&bus->decoder);
	bus->no_echo = false;
	bus->echoes = 0;
	TAILQ_FOREACH (peer, &bus->peers, entry) {
		peer_doubt(peer, now);
		peer->state = BUS_OPENING;
		peer->observer->opened(peer->user);
	}
	return true;
}

bool line_open(struct bus *bus, int64_t now)
{
	if (bus->line == LINE_OPEN)
		return true;
	if (bus->line == LINE_OPENING)
		return line_opened(bus, bus->link->ops->poll(bus->link), now);
	if (bus->opened && now - bus->opened < BUS_REOPEN) {
		bus_fail_all(bus, NULL, -ENODEV);
		return false;
	}
	bus->opened = now;
	return line_opened(bus, bus->link->ops->open(bus->link), now);
}

void line_lost(struct bus *bus, int64_t now)
{
	struct peer *peer;

	bus->link->ops->close(bus->link);
	trace_end(&bus->trace, TRACE_LOST, NULL, now);
	bus->line = LINE_CLOSED;
	bus->opened = now;
	bus->phase = PHASE_REST;
	bus->hold = false;
	bus->out_sent = bus->out_size = 0;
	bus->echo_due = false;
	frame_decoder_reset(&bus->decoder);
	bus_explain(bus, NULL, "%s", bus->link->error);
	TAILQ_FOREACH (peer, &bus->peers, entry) {
		peer_forget(peer);
		peer_doubt(peer, now);
		peer->observer->lost(peer->user, -ENODEV);
	}
	bus_fail_all(bus, NULL, -ENODEV);
}

bool line_push(struct bus *bus, int64_t now)
{
	ssize_t n;

	if (bus->out_sent == bus->out_size)
		return true;
	n = bus->link->ops->write(bus->link, bus->out_bytes + bus->out_sent,
				  bus->out_size - bus->out_sent);
	if (n < 0) {
		line_lost(bus, now);
		return false;
	}
	bus->out_sent += n;
	bus->counter[BUS_BYTES_SENT] += n;
	return true;
}

void line_forgive(struct bus *bus)
{
	bus->broken_seen = bus->decoder.broken;
	bus->dropped_seen = bus->decoder.dropped;
}

bool line_damaged(const struct bus *bus)
{
	return bus->decoder.broken != bus->broken_seen ||
	       bus->decoder.dropped - bus->dropped_seen >= BUS_STRAY;
}

void line_send(struct bus *bus, struct peer *peer, const char *payload, size_t size,
	       const char *meaning, int64_t now)
{
	uint32_t baud = bus->link->actual_baud;

	frame_make(&bus->out, peer->address, FRAME_HOST, payload, size);
	bus->out_size = frame_encode(&bus->out, bus->out_bytes);
	bus->out_sent = 0;
	bus->echo_due = !bus->no_echo;
	bus->missed = NULL;
	line_forgive(bus);
	bus->counter[BUS_REQUESTS]++;
	bus->sent = now;
	if (baud)
		bus->sent += bus->out_size * 10 * NSEC_PER_SEC / baud;
	bus->due = bus->sent + peer->patience;
	bus_tell(bus, true, &bus->out, meaning, now);
	line_push(bus, now);
}

static void line_frames(struct bus *bus, int64_t now)
{
	uint64_t broken = bus->decoder.broken;
	struct frame frame;

	while (bus->line == LINE_OPEN && frame_decoder_next(&bus->decoder, &frame)) {
		exchange_damage(bus, now);
		exchange_frame(bus, &frame, now);
	}
	exchange_damage(bus, now);
	bus->counter[BUS_BROKEN] += bus->decoder.broken - broken;
	if (bus->decoder.dropped != bus->dropped_before)
		bus->damaged_at = now;
	bus->dropped_before = bus->decoder.dropped;
}

bool line_receive(struct bus *bus, int64_t now)
{
	uint8_t bytes[512];
	ssize_t n = 0;

	/* Only at rest: a loop that was held up must not tear a reply that did come in time. */
	if (bus->phase == PHASE_REST && now - bus->byte_at > BUS_GAP)
		line_pause(bus, now);
	for (int turn = 0; turn < BUS_READS; turn++) {
		size_t fed = 0;

		n = bus->link->ops->read(bus->link, bytes, sizeof(bytes));
		if (n <= 0)
			break;
		bus->byte_at = now;
		bus->counter[BUS_BYTES_RECEIVED] += n;
		while (fed < (size_t)n && bus->line == LINE_OPEN) {
			size_t taken = frame_decoder_feed(&bus->decoder, bytes + fed, n - fed);

			trace_take(&bus->trace, bytes + fed, taken, now);
			fed += taken;
			line_frames(bus, now);
		}
		if (bus->line != LINE_OPEN)
			return false;
	}
	if (n < 0) {
		line_lost(bus, now);
		return false;
	}
	exchange_end(bus, now);
	return true;
}

void line_pause(struct bus *bus, int64_t now)
{
	while (frame_decoder_pending(&bus->decoder)) {
		frame_decoder_pause(&bus->decoder);
		line_frames(bus, now);
	}
	exchange_end(bus, now);
}

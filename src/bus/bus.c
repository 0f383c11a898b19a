// SPDX-License-Identifier: LGPL-3.0-or-later
/* The transactions of the bus: the queue, the turn of the loop, and what is shown of it. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus/engine.h"

int bus_new(struct bus **bus, struct link *link, const struct instruction_table *table,
	    const struct bus_config *config)
{
	struct bus *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->link = link;
	b->table = table;
	b->config = *config;
	b->idn = instruction_find(table, "*IDN");
	b->wake = NSEC_NEVER;
	TAILQ_INIT(&b->queue);
	TAILQ_INIT(&b->peers);
	*bus = b;
	return 0;
}

void bus_free(struct bus *bus)
{
	struct peer *peer;

	if (!bus)
		return;
	while ((peer = TAILQ_FIRST(&bus->peers))) {
		TAILQ_REMOVE(&bus->peers, peer, entry);
		free(peer);
	}
	if (bus->line != LINE_CLOSED)
		bus->link->ops->close(bus->link);
	free(bus);
}

void bus_observe(struct bus *bus, bus_observer *observer, void *user)
{
	bus->observer = observer;
	bus->observer_user = user;
}

static int add_peer(struct bus *bus, struct peer **peer, uint8_t address,
		    const struct peer_observer *observer, void *user)
{
	struct peer *p;

	if (bus_find_peer(bus, address))
		return -EBUSY;
	p = malloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	peer_init(p, address, bus->config.timeout, bus_now(bus));
	p->observer = observer;
	p->user = user;
	TAILQ_INSERT_TAIL(&bus->peers, p, entry);
	*peer = p;
	return 0;
}

int bus_add_peer(struct bus *bus, struct peer **peer, uint8_t address,
		 const struct peer_observer *observer, void *user)
{
	bool crowded = !TAILQ_EMPTY(&bus->peers);
	int err = add_peer(bus, peer, address, observer, user);

	if (!err)
		bus->crowded = crowded;
	return err;
}

int bus_add_guest(struct bus *bus, struct peer **peer, uint8_t address,
		  const struct peer_observer *observer, void *user)
{
	int err = add_peer(bus, peer, address, observer, user);

	if (!err)
		(*peer)->guest = true;
	return err;
}

void bus_found_elsewhere(struct bus *bus, uint8_t address, const char *found)
{
	bus->elsewhere = found;
	if (found)
		bus_explain(bus, bus_find_peer(bus, address),
			    "nobody answers at address %u, but %s", address, found);
}

struct peer *bus_find_peer(struct bus *bus, uint8_t address)
{
	struct peer *peer;

	TAILQ_FOREACH (peer, &bus->peers, entry)
		if (peer->address == address)
			break;
	return peer;
}

void peer_set_model(struct peer *peer, int model)
{
	peer->model = model;
}

uint8_t peer_address(const struct peer *peer)
{
	return peer->address;
}

static void submit_init(struct bus *bus, struct transaction *transaction)
{
	transaction->asked = 0;
	transaction->tried = 0;
	transaction->silent = true;
	transaction->verdict = transaction->passed = false;
	transaction->queued = true;
	transaction->serial = ++bus->serial;
	bus_wake_by(bus, bus_now(bus));
}

void bus_submit(struct bus *bus, struct transaction *transaction)
{
	submit_init(bus, transaction);
	TAILQ_INSERT_TAIL(&bus->queue, transaction, entry);
}

void bus_submit_first(struct bus *bus, struct transaction *transaction)
{
	submit_init(bus, transaction);
	TAILQ_INSERT_HEAD(&bus->queue, transaction, entry);
}

bool bus_withdraw(struct bus *bus, struct transaction *transaction)
{
	if (transaction->queued) {
		TAILQ_REMOVE(&bus->queue, transaction, entry);
		transaction->queued = false;
		return true;
	}
	if (bus->current != transaction || bus->phase == PHASE_REPLY)
		return false;
	bus->current = NULL;
	return true;
}

void bus_finish(struct bus *bus, int error, const struct sample *sample)
{
	struct transaction *t = bus->current;

	bus->current = NULL;
	t->done(t, error, sample);
}

static struct transaction *first_submitted(struct bus *bus, const struct peer *peer, uint64_t last)
{
	struct transaction *t;

	TAILQ_FOREACH (t, &bus->queue, entry)
		if (t->serial <= last && (!peer || t->peer == peer))
			break;
	return t;
}

void bus_fail_all(struct bus *bus, struct peer *peer, int error)
{
	uint64_t last = bus->serial; /* done() may submit again, and that is for the next time */
	struct transaction *t;

	if (bus->current && (!peer || bus->current->peer == peer))
		bus_finish(bus, error, NULL);
	while ((t = first_submitted(bus, peer, last))) {
		TAILQ_REMOVE(&bus->queue, t, entry);
		t->queued = false;
		t->done(t, error, NULL);
	}
}

/*
 * Silence proves something only while somebody listens. Before a suspend a question may have been
 * written that leaves after it, and then all that is known is how long ago it was written.
 */
static void note_absence(struct bus *bus, int64_t now)
{
	int64_t expected = bus->appointment == NSEC_NEVER ? bus->ran : bus->appointment;
	struct peer *peer;

	if (now - expected < BUS_ABSENCE)
		return;
	TAILQ_FOREACH (peer, &bus->peers, entry)
		peer->spoke = now;
}

static void run(struct bus *bus, int64_t now)
{
	bus->wake = NSEC_NEVER;
	if (bus->line == LINE_CLOSED && TAILQ_EMPTY(&bus->queue))
		return;
	if (line_open(bus, now) && line_push(bus, now) && line_receive(bus, now)) {
		do {
			exchange_timer(bus, now);
			bus->wake = NSEC_NEVER; /* what was submitted meanwhile is seen below */
		} while (bus->line == LINE_OPEN && bus->phase == PHASE_REST &&
			 exchange_start(bus, now));
	}
	if (!bus->current && TAILQ_EMPTY(&bus->queue))
		return;
	if (bus->line == LINE_CLOSED)
		bus_wake_by(bus, now);
	else if (bus->line == LINE_OPEN)
		bus_wake_by(bus, exchange_due(bus));
}

void bus_run(struct bus *bus)
{
	int64_t now = bus_now(bus);

	note_absence(bus, now);
	run(bus, now);
	bus->ran = now;
	bus->appointment = bus->wake;
}

int64_t bus_wake(const struct bus *bus)
{
	if (bus->line == LINE_CLOSED || !bus->link->ops->wake)
		return bus->wake;
	return nsec_min(bus->wake, bus->link->ops->wake(bus->link));
}

int bus_fd(const struct bus *bus, short *events)
{
	int fd;

	if (bus->line == LINE_CLOSED)
		return -1;
	fd = bus->link->ops->fd(bus->link, events);
	if (bus->line == LINE_OPEN)
		*events = POLLIN | (bus->out_sent < bus->out_size ? POLLOUT : 0);
	return fd;
}

int64_t bus_now(const struct bus *bus)
{
	return bus->link->ops->now(bus->link);
}

enum bus_state peer_state(const struct bus *bus, const struct peer *peer)
{
	switch (bus->line) {
	case LINE_CLOSED:
		return bus->absent ? BUS_ABSENT : BUS_CLOSED;
	case LINE_OPENING:
		return BUS_OPENING;
	case LINE_OPEN:
		break;
	}
	return peer->state;
}

int64_t peer_last_answered(const struct peer *peer)
{
	return peer->last_answered;
}

bool bus_shared(const struct bus *bus)
{
	return bus->foreign_at && bus_now(bus) - bus->foreign_at < BUS_SHARED_TIME;
}

bool peer_identified(const struct peer *peer)
{
	return !peer->mute;
}

uint32_t bus_baud(const struct bus *bus)
{
	return bus->line == LINE_OPEN ? bus->link->actual_baud : 0;
}

const uint64_t *bus_counters(const struct bus *bus)
{
	return bus->counter;
}

const struct trace *bus_trace(const struct bus *bus)
{
	return &bus->trace;
}

const char *peer_last_error(const struct peer *peer)
{
	return peer->error;
}

void bus_explain(struct bus *bus, const struct peer *peer, const char *format, ...)
{
	char sentence[BUS_REASON_MAX];
	struct peer *concerned;
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	TAILQ_FOREACH (concerned, &bus->peers, entry)
		if (!peer || concerned == peer)
			snprintf(concerned->error, sizeof(concerned->error), "%s", sentence);
}

void bus_tell(struct bus *bus, bool sent, const struct frame *frame, const char *meaning,
	      int64_t when)
{
	if (sent)
		trace_send(&bus->trace, frame, meaning, when);
	else
		trace_receive(&bus->trace, frame, meaning, when);
	if (bus->observer)
		bus->observer(bus->observer_user, sent, frame, meaning, when);
}

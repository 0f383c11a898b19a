// SPDX-License-Identifier: LGPL-3.0-or-later
/* The frame side of the bus: what each frame means, tries, the fence in progress, other masters. */
#include <errno.h>
#include <string.h>

#include "bus/engine.h"

static const struct instruction *idn_row(const struct bus *bus)
{
	return bus->idn < 0 ? NULL : &bus->table->row[bus->idn];
}

/* A reply is over. If our own frame has not come back before it, it does not do so here. */
static void echo_missed(struct bus *bus)
{
	if (!bus->echo_due)
		return;
	bus->no_echo = true;
	bus->echoes = 0;
}

/* The try ended other than with exactly its own frames, in time. */
static void try_failed(struct bus *bus, int error, int64_t now)
{
	struct transaction *t = bus->current;

	bus->phase = PHASE_REST;
	bus->missed = t->peer;
	bus->got = REPLY_MORE;
	bus->late = error == -ETIMEDOUT;
	t->error = error;
	t->verdict = t->once || t->tried >= bus->config.tries;
	t->silent = t->silent && error == -ETIMEDOUT;
	peer_doubt(t->peer, now);
}

static void try_unfit(struct bus *bus, const char *reason, int64_t now)
{
	bus->counter[BUS_UNFIT]++;
	bus_explain(bus, bus->current->peer,
		    "the reply does not fit: %s; bus/trace shows its frames", reason);
	trace_end(&bus->trace, TRACE_UNFIT, reason, now);
	try_failed(bus, -EIO, now);
}

/* The reply is over, in time or late, and nothing else came with it. */
static void reply_over(struct bus *bus)
{
	struct transaction *t = bus->current;

	if (bus->got == REPLY_REFUSED) {
		bus->counter[BUS_REFUSALS]++;
		if (!t->set && !t->once && t->tried < bus->config.tries) {
			t->silent = false;
			return;
		}
		bus_explain(bus, t->peer, "the BMS refused%s%s (%s)", t->set ? " " : "",
			    t->set ? t->value : "", bus->reply.sample.text);
		bus_finish(bus, -EREMOTEIO, NULL);
		return;
	}
	bus->counter[BUS_REPLIES]++;
	bus_finish(bus, 0, t->set ? NULL : &bus->reply.sample);
}

/* The next frame of the reply to the current transaction, in time or late. */
static void reply_got(struct bus *bus, const struct frame *frame)
{
	struct peer *peer = bus->current->peer;

	bus->got = reply_take(&bus->reply, frame);
	peer->roams = peer->roams || bus->reply.roams;
}

/*
 * A frame of some unit while the reply is awaited. Returns false if it has nothing to do with it.
 */
static bool reply_frame(struct bus *bus, const struct frame *frame, int64_t now)
{
	struct transaction *t = bus->current;
	bool first = bus->reply.frames == 0;
	bool identity = frame->snd == t->peer->address && peer_is_identity(t->peer, frame);

	if (first && frame->snd != t->peer->address)
		return false;
	if (identity && peer_owes(t->peer)) {
		peer_answers(t->peer, now);
		if (t->row != idn_row(bus) || bus->got != REPLY_MORE) {
			bus_tell(bus, false, frame, "late identity", now);
			return true;
		}
		/* It may answer an earlier question, and is no fresher than that. */
		t->asked = nsec_min(t->asked, peer_answered_at(t->peer));
	}
	bus_tell(bus, false, frame, t->row->mnemonic, now);
	if (bus->got != REPLY_MORE) {
		try_unfit(bus, "a frame too many", now);
		return true;
	}
	if (first && t->peer->identity[0] && identity != (t->row == idn_row(bus))) {
		try_unfit(bus, identity ? "it is the identity" : "another identity", now);
		return true;
	}
	reply_got(bus, frame);
	if (bus->got == REPLY_UNFIT)
		try_unfit(bus, bus->reply.reason, now);
	else if (bus->got == REPLY_REFUSED && peer_owes(t->peer))
		try_unfit(bus, "it may refuse another question", now);
	return true;
}

void exchange_end(struct bus *bus, int64_t now)
{
	struct transaction *t = bus->current;

	if (bus->phase != PHASE_REPLY || bus->got == REPLY_MORE)
		return;
	if (line_damaged(bus)) {
		try_unfit(bus, "a damaged frame came with it", now);
		return;
	}
	bus->phase = PHASE_REST;
	echo_missed(bus);
	trace_end(&bus->trace, bus->got == REPLY_REFUSED ? TRACE_REFUSED : TRACE_OK, NULL, now);
	peer_was_prompt(t->peer);
	peer_answered(t->peer, t->asked);
	if (t->row != idn_row(bus))
		peer_settle(t->peer, t->peer->asked);
	reply_over(bus);
}

/*
 * The reply to a try that timed out. The line was clear when it was asked, and no answer to a later
 * question has come yet: so a frame that is no identity can be nothing else.
 */
static bool late_frame(struct bus *bus, const struct frame *frame, int64_t now)
{
	struct transaction *t = bus->current;

	/* A text may as well be the identity of another BMS, and a refusal that of the question. */
	if (!bus->late || !t || t->peer->mute || (t->row->type == VALUE_TEXT && !t->set))
		return false;
	reply_got(bus, frame);
	if (bus->got == REPLY_UNFIT || bus->got == REPLY_REFUSED) {
		bus->late = false;
		return false;
	}
	bus_tell(bus, false, frame, "late reply", now);
	if (bus->got == REPLY_MORE)
		return true;
	bus->counter[BUS_LATE]++;
	peer_was_late(t->peer, now - t->asked);
	peer_answered(t->peer, t->asked);
	peer_settle(t->peer, t->peer->mark - 1);
	reply_over(bus);
	return true;
}

static void identity_told(struct bus *bus, struct peer *peer, enum peer_heard heard, int64_t now)
{
	int64_t asked = peer_answered_at(peer);

	if (bus->phase == PHASE_ASK && bus->asking == peer) {
		trace_end(&bus->trace, TRACE_OK, NULL, now);
		bus->phase = PHASE_REST;
		echo_missed(bus);
	}
	if (!peer_in_doubt(peer))
		bus->counter[BUS_FENCES]++;
	if (heard == PEER_LEARNT || heard == PEER_CHANGED)
		peer->observer->identity(peer->user, peer->identity, asked);
}

/*
 * Others have had the line since a try timed out, and this may be its reply: then the BMS is slow,
 * and does know the instruction.
 */
static void dropped_frame(struct bus *bus, struct peer *peer, int64_t now)
{
	struct transaction *t = bus->current;

	if (!t || t->peer != peer)
		TAILQ_FOREACH (t, &bus->queue, entry)
			if (t->peer == peer)
				break;
	if (!t || !t->passed)
		return;
	t->silent = false;
	if (now - t->asked > peer->patience)
		peer_was_late(peer, now - t->asked);
}

/* A frame of one of our units while its line is in doubt. */
static void doubtful_frame(struct bus *bus, struct peer *peer, const struct frame *frame,
			   int64_t now)
{
	bool ours = bus->current && bus->current->peer == peer;
	enum peer_heard heard;

	if (!peer_is_identity(peer, frame) && ours && late_frame(bus, frame, now))
		return;
	heard = peer_hear(peer, frame, now);
	bus_tell(bus, false, frame, heard == PEER_OTHER ? "dropped" : "identity", now);
	if (heard != PEER_OTHER)
		identity_told(bus, peer, heard, now);
	else
		dropped_frame(bus, peer, now);
}

/* Another master asked and its answer has not been seen whole: it may still come. */
static void hold_over(struct bus *bus, int64_t now)
{
	bus->hold = false;
	if (bus->hold_peer)
		peer_doubt(bus->hold_peer, now);
}

/* A frame while another master's exchange is waited out. Returns whether it belongs to that. */
static bool hold_frame(struct bus *bus, const struct frame *frame, int64_t now)
{
	struct peer *peer = bus->hold_peer;
	bool asked_idn = bus->hold_tracked && bus->foreign.row == idn_row(bus);

	if (now > bus->hold_until)
		hold_over(bus, now);
	if (!bus->hold || (bus->foreign.frames == 0 && frame->snd != bus->foreign.address))
		return false;
	if (peer && asked_idn && !peer->identity[0]) {
		bus->hold = false;
		return false;
	}
	if (peer && bus->foreign.frames == 0 && peer_is_identity(peer, frame)) {
		bus->hold = !(peer_owes(peer) && peer_answers(peer, now) && asked_idn);
		bus_tell(bus, false, frame, "identity to another master", now);
		return true;
	}
	bus_tell(bus, false, frame, "to another master", now);
	if (!bus->hold_tracked)
		return true;
	switch (reply_take(&bus->foreign, frame)) {
	case REPLY_MORE:
		break;
	case REPLY_COMPLETE:
	case REPLY_REFUSED:
		bus->hold = asked_idn;
		break;
	case REPLY_UNFIT:
		bus->hold_tracked = false;
		break;
	}
	return true;
}

/* What another master asks, and whom. */
static void foreign_track(struct bus *bus, const struct frame *frame)
{
	char name[8] = "";
	size_t n = 0;
	int row;

	while (n < frame->len && n < sizeof(name) - 1 && frame->payload[n] != '?' &&
	       frame->payload[n] != ' ') {
		name[n] = frame->payload[n];
		n++;
	}
	row = instruction_find(bus->table, name);
	bus->hold_tracked = row >= 0;
	bus->foreign.address = frame->dst;
	bus->foreign.frames = 0;
	if (row >= 0)
		reply_begin(&bus->foreign, &bus->table->row[row],
			    bus->hold_peer ? bus->hold_peer->model : MODEL_UNKNOWN,
			    n < frame->len && frame->payload[n] == ' ', frame->dst);
}

static void foreign_request(struct bus *bus, const struct frame *frame, int64_t now)
{
	struct peer *peer = bus_find_peer(bus, frame->dst);

	bus_tell(bus, false, frame, "from another master", now);
	trace_end(&bus->trace, TRACE_FOREIGN, NULL, now);
	bus->counter[BUS_FOREIGN]++;
	bus->foreign_at = now;
	if (bus->hold)
		hold_over(bus, now);
	bus->hold = true;
	bus->hold_until = now + bus->config.timeout;
	bus->hold_peer = peer;
	foreign_track(bus, frame);
	if (peer && bus->hold_tracked && bus->foreign.row == idn_row(bus))
		peer_overhears(peer, now);
	if (bus->phase == PHASE_REPLY) {
		bus_explain(bus, bus->current->peer,
			    "another master spoke before the reply was complete");
		try_failed(bus, -EIO, now);
	}
	bus->phase = PHASE_REST;
	bus->late = false;
	if (peer && peer_in_doubt(peer))
		peer_interrupt(peer, now);
}

/*
 * It may have been the request of another master, whose reply is then to come. While we await a
 * reply, that is thought of when it ends.
 */
void exchange_damage(struct bus *bus, int64_t now)
{
	struct peer *peer;

	if (bus->phase == PHASE_REPLY || !line_damaged(bus))
		return;
	line_forgive(bus);
	bus->late = false;
	TAILQ_FOREACH (peer, &bus->peers, entry)
		peer_suspect(peer, now);
}

/* A frame of the host's address: our own, heard back, or that of another master. */
static void host_frame(struct bus *bus, const struct frame *frame, int64_t now)
{
	bool awaited =
		bus->phase == PHASE_ASK || (bus->phase == PHASE_REPLY && bus->reply.frames == 0);
	bool echo = awaited && frame->dst == bus->out.dst && frame->len == bus->out.len &&
		    memcmp(frame->payload, bus->out.payload, frame->len) == 0;

	if (echo && bus->echo_due) {
		bus->echo_due = false;
		bus->echoes++;
		if (bus->echoes <= BUS_ECHOES && frame_is_text(frame, "*IDN?"))
			peer_overhears(bus_find_peer(bus, frame->dst), now);
		bus_tell(bus, false, frame, "echo", now);
		return;
	}
	if (echo)
		bus->no_echo = false; /* is it one after all? Then so is the next. */
	exchange_end(bus, now);
	foreign_request(bus, frame, now);
}

/* The link has not taken all of our frame yet: what comes answers something else. */
static void early_frame(struct bus *bus, int64_t now)
{
	bus->out_size = bus->out_sent;
	if (bus->phase == PHASE_REPLY)
		try_unfit(bus, "it came before the request was sent", now);
	else if (bus->phase == PHASE_ASK)
		peer_doubt(bus->asking, now);
	trace_end(&bus->trace, TRACE_UNFIT, "an answer came before", now);
	bus->phase = PHASE_REST;
}

void exchange_frame(struct bus *bus, const struct frame *frame, int64_t now)
{
	struct peer *peer = bus_find_peer(bus, frame->snd);

	if (frame->snd == FRAME_HOST) {
		host_frame(bus, frame, now);
		return;
	}
	if (peer) {
		peer->state = BUS_ONLINE;
		peer->spoke = now;
	}
	if (bus->out_sent < bus->out_size)
		early_frame(bus, now);
	if (bus->phase == PHASE_REPLY && reply_frame(bus, frame, now))
		return;
	if (bus->hold && hold_frame(bus, frame, now))
		return;
	if (!peer) {
		bus_tell(bus, false, frame, "of another unit", now);
		return;
	}
	if (peer_in_doubt(peer)) {
		doubtful_frame(bus, peer, frame, now);
		return;
	}
	if (peer_is_identity(peer, frame) && peer_owes(peer)) {
		peer_answers(peer, now);
		bus_tell(bus, false, frame, "late identity", now);
		return;
	}
	bus_tell(bus, false, frame, "unasked", now);
	bus->counter[BUS_UNFIT]++;
	peer_doubt(peer, now);
}

int64_t exchange_due(const struct bus *bus)
{
	bool begun = frame_decoder_pending(&bus->decoder) ||
		     (bus->phase == PHASE_REPLY && bus->reply.frames > 0);

	if (bus->phase == PHASE_REST)
		return begun ? bus->byte_at + BUS_GAP : NSEC_NEVER;
	if (begun)
		return nsec_min(bus->byte_at + BUS_GAP, bus->due + BUS_REPLY_MAX);
	return bus->due;
}

static void ask_over(struct bus *bus, int64_t now)
{
	struct peer *peer = bus->asking;

	trace_end(&bus->trace, bus->damaged_at > bus->sent ? TRACE_DAMAGED : TRACE_TIMEOUT, NULL,
		  now);
	bus->counter[BUS_TIMEOUTS]++;
	bus->phase = PHASE_REST;
	bus->missed = peer;
	peer->patience /= 2;
	if (peer->patience < peer->timeout)
		peer->patience = peer->timeout;
}

void exchange_timer(struct bus *bus, int64_t now)
{
	if (now < exchange_due(bus))
		return;
	line_pause(bus, now);
	if (now < exchange_due(bus))
		return;
	if (bus->phase == PHASE_ASK)
		ask_over(bus, now);
	if (bus->phase != PHASE_REPLY)
		return;
	if (bus->reply.frames > 0) {
		try_unfit(bus, "it is incomplete", now);
		return;
	}
	bus->counter[BUS_TIMEOUTS]++;
	if (line_damaged(bus)) {
		bus_explain(bus, bus->current->peer,
			    "the reply was damaged or cut off; check the wires and their shield");
		trace_end(&bus->trace, TRACE_DAMAGED, NULL, now);
		try_failed(bus, -EIO, now);
		return;
	}
	trace_end(&bus->trace, TRACE_TIMEOUT, NULL, now);
	bus_explain(bus, bus->current->peer,
		    "no answer within %.2f s; check the cable and the power of the BMS",
		    (double)bus->current->peer->patience / NSEC_PER_SEC);
	try_failed(bus, -ETIMEDOUT, now);
}

/* A whole fence without an answer. Bytes that make no frame are no silence, but help nobody. */
static void silent(struct bus *bus, struct peer *peer, int64_t now)
{
	bool damaged = bus->damaged_at && now - bus->damaged_at < PEER_LATEST;
	int error = damaged ? -EIO : -ETIMEDOUT;

	if (peer->guest)
		; /* asked on the chance that it is there */
	else if (bus->elsewhere)
		bus_found_elsewhere(bus, peer->address, bus->elsewhere);
	else if (damaged && bus_baud(bus))
		bus_explain(
			bus, peer,
			"what comes from address %u makes no frames at %u baud: check the wires A "
			"and B, and the option baud, which bmsfs --probe finds",
			peer->address, bus_baud(bus));
	else if (damaged)
		bus_explain(bus, peer,
			    "what comes from address %u makes no frames: is it a BMS by REC, and "
			    "the other end at its rate?",
			    peer->address);
	else if (bus_baud(bus))
		bus_explain(bus, peer,
			    "nobody answers at address %u, %u baud: check the cable, the power of "
			    "its BMS side, and baud and address, which bmsfs --probe finds",
			    peer->address, bus_baud(bus));
	else
		bus_explain(bus, peer,
			    "nobody answers at address %u: check the option address, which bmsfs "
			    "--probe finds",
			    peer->address);
	peer->state = BUS_SILENT;
	peer_forget(peer);
	peer_doubt(peer, now);
	peer->observer->lost(peer->user, error);
	bus_fail_all(bus, peer, error);
}

/* Whether a clear line takes silence now, or more of it, before the next question. */
static bool fence_waits(const struct bus *bus, const struct peer *peer, int64_t now)
{
	return peer_in_doubt(peer) && (peer->mute || peer->unanswered < bus->config.tries) &&
	       now < peer_ask_due(peer);
}

/* The next step towards a clear line. Returns whether there may be another at once. */
static bool fence_step(struct bus *bus, struct peer *peer, int64_t now)
{
	if (fence_waits(bus, peer, now)) {
		bus_wake_by(bus, peer_ask_due(peer));
		return false;
	}
	if (!peer->mute && peer->unanswered >= bus->config.tries) {
		peer->mute = peer->noise && !peer->identity[0];
		if (!peer->mute)
			silent(bus, peer, now);
		return true;
	}
	if (peer->mute && peer->unanswered) {
		peer_clear(peer);
		return true;
	}
	bus->phase = PHASE_ASK;
	bus->asking = peer;
	peer_asks(peer, now);
	line_send(bus, peer, "*IDN?", 5, "fence", now);
	return false;
}

static bool try_verdict(struct bus *bus)
{
	struct transaction *t = bus->current;
	int error = t->error;

	/* A mute BMS answers no questions between, so it may as well be off. */
	if (t->silent && !t->set && !t->once && !t->peer->mute)
		error = -EOPNOTSUPP;
	bus_finish(bus, error, NULL);
	return true;
}

/* Returns whether there may be another step at once. */
static bool try_send(struct bus *bus, int64_t now)
{
	struct transaction *t = bus->current;
	char payload[64];
	size_t size = t->set ? instruction_set(t->row, t->value, payload)
			     : instruction_query(t->row, payload);

	if (size == 0) {
		bus_finish(bus, -EINVAL, NULL);
		return true;
	}
	if (t->peer->roams && !t->set && t->row->header == HEADER_UNITS) {
		bus_explain(bus, t->peer,
			    "the units of the master at address %u answer with addresses of their "
			    "own; mount it without other addresses",
			    t->peer->address);
		bus_finish(bus, -EIO, NULL);
		return true;
	}

	t->tried++;
	t->passed = false;
	t->asked = now;
	bus->late = false;
	bus->got = REPLY_MORE;
	bus->phase = PHASE_REPLY;
	reply_begin(&bus->reply, t->row, t->peer->model, t->set, t->peer->address);
	bus->reply.crowded = bus->crowded;
	if (t->row == idn_row(bus) && !t->set)
		peer_asks(t->peer, now);
	line_send(bus, t->peer, payload, size, t->tried > 1 ? "again" : "request", now);
	return false;
}

/* The first that can do with the line, of those who ask another than @missed. */
static struct transaction *turn_find(struct bus *bus, const struct peer *missed, int64_t now)
{
	struct transaction *t;

	TAILQ_FOREACH (t, &bus->queue, entry) {
		if (t->peer == missed)
			continue;
		peer_expire(t->peer, now);
		if (!fence_waits(bus, t->peer, now))
			break;
		bus_wake_by(bus, peer_ask_due(t->peer));
	}
	return t;
}

/* All who ask @peer, the current one first, go behind all others. */
static void turn_pass(struct bus *bus, const struct peer *peer)
{
	struct transactions behind = TAILQ_HEAD_INITIALIZER(behind);
	struct transaction *t, *next;

	if (bus->current) {
		TAILQ_INSERT_TAIL(&behind, bus->current, entry);
		bus->current->queued = true;
		bus->current->passed = bus->current->tried > 0;
		bus->current = NULL;
	}
	for (t = TAILQ_FIRST(&bus->queue); t; t = next) {
		next = TAILQ_NEXT(t, entry);
		if (t->peer != peer)
			continue;
		TAILQ_REMOVE(&bus->queue, t, entry);
		TAILQ_INSERT_TAIL(&behind, t, entry);
	}
	TAILQ_CONCAT(&bus->queue, &behind, entry);
}

/* Whose turn it is: not his who has not answered, or must wait, if others can do with the line. */
static struct transaction *turn_take(struct bus *bus, int64_t now)
{
	struct transaction *t = bus->current, *other;

	if (t && t->peer != bus->missed && !fence_waits(bus, t->peer, now))
		return t;
	other = turn_find(bus, bus->missed, now);
	if (other)
		turn_pass(bus, t ? t->peer : bus->missed);
	else if (!t)
		other = TAILQ_FIRST(&bus->queue);
	if (!other)
		return t;
	TAILQ_REMOVE(&bus->queue, other, entry);
	other->queued = false;
	bus->late = false;
	return bus->current = other;
}

bool exchange_start(struct bus *bus, int64_t now)
{
	struct transaction *t;

	if (!bus->current && TAILQ_EMPTY(&bus->queue))
		return false;
	if (frame_decoder_pending(&bus->decoder))
		return false;
	if (bus->hold && now <= bus->hold_until) {
		bus_wake_by(bus, bus->hold_until + 1);
		return false;
	}
	if (bus->hold)
		hold_over(bus, now);
	t = turn_take(bus, now);
	peer_expire(t->peer, now);
	if (peer_in_doubt(t->peer))
		return fence_step(bus, t->peer, now);
	if (t->verdict)
		return try_verdict(bus);
	return try_send(bus, now);
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include "sim/sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "nsec.h"
#include "sim/faults.h"
#include "sim/replay.h"
#include "sim/responder.h"

#define WAITING_MAX 64                   /* pieces that wait to be sent */
#define PAUSE       (50 * NSEC_PER_MSEC) /* inside a request: the rest of it never comes */
#define PIECE_MAX   (FAULT_GARBAGE_MAX + ANSWER_FRAME_MAX * FRAME_MAX)
#define BYTE_BITS   10 /* on the line */

/* Bytes that go out without a gap, and where in them the frames start that are whole. */
struct piece {
	TAILQ_ENTRY(piece) next;
	int64_t start; /* of the first byte; it is there one byte's time later */
	size_t size, sent;
	unsigned marks;
	size_t mark[ANSWER_FRAME_MAX];
	uint8_t bytes[];
};

TAILQ_HEAD(pieces, piece);

/* A piece in the making. */
struct draft {
	size_t size;
	unsigned marks;
	size_t mark[ANSWER_FRAME_MAX];
	uint8_t bytes[PIECE_MAX];
};

struct sim {
	uint32_t baud;
	int64_t turnaround;
	bool silent;
	int64_t now;     /* the latest time told */
	int64_t seen;    /* of what the observer was told last */
	int64_t rx_free; /* when the line has brought all bytes from the host */
	int64_t tx_free; /* when the line has taken all bytes that wait */
	unsigned waiting;
	struct pieces pieces;
	struct frame_decoder decoder;
	struct faults faults;
	struct replay *replay; /* NULL, or what answers in place of the responders */
	struct answer answer;
	struct draft draft;
	sim_observer *observer;
	void *user;
	unsigned responders;
	struct responder responder[]; /* one per address */
};

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* How long @bytes take on the line, rounded up so that they are there when it is over. */
static int64_t wire_time(const struct sim *sim, size_t bytes)
{
	if (!sim->baud)
		return 0;
	return ((int64_t)bytes * BYTE_BITS * NSEC_PER_SEC + sim->baud - 1) / sim->baud;
}

static void draft_bytes(struct draft *draft, const uint8_t *bytes, size_t size)
{
	memcpy(draft->bytes + draft->size, bytes, size);
	draft->size += size;
}

static void draft_frame(struct draft *draft, const struct frame *frame)
{
	draft->mark[draft->marks++] = draft->size;
	draft->size += frame_encode(frame, draft->bytes + draft->size);
}

static size_t frame_size(const uint8_t *start)
{
	return start[3] + (size_t)FRAME_OVERHEAD;
}

/* Forgets the frames that touch the bytes from @from to @to. */
static void draft_unmark(struct draft *draft, size_t from, size_t to)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < draft->marks; i++) {
		size_t start = draft->mark[i];

		if (start + frame_size(draft->bytes + start) <= from || start >= to)
			draft->mark[kept++] = start;
	}
	draft->marks = kept;
}

static void draft_corrupt(struct draft *draft, struct fault_plan *plan)
{
	size_t bit = fault_corrupt(plan, draft->size);

	draft_unmark(draft, bit / 8, bit / 8 + 1);
	draft->bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
}

static void draft_truncate(struct draft *draft, struct fault_plan *plan)
{
	size_t size = fault_truncate(plan, draft->size);

	draft_unmark(draft, size, draft->size);
	draft->size = size;
}

/* Sends the draft no earlier than @start, and not before what waits already is sent. */
static void queue_draft(struct sim *sim, const struct draft *draft, int64_t start)
{
	struct piece *piece = malloc(sizeof(*piece) + draft->size);

	/* Without memory the reply is lost, as on a line. */
	if (!piece)
		return;
	piece->start = later(start, sim->tx_free);
	piece->size = draft->size;
	piece->sent = 0;
	piece->marks = draft->marks;
	memcpy(piece->mark, draft->mark, sizeof(piece->mark));
	memcpy(piece->bytes, draft->bytes, draft->size);
	TAILQ_INSERT_TAIL(&sim->pieces, piece, next);
	sim->waiting++;
	sim->tx_free = piece->start + wire_time(sim, piece->size);
}

static void drop_piece(struct sim *sim, struct piece *piece)
{
	TAILQ_REMOVE(&sim->pieces, piece, next);
	sim->waiting--;
	free(piece);
}

static void draft_start(struct sim *sim)
{
	sim->draft.size = 0;
	sim->draft.marks = 0;
}

static void queue_frame(struct sim *sim, const struct frame *frame, int64_t start)
{
	draft_start(sim);
	draft_frame(&sim->draft, frame);
	queue_draft(sim, &sim->draft, start);
}

/* When a reply to what arrived at @arrived starts: one at a time, in order. */
static int64_t reply_start(const struct sim *sim, int64_t arrived)
{
	return later(arrived, sim->tx_free) + sim->turnaround;
}

/* The conversation of another master passes by. */
static void queue_foreign(struct sim *sim, struct responder *responder, struct fault_plan *plan,
			  int64_t arrived, int64_t now)
{
	static const char *const queries[] = { "LCD1?", "CELL?", "ERRO?", "SOCS?" };
	struct frame request;

	frame_make(&request, responder->address, FRAME_HOST,
		   queries[sim_random_below(&plan->detail, 4)], 5);
	responder_answer(responder, &request, &sim->answer, now);
	queue_frame(sim, &request, reply_start(sim, arrived));
	draft_start(sim);
	for (unsigned i = 0; i < sim->answer.frames; i++)
		draft_frame(&sim->draft, &sim->answer.frame[i]);
	if (sim->draft.size)
		queue_draft(sim, &sim->draft, reply_start(sim, arrived));
}

/* Puts the answer on the line, with what goes wrong with it on the way. */
static void queue_answer(struct sim *sim, struct fault_plan *plan, int64_t arrived)
{
	struct draft *draft = &sim->draft;
	uint8_t garbage[FAULT_GARBAGE_MAX];

	if (!sim->answer.frames || plan->hit[SIM_DROP])
		return;
	draft_start(sim);
	if (plan->hit[SIM_GARBAGE])
		draft_bytes(draft, garbage, fault_garbage(plan, garbage));
	for (unsigned i = 0; i < sim->answer.frames; i++)
		draft_frame(draft, &sim->answer.frame[i]);
	if (plan->hit[SIM_CORRUPT])
		draft_corrupt(draft, plan);
	if (plan->hit[SIM_TRUNCATE])
		draft_truncate(draft, plan);
	queue_draft(sim, draft, reply_start(sim, arrived) + plan->delay);
}

static struct responder *find_responder(struct sim *sim, uint8_t address)
{
	for (unsigned i = 0; i < sim->responders; i++)
		if (sim->responder[i].address == address)
			return &sim->responder[i];
	return NULL;
}

/* Marks the frames that are in the draft whole. */
static void draft_mark(struct draft *draft)
{
	struct frame_decoder decoder = { 0 };
	uint8_t bytes[FRAME_MAX];
	struct frame frame;
	size_t from = 0;

	for (size_t fed = 0; fed < draft->size;) {
		fed += frame_decoder_feed(&decoder, draft->bytes + fed, draft->size - fed);
		while (frame_decoder_next(&decoder, &frame)) {
			size_t size = frame_encode(&frame, bytes);
			const uint8_t *at =
				memmem(draft->bytes + from, draft->size - from, bytes, size);

			if (!at || draft->marks == ANSWER_FRAME_MAX)
				return;
			draft->mark[draft->marks++] = (size_t)(at - draft->bytes);
			from = (size_t)(at - draft->bytes) + size;
		}
	}
}

/* What came later than its client waits now is not played any more: the next request is here. */
static void drop_unsent(struct sim *sim, int64_t now)
{
	struct piece *piece, *next;

	sim->tx_free = 0;
	for (piece = TAILQ_FIRST(&sim->pieces); piece; piece = next) {
		next = TAILQ_NEXT(piece, next);
		if (!piece->sent && piece->start > now + PAUSE)
			drop_piece(sim, piece);
		else
			sim->tx_free = piece->start + wire_time(sim, piece->size);
	}
}

static void replay_request(struct sim *sim, const struct frame *request, int64_t arrived)
{
	const struct replay_chunks *chunks = replay_next(sim->replay, request);
	int64_t sent = arrived - wire_time(sim, request->len + (size_t)FRAME_OVERHEAD);
	const struct replay_chunk *chunk;

	if (!chunks)
		return;
	drop_unsent(sim, arrived);
	TAILQ_FOREACH (chunk, chunks, next) {
		draft_start(sim);
		draft_bytes(&sim->draft, chunk->bytes, chunk->size);
		draft_mark(&sim->draft);
		/* The host sees a byte when it is over. */
		queue_draft(sim, &sim->draft, sent + chunk->delay - wire_time(sim, 1));
	}
}

static void answer_request(struct sim *sim, const struct frame *request, int64_t arrived,
			   int64_t now)
{
	struct responder *responder = find_responder(sim, request->dst);
	struct fault_plan plan;

	if (sim->waiting >= WAITING_MAX)
		return;
	faults_draw(&sim->faults, &plan, arrived);
	if (plan.hit[SIM_ECHO])
		queue_frame(sim, request,
			    arrived - wire_time(sim, request->len + (size_t)FRAME_OVERHEAD));
	if (plan.hit[SIM_SILENT] || !responder)
		return;
	if (plan.hit[SIM_FOREIGN])
		queue_foreign(sim, responder, &plan, arrived, now);
	if (plan.hit[SIM_ERROR])
		responder_refuse(responder, &sim->answer);
	else
		responder_answer(responder, request, &sim->answer, now);
	queue_answer(sim, &plan, arrived);
}

/* What went out late because nobody looked is told with the time of what was told before it. */
static void tell(struct sim *sim, bool sent, const struct frame *frame, int64_t when)
{
	sim->seen = later(sim->seen, when);
	if (sim->observer)
		sim->observer(sim->user, sent, frame, sim->seen);
}

static void take_frames(struct sim *sim, int64_t now)
{
	struct frame frame;

	while (frame_decoder_next(&sim->decoder, &frame)) {
		tell(sim, false, &frame, now);
		if (frame.snd != FRAME_HOST || sim->silent)
			continue;
		if (sim->replay)
			replay_request(sim, &frame, sim->rx_free);
		else
			answer_request(sim, &frame, sim->rx_free, now);
	}
}

void sim_receive(struct sim *sim, const void *bytes, size_t size, int64_t now)
{
	const uint8_t *byte = bytes;

	sim->now = later(sim->now, now);
	if (now - sim->rx_free > PAUSE) {
		while (frame_decoder_pending(&sim->decoder)) {
			frame_decoder_pause(&sim->decoder);
			take_frames(sim, now);
		}
	}
	sim->rx_free = later(sim->rx_free, now);
	/* One by one, so that each request ends when its own last byte has come. */
	for (size_t i = 0; i < size; i++) {
		sim->rx_free += wire_time(sim, 1);
		frame_decoder_feed(&sim->decoder, byte + i, 1);
		take_frames(sim, now);
	}
}

/* How many bytes of @piece are there at @now. */
static size_t bytes_due(const struct sim *sim, const struct piece *piece, int64_t now)
{
	if (now < piece->start)
		return 0;
	if (!sim->baud || now - piece->start >= wire_time(sim, piece->size))
		return piece->size;
	return (size_t)((uint64_t)(now - piece->start) * sim->baud / (BYTE_BITS * NSEC_PER_SEC));
}

/* Tells of the frames that start in the bytes of @piece up to @to that were not sent before. */
static void tell_sent(struct sim *sim, const struct piece *piece, size_t to)
{
	for (unsigned i = 0; i < piece->marks; i++) {
		size_t start = piece->mark[i];
		const uint8_t *at = piece->bytes + start;
		struct frame frame;

		if (start < piece->sent || start >= to)
			continue;
		frame_make(&frame, at[1], at[2], at + 4, at[3]);
		tell(sim, true, &frame, piece->start + wire_time(sim, start + 1));
	}
}

size_t sim_transmit(struct sim *sim, void *bytes, size_t size, int64_t now)
{
	struct piece *piece;
	size_t total = 0;

	sim->now = later(sim->now, now);
	while (total < size && (piece = TAILQ_FIRST(&sim->pieces))) {
		size_t due = bytes_due(sim, piece, now);
		size_t count = due > piece->sent ? due - piece->sent : 0;

		if (count > size - total)
			count = size - total;
		if (!count)
			break;
		tell_sent(sim, piece, piece->sent + count);
		memcpy((uint8_t *)bytes + total, piece->bytes + piece->sent, count);
		piece->sent += count;
		total += count;
		if (piece->sent == piece->size)
			drop_piece(sim, piece);
	}
	return total;
}

int64_t sim_wake(const struct sim *sim)
{
	const struct piece *piece = TAILQ_FIRST(&sim->pieces);

	return piece ? piece->start + wire_time(sim, piece->sent + 1) : NSEC_NEVER;
}

/* A capture holds the faults that it is played with. */
static int open_replay(struct sim *sim, const struct sim_config *config, char *reason, size_t size)
{
	if (!config->replay[0])
		return 0;
	for (int fault = 0; fault < SIM_FAULTS; fault++)
		if (config->rate[fault] > 0) {
			snprintf(reason, size, "%s: a capture is played with its own faults only",
				 sim_fault_name[fault]);
			return -EINVAL;
		}
	return replay_open(&sim->replay, config->replay, reason, size);
}

int sim_new(struct sim **sim, const struct sim_config *config,
	    const struct instruction_table *table, int64_t now, char *reason, size_t size)
{
	unsigned responders = config->addresses ? config->addresses : 1;
	struct sim *made = calloc(1, sizeof(*made) + responders * sizeof(made->responder[0]));
	int ret = 0;

	if (!made)
		return -ENOMEM;
	for (; !ret && made->responders < responders; made->responders++)
		ret = responder_init(&made->responder[made->responders], config, made->responders,
				     table, now, reason, size);
	if (!ret)
		ret = open_replay(made, config, reason, size);
	if (ret) {
		free(made);
		return ret;
	}
	TAILQ_INIT(&made->pieces);
	made->now = made->rx_free = made->tx_free = now;
	made->baud = config->baud;
	made->turnaround = (int64_t)(config->turnaround_s * NSEC_PER_SEC);
	faults_init(&made->faults, config->rate, ~config->seed);
	*sim = made;
	return 0;
}

void sim_free(struct sim *sim)
{
	struct piece *piece;

	if (!sim)
		return;
	while ((piece = TAILQ_FIRST(&sim->pieces)))
		drop_piece(sim, piece);
	replay_free(sim->replay);
	free(sim);
}

void sim_observe(struct sim *sim, sim_observer *observer, void *user)
{
	sim->observer = observer;
	sim->user = user;
}

int sim_get(struct sim *sim, const char *mnemonic, double *value, int64_t now)
{
	sim->now = later(sim->now, now);
	return responder_get(&sim->responder[0], mnemonic, value, now);
}

int sim_put(struct sim *sim, const char *mnemonic, double value)
{
	return responder_put(&sim->responder[0], mnemonic, value);
}

/* Each crosses a limit that every battery is within or beyond; the manual has the delays. */
const struct sim_provocation sim_provocation[SIM_PROVOCATIONS] = {
	{ 1, "CMAX", "2", 10, "a cell is above CMAX" },
	{ 2, "CMIN", "4", 10, "a cell is below CMIN" },
	{ 3, "RAZL", "0", 5, "the cells differ by more than RAZL" },
	{ 4, "TMAX", "-20", 10, "a sensor is above TMAX" },
	{ 5, "TBAL", "-20", 5, "the BMS itself is above TBAL" },
	{ 7, "TMIN", "65", 2, "a sensor is below TMIN" },
};

int sim_set_fault(struct sim *sim, const char *name, double rate)
{
	int fault = fault_find(name);

	if (fault < 0)
		return -ENOENT;
	if (sim->replay)
		return -EOPNOTSUPP;
	sim->faults.rate[fault] = rate;
	return 0;
}

void sim_exchange(struct sim *sim, const char *identity)
{
	responder_exchange(&sim->responder[0], identity, sim->now);
}

void sim_set_silent(struct sim *sim, bool silent)
{
	sim->silent = silent;
}

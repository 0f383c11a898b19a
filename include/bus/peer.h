/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Private to the bus room: one BMS on the wire and the fence that keeps its replies apart. */
#ifndef BMSFS_BUS_PEER_H
#define BMSFS_BUS_PEER_H

#include "bus/bus.h"

#define PEER_OWED_MAX     32
#define PEER_LATEST       (4 * NSEC_PER_SEC) /* of silence: what is older is lost */
#define PEER_PATIENCE_MAX (2 * NSEC_PER_SEC)

struct peer {
	TAILQ_ENTRY(peer) entry;
	const struct peer_observer *observer;
	void *user;
	uint8_t address;
	bool guest; /* not mounted: its silence is no trouble */
	int model;

	/* The fence; see the head of src/bus/peer.c. */
	uint64_t asked, answered, mark;
	int64_t asked_at[PEER_OWED_MAX + 1]; /* of question i at [i % (PEER_OWED_MAX + 1)] */
	bool heard;                          /* an answer since the doubt */
	bool noise;                          /* other frames since the doubt */
	bool mute;            /* frames come, but never an identity: silence must do */
	enum bus_state state; /* while the line is open: opening, online or silent */
	bool roams;           /* a master whose units answer with the addresses of others */
	unsigned unanswered;  /* questions in a row without any answer */
	bool interrupted; /* the last of them was asked before the doubt, and its answer will come */
	int64_t spoke;    /* when anything came last, or the doubt arose */
	int64_t last_answered; /* as peer_last_answered() */

	char identity[SAMPLE_TEXT_MAX];  /* learnt: "" before */
	char candidate[SAMPLE_TEXT_MAX]; /* heard once, another than identity */

	/*
	 * How long the first byte of a reply is waited for: the configured time, longer while the
	 * BMS is slow, so that a slow one is waited for instead of being asked again and again.
	 */
	int64_t timeout, patience;

	char error[BUS_REASON_MAX]; /* see peer_last_error() */
};

enum peer_heard {
	PEER_OTHER,   /* no identity */
	PEER_ANSWER,  /* an identity, counted */
	PEER_LEARNT,  /* ... and now known for the first time */
	PEER_CHANGED, /* another BMS answers now */
};

void peer_init(struct peer *peer, uint8_t address, int64_t timeout, int64_t now);

/* The line is in doubt from now on: only an answer to a question not yet asked clears it. */
void peer_doubt(struct peer *peer, int64_t now);
bool peer_in_doubt(const struct peer *peer);

/* Likewise; but a fence in progress goes on, and ends as it would have if nobody answers. */
void peer_suspect(struct peer *peer, int64_t now);

/* Likewise; but the answer to the last question, if none has come, is still waited for. */
void peer_interrupt(struct peer *peer, int64_t now);

/* *IDN? is sent by another master, or may be: an answer more is owed. */
void peer_overhears(struct peer *peer, int64_t now);

/* *IDN? is being sent by us. */
void peer_asks(struct peer *peer, int64_t now);
bool peer_owes(const struct peer *peer); /* answers to *IDN? that may still come */

/* When the next question of the fence is due (it may be past), or the silence of a mute one is over. */
int64_t peer_ask_due(const struct peer *peer);

/* When the last question that is settled was asked; the last answer came to that or a later one. */
int64_t peer_answered_at(const struct peer *peer);

/* Questions older than PEER_LATEST are lost, if the BMS was silent for as long. */
void peer_expire(struct peer *peer, int64_t now);

/* A frame of this peer came while nothing but identities was expected. */
enum peer_heard peer_hear(struct peer *peer, const struct frame *frame, int64_t now);

/* Whether @frame carries the identity that is known. */
bool peer_is_identity(const struct peer *peer, const struct frame *frame);

/* A reply has come to a request sent after that question: by order, all up to it are settled. */
void peer_settle(struct peer *peer, uint64_t question);

/* The BMS has answered a request that was sent at @asked. */
void peer_answered(struct peer *peer, int64_t asked);

/* Counts an answer to *IDN?. Returns whether it is that of the last question. */
bool peer_answers(struct peer *peer, int64_t now);

/* The line was quiet for so long that nothing can come any more. */
void peer_clear(struct peer *peer);

/* The link dropped, or the BMS was silent: its identity is no longer known. */
void peer_forget(struct peer *peer);

/* A reply came in time, or after @latency. */
void peer_was_prompt(struct peer *peer);
void peer_was_late(struct peer *peer, int64_t latency);

#endif

// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * The fence.
 *
 * Given: a BMS answers in the order in which it was asked, each request at most once; answers may be
 * lost or late, but a BMS that has said nothing for PEER_LATEST, while somebody listened, owes
 * nothing older than that. An answer to *IDN? is known by its text, every other is not.
 *
 * All *IDN? are numbered 1, 2, ... @asked. @answered is how many of them are settled, that is,
 * answered or lost, as far as we can tell: it grows by one with each identity; by those given up
 * after PEER_LATEST; and to all that were asked before a request whose reply has come. The identity
 * that makes @answered = k answers question k or a later one, for each of the k-1 before it came for
 * another and earlier question or for none; by order every question up to the one it answers is
 * settled.
 *
 * A doubt sets @mark = @asked + 1: the first question that will be asked from now on. Once
 * @answered reaches @mark, question @mark is settled, with it everything that was sent before it,
 * and no answer to any of that can come any more. What can still come are answers to questions
 * after @mark. They are identities: wherever one turns up it is known for what it is, dropped and
 * counted. So the fence need not wait for them, and a clear line with @answered < @asked is as good
 * as any.
 *
 * An identity is learnt when it was heard twice in a row. Before, one text is as good as another
 * and each counts; afterwards only the one that is known does, since another text may be a late
 * answer to some other instruction. Another text twice in a row is another BMS.
 */
#include "bus/peer.h"

#include <string.h>

#include "nsec.h"

void peer_init(struct peer *peer, uint8_t address, int64_t timeout, int64_t now)
{
	*peer = (struct peer){ .address = address,
			       .model = MODEL_UNKNOWN,
			       .state = BUS_OPENING,
			       .timeout = timeout,
			       .patience = timeout };
	peer_doubt(peer, now);
}

void peer_doubt(struct peer *peer, int64_t now)
{
	peer->mark = peer->asked + 1;
	peer->heard = false;
	peer->noise = false;
	peer->unanswered = 0;
	peer->interrupted = false;
	peer->spoke = now;
}

/* A question more for each word of another master would leave ever more answers owed. */
void peer_interrupt(struct peer *peer, int64_t now)
{
	bool unanswered = peer->unanswered > 0;

	peer_doubt(peer, now);
	peer->unanswered = unanswered;
	peer->interrupted = unanswered;
}

void peer_suspect(struct peer *peer, int64_t now)
{
	unsigned unanswered = peer_in_doubt(peer) ? peer->unanswered : 0;
	bool noise = peer->noise;

	peer_doubt(peer, now);
	peer->unanswered = unanswered;
	peer->noise = noise;
}

bool peer_in_doubt(const struct peer *peer)
{
	if (peer->answered < peer->mark)
		return true;
	return !peer->mute && (!peer->heard || !peer->identity[0]);
}

/* When question number @question was asked: the last one settled, or one that is owed. */
static int64_t asked_at(const struct peer *peer, uint64_t question)
{
	return peer->asked_at[question % (PEER_OWED_MAX + 1)];
}

void peer_asks(struct peer *peer, int64_t now)
{
	peer_overhears(peer, now);
	peer->unanswered++;
	peer->interrupted = false;
}

void peer_overhears(struct peer *peer, int64_t now)
{
	peer->asked++;
	peer->asked_at[peer->asked % (PEER_OWED_MAX + 1)] = now;
	if (peer->asked - peer->answered > PEER_OWED_MAX)
		peer->answered = peer->asked - PEER_OWED_MAX;
}

bool peer_owes(const struct peer *peer)
{
	return peer->answered < peer->asked;
}

int64_t peer_ask_due(const struct peer *peer)
{
	int64_t last = asked_at(peer, peer->asked);

	if (peer->mute && peer->unanswered)
		return (last > peer->spoke ? last : peer->spoke) + PEER_LATEST;
	if (peer->asked - peer->answered == PEER_OWED_MAX)
		return asked_at(peer, peer->answered + 1) + PEER_LATEST + 1;
	if ((peer->asked < peer->mark && !peer->interrupted) || peer->unanswered == 0)
		return 0;
	return last + peer->patience;
}

int64_t peer_answered_at(const struct peer *peer)
{
	return asked_at(peer, peer->answered);
}

void peer_expire(struct peer *peer, int64_t now)
{
	while (peer_owes(peer) && now - peer->spoke > PEER_LATEST &&
	       now - asked_at(peer, peer->answered + 1) > PEER_LATEST)
		peer->answered++;
}

void peer_answered(struct peer *peer, int64_t asked)
{
	if (asked > peer->last_answered)
		peer->last_answered = asked;
}

bool peer_answers(struct peer *peer, int64_t now)
{
	int64_t latency;

	peer_expire(peer, now);
	if (!peer_owes(peer))
		return false;
	peer->answered++;
	peer_answered(peer, asked_at(peer, peer->answered));
	peer->heard = true;
	peer->unanswered = 0;
	peer->mute = false;
	latency = now - asked_at(peer, peer->answered);
	if (latency > peer->patience)
		peer_was_late(peer, latency);
	return peer->answered == peer->asked;
}

bool peer_is_identity(const struct peer *peer, const struct frame *frame)
{
	char text[SAMPLE_TEXT_MAX];

	if (!peer->identity[0])
		return false;
	value_clean_text(text, sizeof(text), frame->payload, frame->len);
	return strcmp(text, peer->identity) == 0;
}

enum peer_heard peer_hear(struct peer *peer, const struct frame *frame, int64_t now)
{
	char text[SAMPLE_TEXT_MAX];
	bool known = peer->identity[0] != '\0';
	bool identity = reply_identity(frame, text);

	peer->spoke = now;
	if (known && strcmp(text, peer->identity) == 0) {
		peer->candidate[0] = '\0';
		peer_answers(peer, now);
		return PEER_ANSWER;
	}
	if (!identity) {
		peer->noise = true;
		return PEER_OTHER;
	}
	if (!known)
		peer_answers(peer, now);
	peer->unanswered = 0;
	if (strcmp(text, peer->candidate) != 0) {
		memcpy(peer->candidate, text, sizeof(text));
		return PEER_ANSWER;
	}
	memcpy(peer->identity, text, sizeof(text));
	peer->candidate[0] = '\0';
	if (!known)
		return PEER_LEARNT;
	peer_doubt(peer, now);
	return PEER_CHANGED;
}

void peer_settle(struct peer *peer, uint64_t question)
{
	if (peer->answered < question)
		peer->answered = question;
}

void peer_clear(struct peer *peer)
{
	peer->answered = peer->asked;
	peer->mark = peer->asked;
	peer->mute = true;
}

void peer_forget(struct peer *peer)
{
	peer->identity[0] = '\0';
	peer->candidate[0] = '\0';
	peer->last_answered = 0;
	peer->mute = false;
	peer->roams = false;
}

void peer_was_prompt(struct peer *peer)
{
	peer->patience -= peer->patience / 8;
	if (peer->patience < peer->timeout)
		peer->patience = peer->timeout;
}

void peer_was_late(struct peer *peer, int64_t latency)
{
	peer->patience = nsec_min(2 * latency, PEER_PATIENCE_MAX);
	if (peer->patience < peer->timeout)
		peer->patience = peer->timeout;
}

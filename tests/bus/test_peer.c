// SPDX-License-Identifier: LGPL-3.0-or-later
/* The fence as pure state: numbered questions, doubts, and what an identity proves. */
#include <string.h>

#include "bus/peer.h"
#include "nsec.h"
#include "test.h"

#define SECOND NSEC_PER_SEC
#define START  (100 * SECOND)
#define WAIT   (350 * NSEC_PER_MSEC)

static enum peer_heard hear(struct peer *peer, const char *text, int64_t now)
{
	struct frame frame;

	frame_make(&frame, FRAME_HOST, 1, text, (uint8_t)strlen(text));
	return peer_hear(peer, &frame, now);
}

/* A peer whose identity is known and whose line is clear. */
static struct peer known_peer(void)
{
	struct peer peer;

	peer_init(&peer, 1, WAIT, START);
	for (int i = 0; i < 2; i++) {
		peer_asks(&peer, START);
		hear(&peer, "REC BMS", START);
	}
	assert_false(peer_in_doubt(&peer));
	return peer;
}

static void test_learns_what_was_heard_twice(void **state)
{
	struct peer peer;

	(void)state;
	peer_init(&peer, 1, WAIT, START);
	assert_true(peer_in_doubt(&peer));
	peer_asks(&peer, START);
	assert_int_equal(hear(&peer, "REC BMS", START), PEER_ANSWER);
	assert_true(peer_in_doubt(&peer));
	peer_asks(&peer, START);
	assert_int_equal(hear(&peer, "REC BMX", START), PEER_ANSWER);
	peer_asks(&peer, START);
	assert_int_equal(hear(&peer, "REC BMX", START), PEER_LEARNT);
	assert_string_equal(peer.identity, "REC BMX");
	assert_false(peer_in_doubt(&peer));
}

static void test_what_is_no_identity(void **state)
{
	static const char *const text[] = { "SET", "ERROR1", "3.58000e0", "1", "28", "", "A1B2C3" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(text); i++) {
		struct peer peer;

		peer_init(&peer, 1, WAIT, START);
		peer_asks(&peer, START);
		assert_int_equal(hear(&peer, text[i], START), PEER_OTHER);
		assert_true(peer.noise);
		assert_true(peer_owes(&peer));
	}
}

/* Answers to questions from before the doubt count, but do not clear it. */
static void test_old_answers_do_not_clear(void **state)
{
	struct peer peer = known_peer();

	(void)state;
	peer_asks(&peer, START);
	peer_asks(&peer, START);
	peer_doubt(&peer, START);
	peer_asks(&peer, START);
	assert_int_equal(hear(&peer, "REC BMS", START), PEER_ANSWER);
	assert_true(peer_in_doubt(&peer));
	hear(&peer, "REC BMS", START);
	assert_true(peer_in_doubt(&peer));
	hear(&peer, "REC BMS", START);
	assert_false(peer_in_doubt(&peer));
	assert_false(peer_owes(&peer));
}

/* A doubt needs an answer since, even if nothing older is owed. */
static void test_doubt_needs_an_answer(void **state)
{
	struct peer peer = known_peer();

	(void)state;
	peer_doubt(&peer, START);
	assert_true(peer_in_doubt(&peer));
	assert_true(hear(&peer, "REC BMS", START) == PEER_ANSWER);
	assert_true(peer_in_doubt(&peer)); /* nobody had asked */
	peer_asks(&peer, START);
	hear(&peer, "REC BMS", START);
	assert_false(peer_in_doubt(&peer));
}

static void test_reply_settles(void **state)
{
	struct peer peer = known_peer();

	(void)state;
	peer_asks(&peer, START);
	peer_asks(&peer, START);
	assert_true(peer_owes(&peer));
	peer_settle(&peer, peer.asked - 1);
	assert_true(peer_owes(&peer));
	peer_settle(&peer, peer.asked);
	assert_false(peer_owes(&peer));
	peer_settle(&peer, 1);
	assert_false(peer_owes(&peer));
}

/* A question is given up only if it is old and the BMS was silent for as long. */
static void test_expiry(void **state)
{
	static const struct {
		int64_t asked, spoke;
		bool owes;
	} row[] = {
		{ 0, 0, false }, { PEER_LATEST, 0, true }, { 0, PEER_LATEST, true },
		{ 1, 0, true },  { 0, 1, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct peer peer = known_peer();

		peer_asks(&peer, START + row[i].asked);
		peer.spoke = START + row[i].spoke;
		peer_expire(&peer, START + PEER_LATEST + 1);
		assert_int_equal(peer_owes(&peer), row[i].owes);
	}
}

/* All that were owed long ago do not clear a new doubt. */
static void test_expiry_is_no_answer(void **state)
{
	struct peer peer = known_peer();

	(void)state;
	peer_doubt(&peer, START);
	peer_asks(&peer, START);
	peer_expire(&peer, START + PEER_LATEST + 1);
	assert_false(peer_owes(&peer));
	assert_true(peer_in_doubt(&peer));
}

static void test_another_bms(void **state)
{
	struct peer peer = known_peer();

	(void)state;
	peer_doubt(&peer, START);
	peer_asks(&peer, START);
	assert_int_equal(hear(&peer, "OTHER", START), PEER_ANSWER);
	peer_asks(&peer, START);
	assert_int_equal(hear(&peer, "REC BMS", START), PEER_ANSWER);
	peer_asks(&peer, START);
	assert_int_equal(hear(&peer, "OTHER", START), PEER_ANSWER);
	assert_string_equal(peer.identity, "REC BMS");
	peer_asks(&peer, START);
	assert_int_equal(hear(&peer, "OTHER", START), PEER_CHANGED);
	assert_string_equal(peer.identity, "OTHER");
	assert_true(peer_in_doubt(&peer));
	/* What was asked before may still be answered: only as many more answers clear it. */
	while (peer_in_doubt(&peer)) {
		assert_true(peer.asked < 20);
		peer_asks(&peer, START);
		hear(&peer, "OTHER", START);
	}
	assert_true(peer.answered >= peer.mark);
}

static void test_when_to_ask(void **state)
{
	struct peer peer = known_peer();

	(void)state;
	peer_doubt(&peer, START);
	assert_true(peer_ask_due(&peer) <= START);
	peer_asks(&peer, START);
	assert_true(peer_ask_due(&peer) == START + WAIT);
	for (int i = 1; i < PEER_OWED_MAX; i++)
		peer_asks(&peer, START + i);
	assert_true(peer_ask_due(&peer) == START + PEER_LATEST + 1);
	peer_asks(&peer, START + PEER_LATEST + 1);
	assert_true(peer.asked - peer.answered == PEER_OWED_MAX);
}

static void test_mute(void **state)
{
	struct peer peer;

	(void)state;
	peer_init(&peer, 1, WAIT, START);
	peer_asks(&peer, START);
	peer.mute = true;
	peer.spoke = START + SECOND;
	assert_true(peer_ask_due(&peer) == START + SECOND + PEER_LATEST);
	peer_clear(&peer);
	assert_false(peer_in_doubt(&peer));
	peer_doubt(&peer, START + 9 * SECOND);
	assert_true(peer_in_doubt(&peer));
	assert_true(peer_ask_due(&peer) == 0);
	peer_asks(&peer, START + 10 * SECOND);
	assert_true(peer_ask_due(&peer) == START + 10 * SECOND + PEER_LATEST);
	peer_forget(&peer);
	assert_false(peer.mute);
}

/* Each word of another master would otherwise leave one more answer owed, which never drains. */
static void test_interrupted_question_is_waited_for(void **state)
{
	struct peer peer = known_peer();

	(void)state;
	peer_doubt(&peer, START);
	assert_int_equal(peer_ask_due(&peer), 0);
	peer_asks(&peer, START);
	peer_interrupt(&peer, START + WAIT / 10);
	assert_true(peer_ask_due(&peer) == START + WAIT);
	assert_int_equal(hear(&peer, "REC BMS", START + WAIT / 5), PEER_ANSWER);
	assert_false(peer_owes(&peer));
	assert_true(peer_in_doubt(&peer));
	assert_int_equal(peer_ask_due(&peer), 0);
	peer_interrupt(&peer, START + WAIT / 5);
	assert_int_equal(peer_ask_due(&peer), 0);
	peer_asks(&peer, START + WAIT / 5);
	hear(&peer, "REC BMS", START + WAIT / 4);
	assert_false(peer_in_doubt(&peer));
}

static void test_patience(void **state)
{
	static const struct {
		int64_t latency, patience;
	} row[] = {
		{ WAIT / 4, WAIT },
		{ WAIT, 2 * WAIT },
		{ SECOND, PEER_PATIENCE_MAX },
		{ 9 * SECOND, PEER_PATIENCE_MAX },
	};
	struct peer peer = known_peer();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		peer_was_late(&peer, row[i].latency);
		assert_true(peer.patience == row[i].patience);
	}
	for (int i = 0; i < 100; i++)
		peer_was_prompt(&peer);
	assert_true(peer.patience == WAIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_learns_what_was_heard_twice),
		cmocka_unit_test(test_what_is_no_identity),
		cmocka_unit_test(test_old_answers_do_not_clear),
		cmocka_unit_test(test_doubt_needs_an_answer),
		cmocka_unit_test(test_reply_settles),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_expiry_is_no_answer),
		cmocka_unit_test(test_another_bms),
		cmocka_unit_test(test_when_to_ask),
		cmocka_unit_test(test_mute),
		cmocka_unit_test(test_interrupted_question_is_waited_for),
		cmocka_unit_test(test_patience),
	};

	return cmocka_run_group_tests_name("peer", tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include "scout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fake_link.h"
#include "test.h"

/* A line on which those addresses answer that have an identity. */
struct line {
	struct fake_link fake;
	struct instruction_table table;
	struct bus *bus;
	struct peer *peer;
	struct scout *scout;
	const char *identity[128];
	unsigned asked[128];
};

static void answer(struct fake_link *fake, const struct frame *frame)
{
	struct line *line = fake->user;
	const char *identity = line->identity[frame->dst];

	line->asked[frame->dst]++;
	if (identity)
		fake_text(fake, MSEC(5), frame->dst, identity);
}

static void ignore(void *user)
{
	(void)user;
}

static void ignore_identity(void *user, const char *text, int64_t asked)
{
	(void)user;
	(void)text;
	(void)asked;
}

static void ignore_error(void *user, int error)
{
	(void)user;
	(void)error;
}

static const struct peer_observer observer = { ignore, ignore_identity, ignore_error };

static int line_make(void **state)
{
	static const struct bus_config config = { .timeout = MSEC(350), .tries = 3 };
	struct line *line = calloc(1, sizeof(*line));
	struct table_error error;

	assert_non_null(line);
	fake_link_init(&line->fake, answer);
	line->fake.user = line;
	assert_int_equal(instruction_table_init(&line->table, &error), 0);
	assert_int_equal(bus_new(&line->bus, &line->fake.link, &line->table, &config), 0);
	assert_int_equal(bus_add_peer(line->bus, &line->peer, 1, &observer, line), 0);
	*state = line;
	return 0;
}

static int line_remove(void **state)
{
	struct line *line = *state;

	bus_free(line->bus);
	scout_free(line->scout);
	instruction_table_free(&line->table);
	free(line);
	return 0;
}

static void start(struct line *line)
{
	assert_int_equal(scout_start(&line->scout, line->bus, &line->table, 1), 0);
	assert_false(scout_run(line->scout));
}

/* Runs until all is known, at most @ms. */
static void run(struct line *line, int64_t ms)
{
	while (ms-- && !scout_run(line->scout))
		fake_run(&line->fake, line->bus, NULL, MSEC(1), NULL);
}

static void the_one_that_answers_is_named(void **state)
{
	struct line *line = *state;

	line->identity[16] = "REC BMS MASTER";
	start(line);
	run(line, 1000);
	assert_true(scout_run(line->scout));
	assert_string_equal(peer_last_error(line->peer),
			    "nobody answers at address 1, but REC BMS MASTER answers at address "
			    "16: add -o address=16");
	/* The others are left alone from now on. */
	fake_run(&line->fake, line->bus, NULL, NSEC_PER_SEC, NULL);
	memset(line->asked, 0, sizeof(line->asked));
	fake_run(&line->fake, line->bus, NULL, 10 * NSEC_PER_SEC, NULL);
	assert_int_equal(line->asked[2] + line->asked[16], 0);
}

static void nobody_is_named_if_nobody_answers(void **state)
{
	struct line *line = *state;

	start(line);
	run(line, 5000);
	assert_true(scout_run(line->scout));
	assert_string_equal(peer_last_error(line->peer), "");
	/* Three times each, and no address but those that models have. */
	for (unsigned address = 1; address < 128; address++)
		assert_int_equal(line->asked[address], address == 2 || address == 16 ? 3 : 0);
}

static void a_line_that_is_lost_ends_the_search(void **state)
{
	struct line *line = *state;

	line->fake.open_result = -ENODEV;
	start(line);
	run(line, 1000);
	assert_true(scout_run(line->scout));
	assert_int_equal(line->fake.requests, 0);
}

/* line_remove() then frees what is still on the wire and in the queue. */
static void it_can_end_while_it_asks(void **state)
{
	struct line *line = *state;

	start(line);
	fake_run(&line->fake, line->bus, NULL, MSEC(100), NULL);
	assert_int_equal(line->asked[2], 1);
	assert_false(scout_run(line->scout));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, line_make, line_remove)
	const struct CMUnitTest tests[] = {
		TEST(the_one_that_answers_is_named),
		TEST(nobody_is_named_if_nobody_answers),
		TEST(a_line_that_is_lost_ends_the_search),
		TEST(it_can_end_while_it_asks),
	};

	return cmocka_run_group_tests_name("scout", tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/agent.h"
#include "test.h"

#define PATIENCE_MS 60000
#define LONG_TEXT   1000000 /* more than a socket holds */

static json_t *await(struct channel *channel)
{
	struct pollfd wait = { channel->fd, POLLIN, 0 };
	json_t *message = NULL;
	int taken;

	while (!(taken = channel_take(channel, &message)))
		assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
	return taken > 0 ? message : NULL;
}

/* Sends each message back, and ends at one that is empty. */
static void echo(struct channel *channel, void *user)
{
	struct pollfd wait = { channel->fd, POLLIN, 0 };
	json_t *message;
	int taken = 0;

	(void)user;
	while (taken >= 0 && poll(&wait, 1, -1) > 0)
		while ((taken = channel_take(channel, &message)) > 0) {
			if (!json_object_size(message))
				return;
			channel_send(channel, message);
		}
}

static void test_messages(void **state)
{
	char *text = malloc(LONG_TEXT + 1);
	struct agent agent;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', LONG_TEXT);
	text[LONG_TEXT] = '\0';
	assert_int_equal(agent_start(&agent, echo, NULL), 0);
	for (int length = 1; length <= LONG_TEXT; length *= 10) {
		json_t *sent = json_pack("{s:s%, s:f}", "te\nxt", text, length, "number", 0.1);
		json_t *echoed;

		assert_int_equal(channel_send(&agent.channel, json_incref(sent)), 0);
		echoed = await(&agent.channel);
		assert_true(json_equal(sent, echoed));
		json_decref(sent);
		json_decref(echoed);
	}
	agent_stop(&agent);
	free(text);
}

/* Two at once come one after the other. */
static void test_messages_queue(void **state)
{
	struct agent agent;

	(void)state;
	assert_int_equal(agent_start(&agent, echo, NULL), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(channel_send(&agent.channel, json_pack("{s:i}", "number", i)), 0);
	for (int i = 0; i < 2; i++) {
		json_t *echoed = await(&agent.channel);

		assert_int_equal(json_integer_value(json_object_get(echoed, "number")), i);
		json_decref(echoed);
	}
	agent_stop(&agent);
}

static void test_an_agent_that_ends(void **state)
{
	struct agent agent;

	(void)state;
	assert_int_equal(agent_start(&agent, echo, NULL), 0);
	assert_int_equal(channel_send(&agent.channel, json_object()), 0);
	assert_null(await(&agent.channel));
	assert_int_equal(channel_send(&agent.channel, json_object()), -EPIPE);
	agent_stop(&agent);
	agent_stop(&agent);
	assert_int_equal(wait(NULL), -1);
}

static void test_text(void **state)
{
	json_t *whole = channel_text("gr\xc3\xbcn"), *broken = channel_text("gr\xfcn");

	(void)state;
	assert_string_equal(json_string_value(whole), "gr\xc3\xbcn");
	assert_string_equal(json_string_value(broken), "gr?n");
	json_decref(whole);
	json_decref(broken);
}

/* That this directory is in no mount of bmsfs; the tests of the programs are in one. */
static void test_working_directory_stays(void **state)
{
	char before[4096], after[4096], *path = agent_leave_mount("some/where");

	(void)state;
	assert_string_equal(path, "some/where");
	free(path);
	assert_non_null(getcwd(before, sizeof(before)));
	path = agent_leave_mount("/some/where");
	assert_string_equal(path, "/some/where");
	free(path);
	assert_non_null(getcwd(after, sizeof(after)));
	assert_string_equal(before, after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_messages_queue),
		cmocka_unit_test(test_an_agent_that_ends),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_working_directory_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

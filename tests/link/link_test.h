/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the tests of links share. */
#ifndef BMSFS_LINK_TEST_H
#define BMSFS_LINK_TEST_H

#include <poll.h>
#include <string.h>

#include "link/backends.h"
#include "test.h"

#define PATIENCE_MS 20000 /* no test takes it; one that fails does */

static const struct link_config test_config = { .baud = 56000 };

/* Waits until @fd is ready and returns what for; 0 if it never is. */
static inline short wait_for(int fd, short events)
{
	struct pollfd poller = { .fd = fd, .events = events };

	return poll(&poller, 1, PATIENCE_MS) > 0 ? poller.revents : 0;
}

static inline int descriptor(const struct link *link)
{
	short events;

	return link->ops->fd(link, &events);
}

/* Opens it as the event loop does: waits for what it says it waits for. As open(), but never 0. */
static inline int open_link(struct link *link)
{
	int result = link_open(link);

	while (result == 0) {
		short events;
		int fd = link->ops->fd(link, &events);

		assert_true(fd >= 0 && events);
		assert_true(link->ops->wake(link) > link->ops->now(link));
		assert_true(wait_for(fd, events));
		result = link->ops->poll(link);
	}
	return result;
}

/* Waits for bytes or an end and reads. */
static inline ssize_t read_link(struct link *link, void *bytes, size_t size)
{
	assert_true(wait_for(descriptor(link), POLLIN));
	return link->ops->read(link, bytes, size);
}

static inline struct link *make_link(link_constructor *constructor, const char *target)
{
	char reason[256] = "";
	struct link *link = NULL;

	assert_int_equal(constructor(&link, target, &test_config, reason, sizeof(reason)), 0);
	assert_string_equal(reason, "");
	assert_string_equal(link->error, "");
	return link;
}

static inline void assert_says(const struct link *link, const char *part)
{
	if (!strstr(link->error, part))
		fail_msg("\"%s\" does not say \"%s\"", link->error, part);
}

#endif

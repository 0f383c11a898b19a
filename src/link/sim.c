// SPDX-License-Identifier: LGPL-3.0-or-later
/* The built-in BMS as a link. It lives on while the link is closed, as a real one would. */
#include "sim/sim.h"

#include <errno.h>
#include <stdlib.h>

#include "link/backends.h"
#include "nsec.h"

struct sim_link {
	struct link link;
	struct sim *sim;
	bool open;
};

static struct sim_link *to_sim(const struct link *link)
{
	return (struct sim_link *)link;
}

static void sim_link_flush(struct link *link)
{
	char waste[256];

	while (sim_transmit(to_sim(link)->sim, waste, sizeof(waste), link->ops->now(link)) > 0)
		;
}

static int sim_link_open(struct link *link)
{
	link->error[0] = '\0';
	sim_link_flush(link); /* what was sent to nobody is lost */
	link->actual_baud = link->baud;
	to_sim(link)->open = true;
	return 1;
}

static int sim_link_poll(struct link *link)
{
	(void)link;
	return 1;
}

static void sim_link_close(struct link *link)
{
	to_sim(link)->open = false;
}

static ssize_t sim_link_read(struct link *link, void *bytes, size_t size)
{
	struct sim_link *sim = to_sim(link);

	if (!sim->open)
		return link_fail(link, ENODEV, "the simulated BMS is not open");
	return (ssize_t)sim_transmit(sim->sim, bytes, size, link->ops->now(link));
}

static ssize_t sim_link_write(struct link *link, const void *bytes, size_t size)
{
	struct sim_link *sim = to_sim(link);

	if (!sim->open)
		return link_fail(link, ENODEV, "the simulated BMS is not open");
	sim_receive(sim->sim, bytes, size, link->ops->now(link));
	return (ssize_t)size;
}

static int sim_link_fd(const struct link *link, short *opening_events)
{
	(void)link;
	*opening_events = 0;
	return -1;
}

static int64_t sim_link_wake(const struct link *link)
{
	const struct sim_link *sim = to_sim(link);

	return sim->open ? sim_wake(sim->sim) : NSEC_NEVER;
}

static void sim_link_free(struct link *link)
{
	sim_free(to_sim(link)->sim);
	free(link);
}

static const struct link_ops sim_ops = {
	.name = "sim",
	.open = sim_link_open,
	.poll = sim_link_poll,
	.close = sim_link_close,
	.read = sim_link_read,
	.write = sim_link_write,
	.flush = sim_link_flush,
	.fd = sim_link_fd,
	.wake = sim_link_wake,
	.now = link_boottime,
	.free = sim_link_free,
};

int sim_link_new(struct link **link, const char *target, const struct link_config *config,
		 char *reason, size_t size)
{
	struct sim_config settings = sim_config_default;
	struct sim_link *sim;
	int err = *target ? sim_config_parse(&settings, target, reason, size) : 0;

	if (err < 0)
		return err;
	sim = calloc(1, sizeof(*sim));
	if (!sim)
		return -ENOMEM;
	err = sim_new(&sim->sim, &settings, config->table, config->now, reason, size);
	if (err < 0) {
		free(sim);
		return err;
	}
	sim->link.ops = &sim_ops;
	sim->link.baud = settings.baud;
	*link = &sim->link;
	return 0;
}

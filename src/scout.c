// SPDX-License-Identifier: LGPL-3.0-or-later
#include "scout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct candidate {
	struct scout *scout;
	struct peer *peer;
	struct transaction question;
	char identity[SAMPLE_TEXT_MAX]; /* "" until it has answered */
};

struct scout {
	struct bus *bus;
	uint8_t silent;
	unsigned candidates, waiting;
	struct candidate candidate[MODEL_MAX];
	char found[128]; /* "ACTIVE answers at address 2; add -o address=2" */
};

static void opened(void *user)
{
	(void)user;
}

static void identified(void *user, const char *text, int64_t asked)
{
	struct candidate *candidate = user;

	(void)asked;
	snprintf(candidate->identity, sizeof(candidate->identity), "%s", text);
}

static void lost(void *user, int error)
{
	(void)user;
	(void)error;
}

static const struct peer_observer observer = {
	.opened = opened,
	.identity = identified,
	.lost = lost,
};

static void answered(struct transaction *question, int error, const struct sample *sample)
{
	struct candidate *candidate = question->user;

	(void)error;
	(void)sample;
	candidate->scout->waiting--;
}

static int ask(struct scout *scout, const struct instruction *idn, uint8_t address)
{
	struct candidate *candidate = &scout->candidate[scout->candidates];
	int err = bus_add_guest(scout->bus, &candidate->peer, address, &observer, candidate);

	/* The silent one, or the address of another model, too. */
	if (err == -EBUSY)
		return 0;
	if (err < 0)
		return err;
	candidate->scout = scout;
	candidate->question = (struct transaction){
		.peer = candidate->peer,
		.row = idn,
		.once = true,
		.done = answered,
		.user = candidate,
	};
	scout->candidates++;
	scout->waiting++;
	bus_submit(scout->bus, &candidate->question);
	return 0;
}

int scout_start(struct scout **started, struct bus *bus, const struct instruction_table *table,
		uint8_t silent)
{
	const struct instruction *idn = &table->row[instruction_find(table, "*IDN")];
	struct scout *scout = calloc(1, sizeof(*scout));
	int err = 0;

	if (!scout)
		return -ENOMEM;
	*started = scout;
	scout->bus = bus;
	scout->silent = silent;
	for (size_t i = 0; !err && i < table->models; i++)
		err = ask(scout, idn, table->model[i].address);
	return err;
}

/* The first that has answered will do: whoever has several names their addresses. */
static const struct candidate *find_answer(const struct scout *scout)
{
	for (unsigned i = 0; i < scout->candidates; i++)
		if (*scout->candidate[i].identity)
			return &scout->candidate[i];
	return NULL;
}

bool scout_run(struct scout *scout)
{
	const struct candidate *found = find_answer(scout);

	if (found && !*scout->found) {
		snprintf(scout->found, sizeof(scout->found),
			 "%.40s answers at address %u: add -o address=%u", found->identity,
			 peer_address(found->peer), peer_address(found->peer));
		bus_found_elsewhere(scout->bus, scout->silent, scout->found);
		for (unsigned i = 0; i < scout->candidates; i++)
			bus_withdraw(scout->bus, &scout->candidate[i].question);
	}
	return found || !scout->waiting;
}

void scout_free(struct scout *scout)
{
	free(scout);
}

// SPDX-License-Identifier: LGPL-3.0-or-later
/* Samples with an age, and the queries that wait for them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/engine.h"

static void query_done(struct transaction *transaction, int error, const struct sample *sample);

int device_new(struct device **device, struct bus *bus, const struct instruction_table *table,
	       const struct device_config *config)
{
	struct device *d = calloc(1, sizeof(*d));
	int r = -ENOMEM;

	if (!d)
		return r;
	d->config = *config;
	d->table = table;
	d->bus = bus;
	d->model = config->model;
	d->idn = instruction_find(table, "*IDN");
	d->cell = instruction_find(table, "CELL");
	d->ptem = instruction_find(table, "PTEM");
	TAILQ_INIT(&d->parked);
	TAILQ_INIT(&d->finished);
	TAILQ_INIT(&d->writes);
	d->slot = calloc(table->rows, sizeof(*d->slot));
	if (!d->slot)
		goto out_free;
	r = bus_add_peer(bus, &d->peer, config->address, &identity_observer, d);
	if (r < 0)
		goto out_free_slots;
	peer_set_model(d->peer, d->model);
	for (size_t row = 0; row < table->rows; row++)
		d->slot[row].query = (struct transaction){
			.peer = d->peer,
			.row = &table->row[row],
			.once = table->row[row].consuming,
			.done = query_done,
			.user = d,
		};
	*device = d;
	return 0;

out_free_slots:
	free(d->slot);
out_free:
	free(d);
	return r;
}

void device_free(struct device *device)
{
	if (!device)
		return;
	for (size_t row = 0; row < device->table->rows; row++) {
		free(device->slot[row].log);
		free(device->slot[row].reason);
	}
	free(device->slot);
	free(device);
}

void device_observe(struct device *device, const struct device_observer *observer, void *user)
{
	device->observer = observer;
	device->user = user;
}

static void tell_sampled(struct device *device, unsigned row)
{
	if (device->observer)
		device->observer->sampled(device->user, row);
}

int64_t device_ttl(const struct device *device, unsigned row)
{
	const struct instruction *i = &device->table->row[row];

	if (i->consuming)
		return 0;
	switch (i->class) {
	case CLASS_LIVE:
		return device->config.ttl;
	case CLASS_SETTING:
		return device->config.ttl_settings;
	case CLASS_IDENTITY:
		return NSEC_NEVER;
	}
	return 0;
}

/* The earliest moment that may still answer a call. */
static int64_t fresh_since(const struct device *device, unsigned row, const struct freshness *fresh)
{
	int64_t ttl = fresh->direct ? 0 : device_ttl(device, row);

	return ttl > fresh->call ? 1 : fresh->call - ttl;
}

/*
 * A failure, and that the BMS answers at all, is known for the time of live data: a setting is not
 * away longer than a voltage.
 */
static int64_t shared_since(const struct device *device, const struct freshness *fresh)
{
	return fresh->call - (fresh->direct ? 0 : device->config.ttl);
}

bool device_knows_not(const struct device *device, unsigned row)
{
	int64_t until = device->slot[row].unknown_until;

	return !device_has(device, row) || (until && until > bus_now(device->bus));
}

bool device_lacks(const struct device *device, unsigned row)
{
	return !device_has(device, row) ||
	       (device_knows_not(device, row) && device->slot[row].unknown_times > 1);
}

/* What was asked for before the last write: that may have changed more than its own setting. */
static bool overwritten(const struct device *device, unsigned row)
{
	const struct instruction *i = &device->table->row[row];

	return i->class != CLASS_IDENTITY && !i->consuming &&
	       device->slot[row].asked < device->wrote;
}

static bool sample_fresh(const struct device *device, unsigned row, const struct freshness *fresh)
{
	const struct slot *slot = &device->slot[row];

	return slot->has && slot->asked >= fresh_since(device, row, fresh) &&
	       !overwritten(device, row);
}

/* The failure of the row, or of the whole BMS, that is no older than @since, or 0. */
static int failure_since(const struct device *device, unsigned row, int64_t since)
{
	const struct slot *slot = &device->slot[row];

	if (slot->error && slot->failed >= since)
		return slot->error;
	return device->away_since >= since ? device->away : 0;
}

static bool failure_fresh(const struct device *device, unsigned row, const struct freshness *fresh)
{
	return failure_since(device, row, shared_since(device, fresh)) != 0;
}

static bool row_answered(const struct device *device, unsigned row, const struct freshness *fresh)
{
	return sample_fresh(device, row, fresh) || failure_fresh(device, row, fresh) ||
	       device_knows_not(device, row);
}

/* A failure counts once the sample before it is no longer fresh: until then it still answers. */
static int sample_newest(const struct device *device, unsigned row)
{
	const struct freshness now = { .call = bus_now(device->bus) };
	const struct slot *slot = &device->slot[row];
	int error = failure_since(device, row, slot->has ? slot->asked + 1 : 0);

	if (error && !sample_fresh(device, row, &now))
		return error;
	return slot->has ? 0 : -ENODATA;
}

int device_sample(const struct device *device, unsigned row, const struct freshness *fresh,
		  const struct sample **sample)
{
	const struct slot *slot = &device->slot[row];
	int error;

	*sample = &slot->sample;
	if (device_knows_not(device, row))
		return -EOPNOTSUPP;
	if (fresh->call == 0)
		return sample_newest(device, row);
	if (sample_fresh(device, row, fresh))
		return 0;
	if (slot->has && device->config.grace && !device->table->row[row].consuming &&
	    !overwritten(device, row) &&
	    slot->asked >= fresh_since(device, row, fresh) - device->config.grace)
		return 0;
	error = failure_since(device, row, shared_since(device, fresh));
	return error ? error : -ETIMEDOUT;
}

int64_t device_asked(const struct device *device, unsigned row)
{
	return device->slot[row].has ? device->slot[row].asked : 0;
}

static void slot_want(struct device *device, unsigned row)
{
	struct slot *slot = &device->slot[row];

	if (slot->wanted)
		return;
	slot->wanted = true;
	bus_submit(device->bus, &slot->query);
}

/* Nobody misses the row any more: takes its question back, unless it is on the wire. */
static void slot_unwant(struct device *device, unsigned row)
{
	struct slot *slot = &device->slot[row];

	/* What a consuming row was asked for may come late, and never again. */
	if (!slot->wanted || (device->table->row[row].consuming && slot->query.asked))
		return;
	if (bus_withdraw(device->bus, &slot->query))
		slot->wanted = false;
}

static bool query_answered(const struct device *device, const struct device_query *query)
{
	row_set_foreach (row, &query->need)
		if (!row_answered(device, row, &query->fresh))
			return false;
	return true;
}

bool device_query(struct device *device, struct device_query *query)
{
	if (!query->deadline)
		query->deadline = query->fresh.call + device->config.deadline;
	if (query_answered(device, query))
		return true;
	TAILQ_INSERT_TAIL(&device->parked, query, entry);
	query->finished = false;
	row_set_foreach (row, &query->need)
		if (!row_answered(device, row, &query->fresh))
			slot_want(device, row);
	return false;
}

void device_query_cancel(struct device *device, struct device_query *query)
{
	if (query->finished)
		TAILQ_REMOVE(&device->finished, query, entry);
	else
		TAILQ_REMOVE(&device->parked, query, entry);
}

static void query_finish(struct device *device, struct device_query *query)
{
	TAILQ_REMOVE(&device->parked, query, entry);
	TAILQ_INSERT_TAIL(&device->finished, query, entry);
	query->finished = true;
}

/* Their owners may start and cancel others meanwhile. */
void device_tell(struct device *device)
{
	struct device_query *query;

	while ((query = TAILQ_FIRST(&device->finished))) {
		TAILQ_REMOVE(&device->finished, query, entry);
		query->done(query);
	}
}

static bool row_missed(const struct device *device, unsigned row)
{
	const struct device_query *query;

	TAILQ_FOREACH (query, &device->parked, entry)
		if (row_set_has(&query->need, row) && !row_answered(device, row, &query->fresh))
			return true;
	return false;
}

/* Something changed about the row: who has all that he needs, and is it to be asked (again)? */
static void row_review(struct device *device, unsigned row)
{
	struct device_query *query, *next;

	for (query = TAILQ_FIRST(&device->parked); query; query = next) {
		next = TAILQ_NEXT(query, entry);
		if (row_set_has(&query->need, row) && query_answered(device, query))
			query_finish(device, query);
	}
	if (row_missed(device, row))
		slot_want(device, row);
	else
		slot_unwant(device, row);
}

void device_review(struct device *device)
{
	for (size_t row = 0; row < device->table->rows; row++)
		row_review(device, row);
}

/* Whether a whole line of @log is @text. */
static bool log_has(const char *log, const char *text, size_t size)
{
	for (const char *line = log; *line; line = strchr(line, '\n') + 1)
		if (strncmp(line, text, size) == 0 && line[size] == '\n')
			return true;
	return false;
}

/* The same line again is the same event: a BMS that starts over tells what it told before. */
static void log_append(struct slot *slot)
{
	size_t used;

	if (slot->sample.size == 0)
		return;
	if (!slot->log)
		slot->log = calloc(1, DEVICE_LOG_MAX);
	if (!slot->log || log_has(slot->log, slot->sample.text, slot->sample.size))
		return;
	used = strlen(slot->log);
	while (used + slot->sample.size + 2 > DEVICE_LOG_MAX) {
		char *second = strchr(slot->log, '\n') + 1;

		used -= second - slot->log;
		memmove(slot->log, second, used + 1);
	}
	snprintf(slot->log + used, DEVICE_LOG_MAX - used, "%s\n", slot->sample.text);
}

const char *device_log(const struct device *device, unsigned row)
{
	const char *log = device->slot[row].log;

	return log ? log : "";
}

static void slot_fail(struct device *device, unsigned row, int error)
{
	struct slot *slot = &device->slot[row];
	bool unknown = error == -EOPNOTSUPP || error == -EREMOTEIO;

	/* What has answered before is not unknown: it was busy, or out of sorts. */
	if (unknown && slot->known)
		error = error == -EOPNOTSUPP ? -ETIMEDOUT : error;
	else if (unknown)
		error = -EOPNOTSUPP;
	slot->error = error;
	free(slot->reason);
	slot->reason = strdup(peer_last_error(device->peer));
	slot->failed = bus_now(device->bus);
	if (error == -EOPNOTSUPP) {
		slot->unknown_until = slot->failed + DEVICE_UNKNOWN_TIME;
		slot->unknown_times++;
	}
}

void deadline_reason(const struct device *device, char *reason, size_t size)
{
	snprintf(reason, size, "no answer within the deadline of %g s%s",
		 (double)device->config.deadline / NSEC_PER_SEC,
		 bus_shared(device->bus) ? ", while another master uses the line" : "");
}

void device_reason(const struct device *device, unsigned row, const struct freshness *fresh,
		   char *reason, size_t size)
{
	const struct slot *slot = &device->slot[row];
	int64_t since = shared_since(device, fresh);
	const char *known = NULL;

	if (device_knows_not(device, row))
		known = "this BMS does not answer this instruction; bmsfs tries it again after 10 "
			"minutes";
	else if (slot->error && slot->failed >= since)
		known = slot->reason ? slot->reason : "";
	else if (device->away && device->away_since >= since)
		known = device->away_reason;
	if (known)
		snprintf(reason, size, "%s", known);
	else
		deadline_reason(device, reason, size);
}

const char *device_last_error(const struct device *device)
{
	return peer_last_error(device->peer);
}

void device_overwrite(struct device *device)
{
	device->wrote = bus_now(device->bus);
	device_review(device);
	device_tell(device);
}

void device_drop(struct device *device, unsigned row)
{
	struct slot *slot = &device->slot[row];

	free(slot->log);
	slot->log = NULL;
	if (!slot->has && !slot->error)
		return;
	slot->has = false;
	slot->error = 0;
	tell_sampled(device, row);
}

void device_store(struct device *device, unsigned row, int error, const struct sample *sample,
		  int64_t asked)
{
	struct slot *slot = &device->slot[row];

	if (error) {
		slot_fail(device, row, error);
	} else {
		if ((int)row == device->idn)
			identity_learn(device, sample);
		sample_copy(&slot->sample, sample);
		slot->has = slot->known = true;
		device->away = 0;
		slot->asked = asked;
		slot->error = 0;
		slot->unknown_until = 0;
		slot->unknown_times = 0;
		if (device->table->row[row].consuming)
			log_append(slot);
		shape_learn(device, row);
	}
	tell_sampled(device, row);
	row_review(device, row);
	device_tell(device);
}

static void query_done(struct transaction *transaction, int error, const struct sample *sample)
{
	struct device *device = transaction->user;
	unsigned row = transaction->row - device->table->row;

	device->slot[row].wanted = false;
	device_store(device, row, error, sample, transaction->asked);
}

/* Over its deadline: its caller is answered, whatever the bus is doing. */
static void query_expire(struct device *device, struct device_query *query)
{
	query_finish(device, query);
	row_set_foreach (row, &query->need)
		if (!row_answered(device, row, &query->fresh) && !row_missed(device, row))
			slot_unwant(device, row);
}

void device_run(struct device *device)
{
	int64_t now = bus_now(device->bus);
	struct device_query *query, *next;

	for (query = TAILQ_FIRST(&device->parked); query; query = next) {
		next = TAILQ_NEXT(query, entry);
		if (query->deadline <= now)
			query_expire(device, query);
	}
	device_tell(device);
	job_run(device, now);
}

int64_t device_wake(const struct device *device)
{
	const struct device_query *query;
	int64_t wake = job_wake(device);

	TAILQ_FOREACH (query, &device->parked, entry)
		wake = nsec_min(wake, query->deadline);
	return wake;
}

const struct instruction_table *device_table(const struct device *device)
{
	return device->table;
}

const struct device_config *device_config(const struct device *device)
{
	return &device->config;
}

struct bus *device_bus(const struct device *device)
{
	return device->bus;
}

enum bus_state device_state(const struct device *device)
{
	return peer_state(device->bus, device->peer);
}

int device_online(const struct device *device, const struct freshness *fresh)
{
	int64_t answered = peer_last_answered(device->peer);

	switch (device_state(device)) {
	case BUS_CLOSED:
	case BUS_ABSENT:
		return -ENODEV;
	case BUS_SILENT:
		return device->away ? device->away : -ETIMEDOUT;
	case BUS_OPENING:
		return -ETIMEDOUT;
	case BUS_ONLINE:
		break;
	}
	return answered && answered >= shared_since(device, fresh) ? 0 : -ETIMEDOUT;
}

bool device_identified(const struct device *device)
{
	return peer_identified(device->peer);
}

bool device_has(const struct device *device, unsigned row)
{
	return instruction_variant(&device->table->row[row], device->model)->present;
}

bool device_writable(const struct device *device, unsigned row)
{
	const struct instruction *i = &device->table->row[row];

	return i->writable && (!i->locked || device->config.unlock) && device_has(device, row);
}

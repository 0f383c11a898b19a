// SPDX-License-Identifier: LGPL-3.0-or-later
/* The invariants. What the device holds is compared with what the BMS has really said. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bus/engine.h"
#include "device/engine.h"
#include "tree/ino.h"
#include "tree/node.h"
#include "world.h"

#define DIGITS 2e-5 /* of a float, relative, that a reply may be off */

/* --- freshness --- */

/* The earliest moment that may answer. Worked out here a second time, on purpose. */
static int64_t since(const struct world *world, unsigned row, const struct freshness *fresh)
{
	const struct instruction *instruction = &world->table->row[row];
	int64_t ttl = 0;

	if (instruction->class == CLASS_IDENTITY)
		ttl = fresh->call;
	else if (instruction->class == CLASS_SETTING)
		ttl = world->config.ttl_settings;
	else
		ttl = world->config.ttl;
	if (fresh->direct || instruction->consuming)
		ttl = 0;
	return fresh->call - ttl;
}

static bool unknown(const struct world *world, unsigned row)
{
	return device_knows_not(world->device, row);
}

static bool failed(const struct world *world, unsigned row, const struct freshness *fresh)
{
	const struct row_state *state = &world->row[row];
	const struct device *device = world->device;
	int64_t from = fresh->call - (fresh->direct ? 0 : world->config.ttl);

	return (state->failed && state->failed >= from) ||
	       (device->away && device->away_since >= from);
}

/* A row that the BMS turns out not to have may be asked for all the same by who waits already. */
static bool told(const struct world *world, unsigned row, const struct freshness *fresh)
{
	const struct row_state *state = &world->row[row];
	int64_t from = since(world, row, fresh);

	if (world->table->row[row].class != CLASS_IDENTITY && from < world->device->wrote)
		from = world->device->wrote;
	return (state->asked && state->asked >= from) || failed(world, row, fresh);
}

static bool answered(const struct world *world, unsigned row, const struct freshness *fresh)
{
	return told(world, row, fresh) || unknown(world, row);
}

static bool all_told(const struct world *world, const struct reader *reader)
{
	for (unsigned i = 0; i < reader->rows; i++)
		if (!told(world, reader->row[i], &reader->fresh))
			return false;
	return true;
}

bool check_answered(const struct world *world, const struct reader *reader)
{
	for (unsigned i = 0; i < reader->rows; i++)
		if (!answered(world, reader->row[i], &reader->fresh))
			return false;
	return true;
}

void check_parked(struct world *world, struct reader *reader, bool had_all)
{
	if (had_all)
		world_violate(world,
			      "%s was asked for at %.6f, failed at %.6f%s, and a reader of %.6f "
			      "waits all the same",
			      world_name(world, reader->row[0]),
			      (double)world->row[reader->row[0]].asked / NSEC_PER_SEC,
			      (double)world->row[reader->row[0]].failed / NSEC_PER_SEC,
			      unknown(world, reader->row[0]) ? ", is unknown" : "",
			      (double)reader->fresh.call / NSEC_PER_SEC);
	for (unsigned i = 0; i < reader->rows; i++) {
		struct row_state *state = &world->row[reader->row[i]];

		if (!answered(world, reader->row[i], &reader->fresh))
			state->wanted = true;
	}
}

/* --- what the device tells --- */

static bool somebody_lacks(const struct world *world, unsigned row)
{
	for (int i = 0; i < READERS; i++) {
		const struct reader *reader = &world->reader[i];

		for (unsigned r = 0; reader->busy && r < reader->rows; r++)
			if (reader->row[r] == row && !answered(world, row, &reader->fresh))
				return true;
	}
	return false;
}

/* Which BMS the device shows now. */
static void identity_told(struct world *world, const struct sample *sample)
{
	const struct instruction *row = &world->table->row[world->idn];
	const struct truth_reply *reply =
		truth_find(&world->link.truth, (unsigned)world->idn, 0, truth_hash(row, sample));

	if (!reply) {
		world_violate(world, "the identity \"%s\" is none the BMS said", sample->text);
		return;
	}
	world->known = reply->generation;
}

static void sampled(void *user, unsigned row)
{
	const struct freshness any = { 0 };
	struct world *world = user;
	struct row_state *state = &world->row[row];
	const struct sample *sample;
	int error = device_sample(world->device, row, &any, &sample);

	world->news = true;
	state->asked = device_asked(world->device, row);
	state->failed = world->device->slot[row].error ? world_now(world) : 0;
	/* It was dropped, and who waits goes on waiting. */
	if (!state->asked && !state->failed)
		return;
	state->wanted = somebody_lacks(world, row);
	if (!error && (int)row == world->idn)
		identity_told(world, sample);
}

static void reshaped(void *user)
{
	(void)user;
}

static void wrote(void *user, const struct device_write *write, int error)
{
	(void)user;
	(void)write;
	(void)error;
}

const struct device_observer check_observer = { sampled, reshaped, wrote };

/* --- what goes over the wire --- */

/* Whether the job is at work on the wire, and on what. */
static const struct transaction *job_transaction(const struct world *world)
{
	const struct job *job = &world->device->job;

	bool first;

	if (job->step == JOB_IDLE)
		return NULL;
	first = job->step == JOB_READ || job->transaction.row->verify == VERIFY_NONE;
	if (first && !job->transaction.tried)
		return NULL;
	return &job->transaction;
}

static bool anybody(const struct world *world)
{
	const struct device *device = world->device;

	if (world->readers || world->writers || device->starting || device->job.step != JOB_IDLE)
		return true;
	for (unsigned row = 0; row < world->table->rows; row++)
		if (world->row[row].wanted || device->slot[row].wanted)
			return true;
	return false;
}

static void check_query(struct world *world, int row)
{
	const struct device *device = world->device;
	const struct transaction *job = job_transaction(world);
	struct row_state *state = &world->row[row];
	bool shape = row == device->cell || row == device->ptem;

	/* The rest of a request that was begun goes out even if those who waited are gone. */
	if (world->link.offered != world_now(world))
		return;
	if (row == world->idn) {
		if (!anybody(world))
			world_violate(world, "*IDN? was sent and nobody waits");
		return;
	}
	if (job && job->row != &world->table->row[row])
		world_violate(world, "%s was asked in the middle of the write of %s",
			      world_name(world, (unsigned)row), job->row->mnemonic);
	if (!job && !state->wanted && !somebody_lacks(world, (unsigned)row) &&
	    !(shape && device->slot[row].wanted))
		world_violate(world, "%s was asked and nobody lacks it",
			      world_name(world, (unsigned)row));
	if (world->bus->current && world->bus->current->tried > world->bus_config.tries)
		world_violate(world, "%s was tried %u times", world_name(world, (unsigned)row),
			      world->bus->current->tried);
}

static bool changed_since(const struct world *world, unsigned row, int64_t when)
{
	return world->link.truth.row[row].changed >= when;
}

/* One pair of neighbours; @step -1: @other must lie below the written value. */
static void check_pair(struct world *world, unsigned row, double wanted, unsigned other, int step,
		       bool or_equal)
{
	double before, limit, wrong, was, slack;

	if (!fault_link_holds(&world->link, row, &before) ||
	    !fault_link_holds(&world->link, other, &limit))
		return;
	wrong = step < 0 ? limit - wanted : wanted - limit;
	was = step < 0 ? limit - before : before - limit;
	slack = DIGITS * (fabs(limit) + fabs(before));
	/* Read back, a value has six digits: what is equal there may differ a little. */
	if (wrong > slack && !(was > -slack && wrong <= was + slack))
		world_violate(world, "%s was set to %g against %s%s, which is %g, from %g",
			      world_name(world, row), wanted, world_name(world, other),
			      or_equal ? " (or equal)" : "", limit, before);
}

static void check_order(struct world *world, const struct order *order, unsigned row, double wanted,
			int64_t called)
{
	int at = -1;

	for (unsigned i = 0; i < order->members; i++)
		if (order->member[i].row == row)
			at = (int)i;
	for (int step = -1; at >= 0 && step <= 1; step += 2) {
		bool or_equal = true;

		for (int i = at + step; i >= 0 && i < (int)order->members; i += step) {
			unsigned other = order->member[i].row;

			or_equal = or_equal && order->member[step < 0 ? i : i - 1].or_equal;
			if (unknown(world, other))
				continue;
			if (!changed_since(world, other, called) &&
			    !changed_since(world, row, called))
				check_pair(world, row, wanted, other, step, or_equal);
			break;
		}
	}
}

/* What the job has read of the setting before it sets it is of the BMS that is shown. */
static void check_operand(struct world *world, unsigned row)
{
	const struct instruction *instruction = &world->table->row[row];
	const struct freshness any = { 0 };
	const struct truth_reply *reply;
	const struct sample *sample;

	if (instruction->verify == VERIFY_NONE)
		return;
	device_sample(world->device, row, &any, &sample);
	reply = truth_find(&world->link.truth, row, device_asked(world->device, row),
			   truth_hash(instruction, sample));
	if (!reply || reply->generation < world->known)
		world_violate(world, "%s was set by what another BMS said", world_name(world, row));
}

static struct writer *job_writer(struct world *world)
{
	for (int i = 0; i < WRITERS; i++)
		if (world->writer[i].busy && &world->writer[i].write == world->device->job.write)
			return &world->writer[i];
	return NULL;
}

static void check_set(struct world *world, unsigned row, const char *value, int64_t asked)
{
	struct writer *writer = job_writer(world);

	/* Its caller was told already when the rest of it could be written. */
	if (!writer && world->link.offered != world_now(world))
		return;
	if (!writer || writer->write.row != row || strcmp(writer->write.setting.text, value)) {
		world_violate(world, "%s was set to %s and nobody wrote that",
			      world_name(world, row), value);
		return;
	}
	check_operand(world, row);
	for (unsigned i = 0; i < world->table->orders; i++)
		check_order(world, &world->table->order[i], row, writer->write.setting.number,
			    writer->called);
	writer->set_at = asked;
}

void check_request(void *user, const struct frame *request, int64_t asked)
{
	struct world *world = user;
	struct fault_link *link = &world->link;
	const char *value;
	int row = fault_link_row(link, request, &value);

	if (row < 0 || request->dst != link->address || request->snd != FRAME_HOST) {
		world_violate(world, "a request that means nothing");
		return;
	}
	if (link->requests > 1 && !link->heard && link->closes == world->closes &&
	    link->offered - link->last_offered < world->bus_config.timeout)
		world_violate(world, "%s was sent while another request was outstanding",
			      world_name(world, (unsigned)row));
	world->closes = link->closes;
	if (value)
		check_set(world, (unsigned)row, value, asked);
	else
		check_query(world, row);
}

/* --- reads --- */

static void check_row(struct world *world, unsigned row, const struct freshness *fresh)
{
	const struct instruction *instruction = &world->table->row[row];
	int64_t from = since(world, row, fresh), asked = device_asked(world->device, row);
	const struct truth_reply *reply;
	const struct sample *sample;

	if (device_sample(world->device, row, fresh, &sample)) {
		world_violate(world, "%s was shown without a sample", world_name(world, row));
		return;
	}
	if (!instruction->consuming)
		from -= world->config.grace;
	if (asked < from)
		world_violate(world, "%s is too old: asked for %.6f s before the call",
			      world_name(world, row), (double)(fresh->call - asked) / NSEC_PER_SEC);
	/* Another master's *IDN? while ours is out looks like its echo, and the answer like ours. */
	reply = truth_find(&world->link.truth, row,
			   (int)row == world->idn ? asked - FAULT_LATEST : asked,
			   truth_hash(instruction, sample));
	if (!reply)
		world_violate(world, "%s is not what the BMS said: \"%s\" (%g ...), asked %.6f",
			      world_name(world, row), sample->text,
			      sample->numbers ? sample->number[0] : NAN,
			      (double)asked / NSEC_PER_SEC);
	else if (reply->generation < world->known)
		world_violate(world, "%s is of BMS number %u, and number %u is shown",
			      world_name(world, row), reply->generation, world->known);
	if (instruction->class == CLASS_SETTING && asked < world->set_over)
		world_violate(world, "%s was asked for before a setting was written",
			      world_name(world, row));
}

/* The text of an instruction that is a single number. */
static void check_text(struct world *world, unsigned row, const struct freshness *fresh,
		       const char *text)
{
	const struct instruction *instruction = &world->table->row[row];
	const struct truth_reply *reply;
	const struct sample *sample;
	double number, truth;

	if (instruction->array || instruction->type == VALUE_TEXT ||
	    instruction->type == VALUE_CLOCK)
		return;
	device_sample(world->device, row, fresh, &sample);
	reply = truth_find(&world->link.truth, row, device_asked(world->device, row),
			   truth_hash(instruction, sample));
	if (!reply)
		return;
	number = strtod(text, NULL);
	truth = reply->number;
	if (instruction->type == VALUE_FLOAT ? (float)number != (float)truth : number != truth)
		world_violate(world, "%s shows %.*s for %g", world_name(world, row),
			      (int)strcspn(text, "\n"), text, truth);
}

/* A read may end so before its deadline only if a try of something it needs did. */
static void check_timeout(struct world *world, const struct reader *reader)
{
	if (world_now(world) >= reader->deadline)
		return;
	for (unsigned i = 0; i < reader->rows; i++)
		if (failed(world, reader->row[i], &reader->fresh))
			return;
	world_violate(world, "reading %s timed out %.3f s before its deadline, and nothing failed",
		      world_name(world, reader->row[reader->rows - 1]),
		      (double)(reader->deadline - world_now(world)) / NSEC_PER_SEC);
}

/* A file that says whether the BMS answers, and is right without any sample. */
static bool shows_online(const struct reader *reader)
{
	const struct place place = place_unpack(reader->ino);
	const struct node *node = place.dir == DIR_ROWS ? NULL : tree_node(&place);

	return node && node->rows == online_rows;
}

/* "1": the BMS has answered a request no older than ttl; what grace keeps does not count. */
static void check_online(struct world *world, const struct reader *reader, const char *text)
{
	const struct freshness *fresh = &reader->fresh;
	int64_t from = fresh->call - (fresh->direct ? 0 : world->config.ttl);

	if (strcmp(text, "1\n") != 0)
		return;
	for (unsigned row = 0; row < world->table->rows; row++)
		if (truth_newest(&world->link.truth, row, from))
			return;
	world_violate(world, "online without a reply to a request since %.6f",
		      (double)from / NSEC_PER_SEC);
}

void check_read(struct world *world, const struct reader *reader, const char *text, ssize_t length)
{
	for (unsigned i = 0; i < reader->rows; i++)
		if (!answered(world, reader->row[i], &reader->fresh))
			world->row[reader->row[i]].wanted =
				world->device->slot[reader->row[i]].wanted;
	if (length < 0) {
		world->figures->errors++;
		if (length == -ETIMEDOUT)
			check_timeout(world, reader);
		return;
	}
	/* bus/last_error is empty while nothing has failed. */
	if (length ? text[length - 1] != '\n' : !tree_revision(world->tree, reader->ino))
		world_violate(world, "a text without a newline at its end");
	if (shows_online(reader)) {
		check_online(world, reader, text);
		return;
	}
	for (unsigned i = 0; i < reader->rows; i++)
		check_row(world, reader->row[i], &reader->fresh);
	if (place_unpack(reader->ino).dir == DIR_ROWS)
		check_text(world, reader->row[0], &reader->fresh, text);
	world->figures->values += reader->rows > 0;
}

/* --- writes --- */

static bool agrees(const struct instruction *row, double wanted, double held)
{
	if (row->type == VALUE_TEXT || row->type == VALUE_CLOCK)
		return true;
	if (row->verify == VERIFY_NEAR)
		return fabs(wanted - held) <= row->verify_near * (1 + DIGITS);
	if (row->type == VALUE_INT)
		return wanted == held;
	return fabs(wanted - held) <= DIGITS * fabs(wanted) + 1e-9;
}

static void check_success(struct world *world, const struct writer *writer)
{
	unsigned row = writer->write.row;
	const struct instruction *instruction = &world->table->row[row];
	double wanted = writer->write.setting.number, held;
	const struct truth_reply *reply;

	if (writer->set_at > world->set_over)
		world->set_over = writer->set_at;
	if (instruction->verify == VERIFY_NONE) {
		if (!world->link.took_set)
			world_violate(world, "%s was written and the BMS did not confirm",
				      world_name(world, row));
		return;
	}
	/* A SET that the link did not take whole may have been for what was in force already. */
	reply = truth_newest(&world->link.truth, row,
			     (writer->set_at ? writer->set_at : writer->called) + 1);
	if (!reply)
		world_violate(world, "%s was written and not read back", world_name(world, row));
	else if (!agrees(instruction, wanted, reply->number))
		world_violate(world, "%s was written as %s and reads %g", world_name(world, row),
			      writer->write.setting.text, reply->number);
	else if (instruction->class == CLASS_SETTING && !changed_since(world, row, reply->asked) &&
		 fault_link_holds(&world->link, row, &held) && !agrees(instruction, wanted, held))
		world_violate(world, "%s was written as %s and is %g", world_name(world, row),
			      writer->write.setting.text, held);
}

void check_written(struct world *world, struct writer *writer, int error)
{
	if (!error) {
		world->figures->written++;
		check_success(world, writer);
	} else if (error == -EINVAL && writer->set_at) {
		world_violate(world, "%s was refused and its SET was sent",
			      world_name(world, writer->write.row));
	}
}

/* --- after each turn --- */

static void check_bounds(struct world *world)
{
	const struct transaction *transaction;
	unsigned count = 0;

	TAILQ_FOREACH (transaction, &world->bus->queue, entry)
		count++;
	if (count > world->table->rows + 1)
		world_violate(world, "%u transactions are queued", count);
}

void check_interrupted(struct world *world, const struct reader *reader)
{
	for (unsigned i = 0; i < reader->rows; i++)
		if (world->device->slot[reader->row[i]].wanted)
			world->row[reader->row[i]].wanted = true;
}

/* What is submitted while all are being told of the loss is failed in the next turn. */
static void check_reader(struct world *world, const struct reader *reader, bool lost)
{
	const char *name = reader->rows ? world_name(world, reader->row[0]) : "?";

	if (reader->deadline <= world_now(world))
		world_violate(world, "a reader of %s waits beyond its deadline", name);
	else if (lost && reader->fresh.call <= world->lost_at)
		world_violate(world, "the link is gone, and a reader of %s waits", name);
	else if (world->news && all_told(world, reader))
		world_violate(world, "a reader of %s has all it needs and still waits", name);
}

void check_turn(struct world *world, unsigned closes)
{
	bool lost = world->lost;

	world->lost = world->link.closes != closes;
	if (world->lost)
		world->lost_at = world_now(world);
	if (world->link.misuse)
		world_violate(world, "the link was %s", world->link.misuse);
	for (int i = 0; world->readers && i < READERS; i++)
		if (world->reader[i].busy)
			check_reader(world, &world->reader[i], lost);
	for (int i = 0; world->writers && i < WRITERS; i++)
		if (world->writer[i].busy && world->writer[i].write.deadline <= world_now(world))
			world_violate(world, "a writer of %s waits beyond its deadline",
				      world_name(world, world->writer[i].write.row));
	if (world->figures->turns % 256 == 0)
		check_bounds(world);
}

void check_idle(struct world *world, uint64_t requests)
{
	if (world->link.requests != requests)
		world_violate(world, "nobody asks, and %llu requests were sent",
			      (unsigned long long)(world->link.requests - requests));
	else if (bus_wake(world->bus) != NSEC_NEVER || device_wake(world->device) != NSEC_NEVER)
		world_violate(world, "nobody asks, and the loop is to be woken");
}

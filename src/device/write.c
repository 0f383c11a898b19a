// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * The write job: read the setting and the operands of its rules, check, SET, read back, with
 * nothing else on the bus in between.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "device/engine.h"

static void job_done(struct transaction *transaction, int error, const struct sample *sample);

static void job_submit(struct device *device, unsigned row, bool set)
{
	struct job *job = &device->job;
	bool first = job->step == JOB_IDLE;

	job->transaction = (struct transaction){
		.peer = device->peer,
		.row = &device->table->row[row],
		.set = set,
		.once = set,
		.done = job_done,
		.user = device,
	};
	if (set)
		memcpy(job->transaction.value, job->write->setting.text,
		       sizeof(job->transaction.value));
	if (first)
		bus_submit(device->bus, &job->transaction);
	else
		bus_submit_first(device->bus, &job->transaction);
}

static void write_tell(struct device *device, struct device_write *write, int error)
{
	if (write->sent && device->observer)
		device->observer->wrote(device->user, write, error);
	write->done(write, error);
}

/* Adds what the BMS may hold after a failure: the value before and the value written. */
static void explain_doubt(struct device_write *write)
{
	size_t used = strlen(write->reason);

	if (write->sent)
		snprintf(write->reason + used, sizeof(write->reason) - used,
			 "; it was %s and may be %s now",
			 *write->before ? write->before : "unknown", write->setting.text);
}

/* Why asking for @row, or setting it, failed just now: as it came from the bus. */
static void explain_row(struct device *device, unsigned row, int error)
{
	struct device_write *write = device->job.write;
	bool other = row != write->row;

	write_explain(write, "%s%s%s", other ? device->table->row[row].file : "", other ? ": " : "",
		      peer_last_error(device->peer));
	if (error != -EREMOTEIO)
		explain_doubt(write);
}

static void job_finish(struct device *device, int error)
{
	struct device_write *write = device->job.write;

	device->job.step = JOB_IDLE;
	device->job.write = NULL;
	if (write)
		write_tell(device, write, error);
	job_start(device);
}

/* Whether the value of @row was asked for since the job began. */
static bool job_has(const struct device *device, unsigned row)
{
	return device_asked(device, row) >= device->job.started;
}

/*
 * The nearest member of @order on one side (@step -1 or 1) of member @at that this BMS knows, or
 * -1.
 * @or_equal: whether all relations on the way allow equality.
 */
static int order_neighbour(const struct device *device, const struct order *order, int at, int step,
			   bool *or_equal)
{
	*or_equal = true;
	for (int i = at + step; i >= 0 && i < (int)order->members; i += step) {
		*or_equal = *or_equal && order->member[step < 0 ? i : i - 1].or_equal;
		if (!device_lacks(device, order->member[i].row))
			return i;
	}
	return -1;
}

static int order_position(const struct order *order, unsigned row)
{
	for (unsigned i = 0; i < order->members; i++)
		if (order->member[i].row == row)
			return i;
	return -1;
}

static double number_of(const struct device *device, unsigned row)
{
	return device->slot[row].sample.number[0];
}

static void number_text(const struct device *device, unsigned row, char text[VALUE_TEXT_MAX])
{
	const struct sample *sample = &device->slot[row].sample;

	switch (device->table->row[row].type) {
	case VALUE_FLOAT:
		value_format_float(text, VALUE_TEXT_MAX, (float)sample->number[0]);
		break;
	case VALUE_INT:
		value_format_int(text, VALUE_TEXT_MAX, (int64_t)sample->number[0]);
		break;
	case VALUE_TEXT:
	case VALUE_CLOCK:
		snprintf(text, VALUE_TEXT_MAX, "%.*s", VALUE_TEXT_MAX - 1, sample->text);
		break;
	}
}

/*
 * Checks the written value against its neighbour @other, which must lie below (@step -1) or above
 * it. A pair that is violated already may stay so, as long as it gets no wider.
 */
static int pair_check(const struct device *device, unsigned other, int step, bool or_equal)
{
	struct device_write *write = device->job.write;
	bool known = job_has(device, write->row);
	double limit = number_of(device, other);
	double wanted = write->setting.number, before = number_of(device, write->row);
	double wrong = step < 0 ? limit - wanted : wanted - limit;
	double was = step < 0 ? limit - before : before - limit;
	bool violated = or_equal ? wrong > 0 : wrong >= 0;
	char text[VALUE_TEXT_MAX] = "";

	if (!violated || (known && (or_equal ? was > 0 : was >= 0) && wrong <= was))
		return 0;
	number_text(device, other, text);
	write_explain(write, "%s is refused because it must be %s%s %s, which is %s",
		      write->setting.text, step < 0 ? "above" : "below",
		      or_equal ? " or equal to" : "", device->table->row[other].file, text);
	return -EINVAL;
}

/*
 * Goes through the neighbours of the setting in all ordering rules. Returns the row of one that has
 * yet to be read, or -1; then *error says whether the rules hold.
 */
static int operands_check(const struct device *device, int *error)
{
	const struct instruction_table *table = device->table;

	*error = 0;
	for (size_t o = 0; o < table->orders; o++) {
		const struct order *order = &table->order[o];
		int at = order_position(order, device->job.write->row);

		for (int step = -1; at >= 0 && step <= 1; step += 2) {
			bool or_equal;
			int i = order_neighbour(device, order, at, step, &or_equal);

			if (i < 0)
				continue;
			if (!job_has(device, order->member[i].row))
				return order->member[i].row;
			if (!*error)
				*error = pair_check(device, order->member[i].row, step, or_equal);
		}
	}
	return -1;
}

static bool readable(const struct device *device, unsigned row)
{
	return device->table->row[row].verify != VERIFY_NONE;
}

/* The next step while nothing has been sent: another operand, or the SET. */
static void job_read(struct device *device)
{
	struct job *job = &device->job;
	unsigned self = job->write->row;
	int error = 0;
	int row = readable(device, self) && !job_has(device, self) ? (int)self
								   : operands_check(device, &error);

	if (row >= 0) {
		job_submit(device, row, false);
		job->step = JOB_READ;
		return;
	}
	if (error) {
		job_finish(device, error);
		return;
	}
	job_submit(device, self, true);
	job->step = JOB_SET;
}

static void operand_read(struct device *device, unsigned row, int error)
{
	/* A neighbour that this BMS does not know, asked twice, is none: the next takes its place. */
	if (error && (row == device->job.write->row || !device_knows_not(device, row))) {
		explain_row(device, row, error);
		job_finish(device, device->slot[row].error);
	} else {
		job_read(device);
	}
}

static void set_done(struct device *device, int error)
{
	struct job *job = &device->job;
	bool sent = job->transaction.asked != 0;

	job->write->sent = job->write->sent || sent;
	job->sets += sent;
	job->confirmed = error == 0;
	if (error == -EREMOTEIO || error == -ENODEV || !sent ||
	    !readable(device, job->write->row)) {
		if (error)
			explain_row(device, job->write->row, error);
		job_finish(device, error);
		return;
	}
	job_submit(device, job->write->row, false);
	job->step = JOB_CHECK;
}

static void checked(struct device *device, int error)
{
	struct job *job = &device->job;
	struct device_write *write = job->write;
	const struct instruction *row = &device->table->row[write->row];
	bool stands;

	if (error) {
		explain_row(device, write->row, error);
		job_finish(device, device->slot[write->row].error);
		return;
	}
	number_text(device, write->row, write->after);
	if (setting_agrees(row, &write->setting, job->before, &device->slot[write->row].sample) &&
	    (job->confirmed || !job->agreed)) {
		job_finish(device, 0);
		return;
	}
	stands = job->agreed || strcmp(write->after, write->before) == 0;
	if (!job->confirmed && stands && job->sets < device->config.tries) {
		job_submit(device, write->row, true);
		job->step = JOB_SET;
		return;
	}
	write_explain(write, "%s was written, but the BMS says %s%s", write->setting.text,
		      write->after,
		      strlen(write->setting.text) > strlen(write->after)
			      ? "; write no more digits than it shows"
			      : "");
	job_finish(device, job->confirmed || !stands ? -EIO : -ETIMEDOUT);
}

static void job_done(struct transaction *transaction, int error, const struct sample *sample)
{
	struct device *device = transaction->user;
	struct job *job = &device->job;
	unsigned row = transaction->row - device->table->row;
	enum job_step step = job->step;

	if (transaction->set && transaction->asked)
		device_overwrite(device);
	if (!transaction->set)
		device_store(device, row, error, sample, transaction->asked);
	if (!job->write) {
		job_finish(device, error);
		return;
	}
	switch (step) {
	case JOB_READ:
		if (row == job->write->row && !error) {
			job->started = transaction->asked;
			number_text(device, row, job->write->before);
			job->before = sample->number[0];
			job->agreed = setting_agrees(transaction->row, &job->write->setting,
						     job->before, sample);
		}
		operand_read(device, row, error);
		break;
	case JOB_SET:
		set_done(device, error);
		break;
	case JOB_CHECK:
		checked(device, error);
		break;
	case JOB_IDLE:
		break;
	}
}

void job_start(struct device *device)
{
	struct job *job = &device->job;

	if (job->step != JOB_IDLE || job->write || TAILQ_EMPTY(&device->writes))
		return;
	*job = (struct job){ .write = TAILQ_FIRST(&device->writes) };
	TAILQ_REMOVE(&device->writes, job->write, entry);
	/* What is read begins with the setting itself, and only from there on it counts. */
	job->started = readable(device, job->write->row) ? NSEC_NEVER : bus_now(device->bus);
	job_read(device);
}

void job_restart(struct device *device)
{
	struct job *job = &device->job;

	if (!job->write || job->step != JOB_SET || job->sets || job->transaction.asked ||
	    !bus_withdraw(device->bus, &job->transaction))
		return;
	job_read(device);
}

void device_write(struct device *device, struct device_write *write)
{
	write->before[0] = write->after[0] = '\0';
	write->reason[0] = '\0';
	write->sent = false;
	if (!write->deadline)
		write->deadline = bus_now(device->bus) + device->config.deadline;
	TAILQ_INSERT_TAIL(&device->writes, write, entry);
	job_start(device);
}

/* Takes the job away from its write. Returns false if a byte of the SET may be on the wire. */
static bool job_abandon(struct device *device)
{
	struct job *job = &device->job;

	if (job->step == JOB_CHECK || job->sets || (job->step == JOB_SET && job->transaction.asked))
		return false;
	job->write = NULL;
	if (bus_withdraw(device->bus, &job->transaction))
		job_finish(device, 0);
	return true;
}

bool device_write_cancel(struct device *device, struct device_write *write)
{
	if (write == device->job.write)
		return job_abandon(device);
	TAILQ_REMOVE(&device->writes, write, entry);
	return true;
}

/* Over its deadline: the caller is answered, whatever the bus is doing. */
static void write_expire(struct device *device, struct device_write *write)
{
	struct job *job = &device->job;

	if (!device_write_cancel(device, write)) {
		write->sent = true;
		job->write = NULL;
		/* No second SET once the caller has been told. */
		if (job->step == JOB_SET && !job->transaction.asked &&
		    bus_withdraw(device->bus, &job->transaction))
			job_finish(device, 0);
	}
	deadline_reason(device, write->reason, sizeof(write->reason));
	explain_doubt(write);
	write_tell(device, write, -ETIMEDOUT);
}

static struct device_write *write_overdue(const struct device *device, int64_t now)
{
	struct device_write *write = device->job.write;

	if (write && write->deadline <= now)
		return write;
	TAILQ_FOREACH (write, &device->writes, entry)
		if (write->deadline <= now)
			break;
	return write;
}

void job_run(struct device *device, int64_t now)
{
	struct device_write *write;

	while ((write = write_overdue(device, now)))
		write_expire(device, write);
}

int64_t job_wake(const struct device *device)
{
	const struct device_write *write;
	int64_t wake = device->job.write ? device->job.write->deadline : NSEC_NEVER;

	TAILQ_FOREACH (write, &device->writes, entry)
		wake = nsec_min(wake, write->deadline);
	return wake;
}

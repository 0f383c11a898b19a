// SPDX-License-Identifier: LGPL-3.0-or-later
/* Who the BMS is, and what follows from that: its model, and how many units, cells and sensors. */
#include <stdio.h>
#include <string.h>

#include "device/engine.h"

static void tell_reshaped(struct device *device)
{
	if (device->observer)
		device->observer->reshaped(device->user);
}

static void shape_count(uint8_t count[SAMPLE_UNIT_MAX], const struct sample *sample)
{
	memset(count, 0, SAMPLE_UNIT_MAX);
	memcpy(count, sample->count, sample->units);
}

void shape_learn(struct device *device, unsigned row)
{
	const struct sample *sample = &device->slot[row].sample;
	struct shape shape = device->shape;

	if ((int)row == device->cell) {
		shape.known = true;
		shape.units = sample->units;
		shape_count(shape.cells, sample);
	} else if ((int)row == device->ptem) {
		shape_count(shape.sensors, sample);
	}
	if (memcmp(&shape, &device->shape, sizeof(shape)) == 0)
		return;
	device->shape = shape;
	tell_reshaped(device);
}

/* Whether the reply to an array means the same on both models. */
static bool decodes_alike(const struct instruction *row, int one, int other)
{
	const struct instruction_variant *a = instruction_variant(row, one);
	const struct instruction_variant *b = instruction_variant(row, other);

	return !row->array || (a->one_frame == b->one_frame && a->trim == b->trim &&
			       a->min == b->min && a->max == b->max && a->limited == b->limited &&
			       (!a->limited || a->limit == b->limit));
}

/* What was decoded as of another model is asked for again. */
static void model_set(struct device *device, int model)
{
	int before = device->model;

	if (device->config.model != MODEL_UNKNOWN)
		model = device->config.model;
	if (model == before)
		return;
	device->model = model;
	peer_set_model(device->peer, model);
	for (size_t row = 0; row < device->table->rows; row++)
		if (!decodes_alike(&device->table->row[row], before, model))
			device_drop(device, row);
	tell_reshaped(device);
	device_review(device);
}

/* Identity, shape and the marks of unknown instructions are no longer known. */
static void forget(struct device *device)
{
	const struct shape nothing = { 0 };

	for (size_t row = 0; row < device->table->rows; row++) {
		device->slot[row].unknown_until = 0;
		device->slot[row].unknown_times = 0;
		device->slot[row].known = false;
		if (device->table->row[row].class == CLASS_IDENTITY)
			device_drop(device, row);
	}
	if (memcmp(&device->shape, &nothing, sizeof(nothing)) != 0) {
		device->shape = nothing;
		tell_reshaped(device);
	}
	model_set(device, MODEL_UNKNOWN);
}

/* Nobody has to find out again for each row. */
static void peer_lost(void *user, int error)
{
	struct device *device = user;

	device->away = error;
	device->away_since = bus_now(device->bus);
	snprintf(device->away_reason, sizeof(device->away_reason), "%s",
		 peer_last_error(device->peer));
	forget(device);
	device_review(device);
	device_tell(device);
}

/* Another name than before, however long ago that was, is another BMS: nothing known holds for it. */
void identity_learn(struct device *device, const struct sample *sample)
{
	bool other = device->identity[0] && strcmp(device->identity, sample->text) != 0;

	memcpy(device->identity, sample->text, sizeof(device->identity));
	if (other) {
		for (size_t row = 0; row < device->table->rows; row++)
			device_drop(device, row);
		forget(device);
		job_restart(device);
	}
	model_set(device, model_identify(device->table, sample->text));
	if (other)
		device_review(device);
}

static void peer_identity(void *user, const char *text, int64_t asked)
{
	struct device *device = user;
	struct sample sample = { .units = 1, .size = strlen(text) };

	memcpy(sample.text, text, sample.size);
	if (device->idn >= 0)
		device_store(device, device->idn, 0, &sample, asked);
	device_start(device);
}

static void peer_opened(void *user)
{
	device_start(user);
}

const struct peer_observer identity_observer = {
	.opened = peer_opened,
	.identity = peer_identity,
	.lost = peer_lost,
};

static void start_done(struct device_query *query)
{
	struct device *device = query->user;

	device->starting = false;
}

void device_start(struct device *device)
{
	const int rows[] = { device->idn, device->cell, device->ptem };

	if (device->starting)
		device_query_cancel(device, &device->start);
	device->start = (struct device_query){
		.fresh.call = bus_now(device->bus),
		.done = start_done,
		.user = device,
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i] >= 0)
			row_set_add(&device->start.need, rows[i]);
	device->starting = !device_query(device, &device->start);
}

bool device_starting(const struct device *device)
{
	return device->starting;
}

const struct shape *device_shape(const struct device *device)
{
	return &device->shape;
}

int device_model(const struct device *device)
{
	return device->model;
}

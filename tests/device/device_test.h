/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A device on a fake link, and a BMS that keeps settings. */
#ifndef BMSFS_DEVICE_TEST_H
#define BMSFS_DEVICE_TEST_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_link.h"
#include "test.h"

#define SECOND NSEC_PER_SEC

struct stored {
	char name[5], value[64];
};

struct world {
	struct fake_link fake;
	struct instruction_table table;
	struct bus *bus;
	struct device *device;

	/* The BMS. */
	const char *identity;
	struct stored setting[24]; /* what is not here is not known */
	bool dead;
	bool refuse;           /* each SET, and each query of what is unknown */
	unsigned lose, ignore; /* SETs whose reply is lost; that are not heard at all */
	const char *clamp;     /* stored instead of what is set */
	const char *mute;      /* mnemonic that gets no answer */
	const char *longer;    /* mnemonic whose reply has more bytes than its header says */
	int64_t delay;         /* of all but the identity */
	unsigned units, cells, sensors;
	const char *const *entry; /* of the error log, NULL at its end */

	/* What the observer was told. */
	unsigned sampled, reshaped, wrote;
	int wrote_error;
};

static inline struct stored *bms_find(struct world *world, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(world->setting); i++)
		if (strncmp(world->setting[i].name, name, 4) == 0)
			return &world->setting[i];
	return NULL;
}

static inline void bms_store(struct world *world, const char *name, const char *value)
{
	struct stored *stored = bms_find(world, name);

	if (!stored)
		stored = bms_find(world, "\0\0\0\0");
	assert_non_null(stored);
	snprintf(stored->name, sizeof(stored->name), "%s", name);
	snprintf(stored->value, sizeof(stored->value), "%s", value);
}

static inline void bms_set(struct fake_link *fake, struct world *world, const char *text)
{
	if (world->ignore) {
		world->ignore--;
		return;
	}
	if (world->refuse) {
		fake_text(fake, world->delay, 1, "ERROR1");
		return;
	}
	bms_store(world, (char[5]){ text[0], text[1], text[2], text[3] },
		  world->clamp ? world->clamp : text + 5);
	if (world->lose)
		world->lose--;
	else
		fake_text(fake, world->delay, 1, "SET");
}

static inline void bms_array(struct fake_link *fake, struct world *world, unsigned count)
{
	float value[16];
	char text[4];

	for (unsigned i = 0; i < ARRAY_SIZE(value); i++)
		value[i] = 3.25f;
	snprintf(text, sizeof(text), "%u", world->units);
	fake_text(fake, world->delay, 1, text);
	for (unsigned i = 0; i < world->units; i++)
		fake_floats(fake, world->delay, 1, value, count - i);
}

static inline void bms_request(struct fake_link *fake, const struct frame *frame)
{
	struct world *world = fake->user;
	char text[64];

	snprintf(text, sizeof(text), "%.*s", frame->len, (const char *)frame->payload);
	if (world->dead || (world->mute && strncmp(text, world->mute, 4) == 0))
		return;
	if (world->longer && strncmp(text, world->longer, 4) == 0) {
		fake_text(fake, world->delay, 1, "28");
		fake_text(fake, world->delay, 1, "32 bytes, where 28 were announced");
	} else if (strcmp(text, "*IDN?") == 0)
		fake_text(fake, MSEC(5), 1, world->identity);
	else if (strcmp(text, "CELL?") == 0)
		bms_array(fake, world, world->cells);
	else if (strcmp(text, "PTEM?") == 0)
		bms_array(fake, world, world->sensors);
	else if (strcmp(text, "ERRL?") == 0)
		fake_text(fake, world->delay, 1, *world->entry ? *world->entry++ : "");
	else if (text[4] == ' ')
		bms_set(fake, world, text);
	else if (bms_find(world, text))
		fake_text(fake, world->delay, 1, bms_find(world, text)->value);
	else if (world->refuse)
		fake_text(fake, world->delay, 1, "ERROR1");
}

static inline void world_sampled(void *user, unsigned row)
{
	struct world *world = user;

	assert_true(row < world->table.rows);
	world->sampled++;
}

static inline void world_reshaped(void *user)
{
	struct world *world = user;

	world->reshaped++;
}

static inline void world_wrote(void *user, const struct device_write *write, int error)
{
	struct world *world = user;

	assert_true(write->sent);
	world->wrote++;
	world->wrote_error = error;
}

static const struct device_observer world_observer = {
	.sampled = world_sampled,
	.reshaped = world_reshaped,
	.wrote = world_wrote,
};

static inline struct world *world_new(const struct device_config *config, const char *identity)
{
	static const struct bus_config bus_config = { .timeout = MSEC(350), .tries = 3 };
	static const struct stored factory[] = {
		{ "SWVR", "2.6" },        { "CMIN", "2.80000e0" },  { "CLOW", "2.90000e0" },
		{ "BMIN", "3.45000e0" },  { "BVOL", "3.58000e0" },  { "CMAX", "3.85000e0" },
		{ "CHAR", "3.58000e0" },  { "CAPA", "4.50000e2" },  { "CHEM", "3" },
		{ "SOCS", "5.00000e-1" }, { "SOCH", "5.00000e-2" },
	};
	struct world *world = calloc(1, sizeof(*world));
	struct table_error error;

	assert_non_null(world);
	fake_link_init(&world->fake, bms_request);
	world->fake.user = world;
	world->identity = identity;
	memcpy(world->setting, factory, sizeof(factory));
	world->delay = MSEC(5);
	world->units = 1;
	world->cells = 14;
	world->sensors = 3;
	assert_int_equal(instruction_table_init(&world->table, &error), 0);
	assert_int_equal(bus_new(&world->bus, &world->fake.link, &world->table, &bus_config), 0);
	assert_int_equal(device_new(&world->device, world->bus, &world->table, config), 0);
	device_observe(world->device, &world_observer, world);
	return world;
}

static inline void world_free(struct world *world)
{
	device_free(world->device);
	bus_free(world->bus);
	instruction_table_free(&world->table);
	free(world);
}

static inline void run(struct world *world, int64_t duration)
{
	fake_run(&world->fake, world->bus, world->device, duration, NULL);
}

static inline void forget_log(struct world *world)
{
	world->fake.log[0] = '\0';
}

static const struct device_config plain = {
	.address = 1,
	.model = MODEL_UNKNOWN,
	.ttl = SECOND,
	.ttl_settings = 10 * SECOND,
	.deadline = 5 * SECOND,
	.tries = 3,
};

/* A device whose identity and shape are known, with an empty log. */
static inline struct world *world_started(const struct device_config *config, const char *identity)
{
	struct world *world = world_new(config, identity);

	device_start(world->device);
	run(world, SECOND);
	assert_true(device_shape(world->device)->known);
	forget_log(world);
	return world;
}

static inline unsigned row_of(const struct world *world, const char *mnemonic)
{
	int row = instruction_find(&world->table, mnemonic);

	assert_true(row >= 0);
	return row;
}

#endif

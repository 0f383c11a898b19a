// SPDX-License-Identifier: LGPL-3.0-or-later
#include "fake_device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fake_init(struct device *device, const char *extra)
{
	struct table_error error = { "" };

	memset(device, 0, sizeof(*device));
	device->model = MODEL_UNKNOWN;
	device->answered = FAKE_NOW;
	if (instruction_table_init(&device->table, &error) ||
	    (extra &&
	     instruction_table_add(&device->table, "extra", extra, strlen(extra), &error))) {
		fprintf(stderr, "%s\n", error.text);
		exit(1);
	}
}

void fake_free(struct device *device)
{
	for (unsigned i = 0; i < INSTRUCTION_MAX; i++)
		free(device->sample[i]);
	instruction_table_free(&device->table);
}

unsigned fake_row(const struct device *device, const char *mnemonic)
{
	int row = instruction_find(&device->table, mnemonic);

	if (row < 0) {
		fprintf(stderr, "no instruction %s\n", mnemonic);
		exit(1);
	}
	return (unsigned)row;
}

void fake_shape(struct device *device, unsigned units, unsigned cells, unsigned sensors)
{
	memset(&device->shape, 0, sizeof(device->shape));
	device->shape.known = units != 0;
	device->shape.units = (uint8_t)units;
	memset(device->shape.cells, (int)cells, units);
	memset(device->shape.sensors, (int)sensors, units);
}

static struct sample *fake_sample(struct device *device, const char *mnemonic)
{
	unsigned row = fake_row(device, mnemonic);

	if (!device->sample[row])
		device->sample[row] = calloc(1, sizeof(struct sample));
	if (!device->sample[row])
		exit(1);
	device->asked[row] = FAKE_NOW;
	return device->sample[row];
}

void fake_numbers(struct device *device, const char *mnemonic, uint8_t address, unsigned count,
		  const double *numbers)
{
	struct sample *sample = fake_sample(device, mnemonic);

	sample->address[sample->units] = address;
	sample->count[sample->units] = (uint8_t)count;
	sample->units++;
	if (count)
		memcpy(sample->number + sample->numbers, numbers, count * sizeof(numbers[0]));
	sample->numbers = (uint16_t)(sample->numbers + count);
}

void fake_number(struct device *device, const char *mnemonic, double number)
{
	fake_forget(device, mnemonic);
	fake_numbers(device, mnemonic, 1, 1, &number);
}

void fake_text(struct device *device, const char *mnemonic, const char *text)
{
	struct sample *sample;

	fake_forget(device, mnemonic);
	fake_numbers(device, mnemonic, 1, 0, NULL);
	sample = fake_sample(device, mnemonic);
	sample->size = (uint16_t)strlen(text);
	memcpy(sample->text, text, sample->size + (size_t)1);
}

void fake_forget(struct device *device, const char *mnemonic)
{
	unsigned row = fake_row(device, mnemonic);

	free(device->sample[row]);
	device->sample[row] = NULL;
	device->asked[row] = 0;
}

void fake_main_data(struct device *device, double current)
{
	/* Each as the float32 that it is on the wire. */
	const double numbers[] = {
		3.9607f, 3.9656f, current, 18.5f, 55.48749f, 0.7846351f, 0.9897f,
	};

	fake_forget(device, "LCD1");
	fake_numbers(device, "LCD1", 1, 7, numbers);
}

int device_sample(const struct device *device, unsigned row, const struct freshness *fresh,
		  const struct sample **sample)
{
	if (device->error[row])
		return device->error[row];
	if (!device->sample[row])
		return fresh->call ? -ETIMEDOUT : -ENODATA;
	if (device->asked[row] < fresh->call - (fresh->direct ? 0 : FAKE_TTL))
		return -ETIMEDOUT;
	*sample = device->sample[row];
	return 0;
}

int64_t device_asked(const struct device *device, unsigned row)
{
	return device->asked[row];
}

const char *device_log(const struct device *device, unsigned row)
{
	(void)row;
	return device->log ? device->log : "";
}

const struct shape *device_shape(const struct device *device)
{
	return &device->shape;
}

int device_model(const struct device *device)
{
	return device->model;
}

const struct instruction_table *device_table(const struct device *device)
{
	return &device->table;
}

struct bus *device_bus(const struct device *device)
{
	return (struct bus *)&device->bus;
}

bool device_has(const struct device *device, unsigned row)
{
	return instruction_variant(&device->table.row[row], device->model)->present;
}

const struct device_config *device_config(const struct device *device)
{
	return &device->config;
}

bool device_writable(const struct device *device, unsigned row)
{
	const struct instruction *instruction = &device->table.row[row];

	return instruction->writable && (!instruction->locked || device->config.unlock);
}

int64_t bus_now(const struct bus *bus)
{
	(void)bus;
	return FAKE_NOW;
}

enum bus_state device_state(const struct device *device)
{
	return device->bus.state;
}

int device_online(const struct device *device, const struct freshness *fresh)
{
	int64_t ttl = fresh->direct ? 0 : FAKE_TTL;

	if (device->bus.state != BUS_ONLINE)
		return device->bus.state == BUS_SILENT ? -ETIMEDOUT : -ENODEV;
	return device->answered >= fresh->call - ttl ? 0 : -ETIMEDOUT;
}

bool bus_shared(const struct bus *bus)
{
	return bus->shared;
}

bool device_identified(const struct device *device)
{
	return device->bus.identified;
}

uint32_t bus_baud(const struct bus *bus)
{
	return bus->baud;
}

const uint64_t *bus_counters(const struct bus *bus)
{
	return bus->counters;
}

const struct trace *bus_trace(const struct bus *bus)
{
	return &bus->trace;
}

void device_reason(const struct device *device, unsigned row, const struct freshness *fresh,
		   char *reason, size_t size)
{
	(void)fresh;
	snprintf(reason, size, "%s", device->error[row] ? "the cable is broken" : "");
}

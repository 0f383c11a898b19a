/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A device and a bus that say what a test has told them to. */
#ifndef BMSFS_TESTS_TREE_FAKE_DEVICE_H
#define BMSFS_TESTS_TREE_FAKE_DEVICE_H

#include "bus/bus.h"
#include "bus/trace.h"
#include "device/device.h"

#define FAKE_NOW (INT64_C(100) * 1000000000)
#define FAKE_TTL INT64_C(1000000000)

struct bus {
	enum bus_state state;
	bool shared, identified;
	uint32_t baud;
	uint64_t counters[BUS_COUNTERS];
	struct trace trace;
};

struct device {
	struct instruction_table table;
	struct device_config config;
	struct shape shape;
	struct bus bus;
	int model;
	int error[INSTRUCTION_MAX];
	int64_t asked[INSTRUCTION_MAX];
	int64_t answered; /* the newest request that the BMS has answered was sent then */
	struct sample *sample[INSTRUCTION_MAX];
	const char *log;
};

/* The built-in table and @extra, if it is not NULL. Ends the program if that fails. */
void fake_init(struct device *device, const char *extra);
void fake_free(struct device *device);

unsigned fake_row(const struct device *device, const char *mnemonic);

/* @units units of @cells cells and @sensors sensors each; 0 units: unknown. */
void fake_shape(struct device *device, unsigned units, unsigned cells, unsigned sensors);

/* Adds the numbers of one more unit to the sample of a row, asked for at FAKE_NOW. */
void fake_numbers(struct device *device, const char *mnemonic, uint8_t address, unsigned count,
		  const double *numbers);

/* One number; one text. */
void fake_number(struct device *device, const char *mnemonic, double number);
void fake_text(struct device *device, const char *mnemonic, const char *text);
void fake_forget(struct device *device, const char *mnemonic);

/* A sample of LCD1 with the first published numbers of a real pack (14 cells), but for the current.
 */
void fake_main_data(struct device *device, double current);

#endif

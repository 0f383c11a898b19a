// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "protocol/value.h"
#include "sim/faults.h"
#include "sim/sim.h"

#define ITEM_MAX       (PATH_MAX + 16)
#define TURNAROUND_MAX 10000 /* ms */
#define BAUD_MAX       4000000

const struct sim_config sim_config_default = {
	.model = "1q",
	.units = 1,
	.baud = 56000,
	.turnaround_s = 0.005,
	.seed = 1,
};

__attribute__((format(printf, 3, 4))) static int refuse(char *reason, size_t size,
							const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reason, size, format, args);
	va_end(args);
	return -EINVAL;
}

static int set_model(struct sim_config *config, const char *value, char *reason, size_t size)
{
	if (!*value || strlen(value) >= sizeof(config->model))
		return refuse(reason, size, "model: \"%s\" is no name of a model", value);
	snprintf(config->model, sizeof(config->model), "%s", value);
	return 0;
}

static int set_replay(struct sim_config *config, const char *value, char *reason, size_t size)
{
	if (!*value || strlen(value) >= sizeof(config->replay))
		return refuse(reason, size, "replay: \"%.20s\" is no name of a file", value);
	snprintf(config->replay, sizeof(config->replay), "%s", value);
	return 0;
}

static int set_turnaround(struct sim_config *config, const char *value, char *reason, size_t size)
{
	float ms;

	if (value_parse_float(value, strlen(value), &ms) || ms < 0 || ms > TURNAROUND_MAX)
		return refuse(reason, size, "turnaround: \"%s\" is not 0 to %d milliseconds", value,
			      TURNAROUND_MAX);
	config->turnaround_s = (double)ms / 1000;
	return 0;
}

static int set_rate(struct sim_config *config, int fault, const char *value, char *reason,
		    size_t size)
{
	float rate;

	if (value_parse_float(value, strlen(value), &rate) || rate < 0 || rate > 1)
		return refuse(reason, size, "%s: \"%s\" is no share from 0 to 1",
			      sim_fault_name[fault], value);
	config->rate[fault] = (double)rate;
	return 0;
}

static const struct {
	const char *key;
	int64_t min, max;
	size_t offset, size;
} whole_keys[] = {
	{ "units", 1, 15, offsetof(struct sim_config, units), sizeof(uint8_t) },
	{ "cells", 1, 16, offsetof(struct sim_config, cells), sizeof(uint8_t) },
	{ "sensors", 1, 8, offsetof(struct sim_config, sensors), sizeof(uint8_t) },
	{ "baud", 0, BAUD_MAX, offsetof(struct sim_config, baud), sizeof(uint32_t) },
	{ "seed", 0, INT64_MAX, offsetof(struct sim_config, seed), sizeof(uint64_t) },
};

#define WHOLE_KEYS (sizeof(whole_keys) / sizeof(whole_keys[0]))

static int set_whole(struct sim_config *config, size_t key, const char *value, char *reason,
		     size_t size)
{
	char *at = (char *)config + whole_keys[key].offset;
	int64_t whole;

	if (value_parse_int(value, strlen(value), &whole) || whole < whole_keys[key].min ||
	    whole > whole_keys[key].max)
		return refuse(reason, size, "%s: \"%s\" is no whole number from %lld to %lld",
			      whole_keys[key].key, value, (long long)whole_keys[key].min,
			      (long long)whole_keys[key].max);
	if (whole_keys[key].size == sizeof(uint8_t))
		*(uint8_t *)at = (uint8_t)whole;
	else if (whole_keys[key].size == sizeof(uint32_t))
		*(uint32_t *)(void *)at = (uint32_t)whole;
	else
		*(uint64_t *)(void *)at = (uint64_t)whole;
	return 0;
}

static int set_addresses(struct sim_config *config, const char *value, char *reason, size_t size)
{
	const char *at = value;
	int64_t number;

	config->addresses = 0;
	do {
		size_t length = strcspn(at, ",");

		if (value_parse_int(at, length, &number) || number < 1 || number > FRAME_UNIT_MAX ||
		    memchr(config->address, (int)number, config->addresses) ||
		    config->addresses == SIM_ADDRESS_MAX)
			return refuse(
				reason, size,
				"address: \"%s\" is no list of at most %d whole numbers from 1 "
				"to %d, each once",
				value, SIM_ADDRESS_MAX, FRAME_UNIT_MAX);
		config->address[config->addresses++] = (uint8_t)number;
		at += length + (at[length] == ',');
	} while (*at);
	return 0;
}

int sim_config_set(struct sim_config *config, const char *key, const char *value, char *reason,
		   size_t size)
{
	int fault = fault_find(key);

	for (size_t i = 0; i < WHOLE_KEYS; i++)
		if (!strcmp(whole_keys[i].key, key))
			return set_whole(config, i, value, reason, size);
	if (!strcmp(key, "address"))
		return set_addresses(config, value, reason, size);
	if (!strcmp(key, "model"))
		return set_model(config, value, reason, size);
	if (!strcmp(key, "replay"))
		return set_replay(config, value, reason, size);
	if (!strcmp(key, "turnaround"))
		return set_turnaround(config, value, reason, size);
	if (fault >= 0)
		return set_rate(config, fault, value, reason, size);
	return refuse(reason, size, "the simulator has no setting \"%s\"", key);
}

/* One KEY=VALUE of @length characters. */
static int parse_item(struct sim_config *config, const char *text, size_t length, char *reason,
		      size_t size)
{
	char item[ITEM_MAX];
	char *value;

	if (length >= sizeof(item))
		return refuse(reason, size, "\"%.*s...\" is too long", 20, text);
	memcpy(item, text, length);
	item[length] = '\0';
	value = strchr(item, '=');
	if (!value)
		return refuse(reason, size, "\"%s\" is not KEY=VALUE", item);
	*value++ = '\0';
	return sim_config_set(config, item, value, reason, size);
}

/* To the next comma; but no key starts with a digit, so before one it is part of a list. */
static size_t item_length(const char *text)
{
	size_t length = strcspn(text, ",");

	while (text[length] && text[length + 1] >= '0' && text[length + 1] <= '9')
		length += 1 + strcspn(text + length + 1, ",");
	return length;
}

int sim_config_parse(struct sim_config *config, const char *text, char *reason, size_t size)
{
	if (!*text)
		return 0;
	for (;;) {
		size_t length = item_length(text);
		int ret = parse_item(config, text, length, reason, size);

		if (ret)
			return ret;
		if (!text[length])
			return 0;
		text += length + 1;
	}
}

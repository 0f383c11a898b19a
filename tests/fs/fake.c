// SPDX-License-Identifier: LGPL-3.0-or-later
#include "fake.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "link/holder.h"
#include "nsec.h"

enum { SOC = 2, CMAX, LONG, UNITS, FIRST, CELLS, STATE, GONE, ERRL, SHOT, CLASS, FILES };

static const struct {
	uint64_t parent;
	const char *name, *target;
	enum tree_kind kind;
	mode_t mode;
	int row;
} files[FILES] = {
	[TREE_ROOT] = { TREE_ROOT, "", NULL, TREE_DIR, S_IFDIR | 0755, -1 },
	[SOC] = { TREE_ROOT, "SOC", NULL, TREE_VALUE, S_IFREG | 0444, 0 },
	[CMAX] = { TREE_ROOT, "CMAX", NULL, TREE_VALUE, S_IFREG | 0644, 1 },
	[LONG] = { TREE_ROOT, "LONG", NULL, TREE_VALUE, S_IFREG | 0444, 2 },
	[UNITS] = { TREE_ROOT, "units", NULL, TREE_DIR, S_IFDIR | 0755, -1 },
	[FIRST] = { UNITS, "1", NULL, TREE_DIR, S_IFDIR | 0755, -1 },
	[CELLS] = { TREE_ROOT, "cells", "units/1", TREE_LINK, S_IFLNK | 0777, -1 },
	[STATE] = { TREE_ROOT, "state", NULL, TREE_VALUE, S_IFREG | 0444, -1 },
	[GONE] = { TREE_ROOT, "GONE", NULL, TREE_VALUE, S_IFREG | 0444, 0 },
	[ERRL] = { TREE_ROOT, "ERRL", NULL, TREE_VALUE, S_IFREG | 0400, 3 },
	[SHOT] = { TREE_ROOT, "shot", NULL, TREE_LONG, S_IFREG | 0444, 0 },
	[CLASS] = { TREE_ROOT, "class", NULL, TREE_VALUE, S_IFREG | 0444, 0 },
};

static bool exists(const struct tree *tree, uint64_t ino)
{
	return ino < FILES && files[ino].name && !(ino == GONE && tree->gone);
}

uint64_t tree_lookup(const struct tree *tree, uint64_t parent, const char *name)
{
	for (uint64_t ino = 2; ino < FILES; ino++)
		if (exists(tree, ino) && files[ino].parent == parent &&
		    !strcmp(files[ino].name, name))
			return ino;
	return 0;
}

uint64_t tree_entry(const struct tree *tree, uint64_t dir, unsigned index, char name[TREE_NAME_MAX])
{
	for (uint64_t ino = 2; ino < FILES; ino++) {
		if (!exists(tree, ino) || files[ino].parent != dir || index--)
			continue;
		snprintf(name, TREE_NAME_MAX, "%s", files[ino].name);
		return ino;
	}
	return 0;
}

int tree_stat(const struct tree *tree, uint64_t ino, struct tree_stat *stat)
{
	if (!exists(tree, ino))
		return -ENOENT;
	*stat = (struct tree_stat){
		.kind = files[ino].kind,
		.mode = files[ino].mode,
		.size = files[ino].target ? (uint32_t)strlen(files[ino].target) : 4096,
		.timed = files[ino].row >= 0,
		.patient = ino == CLASS,
		.sampled = files[ino].row >= 0 ? tree->device->asked[files[ino].row] : 0,
	};
	if (ino == SHOT)
		stat->size = tree->shot;
	return 0;
}

uint64_t tree_parent(const struct tree *tree, uint64_t dir)
{
	return exists(tree, dir) ? files[dir].parent : 0;
}

const char *tree_target(const struct tree *tree, uint64_t ino)
{
	return exists(tree, ino) ? files[ino].target : NULL;
}

void tree_needs(const struct tree *tree, uint64_t ino, struct row_set *needs)
{
	*needs = (struct row_set){ 0 };
	if (exists(tree, ino) && files[ino].row >= 0)
		row_set_add(needs, (unsigned)files[ino].row);
}

ssize_t tree_render(struct tree *tree, uint64_t ino, const struct freshness *fresh, char *text,
		    size_t size)
{
	const struct sample *sample;
	int length, error;

	if (!exists(tree, ino))
		return -ENODEV;
	if (files[ino].row < 0)
		return snprintf(text, size, "online\n");
	error = device_sample(tree->device, (unsigned)files[ino].row, fresh, &sample);
	if (error)
		return error;
	if (ino == SHOT)
		tree->shot = (uint32_t)strlen(tree->device->sample[files[ino].row]) + 1;
	if (ino != LONG)
		return snprintf(text, size, "%s\n", tree->device->sample[files[ino].row]);
	length = FAKE_LENGTH;
	memset(text, tree->device->sample[files[ino].row][0], (size_t)length);
	return length;
}

int tree_accept(const struct tree *tree, uint64_t ino, const char *text, size_t size,
		struct device_write *write)
{
	struct setting *setting = &write->setting;

	write->reason[0] = '\0';
	if (!exists(tree, ino) || !(files[ino].mode & 0222))
		return -EACCES;
	if (size && text[size - 1] == '\n')
		size--;
	if (!size || size >= sizeof(setting->text) || text[0] < '0' || text[0] > '9')
		return -EINVAL;
	memcpy(setting->text, text, size);
	setting->text[size] = '\0';
	if (size > 3)
		return -ERANGE;
	write->row = (unsigned)files[ino].row;
	return 0;
}

ssize_t tree_xattr(const struct tree *tree, uint64_t ino, const char *name, char *text, size_t size)
{
	static const char unit[] = "%";

	if (!exists(tree, ino) || ino != SOC || strcmp(name, "user.bms.unit") != 0)
		return -ENODATA;
	if (text && size < strlen(unit))
		return -ERANGE;
	if (text)
		memcpy(text, unit, strlen(unit));
	return (ssize_t)strlen(unit);
}

ssize_t tree_xattrs(const struct tree *tree, uint64_t ino, char *names, size_t size)
{
	static const char list[] = "user.bms.unit";

	if (!exists(tree, ino) || ino != SOC)
		return 0;
	if (names && size < sizeof(list))
		return -ERANGE;
	if (names)
		memcpy(names, list, sizeof(list));
	return sizeof(list);
}

void tree_path(const struct tree *tree, uint64_t ino, char *path, size_t size)
{
	snprintf(path, size, "%s", exists(tree, ino) ? files[ino].name : "?");
}

static bool fresh_enough(const struct device *device, unsigned row, const struct freshness *fresh)
{
	return device->tried[row] &&
	       device->tried[row] >= fresh->call - (fresh->direct ? 0 : FAKE_TTL);
}

static bool missing(const struct device *device, struct device_query *query)
{
	for (unsigned row = 0; row < FAKE_ROWS; row++)
		if (row_set_has(&query->need, row) && fresh_enough(device, row, &query->fresh))
			row_set_remove(&query->need, row);
	return !row_set_empty(&query->need);
}

bool device_query(struct device *device, struct device_query *query)
{
	device->queries++;
	if (!missing(device, query))
		return true;
	TAILQ_INSERT_TAIL(&device->query, query, entry);
	device->waiting++;
	return false;
}

void device_query_cancel(struct device *device, struct device_query *query)
{
	TAILQ_REMOVE(&device->query, query, entry);
	device->waiting--;
}

int device_sample(const struct device *device, unsigned row, const struct freshness *fresh,
		  const struct sample **sample)
{
	*sample = NULL;
	if (!device->tried[row])
		return fresh->call ? -ETIMEDOUT : -ENODATA;
	if (fresh->call && !fresh_enough(device, row, fresh))
		return -ETIMEDOUT;
	return device->failure[row];
}

void device_write(struct device *device, struct device_write *write)
{
	device->writes++;
	device->waiting++;
	TAILQ_INSERT_TAIL(&device->write, write, entry);
}

bool device_write_cancel(struct device *device, struct device_write *write)
{
	if (device->sent)
		return false;
	TAILQ_REMOVE(&device->write, write, entry);
	device->waiting--;
	return true;
}

void device_observe(struct device *device, const struct device_observer *observer, void *user)
{
	device->observer = observer;
	device->user = user;
}

void fake_sample(struct device *device, unsigned row, int64_t asked)
{
	memcpy(device->sample[row], device->value[row], sizeof(device->sample[row]));
	device->failure[row] = device->error[row];
	device->tried[row] = asked;
	if (!device->error[row])
		device->asked[row] = asked;
	device->observer->sampled(device->user, row);
}

static void finish_write(struct device *device, struct device_write *write)
{
	char *value = device->value[write->row];

	snprintf(write->before, sizeof(write->before), "%s", value);
	if (!device->write_error)
		snprintf(value, sizeof(device->value[0]), "%s", write->setting.text);
	snprintf(write->after, sizeof(write->after), "%s", value);
	device->tried[write->row] = 0;
	device->observer->wrote(device->user, write, device->write_error);
	write->done(write, device->write_error);
}

void fake_run(struct device *device)
{
	struct device_query *query;
	struct device_write *write;

	while (!device->hold && (query = TAILQ_FIRST(&device->query))) {
		for (unsigned row = 0; row < FAKE_ROWS; row++)
			if (row_set_has(&query->need, row))
				fake_sample(device, row, device->bus.now);
		device_query_cancel(device, query);
		query->done(query);
	}
	while (!device->hold && (write = TAILQ_FIRST(&device->write))) {
		TAILQ_REMOVE(&device->write, write, entry);
		device->waiting--;
		finish_write(device, write);
	}
}

int64_t device_ttl(const struct device *device, unsigned row)
{
	(void)row;
	return device->config.ttl;
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

const struct device_config *device_config(const struct device *device)
{
	return &device->config;
}

struct bus *device_bus(const struct device *device)
{
	return (struct bus *)&device->bus;
}

int64_t bus_now(const struct bus *bus)
{
	return bus->now;
}

void fake_init(struct device *device, struct tree *tree)
{
	*device = (struct device){
		.bus.now = 1000000 * NSEC_PER_SEC,
		.config = { .ttl = FAKE_TTL, .deadline = 5 * NSEC_PER_SEC },
		.table.rows = FAKE_ROWS,
		.shape.known = true,
		.value = { "78.46", "3.5", "a", "log" },
	};
	device->table.row = device->row;
	device->row[3].consuming = true;
	TAILQ_INIT(&device->query);
	TAILQ_INIT(&device->write);
	*tree = (struct tree){ .device = device };
	device->tree = tree;
}

int tree_new(struct tree **tree, struct device *device, const char *name, unsigned number)
{
	(void)name;
	*tree = device->tree;
	return number ? -EINVAL : 0;
}

void tree_free(struct tree *tree)
{
	(void)tree;
}

struct device *tree_device(const struct tree *tree)
{
	return tree->device;
}

uint64_t tree_root(const struct tree *tree)
{
	(void)tree;
	return TREE_ROOT;
}

void tree_set_last_error(struct tree *tree, const struct last_error *last_error)
{
	tree->last_error = last_error;
}

uint32_t tree_revision(const struct tree *tree, uint64_t ino)
{
	(void)tree;
	(void)ino;
	return 0;
}

void tree_reason(const struct tree *tree, uint64_t ino, const struct freshness *fresh, int err,
		 char *reason, size_t size)
{
	(void)fresh;
	snprintf(reason, size, "%s",
		 ino == CLASS || err != tree->device->error[0] ? "" : "a reason");
}

const char *tree_read_only_reason(const struct tree *tree, uint64_t ino)
{
	(void)tree;
	(void)ino;
	return "read-only";
}

void holder_pause(bool paused)
{
	(void)paused;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
/* Readers and writers, as the file system makes them. */
#include <errno.h>
#include <string.h>

#include "world.h"

#define TEXT_MAX 4096

static void file_add(struct world *world, uint64_t ino)
{
	if (ino && world->files < FILES_MAX)
		world->file[world->files++] = ino;
}

static void dir_add(struct world *world, const char *name)
{
	uint64_t dir = tree_lookup(world->tree, TREE_ROOT, name), ino;
	char entry[TREE_NAME_MAX];
	struct tree_stat stat;

	/* Long files are made of nothing that others do not show. */
	for (unsigned i = 0; (ino = tree_entry(world->tree, dir, i, entry)); i++)
		if (!tree_stat(world->tree, ino, &stat) && stat.kind == TREE_VALUE)
			file_add(world, ino);
}

/* One of the numbered directories below units/N, with a file in it. */
static void channel_add(struct world *world, uint64_t unit, const char *dir, const char *name,
			const char *file)
{
	uint64_t ino = tree_lookup(world->tree, unit, dir);

	ino = tree_lookup(world->tree, ino, name);
	file_add(world, tree_lookup(world->tree, ino, file));
}

static void unit_add(struct world *world, uint64_t unit)
{
	static const char *const number[] = { "1", "2", "4", "9", "14", "16" };

	file_add(world, tree_lookup(world->tree, unit, "address"));
	file_add(world, tree_lookup(world->tree, unit, "temperature"));
	for (size_t i = 0; i < sizeof(number) / sizeof(number[0]); i++) {
		channel_add(world, unit, "cells", number[i], "voltage");
		channel_add(world, unit, "cells", number[i], "resistance");
		if (i < 3)
			channel_add(world, unit, "sensors", number[i], "temperature");
	}
}

void actors_init(struct world *world)
{
	uint64_t units = tree_lookup(world->tree, TREE_ROOT, "units");

	for (unsigned row = 0; row < world->table->rows; row++)
		file_add(world, tree_lookup(world->tree, TREE_ROOT, world->table->row[row].file));
	dir_add(world, "pack");
	dir_add(world, "bus");
	unit_add(world, tree_lookup(world->tree, units, "1"));
	unit_add(world, tree_lookup(world->tree, units, "3"));
	for (int i = 0; i < 4; i++)
		world->hot[i] = world->file[draw(&world->random, world->files)];
}

static void reader_answer(struct reader *reader)
{
	struct world *world = reader->world;
	char text[TEXT_MAX];

	reader->busy = false;
	world->readers--;
	reader->result = tree_render(world->tree, reader->ino, &reader->fresh, text, sizeof(text));
	check_read(world, reader, text, reader->result);
}

static void reader_done(struct device_query *query)
{
	reader_answer(query->user);
}

static struct reader *reader_free(struct world *world)
{
	for (int i = 0; i < READERS; i++)
		if (!world->reader[i].busy)
			return &world->reader[i];
	return NULL;
}

struct reader *reader_start(struct world *world, uint64_t ino, bool direct)
{
	struct reader *reader = reader_free(world);
	bool answered;

	if (!reader)
		return NULL;
	*reader = (struct reader){ .world = world, .busy = true, .ino = ino };
	world->readers++;
	world->figures->reads++;
	reader->fresh = (struct freshness){ .call = world_now(world), .direct = direct };
	reader->deadline = world_now(world) + world->config.deadline;
	reader->query = (struct device_query){
		.fresh = reader->fresh,
		.done = reader_done,
		.user = reader,
	};
	tree_needs(world->tree, ino, &reader->query.need);
	for (unsigned row = 0; row < world->table->rows; row++)
		if (row_set_has(&reader->query.need, row) && reader->rows < FILE_ROWS)
			reader->row[reader->rows++] = (uint8_t)row;
	answered = check_answered(world, reader);
	if (device_query(world->device, &reader->query))
		reader_answer(reader);
	else
		check_parked(world, reader, answered);
	return reader;
}

static void read_something(struct world *world)
{
	struct sim_random *random = &world->random;
	uint64_t ino = draw(random, 2) ? world->hot[draw(random, 4)]
				       : world->file[draw(random, world->files)];
	struct reader *reader = reader_start(world, ino, draw(random, 6) == 0);
	char path[64];

	if (!reader || !world->telling)
		return;
	tree_path(world->tree, ino, path, sizeof(path));
	world_tell(world, "read %s%s: %s", path, reader->fresh.direct ? " (direct)" : "",
		   reader->busy ? "waits" : "answered at once");
}

static void interrupt_reader(struct world *world)
{
	struct reader *reader = &world->reader[draw(&world->random, READERS)];

	if (!reader->busy)
		return;
	world->figures->interrupts++;
	world_tell(world, "a reader is interrupted");
	check_interrupted(world, reader);
	device_query_cancel(world->device, &reader->query);
	reader->busy = false;
	world->readers--;
}

/* --- writers --- */

static const char *const junk[] = {
	"",          "\n",          " 3.5",
	"3,5",       "3.5 ",        "nan",
	"inf",       "0x10",        "1e1",
	"--1",       "3.5.1",       "3.5\n\n",
	"3.",        ".5",          "+3.5",
	"-",         "1e400",       "3.6V",
	"999999999", "-99999",      "99999999999999999999999999",
	"00:00:61",  "32.13.2025x",
};

/* A text to write to @row, and whether no BMS may ever hear of it. */
static const char *writer_text(struct world *world, unsigned row, char text[64], bool *bad)
{
	const struct instruction *instruction = &world->table->row[row];
	struct sim_random *random = &world->random;
	double value = 0;

	*bad = draw(random, 10) == 0;
	if (*bad)
		return junk[draw(random, sizeof(junk) / sizeof(junk[0]))];
	if (instruction->type == VALUE_TEXT) {
		snprintf(text, 64, "%02u.%02u.20%02u", 1 + draw(random, 28), 1 + draw(random, 12),
			 10 + draw(random, 80));
		return text;
	}
	if (instruction->type == VALUE_CLOCK) {
		snprintf(text, 64, "%02u:%02u:%02u", draw(random, 24), draw(random, 60),
			 draw(random, 60));
		return text;
	}
	fault_link_holds(&world->link, row, &value);
	if (instruction->type == VALUE_INT)
		value = draw(random, 4) ? (double)draw(random, 6) : value + draw(random, 100);
	else
		value = value * sim_random_between(random, 0.8, 1.25) +
			sim_random_between(random, -0.02, 0.02);
	snprintf(text, 64, "%.*f%s", instruction->type == VALUE_INT ? 0 : 1 + (int)draw(random, 5),
		 value, draw(random, 2) ? "\n" : "");
	return text;
}

static void writer_done(struct device_write *write, int error)
{
	struct writer *writer = write->user;
	struct world *world = writer->world;

	writer->busy = false;
	world->writers--;
	world_tell(world, "write %s %s: %d", world_name(world, write->row), write->setting.text,
		   error);
	check_written(world, writer, error);
}

static struct writer *writer_free(struct world *world)
{
	for (int i = 0; i < WRITERS; i++)
		if (!world->writer[i].busy)
			return &world->writer[i];
	return NULL;
}

static void write_something(struct world *world)
{
	struct writer *writer = writer_free(world);
	unsigned row = draw(&world->random, (uint32_t)world->table->rows);
	uint64_t ino = tree_lookup(world->tree, TREE_ROOT, world->table->row[row].file);
	char buffer[64];
	const char *text;
	bool bad;
	int error;

	if (!writer || !ino)
		return;
	*writer = (struct writer){ .world = world, .called = world_now(world) };
	text = writer_text(world, row, buffer, &bad);
	error = tree_accept(world->tree, ino, text, strlen(text), &writer->write);
	world->figures->writes++;
	if (error) {
		world->figures->refused++;
		return;
	}
	if (!world->table->row[row].writable)
		world_violate(world, "%s can be written", world_name(world, row));
	/* Some of it is good for rows without a range. */
	if (bad && strspn(text, "0123456789-.") != strlen(text))
		world_violate(world, "\"%s\" was accepted for %s", text, world_name(world, row));
	world_tell(world, "write %s %s", world_name(world, row), writer->write.setting.text);
	writer->busy = true;
	world->writers++;
	writer->write.deadline = world_now(world) + world->config.deadline;
	writer->write.done = writer_done;
	writer->write.user = writer;
	device_write(world->device, &writer->write);
}

static void interrupt_writer(struct world *world)
{
	struct writer *writer = &world->writer[draw(&world->random, WRITERS)];

	if (!writer->busy)
		return;
	world->figures->interrupts++;
	if (!device_write_cancel(world->device, &writer->write))
		return;
	world_tell(world, "write %s is interrupted", world_name(world, writer->write.row));
	if (writer->set_at)
		world_violate(world, "the write of %s ended with EINTR, and its SET was sent",
			      world_name(world, writer->write.row));
	writer->busy = false;
	world->writers--;
}

void actors_act(struct world *world)
{
	uint32_t what = draw(&world->random, 100);

	if (what < 84)
		read_something(world);
	else if (what < 95)
		write_something(world);
	else if (what < 98)
		interrupt_reader(world);
	else
		interrupt_writer(world);
}

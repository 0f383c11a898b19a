// SPDX-License-Identifier: LGPL-3.0-or-later
#include "fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

int fixture_setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	if (!fixture)
		return -1;
	fake_init(&fixture->device, NULL);
	fixture->device.model = model_find(&fixture->device.table, "1q");
	fixture->device.bus.state = BUS_ONLINE;
	fixture->device.bus.identified = true;
	fake_shape(&fixture->device, 1, 14, 3);
	*state = fixture;
	return tree_new(&fixture->tree, &fixture->device, "bms0", 0);
}

void fixture_add_rows(struct fixture *fixture, const char *rows)
{
	struct table_error error;

	tree_free(fixture->tree);
	assert_int_equal(
		instruction_table_add(&fixture->device.table, "rows", rows, strlen(rows), &error),
		0);
	assert_int_equal(tree_new(&fixture->tree, &fixture->device, "bms0", 0), 0);
}

int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;

	tree_free(fixture->tree);
	fake_free(&fixture->device);
	free(fixture);
	return 0;
}

uint64_t fixture_ino(const struct fixture *fixture, const char *path)
{
	uint64_t ino = TREE_ROOT;
	char name[64];

	while (*path && ino) {
		size_t length = strcspn(path, "/");

		if (length >= sizeof(name))
			return 0;
		memcpy(name, path, length);
		name[length] = '\0';
		ino = tree_lookup(fixture->tree, ino, name);
		path += length + (path[length] == '/');
	}
	return ino;
}

const char *fixture_read(struct fixture *fixture, const char *path)
{
	const struct freshness fresh = { .call = FAKE_NOW };
	uint64_t ino = fixture_ino(fixture, path);
	ssize_t size;

	if (!ino)
		return "not there";
	size = tree_render(fixture->tree, ino, &fresh, fixture->text, TREE_TEXT_MAX);
	if (size < 0)
		return strerrorname_np((int)-size);
	fixture->text[size] = '\0';
	return fixture->text;
}

void fixture_expect(struct fixture *fixture, const char *path, const char *text)
{
	const char *got = fixture_read(fixture, path);

	if (strcmp(got, text) != 0)
		fail_msg("%s: \"%s\", not \"%s\"", path, got, text);
}

bool fixture_lists(const struct fixture *fixture, const char *dir, const char *name)
{
	uint64_t parent = fixture_ino(fixture, dir);
	char entry[TREE_NAME_MAX];

	for (unsigned i = 0; tree_entry(fixture->tree, parent, i, entry); i++)
		if (!strcmp(entry, name))
			return true;
	return false;
}

/* The cells that a 1Q sent (captured), and the numbers that its LCD3 held. */
static const double cells[] = {
	3.966f,  3.9661f, 3.9666f, 3.9663f, 3.967f,  3.9635f, 3.9644f,
	3.9577f, 3.9648f, 3.9669f, 3.9652f, 3.9641f, 3.9656f, 3.9643f,
};
static const double extremes[] = { 1, 8, 1, 13, 1, 3, 105 };

void fixture_feed(struct fixture *fixture, double current)
{
	struct device *device = &fixture->device;
	static const double error[] = { 0, 1, 0, 0 };
	static const double warm[] = { 26.5, 26, 27.25 };
	static const double resistance[] = { 0.00009103767f, 0.0001108202f };
	static const double board[] = { 25.89443f };

	fake_main_data(device, current);
	fake_numbers(device, "LCD3", 1, 7, extremes);
	fake_numbers(device, "CELL", 1, 14, cells);
	fake_numbers(device, "RINT", 1, 2, resistance);
	fake_numbers(device, "PTEM", 1, 3, warm);
	fake_numbers(device, "BTEM", 1, 1, board);
	fake_numbers(device, "ERRO", 1, 4, error);
	fake_number(device, "CAPA", 450);
	fake_number(device, "CHEM", 3);
	fake_number(device, "CYCL", 103);
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include "fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	return tree_new(&fixture->tree, &fixture->device);
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

bool fixture_lists(const struct fixture *fixture, const char *dir, const char *name)
{
	uint64_t parent = fixture_ino(fixture, dir);
	char entry[TREE_NAME_MAX];

	for (unsigned i = 0; tree_entry(fixture->tree, parent, i, entry); i++)
		if (!strcmp(entry, name))
			return true;
	return false;
}

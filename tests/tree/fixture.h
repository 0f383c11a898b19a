/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A tree over a fake device, by paths instead of inodes. */
#ifndef BMSFS_TESTS_TREE_FIXTURE_H
#define BMSFS_TESTS_TREE_FIXTURE_H

#include "fake_device.h"
#include "tree/tree.h"

struct fixture {
	struct device device;
	struct tree *tree;
	char text[TREE_TEXT_MAX + 1];
};

/* For cmocka: a 1q that is there, one unit of 14 cells and 3 sensors. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Adds rows to the table, in the grammar of its file. */
void fixture_add_rows(struct fixture *fixture, const char *rows);

/* A test with a fixture of its own as its state. */
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

/* The inode of a path below the root, or 0. */
uint64_t fixture_ino(const struct fixture *fixture, const char *path);

/* What reading it at FAKE_NOW gives: the text, or the name of the error ("ENODATA"). */
const char *fixture_read(struct fixture *fixture, const char *path);

/* Fails the test unless that is what reading it gives. */
void fixture_expect(struct fixture *fixture, const char *path, const char *text);

/* What a real pack of 14 cells said, at a current of the caller's choice. */
void fixture_feed(struct fixture *fixture, double current);

/* Whether the directory lists that name. */
bool fixture_lists(const struct fixture *fixture, const char *dir, const char *name);

#endif

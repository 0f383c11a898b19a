/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Inode numbers: the place of a file, packed into 32 bits. Programs without large file support get
 * EOVERFLOW from stat() and readdir() for a greater number. src/tree/tree.c and forest.c assert
 * that each field holds what the tables allow.
 */
#ifndef BMSFS_TREE_INO_H
#define BMSFS_TREE_INO_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

/* The fields from the lowest bit up. */
#define INO_ENTRY_BITS   8
#define INO_CHANNEL_BITS 10
#define INO_UNIT_BITS    4
#define INO_DIR_BITS     5
#define INO_TREE_BITS    5

#define INO_CHANNEL_SHIFT INO_ENTRY_BITS
#define INO_UNIT_SHIFT    (INO_CHANNEL_SHIFT + INO_CHANNEL_BITS)
#define INO_DIR_SHIFT     (INO_UNIT_SHIFT + INO_UNIT_BITS)
#define INO_TREE_SHIFT    (INO_DIR_SHIFT + INO_DIR_BITS)

static_assert(INO_TREE_SHIFT + INO_TREE_BITS == 32, "an inode number has 32 bits");

#define ENTRY_SELF  1 /* the directory itself; that of kind 0 is inode 1, the root */
#define ENTRY_FIRST 2 /* the first node of its table */

struct place {
	uint8_t dir;      /* enum dir_kind */
	uint8_t unit;     /* from 1; 0 where there are no units */
	uint16_t channel; /* number of a cell or sensor from 1; 0 where there is none */
	uint8_t entry;
};

/* @tree is the number of the tree: 0 if it is the only one, else from 1. */
static inline uint64_t place_pack(unsigned tree, struct place place)
{
	return (uint32_t)tree << INO_TREE_SHIFT | (uint32_t)place.dir << INO_DIR_SHIFT |
	       (uint32_t)place.unit << INO_UNIT_SHIFT |
	       (uint32_t)place.channel << INO_CHANNEL_SHIFT | place.entry;
}

/* Greater than any number of a tree if @ino has more than 32 bits. */
static inline uint64_t ino_tree(uint64_t ino)
{
	return ino >> INO_TREE_SHIFT;
}

static inline uint32_t ino_field(uint64_t ino, unsigned shift, unsigned bits)
{
	return (uint32_t)(ino >> shift) & ((1u << bits) - 1);
}

/* tree_find() checks whether the place exists. */
static inline struct place place_unpack(uint64_t ino)
{
	return (struct place){
		.dir = (uint8_t)ino_field(ino, INO_DIR_SHIFT, INO_DIR_BITS),
		.unit = (uint8_t)ino_field(ino, INO_UNIT_SHIFT, INO_UNIT_BITS),
		.channel = (uint16_t)ino_field(ino, INO_CHANNEL_SHIFT, INO_CHANNEL_BITS),
		.entry = (uint8_t)ino_field(ino, 0, INO_ENTRY_BITS),
	};
}

#endif

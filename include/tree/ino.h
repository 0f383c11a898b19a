/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Inode numbers: the place of a file in the tree, packed. */
#ifndef BMSFS_TREE_INO_H
#define BMSFS_TREE_INO_H

#include <stdbool.h>
#include <stdint.h>

#define ENTRY_SELF  1 /* the directory itself; that of kind 0 is inode 1, the root */
#define ENTRY_FIRST 2 /* the first node of its table */

struct place {
	uint8_t dir;     /* enum dir_kind */
	uint8_t unit;    /* 1..15; 0 where there are no units */
	uint8_t channel; /* number of a cell or sensor from 1; 0 where there is none */
	uint8_t entry;
};

static inline uint64_t place_pack(struct place place)
{
	return (uint32_t)place.dir << 24 | (uint32_t)place.unit << 16 |
	       (uint32_t)place.channel << 8 | place.entry;
}

/* Whether the place exists is for tree_find(). */
static inline struct place place_unpack(uint32_t ino)
{
	return (struct place){
		.dir = (uint8_t)(ino >> 24),
		.unit = (uint8_t)(ino >> 16),
		.channel = (uint8_t)(ino >> 8),
		.entry = (uint8_t)ino,
	};
}

#endif

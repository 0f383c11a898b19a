/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * An allocator in front of the real one, that of the sanitizer if there is one, which fails when
 * told and counts. It is part of the test program and no preloaded library, because the runtime of
 * AddressSanitizer insists on being the first library, and because a program's own malloc() goes
 * before every other: that of the C library calls it too.
 */
#ifndef BMSFS_TESTS_NTH_ALLOC_H
#define BMSFS_TESTS_NTH_ALLOC_H

#include <stdbool.h>
#include <stdint.h>

/* From now on the Nth allocation fails, and all after it if @forever; 0: none. */
void alloc_fail(uint64_t n, bool forever);

/* How many have failed since. */
uint64_t alloc_failed(void);

/* Blocks in use. */
int64_t alloc_live(void);

#endif

/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Bytes seen on the wire of REC's BMSs, or rebuilt from values that were printed: those of
 * tests/captures, which says where each is from, and two that were made up.
 */
#ifndef BMSFS_TESTS_CAPTURED_H
#define BMSFS_TESTS_CAPTURED_H

#include <stdint.h>

#include "captured_frames.h"

/* The reply to "ERRO?": error 8, unit 1, sensor 2. */
static const uint8_t rebuilt_erro[] = {
	0x55, 0x00, 0x01, 0x01, 0x34, 0x87, 0x51, 0xAA, 0x55, 0x00,
	0x01, 0x04, 0x01, 0x01, 0x08, 0x02, 0x2C, 0x26, 0xAA,
};

/* "ERROR1" from unit 1, as REC's manual has it. */
static const uint8_t captured_error[] = {
	0x55, 0x00, 0x01, 0x06, 0x45, 0x52, 0x52, 0x4F, 0x52, 0x31, 0x4E, 0xCD, 0xAA,
};

#endif

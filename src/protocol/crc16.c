// SPDX-License-Identifier: LGPL-3.0-or-later
#include "protocol/crc16.h"

/* The remainders of the sixteen half bytes; two steps a byte are fast enough for 56000 baud. */
static const uint16_t remainder_of[16] = {
	0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
	0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
};

uint16_t crc16_arc(const void *data, size_t size)
{
	const uint8_t *byte = data;
	uint16_t crc = 0;

	for (size_t i = 0; i < size; i++) {
		crc = (uint16_t)(crc >> 4 ^ remainder_of[(crc ^ byte[i]) & 15]);
		crc = (uint16_t)(crc >> 4 ^ remainder_of[(crc ^ byte[i] >> 4) & 15]);
	}
	return crc;
}

/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef BMSFS_PROTOCOL_CRC16_H
#define BMSFS_PROTOCOL_CRC16_H

#include <stddef.h>
#include <stdint.h>

/*
 * CRC-16/ARC (polynomial 0x8005 reflected, initial value 0, no final xor) over @size bytes.
 * Check value: "123456789" gives 0xBB3D. REC sends it high byte first, over DST, SND, LEN and payload.
 */
uint16_t crc16_arc(const void *data, size_t size);

#endif

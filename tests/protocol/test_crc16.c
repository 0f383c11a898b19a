// SPDX-License-Identifier: LGPL-3.0-or-later
#include "test.h"

#include <string.h>

#include "captured.h"
#include "protocol/crc16.h"

static void test_check_value(void **state)
{
	(void)state;
	assert_int_equal(crc16_arc("123456789", 9), 0xBB3D);
	assert_int_equal(crc16_arc("", 0), 0);
	assert_int_equal(crc16_arc(NULL, 0), 0);
}

/* The CRCs that REC's manual and the captures show, over DST, SND, LEN and payload. */
static void test_wire(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		uint16_t crc;
	} row[] = {
		{ "\1\0\5LCD1?", 8, 0x46D0 },        { "\2\0\5LCD1?", 8, 0x5390 },
		{ "\6\0\5LCD1?", 8, 0xA091 },        { "\20\0\5LCD1?", 8, 0x8610 },
		{ "\1\0\5*IDN?", 8, 0xA6FB },        { "\1\0\5CELL?", 8, 0x5D24 },
		{ "\1\0\5RINT?", 8, 0xCE70 },        { "\1\0\11BMIN 3.94", 12, 0xC1EA },
		{ "\0\1\0114.50000e2", 12, 0xFBB4 }, { "\0\1\3SET", 6, 0xFAFE },
		{ "\0\1\6ERROR1", 9, 0x4ECD },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		assert_int_equal(crc16_arc(row[i].bytes, row[i].size), row[i].crc);
}

/* The definition, bit by bit. */
static uint16_t crc_by_bits(const uint8_t *byte, size_t size)
{
	uint16_t crc = 0;

	for (size_t i = 0; i < size; i++) {
		crc ^= byte[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (uint16_t)(crc & 1 ? crc >> 1 ^ 0xA001 : crc >> 1);
	}
	return crc;
}

static void test_definition(void **state)
{
	uint32_t random = 1;
	uint8_t bytes[258] = { 0 };

	(void)state;
	for (size_t size = 0; size <= sizeof(bytes); size++) {
		for (size_t i = 0; i < size; i++) {
			random = random * 1664525 + 1013904223;
			bytes[i] = (uint8_t)(random >> 24);
		}
		assert_int_equal(crc16_arc(bytes, size), crc_by_bits(bytes, size));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check_value),
		cmocka_unit_test(test_wire),
		cmocka_unit_test(test_definition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

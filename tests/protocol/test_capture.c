// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <string.h>

#include "captured.h"
#include "nsec.h"
#include "protocol/capture.h"
#include "protocol/frame.h"
#include "test.h"

static struct capture_line line;

/* Why a line is refused, or NULL. */
static const char *parse(const char *text)
{
	const char *reason;
	int ret = capture_parse(text, strlen(text), &line, &reason);

	assert_int_equal(ret, reason ? -EINVAL : 0);
	return reason;
}

static void expect(const char *text, enum capture_kind kind, int64_t when, size_t size)
{
	const char *reason = parse(text);

	if (reason)
		fail_msg("\"%s\": %s", text, reason);
	assert_int_equal(line.kind, kind);
	assert_int_equal(line.when, when);
	assert_int_equal(line.size, size);
}

static void test_lines(void **state)
{
	(void)state;
	expect("", CAPTURE_REMARK, 0, 0);
	expect("  \t\r", CAPTURE_REMARK, 0, 0);
	expect("# 1 > 55", CAPTURE_REMARK, 0, 0);
	expect("  #", CAPTURE_REMARK, 0, 0);
	expect("0 > 55", CAPTURE_SENT, 0, 1);
	expect("12.5 < 55aAfF", CAPTURE_RECEIVED, 12 * NSEC_PER_SEC + 500000000, 3);
	assert_memory_equal(line.bytes, "\x55\xAA\xFF", 3);
	expect("\t7.123456789 \t<\t0099 CAPA? 55", CAPTURE_RECEIVED, 7123456789, 2);
	expect("7.000001 > 55\r", CAPTURE_SENT, 7000001000, 1);
	expect("999999999.999999999 = closed", CAPTURE_LINE, 999999999999999999, 0);
	expect("1 =", CAPTURE_LINE, NSEC_PER_SEC, 0);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *text, *word;
	} rows[] = {
		{ "x", "time" },
		{ "-1 > 55", "time" },
		{ ". > 55", "time" },
		{ ".5 > 55", "time" },
		{ "1. > 55", "time" },
		{ "1.0000000001 > 55", "time" },
		{ "1000000000 > 55", "time" },
		{ "99999999999999999999999999 > 55", "time" },
		{ "1x > 55", "time" },
		{ "1> 55", "time" },
		{ "1", "no <" },
		{ "1 ", "no <" },
		{ "1 x 55", "no <" },
		{ "1 >55", "no blank" },
		{ "1 =x", "no blank" },
		{ "1 >", "missing" },
		{ "1 <  ", "missing" },
		{ "1 > 5", "pairs" },
		{ "1 > 555", "pairs" },
		{ "1 > 5 5", "pairs" },
		{ "1 > 0x55", "pairs" },
		{ "1 > 5g", "pairs" },
		{ "1 > CAPA?", "pairs" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *reason = parse(rows[i].text);

		if (!reason || !strstr(reason, rows[i].word))
			fail_msg("\"%s\": %s", rows[i].text, reason ? reason : "accepted");
	}
}

static void test_nul_is_no_direction(void **state)
{
	const char *reason;

	(void)state;
	assert_int_equal(capture_parse("1 \0 55", 6, &line, &reason), -EINVAL);
	assert_int_equal(capture_parse("1 > 5\0", 6, &line, &reason), -EINVAL);
}

static void test_longest(void **state)
{
	char text[2 * CAPTURE_BYTES_MAX + 8] = "1 > ";

	(void)state;
	memset(text + 4, 'A', 2 * CAPTURE_BYTES_MAX);
	text[4 + 2 * CAPTURE_BYTES_MAX] = '\0';
	expect(text, CAPTURE_SENT, NSEC_PER_SEC, CAPTURE_BYTES_MAX);
	memcpy(text + 4 + 2 * CAPTURE_BYTES_MAX, "AA", 3);
	assert_non_null(strstr(parse(text), "more bytes"));
}

static void expect_format(int64_t when, enum capture_kind kind, const uint8_t *bytes, size_t size,
			  const char *text)
{
	char got[CAPTURE_LINE_MAX];
	size_t length = capture_format(got, kind, when, bytes, size);
	const char *reason;

	assert_int_equal(got[length - 1], '\n');
	got[length - 1] = '\0';
	if (text)
		assert_string_equal(got, text);
	assert_int_equal(capture_parse(got, length - 1, &line, &reason), 0);
	assert_int_equal(line.kind, kind);
	assert_int_equal(line.size, size);
	assert_memory_equal(line.bytes, bytes, size);
}

static void test_format(void **state)
{
	static const uint8_t noise[CAPTURE_BYTES_MAX];
	uint8_t frames[CAPTURE_BYTES_MAX];

	(void)state;
	expect_format(8123 * NSEC_PER_SEC + 456789123, CAPTURE_SENT, captured_requests, 12,
		      "8123.456789 > 550100052A49444E3FA6FBAA *IDN?");
	expect_format(0, CAPTURE_RECEIVED, captured_capa, sizeof(captured_capa),
		      "0.000000 < 55000109342E35303030306532FBB4AA 4.50000e2");
	expect_format(1000, CAPTURE_RECEIVED, captured_cell, sizeof(captured_cell), NULL);
	expect_format(1, CAPTURE_RECEIVED, captured_capa, 5,
		      "0.000000 < 5500010934 5 bytes of no frame");
	/* Many frames in one line, more than a remark can name. */
	for (size_t i = 0; i < sizeof(frames); i++)
		frames[i] = captured_set[i % sizeof(captured_set)];
	expect_format(1, CAPTURE_RECEIVED, frames, sizeof(frames), NULL);
	expect_format(INT64_C(999999999999999999), CAPTURE_RECEIVED, noise, sizeof(noise), NULL);
}

static void test_describe(void **state)
{
	char text[FRAME_TEXT_MAX];
	struct frame frame;
	uint8_t payload[FRAME_PAYLOAD_MAX];

	(void)state;
	frame_make(&frame, 1, 0, "CAPA?", 5);
	frame_describe(&frame, text);
	assert_string_equal(text, "CAPA?");
	frame_make(&frame, 1, 0, NULL, 0);
	frame_describe(&frame, text);
	assert_string_equal(text, "0 bytes");
	memset(payload, 'x', sizeof(payload));
	frame_make(&frame, 1, 0, payload, sizeof(payload));
	frame_describe(&frame, text);
	assert_int_equal(strlen(text), FRAME_PAYLOAD_MAX);
	payload[254] = 0x7F;
	frame_make(&frame, 1, 0, payload, sizeof(payload));
	frame_describe(&frame, text);
	assert_string_equal(text, "255 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_nul_is_no_direction),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_describe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

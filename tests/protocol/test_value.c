// SPDX-License-Identifier: LGPL-3.0-or-later
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <ftw.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol/value.h"

#ifndef RANDOM_FLOATS /* an emulated processor takes its time */
#define RANDOM_FLOATS 1000000
#endif
#define RANDOM_SHORTEST 20000
#define RANDOM_DECIMALS 100000

static float float_of_bits(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static const struct {
	float value;
	const char *text;
} plain[] = {
	{ 450.0f, "450" },
	{ 0.05f, "0.05" },
	{ 9.103767E-05f, "0.00009103767" },
	{ 3.966f, "3.966" },
	{ 3.9661f, "3.9661" },
	{ 0.7846351f, "0.7846351" },
	{ -2.452148f, "-2.452148" },
	{ -0.0f, "0" },
	{ 0.0f, "0" },
	{ 16777216.0f, "16777216" },
	{ 16777218.0f, "16777218" },
	{ -16777216.0f, "-16777216" },
	{ 0.1f, "0.1" },
	{ 1e-45f, "0.000000000000000000000000000000000000000000001" },
	{ 4.036099f, "4.036099" },
	{ 25.89443f, "25.89443" },
	{ -1.2351e2f, "-123.51" },
	{ 1e10f, "10000000000" },
	{ FLT_MAX, "340282350000000000000000000000000000000" },
	{ -FLT_MAX, "-340282350000000000000000000000000000000" },
	{ FLT_MIN, "0.000000000000000000000000000000000000011754944" },
	/* The nearest number of eight digits lies below and belongs to another float32. */
	{ 0x1p-96f, "0.000000000000000000000000000012621775" },
	/* A tie of two numbers of eight digits: the even one, as everywhere else. */
	{ 0x1.54p-3f, "0.16601562" },
	{ 8388608.5f, "8388608" },
	{ 1.5f, "1.5" },
	{ 0.3f, "0.3" },
	{ 99999.99f, "99999.99" },
};

static void test_format_float(void **state)
{
	char text[VALUE_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		int length = value_format_float(text, sizeof(text), plain[i].value);

		assert_string_equal(text, plain[i].text);
		assert_int_equal(length, strlen(plain[i].text));
		assert_int_equal(value_format_float(text, (size_t)length + 1, plain[i].value),
				 length);
		assert_int_equal(value_format_float(text, (size_t)length, plain[i].value), -ENOSPC);
		assert_int_equal(value_format_float(NULL, 0, plain[i].value), -ENOSPC);
	}
	assert_int_equal(value_format_float(text, sizeof(text), NAN), -EIO);
	assert_int_equal(value_format_float(text, sizeof(text), INFINITY), -EIO);
	assert_int_equal(value_format_float(text, sizeof(text), -INFINITY), -EIO);
}

static void assert_reads_back(float value, char text[VALUE_TEXT_MAX])
{
	float again;
	int length = value_format_float(text, VALUE_TEXT_MAX, value);

	assert_in_range(length, 1, VALUE_TEXT_MAX - 1);
	assert_int_equal(strspn(text, "-0123456789."), length);
	assert_true(strtof(text, NULL) == value);
	assert_int_equal(value_parse_reply_float(text, (size_t)length, &again), 0);
	assert_true(again == value);
}

/* No number with one digit less, below or above, reads back as @value. */
static void assert_shortest(float value)
{
	char text[VALUE_TEXT_MAX], fewer[VALUE_TEXT_MAX];
	const char *point;
	unsigned long long digits = 0;
	int exponent;

	assert_reads_back(value, text);
	point = strchr(text, '.');
	exponent = point ? -(int)strlen(point + 1) : 0;
	for (const char *at = text; *at; at++)
		if (*at >= '0' && *at <= '9' && digits < 1000000000)
			digits = digits * 10 + (unsigned)(*at - '0');
		else if (*at >= '0' && *at <= '9')
			exponent++;
	while (digits && digits % 10 == 0) {
		digits /= 10;
		exponent++;
	}
	/* All digits of an integer count as far as float32 holds every integer. */
	if (digits < 10 || (fabsf(value) <= 0x1p24f && truncf(value) == value))
		return;
	for (unsigned more = 0; more < 2; more++) {
		snprintf(fewer, sizeof(fewer), "%llue%d", digits / 10 + more, exponent + 1);
		assert_true(strtof(fewer, NULL) != fabsf(value));
	}
}

/* What a BMS measures: a few digits, a few of them decimals. */
static void test_decimals(void **state)
{
	uint32_t random = 1;

	(void)state;
	for (int i = 0; i < RANDOM_DECIMALS; i++) {
		random = random * 1664525 + 1013904223;
		assert_shortest((float)((random >> 8) * pow(10, -1 - i % 10)));
	}
}

static void test_round_trip(void **state)
{
	char text[VALUE_TEXT_MAX];
	uint32_t bits = 2463534242;

	(void)state;
	for (int i = 0; i < RANDOM_FLOATS; i++) {
		float value;

		bits ^= bits << 13;
		bits ^= bits >> 17;
		bits ^= bits << 5;
		value = float_of_bits(bits);
		if (!isfinite(value))
			continue;
		assert_reads_back(value, text);
		if (i < RANDOM_SHORTEST)
			assert_shortest(value);
	}
}

static void test_powers(void **state)
{
	char text[VALUE_TEXT_MAX], exponent[16];

	(void)state;
	for (int power = -149; power <= 127; power++) {
		assert_shortest(ldexpf(1, power));
		assert_shortest(-nextafterf(ldexpf(1, power), 0));
	}
	for (int power = -45; power <= 38; power++) {
		snprintf(exponent, sizeof(exponent), "1e%d", power);
		assert_shortest(strtof(exponent, NULL));
		assert_reads_back(strtof(exponent, NULL), text);
		assert_int_equal(strspn(text, ".0"), power < 0 ? 1 - power : 0);
		assert_int_equal(strlen(text), power < 0 ? 2 - power : 1 + power);
	}
}

static void test_format_fixed(void **state)
{
	static const struct {
		double value;
		int decimals;
		const char *text;
	} row[] = {
		{ 78.46351, 2, "78.46" },
		{ 0.125, 2, "0.13" },
		{ -0.125, 2, "-0.13" },
		{ 0.375, 2, "0.38" },
		{ 2.5, 0, "3" },
		{ -2.5, 0, "-3" },
		{ 0.4999999999999999, 0, "0" },
		{ -0.004, 2, "0.00" },
		{ -0.0, 3, "0.000" },
		{ -0.4, 0, "0" },
		{ 0.995, 2, "0.99" }, /* the double lies just below */
		{ 0.999, 2, "1.00" },
		{ -9.9999, 3, "-10.000" },
		{ 100, 2, "100.00" },
		{ 0.05, 3, "0.050" },
		{ 1e15, 1, "1000000000000000.0" },
		{ 0x1p62, 2, "4611686018427387904.00" },
		{ 0.123456789, 9, "0.123456789" },
		{ 0.9999999999, 9, "1.000000000" },
		{ 1e-300, 9, "0.000000000" },
	};
	char text[VALUE_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		size_t length = strlen(row[i].text);

		assert_int_equal(
			value_format_fixed(text, sizeof(text), row[i].value, row[i].decimals),
			length);
		assert_string_equal(text, row[i].text);
		assert_int_equal(value_format_fixed(text, length, row[i].value, row[i].decimals),
				 -ENOSPC);
	}
	assert_int_equal(value_format_fixed(text, sizeof(text), NAN, 2), -EIO);
	assert_int_equal(value_format_fixed(text, sizeof(text), -INFINITY, 2), -EIO);
	assert_int_equal(value_format_fixed(text, sizeof(text), 1e300, 2), -ENOSPC);
}

static void test_format_int(void **state)
{
	char text[VALUE_TEXT_MAX];

	(void)state;
	assert_int_equal(value_format_int(text, sizeof(text), 4294967295), 10);
	assert_string_equal(text, "4294967295");
	assert_int_equal(value_format_int(text, sizeof(text), INT64_MIN), 20);
	assert_string_equal(text, "-9223372036854775808");
	assert_int_equal(value_format_int(text, 20, INT64_MIN), -ENOSPC);
}

#define TEXT(literal) literal, sizeof(literal) - 1

/* What is no number for anybody who writes. */
static const struct {
	const char *text;
	size_t size;
} refused[] = {
	{ TEXT("+1") },     { TEXT(".5") },    { TEXT("5.") },
	{ TEXT("1e3") },    { TEXT("0x10") },  { TEXT("nan") },
	{ TEXT("inf") },    { TEXT("") },      { TEXT(" 1") },
	{ TEXT("1 ") },     { TEXT("--1") },   { TEXT("1,5") },
	{ TEXT("1.2.3") },  { TEXT("1\n") },   { TEXT("-") },
	{ TEXT("1-") },     { TEXT("4.2x") },  { TEXT("1\0") },
	{ TEXT("1\0002") }, { TEXT("-.5") },   { TEXT(".") },
	{ TEXT("1_000") },  { TEXT("1'000") }, { TEXT("1234567890123456789012345") },
};

static void test_parse_refused(void **state)
{
	float number;
	int64_t integer;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		assert_int_equal(value_parse_float(refused[i].text, refused[i].size, &number),
				 -EINVAL);
		assert_int_equal(value_parse_int(refused[i].text, refused[i].size, &integer),
				 -EINVAL);
	}
}

static void test_parse_float(void **state)
{
	static const struct {
		const char *text;
		float value;
	} row[] = {
		{ "3.6", 3.6f },
		{ "-10", -10 },
		{ "0", 0 },
		{ "-0", 0 },
		{ "-0.000", 0 },
		{ "007.50", 7.5f },
		{ "16777217", 16777216 }, /* halfway, to even */
		{ "16777217.00000000000001", 16777218 },
		{ "0.0000000000000000000001", 1e-22f },
		{ "123456789012345678901234", 123456789012345678901234.0f },
	};
	float value;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		assert_int_equal(value_parse_float(row[i].text, strlen(row[i].text), &value), 0);
		assert_true(value == row[i].value);
		assert_false(value == 0 && signbit(value));
	}
}

static void test_parse_int(void **state)
{
	int64_t value;

	(void)state;
	assert_int_equal(value_parse_int(TEXT("4294967295"), &value), 0);
	assert_int_equal(value, 4294967295);
	assert_int_equal(value_parse_int(TEXT("-0"), &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(value_parse_int(TEXT("-9223372036854775808"), &value), 0);
	assert_int_equal(value, INT64_MIN);
	assert_int_equal(value_parse_int(TEXT("9223372036854775808"), &value), -ERANGE);
	assert_int_equal(value_parse_int(TEXT("-9223372036854775809"), &value), -ERANGE);
	assert_int_equal(value_parse_int(TEXT("999999999999999999999999"), &value), -ERANGE);
	assert_int_equal(value_parse_int(TEXT("1.0"), &value), -EINVAL);
}

static void test_parse_reply_float(void **state)
{
	static const struct {
		const char *text;
		size_t size;
		float value;
	} row[] = {
		{ TEXT("4.50000e2"), 450 },
		{ TEXT("5.00000e-2"), 0.05f },
		{ TEXT("-1.2351e2"), -123.51f },
		{ TEXT("4.08"), 4.08f },
		{ TEXT("103"), 103 },
		{ TEXT(" 3.5\r\n"), 3.5f },
		{ TEXT("3.94000e0\0\0"), 3.94f },
		{ TEXT("+1.0E+01"), 10 },
		{ TEXT(".5"), 0.5f },
		{ TEXT("5."), 5 },
		{ TEXT("0e99999999999999"), 0 },
		{ TEXT("-0.00000e0"), 0 },
		{ TEXT("1e-45"), 1e-45f },
	};
	static const struct {
		const char *text;
		size_t size;
	} bad[] = {
		{ TEXT("") },        { TEXT("  ") },
		{ TEXT("nan") },     { TEXT("inf") },
		{ TEXT("0x10") },    { TEXT("1e") },
		{ TEXT("1e+") },     { TEXT("1e1.5") },
		{ TEXT("1 2") },     { TEXT("1\0002") },
		{ TEXT("SET") },     { TEXT("1,5") },
		{ TEXT("1e39") },    { TEXT("-3.5e38") },
		{ TEXT("1e-60") },   { TEXT("1e99999999999") },
		{ TEXT("+-1") },     { TEXT(".") },
		{ TEXT("e5") },      { TEXT("12:00:00") },
		{ TEXT("1.5e2e3") },
	};
	char longest[300];
	float value;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		assert_int_equal(value_parse_reply_float(row[i].text, row[i].size, &value), 0);
		assert_true(value == row[i].value);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(value_parse_reply_float(bad[i].text, bad[i].size, &value), -EIO);

	memset(longest, '0', sizeof(longest));
	longest[254] = '7';
	assert_int_equal(value_parse_reply_float(longest, 255, &value), 0);
	assert_true(value == 7);
	assert_int_equal(value_parse_reply_float(longest, 256, &value), -EIO);
}

static void test_parse_reply_int(void **state)
{
	static const struct {
		const char *text;
		int ret;
		int64_t value;
	} row[] = {
		{ "103", 0, 103 },
		{ "1.03e2", 0, 103 },
		{ "1.03000e2", 0, 103 },
		{ "3", 0, 3 },
		{ " -2 ", 0, -2 },
		{ "0.00000e0", 0, 0 },
		{ "4294967295", 0, 4294967295 },
		{ "3.69106633e8", 0, 369106633 },
		{ "3.69e8", -EIO, 0 },
		{ "1e1", -EIO, 0 },
		{ "1.5", -EIO, 0 },
		{ "5e-1", -EIO, 0 },
		{ "10e-1", 0, 1 },
		{ "0e-9", 0, 0 },
		{ "9223372036854775808", -EIO, 0 },
		{ "x", -EIO, 0 },
		{ "", -EIO, 0 },
	};
	int64_t value;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		value = 0;
		assert_int_equal(value_parse_reply_int(row[i].text, strlen(row[i].text), &value),
				 row[i].ret);
		assert_int_equal(value, row[i].value);
	}
}

/* A number in units of the last digit of a reply. */
static void test_reply_units(void **state)
{
	static const struct {
		const char *reply;
		double value, units;
	} row[] = {
		{ .reply = "3.94000e0", .value = 3.94, .units = 394000 },
		{ .reply = "4.50000e2", .value = 450, .units = 450000 },
		{ .reply = "7.81250e-3", .value = 0.0078125, .units = 781250 },
		{ .reply = "1.95313e-2", .value = 0.01953125, .units = 1953125e-1 + 0.5 },
		{ .reply = "-1.0e1", .value = -10.4, .units = -10 },
		{ .reply = "4.2", .value = 4.25, .units = 43 },
		{ .reply = "4", .value = 4.25, .units = 4 },
		{ .reply = "4e2", .value = 449, .units = 4 },
		{ .reply = "0", .value = -0.4, .units = 0 },
	};
	double units;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		assert_int_equal(
			value_reply_units(row[i].reply, strlen(row[i].reply), row[i].value, &units),
			0);
		assert_true(units == row[i].units);
	}
	assert_int_equal(value_reply_units("SET", 3, 1, &units), -EIO);
	assert_int_equal(value_reply_units("", 0, 1, &units), -EIO);
}

static void test_parse_clock(void **state)
{
	static const struct {
		const char *text;
		int ret;
		int32_t seconds;
	} row[] = {
		{ "00:00:00", 0, 0 },         { "14:41:03", 0, 52863 },
		{ "23:59:59", 0, 86399 },     { "24:00:00", -EINVAL, -1 },
		{ "00:60:00", -EINVAL, -1 },  { "00:00:60", -EINVAL, -1 },
		{ "1:00:000", -EINVAL, -1 },  { "12-00-00", -EINVAL, -1 },
		{ "12:00", -EINVAL, -1 },     { "12:00:0x", -EINVAL, -1 },
		{ "12:00:00 ", -EINVAL, -1 }, { "", -EINVAL, -1 },
		{ "-1:00:00", -EINVAL, -1 },  { "12:00-00", -EINVAL, -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		int32_t seconds = -1;

		assert_int_equal(value_parse_clock(row[i].text, strlen(row[i].text), &seconds),
				 row[i].ret);
		assert_int_equal(seconds, row[i].seconds);
	}
}

static void test_clean_text(void **state)
{
	static const struct {
		const char *bytes;
		size_t size, room;
		const char *text;
	} row[] = {
		{ TEXT("REC BMS 1Q VICTRON"), 64, "REC BMS 1Q VICTRON" },
		{ TEXT(" \t\0 2.5 \r\n\0\0"), 64, "2.5" },
		{ TEXT("a\0b"), 64, "a?b" },
		{ TEXT("a\x80\xFF\x1B\x7F~"), 64, "a????~" },
		{ TEXT("  "), 64, "" },
		{ TEXT(""), 64, "" },
		{ TEXT("  abcdef"), 4, "abc" },
		{ TEXT("abc"), 4, "abc" },
		{ TEXT("abc"), 1, "" },
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		memset(text, 'x', sizeof(text));
		assert_int_equal(value_clean_text(text, row[i].room, row[i].bytes, row[i].size),
				 strlen(row[i].text));
		assert_string_equal(text, row[i].text);
	}
	text[0] = 'x';
	assert_int_equal(value_clean_text(text, 0, "abc", 3), 0);
	assert_int_equal(text[0], 'x');
}

static int remove_entry(const char *path, const struct stat *stat, int flag, struct FTW *ftw)
{
	(void)stat;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static bool comma_is_set(const char *name)
{
	return setlocale(LC_ALL, name) && !strcmp(localeconv()->decimal_point, ",");
}

/* Compiles a German locale into @folder; false where the means for that are not installed. */
static bool comma_compile(const char *folder)
{
	char out[128];
	char *argv[] = { "localedef", "-c", "-i", "de_DE", "-f", "UTF-8", out, NULL };
	char *environment[] = { NULL };
	posix_spawn_file_actions_t actions;
	int status = -1, failed;
	pid_t pid;

	snprintf(out, sizeof(out), "%s/de_DE.UTF-8", folder);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	failed = posix_spawn(&pid, "/usr/bin/localedef", &actions, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	if (failed || waitpid(pid, &status, 0) != pid)
		return false;
	setenv("LOCPATH", folder, 1);
	return comma_is_set("de_DE.UTF-8");
}

static bool comma_use(void)
{
	static const char *const name[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE" };
	char folder[] = "/tmp/bmsfs-locale-XXXXXX";
	bool used;

	for (size_t i = 0; i < ARRAY_SIZE(name); i++)
		if (comma_is_set(name[i]))
			return true;
	if (!mkdtemp(folder))
		return false;
	used = comma_compile(folder);
	nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	return used;
}

static void test_comma_locale(void **state)
{
	char text[VALUE_TEXT_MAX];

	if (!comma_use()) {
		print_message("no locale with a decimal comma here\n");
		skip();
	}
	snprintf(text, sizeof(text), "%.1f", 0.5);
	assert_string_equal(text, "0,5");

	test_format_float(state);
	test_format_fixed(state);
	test_parse_refused(state);
	test_parse_float(state);
	test_parse_reply_float(state);
	test_parse_reply_int(state);
	test_reply_units(state);
}

static int locale_restore(void **state)
{
	(void)state;
	unsetenv("LOCPATH");
	return setlocale(LC_ALL, "C") ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format_float),
		cmocka_unit_test(test_decimals),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_powers),
		cmocka_unit_test(test_format_fixed),
		cmocka_unit_test(test_format_int),
		cmocka_unit_test(test_parse_refused),
		cmocka_unit_test(test_parse_float),
		cmocka_unit_test(test_parse_int),
		cmocka_unit_test(test_parse_reply_float),
		cmocka_unit_test(test_parse_reply_int),
		cmocka_unit_test(test_reply_units),
		cmocka_unit_test(test_parse_clock),
		cmocka_unit_test(test_clean_text),
		cmocka_unit_test_teardown(test_comma_locale, locale_restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

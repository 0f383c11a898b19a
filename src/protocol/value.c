// SPDX-License-Identifier: LGPL-3.0-or-later
#include "protocol/value.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The C library's conversions obey the locale only at the decimal point, so none is ever shown to
 * them: a number goes to strtof() as digits and exponent, "394e-2", and what comes from printf's %e
 * is picked apart digit by digit.
 */

#define FLOAT_DIGITS  9 /* tell any float32 from its neighbours */
#define DIGITS_MAX    255
#define EXPONENT_MAX  9999
#define DECIMALS_MAX  9
#define EXACT_INTEGER (1 << 24) /* every integer up to here is a float32 */

/* A number as somebody wrote it: its digits without the point, and the power of ten of the last. */
struct decimal {
	bool negative;
	bool point;
	size_t whole;    /* digits before the point */
	size_t fraction; /* digits behind it */
	int exponent;
	char digits[DIGITS_MAX];
};

/* mantissa * 10^exponent */
struct shortest {
	uint32_t mantissa;
	int exponent;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0';
}

/* Narrows @text to what is left without blanks at both ends. */
static void text_trim(const char **text, size_t *size)
{
	while (*size && is_blank((*text)[*size - 1]))
		(*size)--;
	while (*size && is_blank(**text)) {
		(*text)++;
		(*size)--;
	}
}

/* What a formatter returns when snprintf() returned @length. */
static int text_result(int length, size_t size)
{
	return (size_t)length < size ? length : -ENOSPC;
}

/* Appends the digits that @text starts with; returns their number. */
static size_t decimal_take_digits(struct decimal *decimal, const char *text, size_t size)
{
	char *to = decimal->digits + decimal->whole + decimal->fraction;
	size_t count = 0;

	while (count < size && is_digit(text[count])) {
		to[count] = text[count];
		count++;
	}
	return count;
}

/* Takes digits, a point, digits, each of which may be missing. Returns the bytes taken. */
static size_t decimal_take(struct decimal *decimal, const char *text, size_t size)
{
	size_t at;

	decimal->whole = decimal->fraction = 0;
	decimal->whole = at = decimal_take_digits(decimal, text, size);
	decimal->point = at < size && text[at] == '.';
	if (decimal->point) {
		at++;
		decimal->fraction = decimal_take_digits(decimal, text + at, size - at);
		at += decimal->fraction;
	}
	decimal->exponent = -(int)decimal->fraction;
	return at;
}

/* What a user may write. Returns 0 or -EINVAL. */
static int decimal_parse_strict(struct decimal *decimal, const char *text, size_t size)
{
	size_t at;

	if (!size || size > VALUE_WRITE_MAX)
		return -EINVAL;
	decimal->negative = text[0] == '-';
	at = decimal->negative;
	at += decimal_take(decimal, text + at, size - at);
	if (at != size || !decimal->whole || decimal->point != (decimal->fraction > 0))
		return -EINVAL;
	return 0;
}

/* Takes all of @text as the exponent behind an 'e'. Returns 0 or -EIO. */
static int decimal_take_exponent(struct decimal *decimal, const char *text, size_t size)
{
	bool negative = size && text[0] == '-';
	size_t at = size && (text[0] == '-' || text[0] == '+');
	int exponent = 0;

	if (at == size)
		return -EIO;
	for (; at < size; at++) {
		if (!is_digit(text[at]))
			return -EIO;
		if (exponent < EXPONENT_MAX)
			exponent = exponent * 10 + text[at] - '0';
	}
	decimal->exponent += negative ? -exponent : exponent;
	return 0;
}

/* What a BMS may reply. Returns 0 or -EIO. */
static int decimal_parse_reply(struct decimal *decimal, const char *text, size_t size)
{
	size_t at;

	text_trim(&text, &size);
	if (!size || size > DIGITS_MAX)
		return -EIO;
	decimal->negative = text[0] == '-';
	at = text[0] == '-' || text[0] == '+';
	at += decimal_take(decimal, text + at, size - at);
	if (!decimal->whole && !decimal->fraction)
		return -EIO;
	if (at == size)
		return 0;
	if (text[at] != 'e' && text[at] != 'E')
		return -EIO;
	return decimal_take_exponent(decimal, text + at + 1, size - at - 1);
}

static bool decimal_is_zero(const struct decimal *decimal)
{
	for (size_t i = 0; i < decimal->whole + decimal->fraction; i++)
		if (decimal->digits[i] != '0')
			return false;
	return true;
}

/* Rounds to the nearest float32. Returns 0, or -ERANGE if that would be infinite or vanish. */
static int decimal_to_float(const struct decimal *decimal, float *value)
{
	char text[DIGITS_MAX + 16];
	float magnitude;

	snprintf(text, sizeof(text), "%.*se%d", (int)(decimal->whole + decimal->fraction),
		 decimal->digits, decimal->exponent);
	magnitude = strtof(text, NULL);
	if (isinf(magnitude) || (magnitude == 0 && !decimal_is_zero(decimal)))
		return -ERANGE;
	*value = decimal->negative && magnitude != 0 ? -magnitude : magnitude;
	return 0;
}

/* The integer of the first @count digits. Returns 0 or -ERANGE. */
static int decimal_to_int(const struct decimal *decimal, size_t count, int64_t *value)
{
	int64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		int digit = decimal->digits[i] - '0';

		if (__builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, decimal->negative ? -digit : digit, &sum))
			return -ERANGE;
	}
	*value = sum;
	return 0;
}

static bool shortest_reads_back(const struct shortest *shortest, float value)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu32 "e%d", shortest->mantissa, shortest->exponent);
	return strtof(text, NULL) == value;
}

/* @value rounded to @digits significant digits. */
static void shortest_round(struct shortest *shortest, float value, int digits)
{
	char text[32];
	const char *at = text;

	snprintf(text, sizeof(text), "%.*e", digits - 1, (double)value);
	shortest->mantissa = 0;
	for (; *at != 'e'; at++)
		if (is_digit(*at))
			shortest->mantissa = shortest->mantissa * 10 + (uint32_t)(*at - '0');
	shortest->exponent = (int)strtol(at + 1, NULL, 10) - (digits - 1);
}

/*
 * Whether a number of @digits digits reads back as @value. If any does, the nearest does, but for
 * one case: a power of two has its lower neighbour half as far as its upper one, so the number next
 * above may read back although the nearest, below, does not.
 */
static bool shortest_try(struct shortest *shortest, float value, int digits)
{
	int exponent;

	shortest_round(shortest, value, digits);
	if (shortest_reads_back(shortest, value))
		return true;
	if (frexpf(value, &exponent) != 0.5f)
		return false;
	shortest->mantissa++;
	return shortest_reads_back(shortest, value);
}

/*
 * The same for what has up to eight decimals and nine digits, which is most of what a BMS measures.
 * A float32 has 24 bits and 5^8 has 19, so the product is exact. The quotient is right too: it lies
 * either on the middle between two float32, or more than 2^-52 of itself away from it, and so does
 * not become that middle by being rounded to a double first.
 */
static bool shortest_find_decimals(struct shortest *shortest, float value)
{
	double scale = 1;
	int exponent;

	if (value > EXACT_INTEGER || frexpf(value, &exponent) == 0.5f)
		return false;
	for (int decimals = 0; decimals <= 8 && value * scale < 1e9; decimals++, scale *= 10) {
		double mantissa = rint(value * scale);

		if ((float)(mantissa / scale) == value) {
			shortest->mantissa = (uint32_t)mantissa;
			shortest->exponent = -decimals;
			return true;
		}
	}
	return false;
}

/* @value > 0. What @digits digits can do, more can do too, so the least number is bisected. */
static void shortest_find(struct shortest *shortest, float value)
{
	int few = 0, enough = FLOAT_DIGITS;

	shortest_round(shortest, value, FLOAT_DIGITS);
	while (enough - few > 1) {
		struct shortest attempt;
		int digits = (few + enough + 1) / 2;

		if (shortest_try(&attempt, value, digits)) {
			*shortest = attempt;
			enough = digits;
		} else {
			few = digits;
		}
	}
	while (shortest->mantissa % 10 == 0) {
		shortest->mantissa /= 10;
		shortest->exponent++;
	}
}

static int shortest_format(char *text, size_t size, const char *sign, const struct shortest *number)
{
	static const char zeros[] = "00000000000000000000000000000000000000000000000000";
	char digits[16];
	int count = snprintf(digits, sizeof(digits), "%" PRIu32, number->mantissa);
	int point = count + number->exponent;
	int length;

	if (number->exponent >= 0)
		length = snprintf(text, size, "%s%s%.*s", sign, digits, number->exponent, zeros);
	else if (point > 0)
		length = snprintf(text, size, "%s%.*s.%s", sign, point, digits, digits + point);
	else
		length = snprintf(text, size, "%s0.%.*s%s", sign, -point, zeros, digits);
	return text_result(length, size);
}

int value_format_float(char *text, size_t size, float value)
{
	struct shortest number;

	if (!isfinite(value))
		return -EIO;
	if (fabsf(value) <= EXACT_INTEGER && truncf(value) == value)
		return value_format_int(text, size, (int64_t)value);
	if (!shortest_find_decimals(&number, fabsf(value)))
		shortest_find(&number, fabsf(value));
	return shortest_format(text, size, value < 0 ? "-" : "", &number);
}

/* @part * @scale to the nearest integer, halves up, judged by the exact product. */
static uint32_t round_product(double part, uint32_t scale)
{
	double product = part * scale;
	double error = fma(part, scale, -product);
	double whole = floor(product);
	double rest = product - whole;

	return (uint32_t)whole + (rest > 0.5 || (rest == 0.5 && error >= 0));
}

int value_format_fixed(char *text, size_t size, double value, int decimals)
{
	static const uint32_t power[DECIMALS_MAX + 1] = {
		1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000,
	};
	double whole = trunc(fabs(value));
	uint32_t part;
	const char *sign;
	int length;

	if (!isfinite(value))
		return -EIO;
	part = round_product(fabs(value) - whole, power[decimals]);
	if (part == power[decimals]) {
		part = 0;
		whole++;
	}
	sign = value < 0 && (whole > 0 || part) ? "-" : "";
	if (decimals)
		length = snprintf(text, size, "%s%.0f.%0*" PRIu32, sign, whole, decimals, part);
	else
		length = snprintf(text, size, "%s%.0f", sign, whole);
	return text_result(length, size);
}

int value_format_int(char *text, size_t size, int64_t value)
{
	return text_result(snprintf(text, size, "%" PRId64, value), size);
}

int value_parse_float(const char *text, size_t size, float *value)
{
	struct decimal decimal;
	int ret = decimal_parse_strict(&decimal, text, size);

	return ret ? ret : decimal_to_float(&decimal, value);
}

int value_parse_int(const char *text, size_t size, int64_t *value)
{
	struct decimal decimal;
	int ret = decimal_parse_strict(&decimal, text, size);

	if (ret || decimal.point)
		return -EINVAL;
	return decimal_to_int(&decimal, decimal.whole, value);
}

int value_parse_reply_float(const char *text, size_t size, float *value)
{
	struct decimal decimal;

	if (decimal_parse_reply(&decimal, text, size) || decimal_to_float(&decimal, value))
		return -EIO;
	return 0;
}

int value_parse_reply_int(const char *text, size_t size, int64_t *value)
{
	struct decimal decimal;
	size_t count, units;

	if (decimal_parse_reply(&decimal, text, size) || decimal.exponent > 0)
		return -EIO;
	count = decimal.whole + decimal.fraction;
	units = (size_t)-decimal.exponent < count ? count - (size_t)-decimal.exponent : 0;
	for (size_t i = units; i < count; i++)
		if (decimal.digits[i] != '0')
			return -EIO;
	return decimal_to_int(&decimal, units, value) ? -EIO : 0;
}

int value_reply_units(const char *reply, size_t size, double value, double *units)
{
	struct decimal decimal;

	if (decimal_parse_reply(&decimal, reply, size))
		return -EIO;
	*units = round(value * pow(10, -decimal.exponent));
	return 0;
}

int value_parse_clock(const char *text, size_t size, int32_t *seconds)
{
	static const int limit[] = { 24, 60, 60 };
	int32_t sum = 0;

	if (size != sizeof("hh:mm:ss") - 1 || text[2] != ':' || text[5] != ':')
		return -EINVAL;
	for (int i = 0; i < 3; i++) {
		const char *digit = text + i * 3;
		int number;

		if (!is_digit(digit[0]) || !is_digit(digit[1]))
			return -EINVAL;
		number = (digit[0] - '0') * 10 + digit[1] - '0';
		if (number >= limit[i])
			return -EINVAL;
		sum = sum * 60 + number;
	}
	*seconds = sum;
	return 0;
}

size_t value_clean_text(char *text, size_t room, const void *bytes, size_t size)
{
	const char *from = bytes;

	if (!room)
		return 0;
	text_trim(&from, &size);
	if (size > room - 1)
		size = room - 1;
	for (size_t i = 0; i < size; i++)
		text[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
	text[size] = '\0';
	return size;
}

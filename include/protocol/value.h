/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Numbers and texts as they stand in files and on the wire. Nothing here depends on the locale, and
 * NaN, infinity, hexadecimal and exponents never pass from or to a user.
 */
#ifndef BMSFS_PROTOCOL_VALUE_H
#define BMSFS_PROTOCOL_VALUE_H

#include <stddef.h>
#include <stdint.h>

/* Room for any text that value_format_* make, the NUL included. */
#define VALUE_TEXT_MAX 64

/* The longest text a user may write as a number. */
#define VALUE_WRITE_MAX 24

/*
 * The shortest plain decimal that reads back as the same float32, never an exponent: 450, 0.05,
 * 0.00009103767. Returns its length, or -EIO for NaN and infinity, -ENOSPC if @size is too small.
 */
int value_format_float(char *text, size_t size, float value);

/* @value with exactly @decimals (0 to 9) decimals, halves away from zero, never "-0". As above. */
int value_format_fixed(char *text, size_t size, double value, int decimals);

/* A plain decimal integer. Returns its length or -ENOSPC. */
int value_format_int(char *text, size_t size, int64_t value);

/*
 * What a user wrote: -?[0-9]+(\.[0-9]+)? and nothing else, at most VALUE_WRITE_MAX characters (the
 * caller has removed the one trailing newline). Returns 0, -EINVAL for other text (an integer takes
 * no fraction), -ERANGE for what float32 or int64 cannot hold.
 */
int value_parse_float(const char *text, size_t size, float *value);
int value_parse_int(const char *text, size_t size, int64_t *value);

/*
 * What the BMS replied: any decimal number, with or without fraction and exponent (4.50000e2, 4.08,
 * 103, -1.2351e2), with blanks and NULs around it. Returns 0, or -EIO if it is no number, or none
 * that float32 holds. For an integer it must be whole, and its digits must reach the units: 1.03e2
 * is 103, 3.69e8 is refused, because the reply does not say which number it is.
 */
int value_parse_reply_float(const char *text, size_t size, float *value);
int value_parse_reply_int(const char *text, size_t size, int64_t *value);

/*
 * @value in units of the last digit that the reply carries, rounded half away from zero: the last
 * digit of "3.94000e0" is 1e-5, so 3.94 is 394000 units. Returns 0, or -EIO if the reply is not a
 * number.
 */
int value_reply_units(const char *reply, size_t size, double value, double *units);

/* Seconds since midnight of hh:mm:ss, or -EINVAL. */
int value_parse_clock(const char *text, size_t size, int32_t *seconds);

/*
 * Copies @size bytes to @text without leading and trailing blanks, NUL, CR and LF, always terminated;
 * cut if @room is too small. A byte that is no printable ASCII character becomes '?'. Returns the length.
 */
size_t value_clean_text(char *text, size_t room, const void *bytes, size_t size);

#endif

// SPDX-License-Identifier: LGPL-3.0-or-later
#include "inputs.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define NUMBER_MAX        24 /* characters of a number */
#define WHOLE_MAX         9007199254740992.0

const char *const input_kind_name[INPUT_KINDS] = {
	[INPUT_VALID] = "valid",     [INPUT_NEAR] = "near another", [INPUT_EDGE] = "edge of range",
	[INPUT_OUTSIDE] = "outside", [INPUT_NAN] = "nan, inf",      [INPUT_HEX] = "hex",
	[INPUT_COMMA] = "comma",     [INPUT_EXPONENT] = "exponent", [INPUT_BLANK] = "blanks",
	[INPUT_SIGN] = "signs",      [INPUT_DOT] = "points",        [INPUT_EMPTY] = "empty",
	[INPUT_LONG] = "long",       [INPUT_JUNK] = "4 KiB junk",   [INPUT_UTF8] = "UTF-8",
	[INPUT_NUL] = "NUL",         [INPUT_COMMAND] = "command",   [INPUT_CHANGED] = "changed",
	[INPUT_CLOCK] = "clock",
};

__attribute__((format(printf, 2, 3))) static void put(struct input *input, const char *format, ...)
{
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(input->text, sizeof(input->text), format, args);
	va_end(args);
	input->size = (size_t)size < sizeof(input->text) ? (size_t)size : sizeof(input->text) - 1;
}

static void put_bytes(struct input *input, const void *bytes, size_t size)
{
	memcpy(input->text, bytes, size);
	input->size = size;
}

static unsigned below(struct sim_random *random, unsigned limit)
{
	return sim_random_below(random, limit);
}

static double low_of(const struct instruction_variant *variant)
{
	return variant->has_min ? variant->min : -10;
}

static double high_of(const struct instruction_variant *variant)
{
	return variant->has_max ? variant->max : low_of(variant) + 20;
}

/* A number as a careful program would write it. */
static void put_number(struct input *input, const struct instruction *row, double value,
		       struct sim_random *random)
{
	if (row->type == VALUE_INT)
		put(input, "%.0f", value);
	else
		put(input, "%.*f", (int)below(random, 8), value);
	if (below(random, 2) && input->size < INPUT_MAX)
		input->text[input->size++] = '\n';
}

static void put_clock(struct input *input, struct sim_random *random)
{
	static const char *const texts[] = {
		"23:59:59", "24:00:00",   "12:60:00",   "1:2:3",      "12:34",       "12:34:56 ",
		"-1:00:00", "01.02.2026", "31.12.2069", "39.19.2026", "1.2.2026",    "2026-02-01",
		"noon",     "12:34:5x",   "01.02.26",   "29.02.2023", "01.02.2026x",
	};

	if (below(random, 2))
		put(input, "%02u:%02u:%02u\n", below(random, 25), below(random, 61),
		    below(random, 61));
	else if (below(random, 2))
		put(input, "%02u.%02u.%04u", below(random, 32), below(random, 14),
		    1965 + below(random, 100));
	else
		put(input, "%s", texts[below(random, ARRAY_SIZE(texts))]);
}

static void put_valid(struct input *input, const struct instruction *row,
		      const struct instruction_variant *variant, struct sim_random *random)
{
	if (row->type == VALUE_CLOCK)
		put(input, "%02u:%02u:%02u", below(random, 24), below(random, 60),
		    below(random, 60));
	else if (row->type == VALUE_TEXT)
		put(input, "%02u.%02u.%04u", 1 + below(random, 28), 1 + below(random, 12),
		    1980 + below(random, 80));
	else
		put_number(input, row,
			   sim_random_between(random, low_of(variant), high_of(variant)), random);
}

/* At a value or beside it, down to a difference that the wire does not carry. */
static void put_near(struct input *input, const struct instruction *row, double value,
		     struct sim_random *random)
{
	static const double steps[] = { 0,     1,    -1,    0.1,     -0.1,     0.01,
					-0.01, 1e-4, -1e-4, 0.00001, -0.00001, 1e-7 };

	put(input, "%.*f", row->type == VALUE_INT ? 0 : 7,
	    value + steps[below(random, ARRAY_SIZE(steps))]);
}

static void put_outside(struct input *input, const struct instruction *row,
			const struct instruction_variant *variant, struct sim_random *random)
{
	double far = sim_random_between(random, 1e-3, 1) * pow(10, below(random, 16));

	put_number(input, row,
		   below(random, 2) ? high_of(variant) + 0.01 + far : low_of(variant) - 0.01 - far,
		   random);
}

/* A format with one good value in it. */
static void put_dressed(struct input *input, const char *const *formats, size_t count,
			const char *good, struct sim_random *random)
{
	const char *format = formats[below(random, (unsigned)count)];
	const char *at = strstr(format, "%s");

	if (at)
		put(input, "%.*s%s%s", (int)(at - format), format, good, at + 2);
	else
		put(input, "%s", format);
}

static void put_long(struct input *input, const char *good, struct sim_random *random)
{
	size_t size = NUMBER_MAX - 4 + below(random, 9);

	if (below(random, 4) == 0)
		size = below(random, INPUT_MAX) + 1;
	memset(input->text, "0909"[below(random, 4)], size);
	input->size = size;
	/* 3.5000000... or 00000003.5 */
	if (strlen(good) < size && below(random, 2))
		memcpy(input->text, good, strlen(good));
	else if (strlen(good) < size)
		memcpy(input->text + size - strlen(good), good, strlen(good));
}

static void put_junk(struct input *input, struct sim_random *random)
{
	size_t size = below(random, 4) ? INPUT_MAX : below(random, INPUT_MAX);

	for (size_t i = 0; i < size; i++)
		input->text[i] = (char)sim_random_next(random);
	input->size = size;
}

static void put_utf8(struct input *input, const char *good, struct sim_random *random)
{
	/* A fullwidth digit, a minus sign, a degree sign, a byte order mark, a no-break space. */
	static const char *const marks[] = { "\xEF\xBC\x93", "\xE2\x88\x92", "\xC2\xB0",
					     "\xEF\xBB\xBF", "\xC2\xA0",     "\xF0\x9F\x94\x8B" };
	const char *mark = marks[below(random, ARRAY_SIZE(marks))];
	int cut = 1 + (int)below(random, (unsigned)strlen(mark));

	if (below(random, 2))
		put(input, "%.*s%s", cut, mark, good);
	else
		put(input, "%s%.*s", good, cut, mark);
}

static void put_nul(struct input *input, const char *good, struct sim_random *random)
{
	size_t size = strlen(good), at = below(random, (unsigned)size + 1);

	memcpy(input->text, good, at);
	input->text[at] = '\0';
	memcpy(input->text + at + 1, good + at, size - at);
	input->size = size + 1;
}

static void put_changed(struct input *input, const char *good, struct sim_random *random)
{
	size_t size = strlen(good), at = below(random, (unsigned)size);

	put_bytes(input, good, size);
	switch (below(random, 3)) {
	case 0:
		input->text[at] = (char)sim_random_next(random);
		break;
	case 1:
		memmove(input->text + at, input->text + at + 1, size - at - 1);
		input->size--;
		break;
	default:
		memmove(input->text + at + 1, input->text + at, size - at);
		input->size++;
	}
}

static const struct {
	enum input_kind kind;
	const char *format[16];
} dresses[] = {
	{ INPUT_NAN,
	  { "nan", "NaN", "-nan", "NAN(1)", "inf", "-inf", "INF", "infinity", "+Infinity", "1.#INF",
	    "nan\n", "none", "null", "true" } },
	{ INPUT_HEX, { "0x%s", "0x1p2", "0x4", "%sh", "0b11", "0X3.8", "4F", "#3" } },
	{ INPUT_COMMA, { "3,5", "3,5\n", "1,000", "%s,0", ",%s", "1'000", "3;5", "1_000" } },
	{ INPUT_EXPONENT,
	  { "%se0", "%sE0", "%se+00", "1e1", "35e-1\n", "%sd0", "%se", "1E400", "%sf" } },
	{ INPUT_BLANK,
	  { " %s", "%s ", "\t%s", "%s\t", "%s\n\n", "\n%s", "%s\r\n", "%s\r", "3 5", " ", "\t\n",
	    "%s V", "%s %s", "%s\v", "\f%s" } },
	{ INPUT_SIGN, { "+%s", "--%s", "-+%s", "%s-", "-", "+", "-\n", "- %s", "(%s)", "~%s" } },
	{ INPUT_DOT, { ".5", "5.", "%s.", ".", "-.5", "%s.%s", "..", "1.2.3", ".%s", "%s.\n" } },
	{ INPUT_EMPTY, { "", "\n" } },
	{ INPUT_COMMAND,
	  { "%s;CMAX 4", "%s CMAX 4.2", "CMAX %s", "?", "%s?", "%s\nCMAX 4.2\n", "$(reboot)",
	    "`%s`", "*RST", "SET", "ERROR1" } },
};

static void put_formats(struct input *input, const char *good, struct sim_random *random)
{
	for (size_t i = 0; i < ARRAY_SIZE(dresses); i++) {
		size_t count = 0;

		if (dresses[i].kind != input->kind)
			continue;
		while (count < ARRAY_SIZE(dresses[i].format) && dresses[i].format[count])
			count++;
		put_dressed(input, dresses[i].format, count, good, random);
	}
}

static enum input_kind choose_kind(const struct instruction *row, struct sim_random *random)
{
	/* Half of them could be accepted: the other half never reaches the BMS. */
	if (row->type == VALUE_CLOCK || row->type == VALUE_TEXT) {
		if (below(random, 2))
			return below(random, 2) ? INPUT_CLOCK : INPUT_VALID;
	} else if (below(random, 2)) {
		return (enum input_kind)below(random, INPUT_EDGE + 1);
	}
	return (enum input_kind)below(random, INPUT_KINDS);
}

void input_make(struct input *input, const struct instruction *row,
		const struct instruction_variant *variant, double near, struct sim_random *random)
{
	struct input sample;

	put_valid(&sample, row, variant, random);
	sample.text[sample.size - (sample.text[sample.size - 1] == '\n')] = '\0';
	input->kind = choose_kind(row, random);
	switch (input->kind) {
	case INPUT_VALID:
		put_valid(input, row, variant, random);
		break;
	case INPUT_NEAR:
		put_near(input, row, near, random);
		break;
	case INPUT_EDGE:
		put_near(input, row, below(random, 2) ? low_of(variant) : high_of(variant), random);
		break;
	case INPUT_OUTSIDE:
		put_outside(input, row, variant, random);
		break;
	case INPUT_LONG:
		put_long(input, sample.text, random);
		break;
	case INPUT_JUNK:
		put_junk(input, random);
		break;
	case INPUT_UTF8:
		put_utf8(input, sample.text, random);
		break;
	case INPUT_NUL:
		put_nul(input, sample.text, random);
		break;
	case INPUT_CHANGED:
		put_changed(input, sample.text, random);
		break;
	case INPUT_CLOCK:
		put_clock(input, random);
		break;
	case INPUT_NAN:
	case INPUT_HEX:
	case INPUT_COMMA:
	case INPUT_EXPONENT:
	case INPUT_BLANK:
	case INPUT_SIGN:
	case INPUT_DOT:
	case INPUT_EMPTY:
	case INPUT_COMMAND:
	case INPUT_KINDS:
		put_formats(input, sample.text, random);
		break;
	}
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* -?[0-9]+(\.[0-9]+)? with a point only if @fraction, in at most NUMBER_MAX characters. */
static bool is_number(const char *text, size_t size, bool fraction)
{
	size_t at = size && text[0] == '-', start = at;

	if (size > NUMBER_MAX)
		return false;
	while (at < size && is_digit(text[at]))
		at++;
	if (at == start)
		return false;
	if (at == size)
		return true;
	if (!fraction || text[at] != '.')
		return false;
	start = ++at;
	while (at < size && is_digit(text[at]))
		at++;
	return at == size && at > start;
}

/* How long the shortest plain decimal of a large number is. */
static int plain_length(double number)
{
	char text[32];

	for (int digits = 0; digits < 9; digits++) {
		snprintf(text, sizeof(text), "%.*e", digits, number);
		if ((double)strtof(text, NULL) == number)
			break;
	}
	return (number < 0) + 1 + (int)strtol(strchr(text, 'e') + 1, NULL, 10);
}

static int judge_number(const char *text, size_t size, const struct instruction *row,
			const struct instruction_variant *variant, double *number)
{
	bool fraction = row->type == VALUE_FLOAT;
	char copy[NUMBER_MAX + 1];

	if (!is_number(text, size, fraction))
		return -EINVAL;
	memcpy(copy, text, size);
	copy[size] = '\0';
	if (fraction) {
		*number = (double)strtof(copy, NULL);
		if (plain_length(*number) > NUMBER_MAX ||
		    (variant->has_min && *number < (double)(float)variant->min) ||
		    (variant->has_max && *number > (double)(float)variant->max))
			return -ERANGE;
	} else {
		long long whole;

		errno = 0;
		whole = strtoll(copy, NULL, 10);
		*number = (double)whole;
		if (errno || *number > WHOLE_MAX || *number < -WHOLE_MAX ||
		    (variant->has_min && *number < variant->min) ||
		    (variant->has_max && *number > variant->max))
			return -ERANGE;
	}
	return 0;
}

static int judge_clock(const char *text, size_t size, double *number)
{
	static const int ends[] = { 24, 60, 60 };

	if (size != 8 || text[2] != ':' || text[5] != ':')
		return -EINVAL;
	*number = 0;
	for (int i = 0; i < 3; i++) {
		const char *two = text + 3 * i;
		int part = (two[0] - '0') * 10 + two[1] - '0';

		if (!is_digit(two[0]) || !is_digit(two[1]) || part >= ends[i])
			return -EINVAL;
		*number = *number * 60 + part;
	}
	return 0;
}

static int judge_text(const char *text, size_t size, const char *pattern)
{
	char copy[64];

	if (!size || size >= sizeof(copy))
		return -EINVAL;
	for (size_t i = 0; i < size; i++)
		if (text[i] < 0x20 || text[i] > 0x7E)
			return -EINVAL;
	memcpy(copy, text, size);
	copy[size] = '\0';
	return fnmatch(pattern, copy, 0) ? -EINVAL : 0;
}

int input_judge(const struct input *input, const struct instruction *row,
		const struct instruction_variant *variant, double *number)
{
	size_t size = input->size;

	if (size && input->text[size - 1] == '\n')
		size--;
	*number = NAN;
	switch (row->type) {
	case VALUE_FLOAT:
	case VALUE_INT:
		return judge_number(input->text, size, row, variant, number);
	case VALUE_CLOCK:
		return judge_clock(input->text, size, number);
	case VALUE_TEXT:
		return judge_text(input->text, size, row->pattern);
	}
	return -EINVAL;
}

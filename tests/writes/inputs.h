/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What people, programs and accidents write to a setting. */
#ifndef BMSFS_TESTS_WRITES_INPUTS_H
#define BMSFS_TESTS_WRITES_INPUTS_H

#include <stddef.h>

#include "protocol/instruction.h"
#include "sim/random.h"

#define INPUT_MAX 4096 /* the most that one write to a file gives */

enum input_kind {
	INPUT_VALID,   /* in range, few decimals */
	INPUT_NEAR,    /* at another setting's value, or close to it */
	INPUT_EDGE,    /* at a limit of the range, or close to it */
	INPUT_OUTSIDE, /* far outside */
	INPUT_NAN,     /* NaN and infinity, as many write them */
	INPUT_HEX,
	INPUT_COMMA,
	INPUT_EXPONENT,
	INPUT_BLANK, /* blanks, tabs and newlines around or inside a good value */
	INPUT_SIGN,
	INPUT_DOT, /* points too many or at the wrong place */
	INPUT_EMPTY,
	INPUT_LONG,    /* more digits than a number has, up to 4 KiB */
	INPUT_JUNK,    /* 4 KiB of anything */
	INPUT_UTF8,    /* characters beyond ASCII, whole and cut */
	INPUT_NUL,     /* a NUL before, in or behind a good value */
	INPUT_COMMAND, /* another instruction behind a good value */
	INPUT_CHANGED, /* a good value of which one byte is another, gone or doubled */
	INPUT_CLOCK,   /* times and dates, right and wrong */
	INPUT_KINDS,
};

extern const char *const input_kind_name[INPUT_KINDS];

struct input {
	enum input_kind kind;
	size_t size;
	char text[INPUT_MAX + 1];
};

/* @near is what some other setting holds now. */
void input_make(struct input *input, const struct instruction *row,
		const struct instruction_variant *variant, double near, struct sim_random *random);

/*
 * What must come of it, judged by the rules of the README and by nothing of the program: 0 and the
 * number (NaN for a text), -EINVAL or -ERANGE.
 */
int input_judge(const struct input *input, const struct instruction *row,
		const struct instruction_variant *variant, double *number);

#endif

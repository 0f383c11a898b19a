// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bus/bus.h"
#include "protocol/setting.h"
#include "protocol/value.h"
#include "tree/node.h"
#include "tree/tree.h"

#define QUOTE 32 /* characters of what was written that the sentence repeats */

int tree_format_limit(const struct instruction *row, double limit, char text[VALUE_TEXT_MAX])
{
	switch (row->type) {
	case VALUE_FLOAT:
		return value_format_float(text, VALUE_TEXT_MAX, (float)limit);
	case VALUE_INT:
		return value_format_int(text, VALUE_TEXT_MAX, (int64_t)limit);
	case VALUE_TEXT:
	case VALUE_CLOCK:
		break;
	}
	text[0] = '\0';
	return -ENODATA;
}

/* What was written, fit for a sentence: no newline at its end, nothing that is not printable. */
static void quote(char quoted[QUOTE + 1], const char *text, size_t size)
{
	size_t length = 0;

	if (size && text[size - 1] == '\n')
		size--;
	for (; length < size && length < QUOTE; length++)
		quoted[length] = text[length] >= ' ' && text[length] <= '~' ? text[length] : '?';
	quoted[length] = '\0';
}

static void explain_range(struct device_write *write, const struct instruction *row, int model,
			  const char *quoted)
{
	const struct instruction_variant *variant = instruction_variant(row, model);
	const char *blank = row->unit[0] ? " " : "";
	char min[VALUE_TEXT_MAX], max[VALUE_TEXT_MAX];

	tree_format_limit(row, variant->min, min);
	tree_format_limit(row, variant->max, max);
	if (variant->has_min && variant->has_max)
		write_explain(write, "%s is outside %s to %s%s%s", quoted, min, max, blank,
			      row->unit);
	else if (variant->has_min || variant->has_max)
		write_explain(write, "%s is %s %s%s%s", quoted,
			      variant->has_min ? "below" : "above", variant->has_min ? min : max,
			      blank, row->unit);
	else
		write_explain(write,
			      "%s is beyond the numbers that bmsfs can send; write fewer digits",
			      quoted);
}

/* How many bytes at the start of @text are a number. */
static size_t number_length(const char *text, size_t size)
{
	float value;
	size_t length = size;

	while (length && value_parse_float(text, length, &value) == -EINVAL)
		length--;
	return length;
}

static bool is_digits(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] < '0' || text[i] > '9')
			return false;
	return size;
}

static bool is_decimal_comma(const char *text, size_t size)
{
	return size && *text == ',' && is_digits(text + 1, size - 1);
}

static bool is_exponent(const char *text, size_t size)
{
	size_t sign = size > 1 && (text[1] == '-' || text[1] == '+');

	return size && (*text == 'e' || *text == 'E') &&
	       is_digits(text + 1 + sign, size - 1 - sign);
}

/* A blank or a letter, also one beyond ASCII, or a percent sign. */
static bool begins_unit(char c)
{
	return c == ' ' || c == '%' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (unsigned char)c >= 0x80;
}

/* What is wrong with a number, with the remedy: a comma, a unit, an exponent, too many digits. */
static void explain_number(struct device_write *write, const struct instruction *row,
			   const char *quoted, const char *text, size_t size)
{
	const char *whole = row->type == VALUE_INT ? " whole" : "";
	size_t length = size > VALUE_WRITE_MAX ? 0 : number_length(text, size);
	const char *rest = text + length;

	if (!size)
		write_explain(write, "nothing was written; write a%s number", whole);
	else if (size > VALUE_WRITE_MAX)
		write_explain(write, "\"%s\" has %zu characters; write at most %d", quoted, size,
			      VALUE_WRITE_MAX);
	else if (row->type == VALUE_INT &&
		 (length == size || is_decimal_comma(rest, size - length)))
		write_explain(write, "\"%s\" is not a whole number; write it without decimals",
			      quoted);
	else if (length && is_decimal_comma(rest, size - length))
		write_explain(write, "\"%s\" is not a number; write a decimal point: %.*s.%.*s",
			      quoted, (int)length, text, (int)(size - length - 1), rest + 1);
	else if (length && is_exponent(rest, size - length))
		write_explain(write,
			      "\"%s\" has an exponent; write all digits, as in 1500 or 0.015",
			      quoted);
	else if (length && begins_unit(*rest))
		write_explain(write, "\"%s\" is not a number; write it without a unit: %.*s",
			      quoted, (int)length, text);
	else
		write_explain(
			write,
			"\"%s\" is not a%s number; write digits, with a point before decimals",
			quoted, whole);
}

static void explain_form(struct device_write *write, const struct instruction *row,
			 const char *quoted, const char *text, size_t size)
{
	if (size && text[size - 1] == '\n')
		size--;
	switch (row->type) {
	case VALUE_FLOAT:
	case VALUE_INT:
		explain_number(write, row, quoted, text, size);
		return;
	case VALUE_CLOCK:
		write_explain(write, "\"%s\" is not a time; write it as hh:mm:ss", quoted);
		return;
	case VALUE_TEXT:
		write_explain(write, "\"%s\" is not of the form %s", quoted, row->pattern);
		return;
	}
}

const char *tree_read_only_reason(const struct tree *tree, uint64_t ino)
{
	const struct instruction *row;
	struct place place;

	if (tree_find(tree, ino, &place) && place.dir == DIR_ROWS) {
		row = tree_row(tree, &place);
		if (row->writable && row->locked && !device_config(tree->device)->unlock)
			return "the setting is locked because it can cut the link or spoil the "
			       "calibration; mount with -o unlock to write it";
	}
	return "the file is read-only; ls -l shows rw for settings";
}

int tree_accept(const struct tree *tree, uint64_t ino, const char *text, size_t size,
		struct device_write *write)
{
	int model = device_model(tree->device);
	const struct instruction *row;
	char quoted[QUOTE + 1];
	struct place place;
	int err;

	write->reason[0] = '\0';
	if (!tree_find(tree, ino, &place) || place.dir != DIR_ROWS ||
	    !device_writable(tree->device, tree_row_number(&place))) {
		write_explain(write, "%s", tree_read_only_reason(tree, ino));
		return -EACCES;
	}
	write->row = tree_row_number(&place);
	row = &tree->table->row[write->row];
	err = setting_parse(row, model, text, size, &write->setting);
	if (!err)
		return 0;
	quote(quoted, text, size);
	if (err == -ERANGE)
		explain_range(write, row, model, quoted);
	else
		explain_form(write, row, quoted, text, size);
	return err;
}

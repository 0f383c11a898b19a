// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * What anybody may write to any setting, judged by a grammar and the C library's numbers of its own.
 * Input: the row, the model, the text.
 */
#include "fuzz.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "protocol/setting.h"

#define WIRE_MAX 32 /* no number of VALUE_WRITE_MAX characters becomes longer */

static struct instruction_table table;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct table_error error;

	(void)argc;
	(void)argv;
	CHECK(!instruction_table_init(&table, &error));
	return 0;
}

static size_t count_digits(const char *text, size_t size)
{
	size_t count = 0;

	while (count < size && text[count] >= '0' && text[count] <= '9')
		count++;
	return count;
}

/* -?[0-9]+(\.[0-9]+)? */
static bool is_number(const char *text, size_t size, bool fraction)
{
	size_t at = size && text[0] == '-', digits = count_digits(text + at, size - at);

	if (!digits)
		return false;
	at += digits;
	if (fraction && at < size && text[at] == '.') {
		digits = count_digits(text + at + 1, size - at - 1);
		if (!digits)
			return false;
		at += 1 + digits;
	}
	return at == size;
}

static int in_range(const struct instruction_variant *variant, double number, double min,
		    double max)
{
	if ((variant->has_min && number < min) || (variant->has_max && number > max))
		return -ERANGE;
	return 0;
}

/* What setting_parse() must return for a float, and the number it must find. */
static int expect_float(const struct instruction_variant *variant, const char *text, size_t size,
			double *number)
{
	float value;

	if (size > VALUE_WRITE_MAX || !is_number(text, size, true))
		return -EINVAL;
	value = strtof(text, NULL);
	if (isinf(value) || (value == 0 && strpbrk(text, "123456789")))
		return -ERANGE;
	/* It could not be written again as it reads. */
	if (value >= 1e24f || value <= -1e23f)
		return -ERANGE;
	*number = value;
	return in_range(variant, value, (float)variant->min, (float)variant->max);
}

static int expect_int(const struct instruction_variant *variant, const char *text, size_t size,
		      double *number)
{
	long long value;

	if (size > VALUE_WRITE_MAX || !is_number(text, size, false))
		return -EINVAL;
	errno = 0;
	value = strtoll(text, NULL, 10);
	if (errno || value > SAMPLE_INTEGER_MAX || value < -SAMPLE_INTEGER_MAX)
		return -ERANGE;
	*number = (double)value;
	return in_range(variant, *number, variant->min, variant->max);
}

static int expect_clock(const char *text, size_t size, double *number)
{
	static const char form[] = "29:59:59";

	if (size != sizeof(form) - 1)
		return -EINVAL;
	for (size_t i = 0; i < size; i++)
		if (form[i] == ':' ? text[i] != ':' : text[i] < '0' || text[i] > form[i])
			return -EINVAL;
	*number = atof(text) * 3600 + atof(text + 3) * 60 + atof(text + 6);
	return *number < 24 * 60 * 60 ? 0 : -EINVAL;
}

static int expect_text(const struct instruction *row, const char *text, size_t size, int ret)
{
	if (!row->pattern[0] || !size || size >= VALUE_TEXT_MAX)
		return -EINVAL;
	for (size_t i = 0; i < size; i++)
		if (text[i] < ' ' || text[i] > '~')
			return -EINVAL;
	return ret ? -EINVAL : 0; /* the pattern is the row's affair */
}

/* The number of a wire text is the one that was accepted, to the user and to the BMS. */
static void check_number(const struct instruction *row, int model, const struct setting *setting)
{
	struct setting again;
	size_t size = strlen(setting->text);
	float value;

	CHECK(isfinite(setting->number) && !(setting->number == 0 && signbit(setting->number)));
	CHECK(size < WIRE_MAX && is_number(setting->text, size, row->type == VALUE_FLOAT));
	CHECK(setting->text[0] != '0' || size == 1 || setting->text[1] == '.');
	if (row->type == VALUE_FLOAT) {
		CHECK((double)strtof(setting->text, NULL) == setting->number);
		CHECK(!value_parse_reply_float(setting->text, size, &value));
		CHECK((double)value == setting->number);
	} else {
		CHECK((double)strtoll(setting->text, NULL, 10) == setting->number);
	}
	if (size > VALUE_WRITE_MAX)
		return;
	CHECK(!setting_parse(row, model, setting->text, size, &again));
	CHECK(again.number == setting->number && !strcmp(again.text, setting->text));
}

/* Whether a BMS that holds the setting and replies @text proves it. */
static bool is_proved(const struct instruction *row, int model, const struct setting *setting,
		      const char *text)
{
	static struct reply reply;
	struct frame frame;

	frame_make(&frame, FRAME_HOST, 1, text, (uint8_t)strlen(text));
	reply_begin(&reply, row, model, false, 1);
	CHECK(reply_take(&reply, &frame) == REPLY_COMPLETE);
	return setting_agrees(row, setting, setting->number + 1e30, &reply.sample);
}

static void check_accepted(const struct instruction *row, int model, const struct setting *setting)
{
	char payload[64], reply[32];
	size_t size = instruction_set(row, setting->text, payload);

	CHECK(memchr(setting->text, '\0', sizeof(setting->text)));
	if (size) {
		CHECK(size == strlen(row->mnemonic) + 1 + strlen(setting->text));
		CHECK(!strcmp(payload + strlen(row->mnemonic) + 1, setting->text));
	} else {
		CHECK(strlen(row->mnemonic) + 1 + strlen(setting->text) >= sizeof(payload));
	}
	if (row->type == VALUE_FLOAT || row->type == VALUE_INT)
		check_number(row, model, setting);
	if (row->array || strspn(setting->text, " ") || !strncmp(setting->text, "ERROR", 5))
		return;
	if (row->type != VALUE_TEXT)
		CHECK(is_proved(row, model, setting, setting->text));
	if (row->type == VALUE_FLOAT && row->verify == VERIFY_SAME) {
		float shown;

		/* As it replies: "3.94000e+00", which a setting of more digits does not equal. */
		snprintf(reply, sizeof(reply), "%.5e", setting->number);
		CHECK(!value_parse_reply_float(reply, strlen(reply), &shown));
		if ((double)shown == setting->number)
			CHECK(is_proved(row, model, setting, reply));
	}
}

static int expect(const struct instruction *row, int model, const char *text, size_t size, int ret,
		  double *number)
{
	const struct instruction_variant *variant = instruction_variant(row, model);

	switch (row->type) {
	case VALUE_FLOAT:
		return expect_float(variant, text, size, number);
	case VALUE_INT:
		return expect_int(variant, text, size, number);
	case VALUE_CLOCK:
		return expect_clock(text, size, number);
	case VALUE_TEXT:
		break;
	}
	return expect_text(row, text, size, ret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct setting setting;
	const struct instruction *row;
	char text[VALUE_TEXT_MAX + 1];
	double number = 0;
	int model, ret;

	if (size < 2)
		return 0;
	row = &table.row[data[0] % table.rows];
	model = data[1] % ((int)table.models + 1) - 1;
	data += 2;
	size -= 2;
	ret = setting_parse(row, model, (const char *)data, size, &setting);
	if (size && data[size - 1] == '\n')
		size--;
	if (size > VALUE_TEXT_MAX) {
		CHECK(ret == -EINVAL);
		return 0;
	}
	memcpy(text, data, size);
	text[size] = '\0';
	CHECK(ret == expect(row, model, text, size, ret, &number));
	if (ret)
		return 0;
	CHECK(setting.number == number);
	if (row->type == VALUE_TEXT || row->type == VALUE_CLOCK)
		CHECK(strlen(setting.text) == size && !memcmp(setting.text, text, size));
	check_accepted(row, model, &setting);
	return 0;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include "protocol/setting.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <string.h>

#define DAY_SECONDS (24 * 60 * 60)

static int setting_parse_float(const struct instruction_variant *variant, const char *text,
			       size_t size, struct setting *setting)
{
	float value;
	int ret = value_parse_float(text, size, &value);

	if (ret)
		return ret;
	if (variant->has_min && value < (float)variant->min)
		return -ERANGE;
	if (variant->has_max && value > (float)variant->max)
		return -ERANGE;
	setting->number = value;
	ret = value_format_float(setting->text, sizeof(setting->text), value);
	if (ret < 0)
		return ret;
	/* 99...9 may become 100...0: what is read must be fit to be written again. */
	return ret > VALUE_WRITE_MAX ? -ERANGE : 0;
}

static int setting_parse_int(const struct instruction_variant *variant, const char *text,
			     size_t size, struct setting *setting)
{
	int64_t value;
	int ret = value_parse_int(text, size, &value);

	if (ret)
		return ret;
	if (value > SAMPLE_INTEGER_MAX || value < -SAMPLE_INTEGER_MAX)
		return -ERANGE;
	if (variant->has_min && (double)value < variant->min)
		return -ERANGE;
	if (variant->has_max && (double)value > variant->max)
		return -ERANGE;
	setting->number = (double)value;
	ret = value_format_int(setting->text, sizeof(setting->text), value);
	return ret < 0 ? ret : 0;
}

static int setting_parse_text(const char *pattern, const char *text, size_t size,
			      struct setting *setting)
{
	if (!pattern[0] || !size || size >= sizeof(setting->text))
		return -EINVAL;
	for (size_t i = 0; i < size; i++)
		if (text[i] < ' ' || text[i] > '~')
			return -EINVAL;
	memcpy(setting->text, text, size);
	setting->text[size] = '\0';
	setting->number = 0;
	return fnmatch(pattern, setting->text, 0) ? -EINVAL : 0;
}

static int setting_parse_clock(const char *text, size_t size, struct setting *setting)
{
	int32_t seconds;
	int ret = value_parse_clock(text, size, &seconds);

	if (ret)
		return ret;
	memcpy(setting->text, text, size);
	setting->text[size] = '\0';
	setting->number = seconds;
	return 0;
}

int setting_parse(const struct instruction *row, int model, const char *text, size_t size,
		  struct setting *setting)
{
	const struct instruction_variant *variant = instruction_variant(row, model);

	if (size && text[size - 1] == '\n')
		size--;
	switch (row->type) {
	case VALUE_FLOAT:
		return setting_parse_float(variant, text, size, setting);
	case VALUE_INT:
		return setting_parse_int(variant, text, size, setting);
	case VALUE_TEXT:
		return setting_parse_text(row->pattern, text, size, setting);
	case VALUE_CLOCK:
		return setting_parse_clock(text, size, setting);
	}
	return -EINVAL;
}

static int agrees_exact(const struct instruction *row, const struct setting *setting,
			const struct sample *sample)
{
	if (row->type == VALUE_TEXT)
		return !strcmp(sample->text, setting->text);
	return sample->numbers == 1 && sample->number[0] == setting->number;
}

static double step_of(const struct instruction *row, const struct setting *setting)
{
	const char *point = strchr(setting->text, '.');

	if (row->step > 0)
		return row->step;
	return point ? pow(10, -(double)strlen(point + 1)) : 1;
}

static int agrees_same(const struct instruction *row, const struct setting *setting, double before,
		       const struct sample *sample)
{
	double step = step_of(row, setting), wanted;
	const struct {
		double number;
		bool equal; /* to the setting, in the digits of the reply */
	} shown[] = {
		{ sample->number[0], true },
		{ before, false },
		{ setting->number - step, false },
		{ setting->number + step, false },
	};

	if (agrees_exact(row, setting, sample))
		return 1;
	if (row->type != VALUE_FLOAT || sample->numbers != 1 ||
	    value_reply_units(sample->text, sample->size, setting->number, &wanted))
		return 0;
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		double units;

		if (value_reply_units(sample->text, sample->size, shown[i].number, &units) ||
		    (units == wanted) != shown[i].equal)
			return 0;
	}
	return 1;
}

static int agrees_near(const struct instruction *row, const struct setting *setting,
		       const struct sample *sample)
{
	double distance;

	if (row->type == VALUE_TEXT || sample->numbers != 1)
		return agrees_exact(row, setting, sample);
	distance = fabs(sample->number[0] - setting->number);
	if (row->type == VALUE_CLOCK)
		distance = fmin(distance, DAY_SECONDS - distance);
	return distance <= row->verify_near;
}

int setting_agrees(const struct instruction *row, const struct setting *setting, double before,
		   const struct sample *sample)
{
	switch (row->verify) {
	case VERIFY_SAME:
		return agrees_same(row, setting, before, sample);
	case VERIFY_EXACT:
		return agrees_exact(row, setting, sample);
	case VERIFY_NEAR:
		return agrees_near(row, setting, sample);
	case VERIFY_NONE:
		return 1;
	}
	return 0;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "test.h"
#include "tree/tree.h"

#define READ_ONLY "the file is read-only; ls -l shows rw for settings"
#define FORM      "write digits, with a point before decimals"
#define LOCKED                                                                                    \
	"the setting is locked because it can cut the link or spoil the calibration; mount with " \
	"-o unlock to write it"

static void test_accept(void **state)
{
	struct fixture *fixture = *state;
	struct device *device = &fixture->device;
	static const struct {
		const char *model, *path, *written;
		int ret;
		const char *said; /* on the wire, or to the caller */
	} cases[] = {
		{ "1q", "CMAX", "3.6\n", 0, "3.6" },
		{ "1q", "CMAX", "3.60", 0, "3.6" },
		{ "1q", "CMAX", "4.3", 0, "4.3" },
		{ "1q", "CMAX", "9.9", -ERANGE, "9.9 is outside 2 to 4.3 V" },
		{ "1q", "CMAX", "1.99\n", -ERANGE, "1.99 is outside 2 to 4.3 V" },
		{ "1q", "CMAX", "4.2x\n", -EINVAL,
		  "\"4.2x\" is not a number; write it without a unit: 4.2" },
		{ "1q", "CMAX", "", -EINVAL, "nothing was written; write a number" },
		{ "1q", "CMAX", "\n", -EINVAL, "nothing was written; write a number" },
		{ "1q", "CMAX", "3.6\n\n", -EINVAL, "\"3.6?\" is not a number; " FORM },
		{ "1q", "CMAX", "nan", -EINVAL, "\"nan\" is not a number; " FORM },
		{ "1q", "CMAX", "4\x1b[2J", -EINVAL, "\"4?[2J\" is not a number; " FORM },
		{ "1q", "CHEM", "2.5", -EINVAL,
		  "\"2.5\" is not a whole number; write it without decimals" },
		{ "1q", "CHEM", "6", -ERANGE, "6 is outside 1 to 5" },
		{ "1q", "MAXD", "350", -ERANGE, "350 is outside 5 to 345 A" },
		{ "abms", "MAXD", "350", 0, "350" },
		{ "abms", "UBDI", "99999999999999999999999", 0, NULL },
		{ "abms", "UBDI", "999999999999999999999999", -ERANGE,
		  "999999999999999999999999 is beyond the numbers that bmsfs can send; write "
		  "fewer digits" },
		{ "abms", "RE1T", "4294967296", -ERANGE, "4294967296 is outside 0 to 4294967295" },
		{ "abms", "TIME", "14:41:03\n", 0, "14:41:03" },
		{ "abms", "TIME", "25:00:00", -EINVAL,
		  "\"25:00:00\" is not a time; write it as hh:mm:ss" },
		{ "abms", "DATE", "23.2.2025", -EINVAL,
		  "\"23.2.2025\" is not of the form "
		  "[0-3][0-9].[01][0-9].[0-9][0-9][0-9][0-9]" },
		{ "1q", "CELL", "1", -EACCES, READ_ONLY },
		{ "1q", "SOC", "1", -EACCES, READ_ONLY },
		{ "1q", "IOFF", "1", -EACCES, LOCKED },
		{ "1q", "bus/state", "1", -EACCES, READ_ONLY },
		{ "1q", "pack", "1", -EACCES, READ_ONLY },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct device_write write = { .row = 12345 };
		int ret;

		device->model = model_find(&device->table, cases[i].model);
		ret = tree_accept(fixture->tree, fixture_ino(fixture, cases[i].path),
				  cases[i].written, strlen(cases[i].written), &write);
		if (ret != cases[i].ret)
			fail_msg("%s \"%s\": %d", cases[i].path, cases[i].written, ret);
		if (!ret && cases[i].said) {
			assert_string_equal(write.setting.text, cases[i].said);
			assert_int_equal(write.row, fake_row(device, cases[i].path));
		} else if (ret) {
			assert_string_equal(write.reason, cases[i].said);
		}
	}
}

/* Each way to write a number that people try has its remedy in the message. */
static void test_decimal_comma_too_many_digits_exponent_and_unit(void **state)
{
	static const struct {
		const char *file, *written, *message;
	} cases[] = {
		{ "CMAX", "3,8", "\"3,8\" is not a number; write a decimal point: 3.8" },
		{ "CMAX", "-3,80\n", "\"-3,80\" is not a number; write a decimal point: -3.80" },
		{ "CMAX", "3,", "\"3,\" is not a number; " FORM },
		{ "CMAX", "1,2,3", "\"1,2,3\" is not a number; " FORM },
		{ "CMAX", "3.8V", "\"3.8V\" is not a number; write it without a unit: 3.8" },
		{ "CMAX", "3.8 V\n", "\"3.8 V\" is not a number; write it without a unit: 3.8" },
		{ "BMTH",
		  "45\xc2\xb0"
		  "C",
		  "\"45??C\" is not a number; write it without a unit: 45" },
		{ "CMAX", "38e-1",
		  "\"38e-1\" has an exponent; write all digits, as in 1500 or 0.015" },
		{ "CMAX", "1E+2",
		  "\"1E+2\" has an exponent; write all digits, as in 1500 or 0.015" },
		{ "CMAX", "3e", "\"3e\" is not a number; write it without a unit: 3" },
		{ "CMAX", "3.600000000000000000000000",
		  "\"3.600000000000000000000000\" has 26 characters; write at most 24" },
		{ "CMAX", "+3.8", "\"+3.8\" is not a number; " FORM },
		{ "CMAX", ".5", "\".5\" is not a number; " FORM },
		{ "CHEM", "2,0", "\"2,0\" is not a whole number; write it without decimals" },
		{ "CHEM", "two", "\"two\" is not a whole number; " FORM },
		{ "CHEM", "", "nothing was written; write a whole number" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture *fixture = *state;
		size_t size = strlen(cases[i].written);
		char *written = malloc(size ? size : 1); /* exactly: ASan sees a read beyond it */
		struct device_write write;

		assert_non_null(written);
		memcpy(written, cases[i].written, size);
		assert_int_equal(tree_accept(fixture->tree, fixture_ino(fixture, cases[i].file),
					     written, size, &write),
				 -EINVAL);
		free(written);
		assert_string_equal(write.reason, cases[i].message);
	}
}

static void test_limits_of_one_side(void **state)
{
	struct fixture *fixture = *state;
	struct device *device = &fixture->device;
	struct instruction_variant *variant =
		&device->table.row[fake_row(device, "CMAX")].variant[1 + device->model];
	uint64_t ino = fixture_ino(fixture, "CMAX");
	struct device_write write;

	variant->has_min = false;
	assert_int_equal(tree_accept(fixture->tree, ino, "5", 1, &write), -ERANGE);
	assert_string_equal(write.reason, "5 is above 4.3 V");
	variant->has_max = false;
	variant->has_min = true;
	assert_int_equal(tree_accept(fixture->tree, ino, "1", 1, &write), -ERANGE);
	assert_string_equal(write.reason, "1 is below 2 V");
}

/* Nothing that is written may be read behind its end, or fill the sentence. */
static void test_long_text(void **state)
{
	struct fixture *fixture = *state;
	char written[4096];
	struct device_write write;

	memset(written, '9', sizeof(written));
	assert_int_equal(tree_accept(fixture->tree, fixture_ino(fixture, "CMAX"), written,
				     sizeof(written), &write),
			 -EINVAL);
	assert_string_equal(
		write.reason,
		"\"99999999999999999999999999999999\" has 4096 characters; write at most 24");
}

static void test_locked(void **state)
{
	struct fixture *fixture = *state;
	struct device_write write;

	fixture->device.config.unlock = true;
	assert_int_equal(
		tree_accept(fixture->tree, fixture_ino(fixture, "IOFF"), "-0.5", 4, &write), 0);
	assert_string_equal(write.setting.text, "-0.5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_accept),
		TEST(test_decimal_comma_too_many_digits_exponent_and_unit),
		TEST(test_limits_of_one_side),
		TEST(test_long_text),
		TEST(test_locked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

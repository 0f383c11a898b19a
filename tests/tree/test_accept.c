// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <string.h>

#include "fixture.h"
#include "test.h"
#include "tree/tree.h"

static void test_accept(void **state)
{
	struct fixture *fixture = *state;
	struct device *device = &fixture->device;
	static const struct {
		const char *model, *path, *written;
		int ret;
		const char *said; /* on the wire, or in bus/last_error */
	} cases[] = {
		{ "1q", "CMAX", "3.6\n", 0, "3.6" },
		{ "1q", "CMAX", "3.60", 0, "3.6" },
		{ "1q", "CMAX", "4.3", 0, "4.3" },
		{ "1q", "CMAX", "9.9", -ERANGE, "CMAX: 9.9 is outside 2 to 4.3 V" },
		{ "1q", "CMAX", "1.99\n", -ERANGE, "CMAX: 1.99 is outside 2 to 4.3 V" },
		{ "1q", "CMAX", "4.2x\n", -EINVAL, "CMAX: \"4.2x\" is no number" },
		{ "1q", "CMAX", "", -EINVAL, "CMAX: \"\" is no number" },
		{ "1q", "CMAX", "\n", -EINVAL, "CMAX: \"\" is no number" },
		{ "1q", "CMAX", "3.6\n\n", -EINVAL, "CMAX: \"3.6?\" is no number" },
		{ "1q", "CMAX", "nan", -EINVAL, "CMAX: \"nan\" is no number" },
		{ "1q", "CMAX", "4\x1b[2J", -EINVAL, "CMAX: \"4?[2J\" is no number" },
		{ "1q", "CHEM", "2.5", -EINVAL, "CHEM: \"2.5\" is no whole number" },
		{ "1q", "CHEM", "6", -ERANGE, "CHEM: 6 is outside 1 to 5" },
		{ "1q", "MAXD", "350", -ERANGE, "MAXD: 350 is outside 5 to 345 A" },
		{ "abms", "MAXD", "350", 0, "350" },
		{ "abms", "UBDI", "99999999999999999999999", 0, NULL },
		{ "abms", "UBDI", "999999999999999999999999", -ERANGE,
		  "UBDI: 999999999999999999999999 is beyond any number of its kind" },
		{ "abms", "RE1T", "4294967296", -ERANGE,
		  "RE1T: 4294967296 is outside 0 to 4294967295" },
		{ "abms", "TIME", "14:41:03\n", 0, "14:41:03" },
		{ "abms", "TIME", "25:00:00", -EINVAL, "TIME: \"25:00:00\" is no time hh:mm:ss" },
		{ "abms", "DATE", "23.2.2025", -EINVAL,
		  "DATE: \"23.2.2025\" is not of the form "
		  "[0-3][0-9].[01][0-9].[0-9][0-9][0-9][0-9]" },
		{ "1q", "CELL", "1", -EACCES, "" },
		{ "1q", "SOC", "1", -EACCES, "" },
		{ "1q", "IOFF", "1", -EACCES, "" },
		{ "1q", "bus/state", "1", -EACCES, "" },
		{ "1q", "pack", "1", -EACCES, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct device_write write = { .row = 12345 };
		int ret;

		device->model = model_find(&device->table, cases[i].model);
		device->bus.last_error[0] = '\0';
		ret = tree_accept(fixture->tree, fixture_ino(fixture, cases[i].path),
				  cases[i].written, strlen(cases[i].written), &write);
		if (ret != cases[i].ret)
			fail_msg("%s \"%s\": %d", cases[i].path, cases[i].written, ret);
		if (!ret && cases[i].said) {
			assert_string_equal(write.setting.text, cases[i].said);
			assert_int_equal(write.row, fake_row(device, cases[i].path));
		} else if (ret) {
			assert_string_equal(device->bus.last_error, cases[i].said);
		}
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
	assert_string_equal(device->bus.last_error, "CMAX: 5 is above 4.3 V");
	variant->has_max = false;
	variant->has_min = true;
	assert_int_equal(tree_accept(fixture->tree, ino, "1", 1, &write), -ERANGE);
	assert_string_equal(device->bus.last_error, "CMAX: 1 is below 2 V");
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
	assert_string_equal(fixture->device.bus.last_error,
			    "CMAX: \"99999999999999999999999999999999\" is no number");
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
		TEST(test_limits_of_one_side),
		TEST(test_long_text),
		TEST(test_locked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <string.h>

#include "fixture.h"
#include "nsec.h"
#include "test.h"
#include "tree/tree.h"

#define CMAX  7 /* inodes */
#define OTHER 8
#define PATH  "bus/last_error"

static void expect(const struct last_error *last, int64_t age_s, const char *wanted)
{
	char text[LAST_ERROR_TEXT];

	last_error_print(last, FAKE_NOW + age_s * NSEC_PER_SEC, text);
	assert_string_equal(text, wanted);
}

static void refuse(struct last_error *last)
{
	last_error_record(last, CMAX, ACCESS_WRITE, -ERANGE, FAKE_NOW, "CMAX", "9.9 is outside");
}

static void test_empty_while_nothing_has_failed(void **state)
{
	struct fixture *fixture = *state;
	struct last_error last = { 0 };

	expect(&last, 5, "");
	last_error_succeeded(&last, 0, ACCESS_READ);
	expect(&last, 5, "");
	fixture_expect(fixture, PATH, "");
	tree_set_last_error(fixture->tree, &last);
	fixture_expect(fixture, PATH, "");
	refuse(&last);
	fixture_expect(fixture, PATH, "CMAX: 9.9 is outside (0 s ago)\n");
}

static void test_the_age_is_in_seconds_then_in_minutes(void **state)
{
	struct last_error last = { 0 };

	(void)state;
	refuse(&last);
	expect(&last, 0, "CMAX: 9.9 is outside (0 s ago)");
	expect(&last, 59, "CMAX: 9.9 is outside (59 s ago)");
	expect(&last, 60, "CMAX: 9.9 is outside (1 min ago)");
	expect(&last, 7199, "CMAX: 9.9 is outside (119 min ago)");
}

static void test_only_a_success_of_the_same_kind_on_the_same_file_counts(void **state)
{
	struct last_error last = { 0 };

	(void)state;
	refuse(&last);
	last_error_succeeded(&last, OTHER, ACCESS_WRITE);
	last_error_succeeded(&last, CMAX, ACCESS_READ);
	expect(&last, 1, "CMAX: 9.9 is outside (1 s ago)");
	last_error_succeeded(&last, CMAX, ACCESS_WRITE);
	expect(&last, 1, "CMAX: 9.9 is outside (1 s ago); succeeded since");
	refuse(&last);
	expect(&last, 1, "CMAX: 9.9 is outside (1 s ago)");
}

/* The line is lost, the reads that waited for it fail, and then the loss is reported. */
static void test_a_loss_of_the_line_that_a_file_reported_is_not_recorded_again(void **state)
{
	struct last_error last = { 0 };

	(void)state;
	last_error_record(&last, CMAX, ACCESS_READ, -ENODEV, FAKE_NOW, "SOC", "LCD1: unplugged");
	last_error_record(&last, 1, ACCESS_LINE, -ENODEV, FAKE_NOW, "", "unplugged");
	expect(&last, 0, "SOC: LCD1: unplugged (0 s ago)");
	last_error_succeeded(&last, CMAX, ACCESS_READ);
	last_error_record(&last, 1, ACCESS_LINE, -ENODEV, FAKE_NOW, "", "unplugged");
	expect(&last, 0, "unplugged (0 s ago)");
}

static void test_control_characters_do_not_break_the_line(void **state)
{
	struct last_error last = { 0 };

	(void)state;
	last_error_record(&last, CMAX, ACCESS_WRITE, -EREMOTEIO, FAKE_NOW, "a\nb",
			  "c\x1b[2J\x7f\xc3\xa9");
	expect(&last, 0, "a?b: c?[2J?\xc3\xa9 (0 s ago)");
}

/* A text with an age changes all the time; who waits for a change waits for another record. */
static void test_poll_sees_a_record_and_not_its_age(void **state)
{
	struct fixture *fixture = *state;
	struct last_error last = { 0 };
	uint64_t ino = fixture_ino(fixture, PATH);
	uint32_t before = tree_revision(fixture->tree, ino);

	assert_int_not_equal(before, 0);
	tree_set_last_error(fixture->tree, &last);
	assert_int_equal(tree_revision(fixture->tree, ino), before);
	refuse(&last);
	assert_int_not_equal(tree_revision(fixture->tree, ino), before);
	before = tree_revision(fixture->tree, ino);
	last_error_succeeded(&last, CMAX, ACCESS_WRITE);
	assert_int_not_equal(tree_revision(fixture->tree, ino), before);
	assert_int_equal(tree_revision(fixture->tree, fixture_ino(fixture, "bus/state")), 0);
}

static const char *reason(const struct fixture *fixture, const char *path, int err)
{
	static const struct freshness fresh = { .call = FAKE_NOW };
	static char text[TREE_REASON_MAX];

	tree_reason(fixture->tree, fixture_ino(fixture, path), &fresh, err, text, sizeof(text));
	return text;
}

static void test_a_reason_names_the_instruction_unless_the_file_does(void **state)
{
	struct fixture *fixture = *state;

	fixture_feed(fixture, 2.5);
	fixture->device.error[fake_row(&fixture->device, "LCD1")] = -EIO;
	assert_string_equal(reason(fixture, "LCD1", -EIO), "the cable is broken");
	assert_string_equal(reason(fixture, "pack/voltage", -EIO), "LCD1: the cable is broken");
	assert_string_equal(reason(fixture, "pack/voltage", -ENODATA), "");
}

/* Programs read all of class/ again and again. */
static void test_class_has_a_reason_only_for_a_failure_behind_it(void **state)
{
	static const char path[] = "class/power_supply/bms0/voltage_now";
	struct fixture *fixture = *state;
	int *error = &fixture->device.error[fake_row(&fixture->device, "LCD1")];

	fixture_feed(fixture, 2.5);
	assert_string_equal(
		reason(fixture, "class/power_supply/bms0/time_to_empty_now", -EOPNOTSUPP), "");
	*error = -EOPNOTSUPP;
	assert_string_equal(reason(fixture, path, -EOPNOTSUPP), "");
	*error = -ETIMEDOUT;
	assert_string_equal(reason(fixture, path, -EOPNOTSUPP), "LCD1: the cable is broken");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_empty_while_nothing_has_failed),
		TEST(test_the_age_is_in_seconds_then_in_minutes),
		TEST(test_only_a_success_of_the_same_kind_on_the_same_file_counts),
		TEST(test_a_loss_of_the_line_that_a_file_reported_is_not_recorded_again),
		TEST(test_control_characters_do_not_break_the_line),
		TEST(test_poll_sees_a_record_and_not_its_age),
		TEST(test_a_reason_names_the_instruction_unless_the_file_does),
		TEST(test_class_has_a_reason_only_for_a_failure_behind_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

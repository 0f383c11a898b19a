// SPDX-License-Identifier: LGPL-3.0-or-later
#include "mqtt/setting.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mqtt/clock.h"
#include "mqtt_test.h"

static const char catalogue_text_[] =
	"{'CMAX': {'type': 'float', 'min': '2', 'max': '4.3', 'writable': true},"
	" 'TIME': {'type': 'clock', 'writable': true}, 'HUMI': {'type': 'int'}}";

static struct setting_wish wish_of(const char *name, const char *text)
{
	struct setting_wish wish = { .length = strlen(text), .came_ms = clock_now_ms() };

	snprintf(wish.name, sizeof(wish.name), "%s", name);
	snprintf(wish.text, sizeof(wish.text), "%s", text);
	return wish;
}

static void test_check(void **state)
{
	static const struct {
		const char *name, *text;
		int ret;
	} cases[] = {
		{ "CMAX", "3.6", 0 },
		{ "CMAX", "-3", 0 },
		{ "CMAX", "0003.6000", 0 },
		{ "CMAX", "99999", 0 },
		{ "CMAX", "", -EINVAL },
		{ "CMAX", "-", -EINVAL },
		{ "CMAX", ".5", -EINVAL },
		{ "CMAX", "3.", -EINVAL },
		{ "CMAX", "+3", -EINVAL },
		{ "CMAX", " 3", -EINVAL },
		{ "CMAX", "3.6\n", -EINVAL },
		{ "CMAX", "3,6", -EINVAL },
		{ "CMAX", "3e0", -EINVAL },
		{ "CMAX", "0x3", -EINVAL },
		{ "CMAX", "nan", -EINVAL },
		{ "CMAX", "3.6 3.6", -EINVAL },
		{ "CMAX", "3.600000000000000000000000", -EINVAL },
		{ "TIME", "12", -ENOENT },
		{ "HUMI", "3", -ENOENT },
		{ "NONE", "3", -ENOENT },
		{ "..", "3", -ENOENT },
	};
	json_t *catalogue = parse(catalogue_text_);
	char reason[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct setting_wish wish = wish_of(cases[i].name, cases[i].text);
		int ret;

		reason[0] = '\0';
		ret = setting_check(&wish, catalogue, true, reason, sizeof(reason));
		if (ret != cases[i].ret)
			fail_msg("%s \"%s\": %d", cases[i].name, cases[i].text, ret);
		assert_true(!ret == !*reason);
	}
	json_decref(catalogue);
}

static void test_refused_whatever_it_says(void **state)
{
	json_t *catalogue = parse(catalogue_text_);
	struct setting_wish wish = wish_of("CMAX", "3.6");
	char reason[128];

	(void)state;
	assert_int_equal(setting_check(&wish, catalogue, false, reason, 128), -EACCES);
	assert_int_equal(setting_check(&wish, NULL, true, reason, 128), -ENOENT);
	wish.length = 4; /* a zero behind it */
	assert_int_equal(setting_check(&wish, catalogue, true, reason, 128), -EINVAL);
	wish.length = 3;
	wish.retained = true;
	assert_int_equal(setting_check(&wish, catalogue, true, reason, 128), -EINVAL);
	assert_non_null(strstr(reason, "retained"));
	wish.retained = false;
	assert_int_equal(setting_check(&wish, catalogue, true, reason, 128), 0);
	wish.came_ms -= (SETTING_WAIT_S + 1) * 1000;
	assert_int_equal(setting_check(&wish, catalogue, true, reason, 128), -ETIMEDOUT);
	json_decref(catalogue);
}

static void test_names(void **state)
{
	(void)state;
	assert_true(setting_is_name("CMAX"));
	assert_true(setting_is_name("RE1L"));
	assert_true(setting_is_name("A"));
	assert_false(setting_is_name(""));
	assert_false(setting_is_name("CMAXX"));
	assert_false(setting_is_name("cmax"));
	assert_false(setting_is_name("../A"));
}

static void make_file(const char *folder, const char *name, const char *text)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void test_write(void **state)
{
	char folder[] = "/tmp/bmsfs-setting-XXXXXX", path[64], reason[128], text[8] = "";
	struct setting_wish wish = wish_of("CMAX", "3.6");
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(setting_write(folder, &wish, reason, sizeof(reason)), -ENOENT);
	assert_string_equal(reason, strerror(ENOENT));
	snprintf(path, sizeof(path), "%s/bus", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	make_file(folder, "bus/last_error", "the cable (blue) is broken (0 s ago)\n");
	assert_int_equal(setting_write(folder, &wish, reason, sizeof(reason)), -ENOENT);
	assert_string_equal(reason, "the cable (blue) is broken");
	make_file(folder, "CMAX", "");
	assert_int_equal(setting_write(folder, &wish, reason, sizeof(reason)), 0);
	snprintf(path, sizeof(path), "%s/CMAX", folder);
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, text, sizeof(text)), 4);
	assert_string_equal(text, "3.6\n");
	close(fd);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/bus/last_error", folder);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/bus", folder);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void check_result(const struct setting_wish *wish, int error, const char *wanted_text)
{
	json_t *wanted = parse(wanted_text), *result = setting_result(wish, error, "it is so");

	assert_true(json_equal(result, wanted));
	json_decref(wanted);
	json_decref(result);
}

static void test_result(void **state)
{
	struct setting_wish wish = wish_of("CMAX", "3.6");

	(void)state;
	check_result(&wish, 0, "{'value': '3.6', 'result': 'ok'}");
	check_result(&wish, -ERANGE, "{'value': '3.6', 'result': 'ERANGE', 'reason': 'it is so'}");
	wish.length = SETTING_TEXT_MAX + 1; /* what follows was cut off */
	check_result(&wish, -EINVAL, "{'value': null, 'result': 'EINVAL', 'reason': 'it is so'}");
	wish = wish_of("CMAX", "3.6");
	wish.text[0] = (char)0xFF; /* no UTF-8 */
	check_result(&wish, -EINVAL, "{'value': null, 'result': 'EINVAL', 'reason': 'it is so'}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),  cmocka_unit_test(test_refused_whatever_it_says),
		cmocka_unit_test(test_names),  cmocka_unit_test(test_write),
		cmocka_unit_test(test_result),
	};

	(void)describe;
	(void)small_snapshot;
	(void)small_attributes;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

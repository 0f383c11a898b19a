// SPDX-License-Identifier: LGPL-3.0-or-later
#include "link/serial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "test.h"

static void test_baud_fits(void **state)
{
	static const struct {
		uint32_t asked, actual;
		bool fits;
	} cases[] = {
		{ 56000, 56000, true },  { 56000, 55944, true },   { 56000, 57120, true },
		{ 56000, 57121, false }, { 56000, 54880, true },   { 56000, 54879, false },
		{ 56000, 57600, false }, { 56000, 38400, false },  { 115200, 115384, true },
		{ 9600, 0, false },      { 1, UINT32_MAX, false }, { UINT32_MAX, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (serial_baud_fits(cases[i].asked, cases[i].actual) != cases[i].fits)
			fail_msg("%u for %u", cases[i].actual, cases[i].asked);
}

static void test_find_refuses(void **state)
{
	static const char *const devices[] = { "/dev/null", "/nowhere", "", "ttyS0" };
	struct sp_port *port;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		assert_int_equal(serial_find(&port, devices[i]), -ENOTTY);
}

static void test_speed(void **state)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), file;
	struct termios settings;
	uint32_t baud = 0;

	(void)state;
	assert_true(master >= 0);
	assert_int_equal(tcgetattr(master, &settings), 0);
	cfsetspeed(&settings, B57600);
	assert_int_equal(tcsetattr(master, TCSANOW, &settings), 0);
	assert_int_equal(termios2_get_speed(master, &baud), 0);
	assert_int_equal(baud, 57600);
	close(master);

	file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(termios2_get_speed(file, &baud), -ENOTTY);
	close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_baud_fits),
		cmocka_unit_test(test_find_refuses),
		cmocka_unit_test(test_speed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

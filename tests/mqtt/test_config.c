// SPDX-License-Identifier: LGPL-3.0-or-later
#include "mqtt/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static struct mqtt_config config;
static char reason[256];

static int read_text_of(uid_t owner, const char *text, mode_t mode)
{
	char path[] = "/tmp/bmsfs-mqtt-XXXXXX";
	int fd = mkstemp(path), ret;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
	assert_int_equal(fchown(fd, owner, (gid_t)-1), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	config_init(&config);
	reason[0] = '\0';
	ret = config_read(&config, path, reason, sizeof(reason));
	assert_int_equal(unlink(path), 0);
	return ret;
}

static int read_text(const char *text, mode_t mode)
{
	return read_text_of((uid_t)-1, text, mode);
}

static void test_defaults(void **state)
{
	(void)state;
	config_init(&config);
	assert_int_equal(config_finish(&config, "/mnt/house//", reason, sizeof(reason)), 0);
	assert_string_equal(config.host, "localhost");
	assert_int_equal(config.port, 1883);
	assert_int_equal(config.expire_after, 30);
	assert_string_equal(config.name, "house");
	assert_string_equal(config.title, "house");
	assert_string_equal(config.prefix, "bmsfs");
	assert_false(config.allow_write);
}

static void test_all_keys(void **state)
{
	(void)state;
	assert_int_equal(read_text("# comment\n\nhost = broker.example ; the one\nport = 8884\n"
				   "username = me\npassword = a=b;c#d\nca = /ca\ncert = /c\n"
				   "key = /k\nprefix = home/power\ndiscovery =\nname = House_1\n"
				   "title = Bank in the house\nexpire_after = 60\ninterval = 10\n"
				   "patience = 5\nallow_write = yes",
				   0600),
			 0);
	assert_int_equal(config_finish(&config, "/mnt/bms", reason, sizeof(reason)), 0);
	assert_string_equal(config.host, "broker.example");
	assert_int_equal(config.port, 8884);
	assert_string_equal(config.username, "me");
	assert_string_equal(config.password, "a=b;c#d");
	assert_string_equal(config.ca, "/ca");
	assert_string_equal(config.cert, "/c");
	assert_string_equal(config.key, "/k");
	assert_string_equal(config.prefix, "home/power");
	assert_string_equal(config.discovery, "");
	assert_string_equal(config.name, "House_1");
	assert_string_equal(config.title, "Bank in the house");
	assert_int_equal(config.expire_after, 60);
	assert_int_equal(config.interval, 10);
	assert_int_equal(config.patience, 5);
	assert_true(config.allow_write);
}

static void test_refused(void **state)
{
	static const char *const cases[][2] = {
		{ "hots = x\n", ":1: there is no key \"hots\"" },
		{ "host = x\n[broker]\nport = 1\n", "there are no sections here" },
		{ "host\n", ":1: not a line \"name = value\"" },
		{ "port = 0\n", ":1: port: \"0\" is no number from 1 to 65535" },
		{ "port = 65536\n", "is no number" },
		{ "port = 18 83\n", "is no number" },
		{ "port =\n", "is no number" },
		{ "port = 99999999999999999999\n", "is no number" },
		{ "expire_after = 2\n", "is no number" },
		{ "allow_write = true\n", ":1: allow_write: neither yes nor no" },
		{ "prefix = a/#\n", "is not letters, digits, _ and - between slashes" },
		{ "prefix = /a\n", "is not letters" },
		{ "prefix = a//b\n", "is not letters" },
		{ "prefix =\n", "is not letters" },
		{ "name = a/b\n", "is not letters" },
		{ "name = a.b\n", "is not letters" },
		{ "\n\nname = 123456789012345678901234567890123456\n", ":3: name: " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int ret = read_text(cases[i][0], 0644);

		if (ret != -EINVAL || !strstr(reason, cases[i][1]))
			fail_msg("%s: %d: %s", cases[i][0], ret, reason);
	}
}

/* Values are told three times before they expire, and still no more often than wanted. */
static void test_expiry(void **state)
{
	(void)state;
	assert_int_equal(read_text("interval = 60\n", 0600), 0);
	assert_int_equal(config_finish(&config, "/mnt/bms", reason, sizeof(reason)), 0);
	assert_int_equal(config.expire_after, 180);
	assert_int_equal(read_text("interval = 10\nexpire_after = 30\n", 0600), 0);
	assert_int_equal(config_finish(&config, "/mnt/bms", reason, sizeof(reason)), 0);
	assert_int_equal(read_text("interval = 11\nexpire_after = 30\n", 0600), 0);
	assert_int_equal(config_finish(&config, "/mnt/bms", reason, sizeof(reason)), -EINVAL);
	assert_non_null(strstr(reason, "expire_after is less than 3 times interval"));
}

static void test_long_line(void **state)
{
	char text[400];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "password = ", 11);
	text[398] = '\n';
	text[399] = '\0';
	assert_int_equal(read_text(text, 0600), -EINVAL);
	assert_non_null(strstr(reason, "too long"));
	assert_null(strstr(reason, "xxx"));
}

/* As LoadCredential= of systemd.exec(5) hands it over, by an access list. */
static void test_secret_of_somebody_else(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(read_text_of(65534, "password = x\n", 0440), 0);
	assert_int_equal(read_text_of(65534, "password = x\n", 0404), -EACCES);
}

static void test_secrets(void **state)
{
	(void)state;
	assert_int_equal(read_text("password = x\n", 0600), 0);
	assert_int_equal(read_text("password = x\n", 0400), 0);
	assert_int_equal(read_text("password = x\n", 0640), -EACCES);
	assert_non_null(strstr(reason, "chmod 600"));
	assert_int_equal(read_text("password = x\n", 0604), -EACCES);
	assert_int_equal(read_text("host = x\n", 0644), 0);
}

static void test_absent(void **state)
{
	(void)state;
	config_init(&config);
	assert_int_equal(config_read(&config, "/tmp/bmsfs-no/such/file", reason, sizeof(reason)),
			 -ENOENT);
}

static void test_tls(void **state)
{
	(void)state;
	assert_int_equal(read_text("ca = /ca\n", 0644), 0);
	assert_int_equal(config_finish(&config, "/mnt/bms", reason, sizeof(reason)), 0);
	assert_int_equal(config.port, 8883);
	assert_int_equal(read_text("ca = /ca\ncert = /c\n", 0644), 0);
	assert_int_equal(config_finish(&config, "/mnt/bms", reason, sizeof(reason)), -EINVAL);
	assert_int_equal(read_text("cert = /c\nkey = /k\n", 0644), 0);
	assert_int_equal(config_finish(&config, "/mnt/bms", reason, sizeof(reason)), -EINVAL);
}

static void test_name_of_mount(void **state)
{
	(void)state;
	config_init(&config);
	assert_int_equal(config_finish(&config, "/", reason, sizeof(reason)), -EINVAL);
	config_init(&config);
	assert_int_equal(config_finish(&config, "/mnt/my bank", reason, sizeof(reason)), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_all_keys),
		cmocka_unit_test(test_refused),  cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_secrets),  cmocka_unit_test(test_secret_of_somebody_else),
		cmocka_unit_test(test_expiry),   cmocka_unit_test(test_absent),
		cmocka_unit_test(test_tls),      cmocka_unit_test(test_name_of_mount),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

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

static int read_text(const char *text, mode_t mode)
{
	char path[] = "/tmp/bmsfs-mqtt-XXXXXX";
	int fd = mkstemp(path), err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	config_init(&config);
	reason[0] = '\0';
	err = config_read(&config, path, reason, sizeof(reason));
	assert_int_equal(unlink(path), 0);
	return err;
}

/* Reads @text and checks the whole. */
static int read_whole(const char *text)
{
	int err = read_text(text, 0600);

	return err ? err : config_finish(&config, "/mnt/bms", reason, sizeof(reason));
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
				   "key = /k\ntls = yes\nallow_clear_text = yes\nprefix = "
				   "home/power\ndiscovery =\nname = House_1\n"
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
	assert_true(config.tls && config.allow_clear_text && config.allow_write);
}

static void test_refused(void **state)
{
	static const char *const cases[][2] = {
		{ "hots = x\n", ":1: unknown key; bmsfs-mqtt(1) lists the keys" },
		{ "host = x\n[broker]\nport = 1\n", ":2: this file has no sections" },
		{ "host\n", ":1: not a line \"key = value\"" },
		{ "host = a b\n", ":1: host: must be 1 to 191 characters of a host name" },
		{ "host = user:word@broker\n", ":1: host: must be" },
		{ "host = mqtt://broker\n", ":1: host: must be" },
		{ "host =\n", ":1: host: must be" },
		{ "port = 0\n", ":1: port: must be 1 to 65535, a whole number" },
		{ "port = 65536\n", ":1: port: must be" },
		{ "port = 18 83\n", ":1: port: must be" },
		{ "port =\n", ":1: port: must be" },
		{ "port = 99999999999999999999\n", ":1: port: must be" },
		{ "expire_after = 2\n", ":1: expire_after: must be 3 to 86400" },
		{ "allow_write = true\n", ":1: allow_write: must be yes or no" },
		{ "tls = 1\n", ":1: tls: must be yes or no" },
		{ "prefix = a/#\n", ":1: prefix: must be 1 to 63 letters, digits, _ and -" },
		{ "prefix = /a\n", ":1: prefix: must be" },
		{ "prefix = a//b\n", ":1: prefix: must be" },
		{ "prefix =\n", ":1: prefix: must be" },
		{ "name = a/b\n", ":1: name: must be 1 to 32 letters, digits, _ and -" },
		{ "name = a.b\n", ":1: name: must be" },
		{ "\n\nname = 123456789012345678901234567890123456\n", ":3: name: must be" },
		{ "title = B\xFCro\n", ":1: title: must be 1 to 63 bytes of UTF-8" },
		{ "username = \xC3\n", ":1: username: must be 0 to 191 bytes of UTF-8" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int err = read_text(cases[i][0], 0644);

		if (err != -EINVAL || !strstr(reason, cases[i][1]))
			fail_msg("%s: %d: %s", cases[i][0], err, reason);
	}
}

/*
 * What people write by mistake: a configuration as a document indents it, a missing key or separator,
 * two settings in one line.
 */
static void test_no_message_repeats_a_secret(void **state)
{
	static const char *const cases[] = {
		"  host = broker\n  username = me\n  password = hunter2\n",
		"host = broker\n  username = me\n  password = hunter2\n",
		"password =\n  hunter2\n",
		"password hunter2\n",
		"password hunter2=\n",
		"hunter2\n",
		"hunter2 = password\n",
		"Password = hunter2\n",
		"pasword = hunter2\n",
		"host = broker password = hunter2\n",
		"host = me:hunter2@broker\n",
		"port = 1883 password = hunter2\n",
		"port = hunter2\n",
		"name = hunter2 hunter2\n",
		"prefix = /hunter2\n",
		"allow_write = hunter2\n",
		"[hunter2]\n",
		"password = hunter2\x07\n",
		"password = hunter2\npassword = hunter2\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int err = read_text(cases[i], 0600);

		if (err != -EINVAL || strstr(reason, "hunter2"))
			fail_msg("%s: %d: %s", cases[i], err, reason);
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
	assert_non_null(
		strstr(reason, "expire_after: less than 3 times interval; make it 33 or more"));
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
	assert_non_null(strstr(reason, ":1: longer than 198 characters"));
	assert_null(strstr(reason, "xxx"));
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
	assert_int_equal(read_whole("ca = /ca\n"), 0);
	assert_true(config.tls);
	assert_int_equal(config.port, 8883);
	assert_int_equal(read_whole("tls = yes\n"), 0);
	assert_int_equal(config.port, 8883);
	assert_int_equal(read_whole("tls = yes\nport = 1884\ncert = /c\nkey = /k\n"), 0);
	assert_int_equal(config.port, 1884);
	assert_int_equal(read_whole("tls = no\n"), 0);
	assert_int_equal(config.port, 1883);
	assert_int_equal(read_whole("ca = /ca\ncert = /c\n"), -EINVAL);
	assert_string_equal(reason, "cert and key: one is missing; give both");
	assert_int_equal(read_whole("cert = /c\nkey = /k\n"), -EINVAL);
	assert_string_equal(reason, "cert and key: of use with TLS only; add tls = yes");
}

static void test_port_8883_is_never_clear_text(void **state)
{
	static const char why[] = "port: 8883 is for TLS; add tls = yes";

	(void)state;
	assert_int_equal(read_whole("port = 8883\n"), -EINVAL);
	assert_string_equal(reason, why);
	assert_int_equal(read_whole("port = 8883\ntls = no\nallow_clear_text = yes\n"), -EINVAL);
	assert_string_equal(reason, why);
	assert_int_equal(read_whole("port = 8883\ntls = yes\n"), 0);
	assert_int_equal(read_whole("port = 8883\nca = /ca\n"), 0);
}

static void test_password_in_clear_text_to_another_machine(void **state)
{
	static const char *const others[] = { "broker",      "192.168.1.2",       "128.0.0.1",
					      "127.0.0.x",   "localhost.example", "::2",
					      "fe80::1%eth0" };
	static const char *const ours[] = { "localhost", "LocalHost", "127.0.0.1",
					    "127.1.2.3", "::1",       "/run/mosquitto.sock" };
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		snprintf(text, sizeof(text), "host = %s\npassword = hunter2\n", others[i]);
		if (read_whole(text) != -EINVAL)
			fail_msg("%s: accepted", others[i]);
		assert_string_equal(reason,
				    "password: would reach another machine in clear text; add tls "
				    "= yes, or allow_clear_text = yes");
		snprintf(text, sizeof(text), "host = %s\npassword = hunter2\ntls = yes\n",
			 others[i]);
		assert_int_equal(read_whole(text), 0);
		snprintf(text, sizeof(text),
			 "host = %s\npassword = hunter2\nallow_clear_text = yes\n", others[i]);
		assert_int_equal(read_whole(text), 0);
		assert_int_equal(config.port, 1883);
		snprintf(text, sizeof(text), "host = %s\nusername = me\n", others[i]);
		assert_int_equal(read_whole(text), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		snprintf(text, sizeof(text), "host = %s\npassword = hunter2\n", ours[i]);
		if (read_whole(text))
			fail_msg("%s: %s", ours[i], reason);
	}
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
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all_keys),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_message_repeats_a_secret),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_port_8883_is_never_clear_text),
		cmocka_unit_test(test_password_in_clear_text_to_another_machine),
		cmocka_unit_test(test_name_of_mount),
	};

	return cmocka_run_group_tests_name("mqtt config", tests, NULL, NULL);
}

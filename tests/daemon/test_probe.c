// SPDX-License-Identifier: LGPL-3.0-or-later
/* The search, on a line and a clock that are made up. */
#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "link/link.h"
#include "log.h"
#include "nsec.h"
#include "protocol/frame.h"
#include "test.h"

#define BMS_MAX    2
#define PIECE_MAX  256
#define EVERY_RATE 0

struct bms {
	uint32_t rate;
	uint8_t address;
	const char *identity;
	int64_t delay;
	unsigned deaf; /* to so many requests */
};

/* What is on its way to the host, at one rate. */
struct piece {
	int64_t due;
	uint32_t rate;
	size_t size;
	uint8_t bytes[FRAME_MAX];
};

static struct world {
	struct instruction_table table;
	const char *kind; /* of link */
	struct bms bms[BMS_MAX];
	const char *device_of_bms; /* NULL: any */
	bool echo, noise, narrow, foreign, gone;
	int open_error; /* at open_error_rate, or EVERY_RATE */
	uint32_t open_error_rate;

	int64_t now, answered;
	unsigned opened, requests;
	struct piece piece[PIECE_MAX];
	size_t first, last;
	char log[4096];
	char *out;
	size_t out_size;
} world;

struct fake_link {
	struct link link;
	char device[256];
	struct frame_decoder decoder;
};

/* --- what the probe calls --- */

void log_print(const char *format, ...)
{
	size_t used = strlen(world.log);
	va_list args;

	va_start(args, format);
	vsnprintf(world.log + used, sizeof(world.log) - used, format, args);
	va_end(args);
	used = strlen(world.log);
	snprintf(world.log + used, sizeof(world.log) - used, "\n");
}

int64_t link_boottime(const struct link *link)
{
	(void)link;
	return world.now;
}

static void fake_wait(struct pollfd *fd, int64_t ns)
{
	assert_int_equal(fd->fd, -1);
	assert_true(ns >= 0 && ns < 10 * NSEC_PER_SEC);
	if (fd->events & POLLOUT)
		ns = NSEC_PER_MSEC;
	/* A search that does not wait would never end. */
	world.now += ns ? ns : 1;
}

static void send_later(int64_t due, uint32_t rate, const struct frame *frame)
{
	struct piece *piece = &world.piece[world.last++ % PIECE_MAX];

	assert_true(world.last - world.first < PIECE_MAX);
	piece->due = due;
	piece->rate = rate;
	piece->size = frame_encode(frame, piece->bytes);
}

static void send_text(int64_t due, uint32_t rate, uint8_t dst, uint8_t snd, const char *text)
{
	struct frame frame;

	frame_make(&frame, dst, snd, text, (uint8_t)strlen(text));
	send_later(due, rate, &frame);
}

static bool hears(const struct fake_link *fake, struct bms *bms, const struct frame *request)
{
	bool paced = !strcmp(world.kind, "serial");

	if (!bms->identity || request->dst != bms->address ||
	    (paced && bms->rate != fake->link.baud) ||
	    (world.device_of_bms && strcmp(world.device_of_bms, fake->device)))
		return false;
	if (!bms->deaf)
		return true;
	bms->deaf--;
	return false;
}

static void take_request(const struct fake_link *fake, const struct frame *request)
{
	struct frame noise = { .dst = 1, .len = 20 };

	assert_true(frame_is_text(request, "*IDN?"));
	assert_int_equal(request->snd, FRAME_HOST);
	world.requests++;
	if (world.echo)
		send_later(world.now, fake->link.baud, request);
	if (world.noise) {
		send_later(world.now + NSEC_PER_MSEC, fake->link.baud, &noise);
		world.piece[(world.last - 1) % PIECE_MAX].bytes[5] ^= 1;
	}
	if (world.foreign && fake->link.baud == 38400)
		send_text(world.now, 38400, 3, 0, "BVOL?");
	for (size_t i = 0; i < BMS_MAX; i++)
		if (hears(fake, &world.bms[i], request))
			send_text(world.now + world.bms[i].delay, fake->link.baud, FRAME_HOST,
				  world.bms[i].address, world.bms[i].identity);
}

static int fake_open(struct link *link)
{
	world.opened++;
	if (!world.open_error ||
	    (world.open_error_rate != EVERY_RATE && world.open_error_rate != link->baud))
		return 1;
	snprintf(link->error, sizeof(link->error), "the port says no to %u", link->baud);
	return -world.open_error;
}

static void fake_close(struct link *link)
{
	(void)link;
}

/* At another rate than they were sent bytes are others. */
static ssize_t fake_read(struct link *link, void *bytes, size_t size)
{
	struct piece *piece = &world.piece[world.first % PIECE_MAX];

	if (world.gone) {
		snprintf(link->error, sizeof(link->error), "the port is gone");
		return -ENODEV;
	}
	if (world.first == world.last || piece->due > world.now)
		return 0;
	assert_true(size >= piece->size);
	world.first++;
	world.answered = world.now;
	memcpy(bytes, piece->bytes, piece->size);
	for (size_t i = 0; piece->rate != link->baud && i < piece->size; i++)
		((uint8_t *)bytes)[i] ^= 0x5A;
	return (ssize_t)piece->size;
}

static ssize_t fake_write(struct link *link, const void *bytes, size_t size)
{
	struct fake_link *fake = (struct fake_link *)link;
	struct frame frame;

	if (world.narrow && size > 5)
		size = 5;
	assert_int_equal(frame_decoder_feed(&fake->decoder, bytes, size), size);
	while (frame_decoder_next(&fake->decoder, &frame))
		take_request(fake, &frame);
	return (ssize_t)size;
}

static void fake_flush(struct link *link)
{
	(void)link;
	while (world.first != world.last && world.piece[world.first % PIECE_MAX].due <= world.now)
		world.first++;
}

static int fake_fd(const struct link *link, short *events)
{
	(void)link;
	*events = 0;
	return -1;
}

static int64_t fake_wake(const struct link *link)
{
	(void)link;
	return world.first == world.last ? NSEC_NEVER : world.piece[world.first % PIECE_MAX].due;
}

static void fake_free(struct link *link)
{
	free(link);
}

static struct link_ops fake_ops = {
	.open = fake_open,
	.poll = fake_open,
	.close = fake_close,
	.read = fake_read,
	.write = fake_write,
	.flush = fake_flush,
	.fd = fake_fd,
	.wake = fake_wake,
	.now = link_boottime,
	.free = fake_free,
};

int link_new(struct link **link, const char *device, const struct link_config *config, char *reason,
	     size_t size)
{
	struct fake_link *fake;

	if (!strcmp(device, "nonsense")) {
		snprintf(reason, size, "nonsense is no device");
		return -EINVAL;
	}
	fake = calloc(1, sizeof(*fake));
	assert_non_null(fake);
	fake_ops.name = world.kind;
	fake->link.ops = &fake_ops;
	fake->link.baud = config->baud;
	snprintf(fake->device, sizeof(fake->device), "%s", device);
	*link = &fake->link;
	return 0;
}

/* --- */

static int setup(void **state)
{
	struct table_error error;

	(void)state;
	memset(&world, 0, sizeof(world));
	world.kind = "serial";
	world.now = NSEC_PER_SEC;
	return instruction_table_init(&world.table, &error);
}

static int teardown(void **state)
{
	(void)state;
	instruction_table_free(&world.table);
	free(world.out);
	return 0;
}

static int run_in(const char *dev, const char *device)
{
	const struct probe_options options = {
		.device = device, .dev = dev, .timeout = 350 * NSEC_PER_MSEC, .wait = fake_wait
	};
	FILE *out;
	int found;

	free(world.out);
	world.out = NULL;
	out = open_memstream(&world.out, &world.out_size);
	assert_non_null(out);
	world.log[0] = '\0';
	world.requests = world.opened = 0;
	found = probe_run(out, &world.table, &options);
	fclose(out);
	return found;
}

static int run(void)
{
	return run_in("/nowhere", "/port");
}

static void put_bms(size_t i, uint32_t rate, uint8_t address, const char *identity)
{
	world.bms[i] = (struct bms){
		.rate = rate, .address = address, .identity = identity, .delay = 5 * NSEC_PER_MSEC
	};
}

static void assert_logged(const char *part)
{
	if (!strstr(world.log, part))
		fail_msg("\"%s\" does not say \"%s\"", world.log, part);
}

static void test_finds_each(void **state)
{
	static const uint32_t rates[] = { 56000, 115200, 38400 };
	char expected[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++)
		for (uint8_t address = 1; address <= 16; address++) {
			put_bms(0, rates[i], address, "REC BMS 2Q");
			snprintf(expected, sizeof(expected),
				 "/port, %u baud, address %u: REC BMS 2Q (model 2q)\n"
				 "    bmsfs -o baud=%u,address=%u /port /mnt/bms\n",
				 rates[i], address, rates[i], address);
			assert_int_equal(run(), 1);
			assert_string_equal(world.out, expected);
			assert_string_equal(world.log, "");
		}
}

/* What people have is found within a second. */
static void test_usual_ones_first(void **state)
{
	static const struct {
		uint32_t rate;
		uint8_t address;
	} usual[] = { { 56000, 1 },  { 56000, 2 },  { 56000, 16 },
		      { 115200, 1 }, { 115200, 2 }, { 115200, 16 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(usual); i++) {
		int64_t start = world.now;

		put_bms(0, usual[i].rate, usual[i].address, "REC BMS 1Q");
		assert_int_equal(run(), 1);
		assert_in_range(world.answered - start, 1, NSEC_PER_SEC);
	}
}

static void test_nobody(void **state)
{
	int64_t start = world.now;

	(void)state;
	assert_int_equal(run(), 0);
	assert_string_equal(world.out, "");
	assert_string_equal(
		world.log,
		"/port: nobody answers at 56000, 115200 or 38400 baud, addresses 1 to 16: check "
		"that the BMS is on and that its RS-485 side has power from the adapter, then "
		"exchange the wires A and B\n");
	assert_int_equal(world.requests, 3 * (3 + 16));
	assert_in_range(world.now - start, 1, 25 * NSEC_PER_SEC);
}

static void test_no_rates(void **state)
{
	(void)state;
	world.kind = "tcp";
	assert_int_equal(run_in("/nowhere", "tcp:[::1]:4001"), 0);
	assert_int_equal(world.requests, 3 + 16);
	assert_logged("tcp:[::1]:4001: nobody answers at addresses 1 to 16");
	assert_logged("a gateway must be set to the rate of the BMS");

	put_bms(0, 1, 7, "something else");
	assert_int_equal(run_in("/nowhere", "tcp:[::1]:4001"), 1);
	assert_string_equal(world.out, "tcp:[::1]:4001, address 7: something else (model unknown)\n"
				       "    bmsfs -o address=7 'tcp:[::1]:4001' /mnt/bms\n");
	assert_int_equal(run_in("/nowhere", "unix:it's"), 1);
	assert_non_null(strstr(world.out, "address=7 'unix:it'\\''s' /mnt/bms\n"));
}

static void test_two_on_one_line(void **state)
{
	(void)state;
	put_bms(0, 115200, 2, "ACTIVE");
	put_bms(1, 115200, 9, "ACTIVE");
	assert_int_equal(run(), 2);
	assert_string_equal(world.out, "/port, 115200 baud, address 2: ACTIVE (model abms)\n"
				       "    bmsfs -o baud=115200,address=2 /port /mnt/bms\n"
				       "/port, 115200 baud, address 9: ACTIVE (model abms)\n"
				       "    bmsfs -o baud=115200,address=9 /port /mnt/bms\n"
				       "All of /port in one mount:\n"
				       "    bmsfs -o baud=115200,address=2,9 /port /mnt/bms\n");
	/* The other rates are not asked any more. */
	assert_int_equal(world.requests, 3 + 3 + 1 + 14);
}

/* The sender that a late answer names is who is found, whoever is asked meanwhile. */
static void test_late(void **state)
{
	static const struct {
		uint32_t rate;
		uint8_t address;
		int64_t delay_ms;
	} cases[] = {
		{ 56000, 1, 200 },  { 56000, 1, 400 },  { 56000, 1, 1500 }, { 56000, 16, 250 },
		{ 56000, 15, 900 }, { 115200, 2, 800 }, { 38400, 16, 990 },
	};
	char expected[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		put_bms(0, cases[i].rate, cases[i].address, "REC BMS 1Q");
		world.bms[0].delay = cases[i].delay_ms * NSEC_PER_MSEC;
		assert_int_equal(run(), 1);
		snprintf(expected, sizeof(expected), "/port, %u baud, address %u: REC BMS 1Q ",
			 cases[i].rate, cases[i].address);
		assert_memory_equal(world.out, expected, strlen(expected));
		assert_string_equal(world.log, "");
	}
}

/* One request or its answer gets lost. */
static void test_deaf_at_first(void **state)
{
	(void)state;
	put_bms(0, 56000, 1, "REC BMS 1Q");
	world.bms[0].deaf = 1;
	assert_int_equal(run(), 1);
}

static void test_echo(void **state)
{
	(void)state;
	world.echo = true;
	assert_int_equal(run(), 0);
	assert_logged("nobody answers");
	put_bms(0, 38400, 4, "REC BMS 1Q");
	assert_int_equal(run(), 1);
	assert_string_equal(world.log, "");
}

static void test_noise(void **state)
{
	(void)state;
	world.noise = true;
	assert_int_equal(run(), 0);
	assert_logged("what comes makes no frames at 56000, 115200 or 38400 baud, addresses 1 to "
		      "16: exchange the wires A and B");
	put_bms(0, 56000, 2, "ACTIVE");
	assert_int_equal(run(), 1);
}

/* What is no identity still tells the rate and that somebody is there. */
static void test_mute(void **state)
{
	static const char *const texts[] = { "ERROR1", "SET", "4.50000e2", "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		put_bms(0, 115200, 5, texts[i]);
		assert_int_equal(run(), 1);
		assert_string_equal(
			world.out,
			"/port, 115200 baud, address 5: somebody who does not answer *IDN? "
			"(model unknown)\n    bmsfs -o baud=115200,address=5 /port /mnt/bms\n");
	}
}

static void test_other_master(void **state)
{
	(void)state;
	world.foreign = true;
	assert_int_equal(run(), 0);
	assert_logged("another master asks");
	/* What it asks for tells the rate. */
	put_bms(0, 38400, 3, "REC BMS 1Q");
	assert_int_equal(run(), 1);
	assert_non_null(strstr(world.out, "baud=38400,address=3 "));
}

static void test_narrow_line(void **state)
{
	(void)state;
	world.narrow = true;
	put_bms(0, 56000, 1, "REC BMS 1Q");
	assert_int_equal(run(), 1);
}

static void test_cannot_be_opened(void **state)
{
	(void)state;
	world.open_error = EBUSY;
	assert_int_equal(run(), 0);
	assert_string_equal(world.log, "the port says no to 56000\n");
	assert_int_equal(world.opened, 1);

	assert_int_equal(run_in("/nowhere", "nonsense"), 0);
	assert_string_equal(world.log, "nonsense is no device\n");
}

/* An adapter that lacks one rate may have another. */
static void test_rate_refused(void **state)
{
	(void)state;
	world.open_error = EINVAL;
	world.open_error_rate = 56000;
	put_bms(0, 115200, 15, "ACTIVE");
	assert_int_equal(run(), 1);
	assert_string_equal(world.log, "the port says no to 56000\n");

	world.open_error_rate = EVERY_RATE;
	assert_int_equal(run(), 0);
	assert_string_equal(world.log, "the port says no to 56000\nthe port says no to 115200\n"
				       "the port says no to 38400\n");
}

static void test_unplugged(void **state)
{
	(void)state;
	world.gone = true;
	assert_int_equal(run(), 0);
	assert_string_equal(world.log, "the port is gone\n");
}

static void make_file(const char *folder, const char *name)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fclose(file);
}

/* Ports on USB alone, under the name that stays where there is one. */
static void test_ports(void **state)
{
	static const char *const files[] = { "ttyACM0", "ttyUSB0", "ttyUSB1",
					     "ttyS0",   "ttyAMA0", "serial/by-id/usb-FTDI" };
	char folder[] = "/tmp/test_probe.XXXXXX", path[128], device[128], expected[512];

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(run_in(folder, NULL), 0);
	assert_logged("there is no serial port on USB");
	assert_int_equal(world.requests, 0);

	snprintf(path, sizeof(path), "%s/serial", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/serial/by-id", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	for (size_t i = 0; i < 5; i++)
		make_file(folder, files[i]);
	snprintf(path, sizeof(path), "%s/serial/by-id/usb-FTDI", folder);
	assert_int_equal(symlink("../../ttyUSB1", path), 0);

	snprintf(device, sizeof(device), "%s/ttyUSB1", folder);
	world.device_of_bms = device;
	put_bms(0, 56000, 1, "REC BMS 1Q");
	assert_int_equal(run_in(folder, NULL), 1);
	snprintf(expected, sizeof(expected),
		 "%s, 56000 baud, address 1: REC BMS 1Q (model 1q)\n"
		 "    bmsfs -o baud=56000,address=1 %s /mnt/bms\n",
		 device, path);
	assert_string_equal(world.out, expected);
	assert_logged("/ttyUSB0: nobody answers");
	assert_logged("/ttyACM0: nobody answers");
	assert_null(strstr(world.log, "ttyS0"));
	assert_null(strstr(world.log, "ttyAMA0"));

	/* Whoever names the lasting one sees it. */
	world.device_of_bms = path;
	assert_int_equal(run_in(folder, path), 1);
	assert_non_null(strstr(world.out, "by-id/usb-FTDI, 56000 baud"));

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/serial/by-id", folder);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/serial", folder);
	rmdir(path);
	assert_int_equal(rmdir(folder), 0);
}

static void test_nowhere_to_print(void **state)
{
	const struct probe_options options = {
		.device = "/port", .dev = "/nowhere", .timeout = NSEC_PER_SEC, .wait = fake_wait
	};
	FILE *full = fopen("/dev/full", "we");

	(void)state;
	assert_non_null(full);
	put_bms(0, 56000, 1, "REC BMS 1Q");
	assert_int_equal(probe_run(full, &world.table, &options), -EIO);
	fclose(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_finds_each, setup, teardown),
		cmocka_unit_test_setup_teardown(test_usual_ones_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_rates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_on_one_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_late, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deaf_at_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_echo, setup, teardown),
		cmocka_unit_test_setup_teardown(test_noise, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mute, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_master, setup, teardown),
		cmocka_unit_test_setup_teardown(test_narrow_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cannot_be_opened, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rate_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unplugged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nowhere_to_print, setup, teardown),
	};

	return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}

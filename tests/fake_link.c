// SPDX-License-Identifier: LGPL-3.0-or-later
#include "fake_link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PLAN_MAX (sizeof(((struct fake_link *)0)->plan) / sizeof(((struct fake_link *)0)->plan[0]))

static struct fake_link *fake_of(const struct link *link)
{
	return (struct fake_link *)link;
}

static int fake_open(struct link *link)
{
	struct fake_link *fake = fake_of(link);

	fake->opens++;
	if (fake->open_result < 0)
		snprintf(link->error, sizeof(link->error), "no such device");
	return fake->open_result;
}

static int fake_poll(struct link *link)
{
	return fake_of(link)->open_result;
}

static void fake_close(struct link *link)
{
	struct fake_link *fake = fake_of(link);

	fake->closes++;
	fake->hung_up = fake->blocked = false;
}

static ssize_t fake_read(struct link *link, void *bytes, size_t size)
{
	struct fake_link *fake = fake_of(link);
	uint8_t *to = bytes;
	size_t n = 0;

	if (fake->hung_up) {
		snprintf(link->error, sizeof(link->error), "unplugged");
		return -ENODEV;
	}
	while (n < size && fake->head != fake->tail && fake->plan[fake->head].due <= fake->now) {
		to[n++] = fake->plan[fake->head].byte;
		fake->head = (fake->head + 1) % PLAN_MAX;
	}
	return n;
}

static void fake_took(struct fake_link *fake, const struct frame *frame)
{
	size_t used = strlen(fake->log);

	fake->requests++;
	if (used + frame->len + 2 < sizeof(fake->log))
		snprintf(fake->log + used, sizeof(fake->log) - used, "%.*s ", frame->len,
			 (const char *)frame->payload);
	if (fake->request)
		fake->request(fake, frame);
}

static ssize_t fake_write(struct link *link, const void *bytes, size_t size)
{
	struct fake_link *fake = fake_of(link);
	struct frame frame;

	if (fake->hung_up) {
		snprintf(link->error, sizeof(link->error), "unplugged");
		return -ENODEV;
	}
	fake->blocked = fake->write_max && size > fake->write_max;
	if (fake->blocked)
		size = fake->write_max;
	frame_decoder_feed(&fake->decoder, bytes, size);
	while (frame_decoder_next(&fake->decoder, &frame))
		fake_took(fake, &frame);
	return size;
}

static int fake_fd(const struct link *link, short *opening_events)
{
	(void)link;
	*opening_events = 0;
	return -1;
}

static int64_t fake_wake(const struct link *link)
{
	const struct fake_link *fake = fake_of(link);

	if (fake->hung_up || fake->blocked)
		return fake->now;
	return fake->head == fake->tail ? NSEC_NEVER : fake->plan[fake->head].due;
}

static int64_t fake_now(const struct link *link)
{
	return fake_of(link)->now;
}

static void fake_free(struct link *link)
{
	(void)link;
}

static const struct link_ops fake_ops = {
	.name = "fake",
	.open = fake_open,
	.poll = fake_poll,
	.close = fake_close,
	.read = fake_read,
	.write = fake_write,
	.fd = fake_fd,
	.wake = fake_wake,
	.now = fake_now,
	.free = fake_free,
};

void fake_link_init(struct fake_link *fake,
		    void (*request)(struct fake_link *fake, const struct frame *frame))
{
	memset(fake, 0, sizeof(*fake));
	fake->link.ops = &fake_ops;
	fake->link.baud = fake->link.actual_baud = 56000;
	fake->now = 1000 * NSEC_PER_SEC;
	fake->open_result = 1;
	fake->request = request;
}

void fake_bytes(struct fake_link *fake, int64_t delay, const void *bytes, size_t size)
{
	const uint8_t *from = bytes;
	int64_t due = fake->now + delay;
	size_t last = (fake->tail + PLAN_MAX - 1) % PLAN_MAX;

	/* A line keeps the order. */
	if (fake->head != fake->tail && fake->plan[last].due > due)
		due = fake->plan[last].due;
	for (size_t i = 0; i < size; i++) {
		fake->plan[fake->tail].due = due;
		fake->plan[fake->tail].byte = from[i];
		fake->tail = (fake->tail + 1) % PLAN_MAX;
	}
}

void fake_frame(struct fake_link *fake, int64_t delay, uint8_t dst, uint8_t snd,
		const void *payload, size_t size)
{
	uint8_t bytes[FRAME_MAX];
	struct frame frame;

	frame_make(&frame, dst, snd, payload, size);
	fake_bytes(fake, delay, bytes, frame_encode(&frame, bytes));
}

void fake_text(struct fake_link *fake, int64_t delay, uint8_t address, const char *text)
{
	fake_frame(fake, delay, FRAME_HOST, address, text, strlen(text));
}

void fake_floats(struct fake_link *fake, int64_t delay, uint8_t address, const float *value,
		 unsigned count)
{
	fake_frame(fake, delay, FRAME_HOST, address, value, count * sizeof(*value));
}

void fake_run(struct fake_link *fake, struct bus *bus, struct device *device, int64_t duration,
	      const bool *done)
{
	int64_t end = fake->now + duration;

	for (;;) {
		int64_t wake;

		bus_run(bus);
		if (device)
			device_run(device);
		if (done && *done)
			return;
		wake = bus_wake(bus);
		if (device)
			wake = nsec_min(wake, device_wake(device));
		if (wake > end) {
			fake->now = end;
			return;
		}
		if (wake > fake->now)
			fake->now = wake;
	}
}

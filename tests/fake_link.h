/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A link for tests: a clock that goes when told, bytes that arrive when planned, and a function
 * that plays the BMS. All state is in here.
 */
#ifndef BMSFS_FAKE_LINK_H
#define BMSFS_FAKE_LINK_H

#include "bus/bus.h"
#include "device/device.h"
#include "link/link.h"
#include "nsec.h"
#include "protocol/frame.h"

#define MSEC(n) ((n) * NSEC_PER_MSEC)

struct fake_link {
	struct link link;
	int64_t now;
	int open_result; /* of open(): 1, or -errno */
	bool hung_up;
	size_t write_max; /* takes no more in one write(); 0: all */
	bool blocked;     /* it did not take all */
	/* Called for each whole request; plans replies with fake_reply_*(). */
	void (*request)(struct fake_link *fake, const struct frame *frame);
	void *user;
	unsigned requests; /* frames received from the host */
	unsigned opens, closes;
	char log[4096]; /* their payloads, a space behind each */
	struct frame_decoder decoder;
	size_t head, tail; /* of what is planned, in order of time */
	struct {
		int64_t due;
		uint8_t byte;
	} plan[16384];
};

void fake_link_init(struct fake_link *fake,
		    void (*request)(struct fake_link *fake, const struct frame *frame));

/* Plans bytes, a frame, or a text or floats as a frame from unit @address, @delay from now. */
void fake_bytes(struct fake_link *fake, int64_t delay, const void *bytes, size_t size);
void fake_frame(struct fake_link *fake, int64_t delay, uint8_t dst, uint8_t snd,
		const void *payload, size_t size);
void fake_text(struct fake_link *fake, int64_t delay, uint8_t address, const char *text);
void fake_floats(struct fake_link *fake, int64_t delay, uint8_t address, const float *value,
		 unsigned count);

/* Runs bus and device (may be NULL) for @duration, or until *@done (may be NULL) is set. */
void fake_run(struct fake_link *fake, struct bus *bus, struct device *device, int64_t duration,
	      const bool *done);

#endif

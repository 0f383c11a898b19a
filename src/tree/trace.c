// SPDX-License-Identifier: LGPL-3.0-or-later
/* bus/trace: what went over the line last, in columns, as the kernel's tracefs shows events. */
#include <stdio.h>

#include "bus/trace.h"
#include "nsec.h"
#include "protocol/capture.h"
#include "tree/node.h"

#define TIME_MAX    24
#define MEANING_MAX (FRAME_TEXT_MAX + 128)

static const char head[] =
	"# TIME: seconds since the machine was started, as in /proc/uptime (CLOCK_BOOTTIME)\n"
	"# DIR: > to the BMS, < from it. TOOK: from the request to its outcome, or to this frame\n"
	"#         TIME ADDR DIR       TOOK OUTCOME  MEANING                          BYTES\n";

static void print_time(char text[TIME_MAX], int64_t ns)
{
	snprintf(text, TIME_MAX, "%lld.%06lld", (long long)(ns / NSEC_PER_SEC),
		 (long long)(ns % NSEC_PER_SEC / 1000));
}

/* "request: CELL?", "late identity: REC BMS 1Q", "request: CAPA? (it is incomplete)" */
static void print_meaning(char text[MEANING_MAX], const struct trace_event *event)
{
	struct frame_decoder decoder = { 0 };
	char payload[FRAME_TEXT_MAX];
	struct frame frame;

	frame_decoder_feed(&decoder, event->bytes, event->size);
	if (frame_decoder_next(&decoder, &frame))
		frame_describe(&frame, payload);
	else
		snprintf(payload, sizeof(payload), "%u bytes", event->size);
	snprintf(text, MEANING_MAX, "%s: %s%s%s%s", event->meaning, payload,
		 event->detail ? " (" : "", event->detail ? event->detail : "",
		 event->detail ? ")" : "");
}

/* @asked is when the last request before was sent, or 0. */
static int print_event(struct text *text, const struct trace_event *event, int64_t asked)
{
	char line[2 * TIME_MAX + MEANING_MAX + 64], when[TIME_MAX], took[TIME_MAX] = "-";
	char address[8] = "-", meaning[MEANING_MAX], bytes[2 * FRAME_MAX + 1];
	bool sent = event->outcome != TRACE_RECEIVED;

	print_time(when, event->when);
	if (!sent && asked)
		print_time(took, event->when - asked);
	else if (sent && event->outcome != TRACE_WAITING)
		print_time(took, event->took);
	if (event->address)
		snprintf(address, sizeof(address), "%u", event->address);
	print_meaning(meaning, event);
	snprintf(line, sizeof(line), "%14s %4s %c %12s %-8s %-32s ", when, address,
		 sent ? '>' : '<', took, trace_outcome_name[event->outcome], meaning);
	bytes[capture_hex(bytes, event->bytes, event->size)] = '\n';
	text_add(text, line);
	return text_add_bytes(text, bytes, 2 * (size_t)event->size + 1);
}

int print_trace(const struct view *view, struct text *text)
{
	const struct trace *trace = bus_trace(device_bus(view->tree->device));
	int ret = text_add(text, head);
	struct trace_event event;
	int64_t asked = 0;
	uint64_t at = 0;

	while (!ret && trace_next(trace, &at, &event)) {
		if (event.outcome != TRACE_RECEIVED)
			asked = event.when;
		ret = print_event(text, &event, asked);
	}
	return ret;
}

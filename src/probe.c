// SPDX-License-Identifier: LGPL-3.0-or-later
#include "probe.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "link/link.h"
#include "log.h"
#include "nsec.h"
#include "protocol/frame.h"
#include "protocol/reply.h"

#define ADDRESS_LAST 16 /* that is asked though no model has it from the factory */
#define QUICK        (150 * NSEC_PER_MSEC) /* most BMSs answer within 20 ms */
#define LINGER       (650 * NSEC_PER_MSEC) /* for late answers, before the rate changes */
#define TAIL         (100 * NSEC_PER_MSEC) /* for the rest of an answer that has begun */
#define NOISE        8                     /* bytes that make no frame and are no accident */

/* In the order of how many BMSs have them. */
static const uint32_t rates[] = { 56000, 115200, 38400 };

#define RATES (sizeof(rates) / sizeof(rates[0]))

struct probe {
	const struct instruction_table *table;
	const struct probe_options *options;
	FILE *out;
	unsigned found;

	/* Whom to ask: the factory's addresses first, for they are asked first at all rates. */
	uint8_t address[FRAME_UNIT_MAX];
	unsigned addresses, usual;

	/* The port in question. */
	const char *device;
	char lasting[PATH_MAX]; /* a name of it that stays */
	bool reached;           /* it could be asked */
	bool settled;           /* something was understood at the last rate: it is the rate */
	uint64_t noise;         /* bytes */
	bool master;            /* another one was heard */
	bool heard[FRAME_UNIT_MAX + 1], known[FRAME_UNIT_MAX + 1];

	/* The line to it, at one rate. */
	struct link *link;
	uint32_t rate; /* the last one */
	bool paced;    /* whether it matters: ptys and sockets have none */
	uint8_t asked;
	struct frame_decoder decoder;
};

void probe_wait(struct pollfd *fd, int64_t ns)
{
	struct timespec left = { .tv_sec = (time_t)(ns / NSEC_PER_SEC),
				 .tv_nsec = (long)(ns % NSEC_PER_SEC) };

	ppoll(fd, 1, &left, NULL);
}

/* --- what is told --- */

static void clear_progress(const struct probe *probe)
{
	if (probe->options->progress)
		fprintf(stderr, "\r%-79s\r", "");
}

static void tell_progress(const struct probe *probe, const char *place)
{
	if (probe->options->progress)
		fprintf(stderr, "\rasking %-72.72s", place);
}

/* What a shell takes for one word as it is. */
static bool is_plain(const char *text)
{
	return !text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				  "/._:,+=@%-")];
}

static void print_word(FILE *out, const char *text)
{
	if (is_plain(text)) {
		fputs(text, out);
		return;
	}
	fputc('\'', out);
	for (; *text; text++)
		if (*text == '\'')
			fputs("'\\''", out);
		else
			fputc(*text, out);
	fputc('\'', out);
}

/* "/dev/ttyUSB0, 56000 baud, address 1" */
static void print_place(const struct probe *probe, uint8_t address, char *text, size_t size)
{
	if (probe->paced)
		snprintf(text, size, "%.200s, %u baud, address %u", probe->device, probe->rate,
			 address);
	else
		snprintf(text, size, "%.200s, address %u", probe->device, address);
}

/* The line that mounts @addresses, "1,2". */
static void print_command(const struct probe *probe, const char *addresses)
{
	fputs("    bmsfs -o ", probe->out);
	if (probe->paced)
		fprintf(probe->out, "baud=%u,", probe->rate);
	fprintf(probe->out, "address=%s ", addresses);
	print_word(probe->out, probe->lasting);
	fputs(" /mnt/bms\n", probe->out);
	fflush(probe->out);
}

/* One that tells no @identity has NULL. */
static void print_bms(struct probe *probe, uint8_t address, const char *identity)
{
	int model = identity ? model_identify(probe->table, identity) : MODEL_UNKNOWN;
	char place[256], number[8];

	clear_progress(probe);
	probe->found++;
	print_place(probe, address, place, sizeof(place));
	fprintf(probe->out, "%s: %s (model %s)\n", place,
		identity ? identity : "somebody who does not answer *IDN?",
		model == MODEL_UNKNOWN ? "unknown" : probe->table->model[model].name);
	snprintf(number, sizeof(number), "%u", address);
	print_command(probe, number);
}

static void print_mute(struct probe *probe)
{
	for (uint8_t address = 1; address <= FRAME_UNIT_MAX; address++)
		if (probe->heard[address] && !probe->known[address])
			print_bms(probe, address, NULL);
}

static void print_together(const struct probe *probe)
{
	char addresses[4 * FRAME_UNIT_MAX + 1];
	size_t used = 0;

	for (unsigned address = 1; address <= FRAME_UNIT_MAX; address++)
		if (probe->heard[address])
			used += (size_t)snprintf(addresses + used, sizeof(addresses) - used, "%s%u",
						 used ? "," : "", address);
	fprintf(probe->out, "All of %s in one mount:\n", probe->device);
	print_command(probe, addresses);
}

/* "at 56000, 115200 or 38400 baud, addresses 1 to 16" */
static void print_asked(const struct probe *probe, char *text, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; probe->paced && i < RATES; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%u%s",
					 i == 0          ? "at "
					 : i + 1 < RATES ? ", "
							 : " or ",
					 rates[i], i + 1 < RATES ? "" : " baud, ");
	snprintf(text + used, size - used, "%s 1 to %d",
		 probe->paced ? "addresses" : "at addresses", ADDRESS_LAST);
}

/* Of a port that could be asked, and on which no BMS was found. */
static void explain_nobody(const struct probe *probe)
{
	char asked[80];

	clear_progress(probe);
	print_asked(probe, asked, sizeof(asked));
	if (probe->master)
		log_print("%s: another master asks (a display, a Wi-Fi module?), and nobody "
			  "answers it or us: check that the BMS is on",
			  probe->device);
	else if (probe->noise >= NOISE)
		log_print("%s: what comes makes no frames %s: exchange the wires A and B; or it is "
			  "another rate, or no BMS by REC",
			  probe->device, asked);
	else
		log_print("%s: nobody answers %s: check that the BMS is on and that its RS-485 "
			  "side has power from the adapter, then exchange the wires A and B%s",
			  probe->device, asked,
			  probe->paced ? "" : "; a gateway must be set to the rate of the BMS");
}

/* --- the line --- */

static int64_t line_now(const struct probe *probe)
{
	return probe->link->ops->now(probe->link);
}

/* Waits for @events, 0 for those that opening waits for, and no longer than @until. */
static void line_wait(struct probe *probe, short events, int64_t until)
{
	const struct link_ops *ops = probe->link->ops;
	struct pollfd fd = { .events = 0 };
	int64_t now = line_now(probe);

	fd.fd = ops->fd(probe->link, &fd.events);
	if (events)
		fd.events = events;
	if (ops->wake)
		until = nsec_min(until, ops->wake(probe->link));
	probe->options->wait(&fd, until > now ? until - now : 0);
}

/* Links limit the time that opening takes by themselves. */
static int line_open(struct probe *probe)
{
	const struct link_config config = { .baud = probe->rate,
					    .table = probe->table,
					    .now = link_boottime(NULL) };
	char reason[256] = "out of memory";
	int result = link_new(&probe->link, probe->device, &config, reason, sizeof(reason));

	if (result < 0) {
		log_print("%s", reason);
		return -ENODEV; /* at any rate */
	}
	for (result = link_open(probe->link); result == 0;
	     result = probe->link->ops->poll(probe->link))
		line_wait(probe, 0, NSEC_NEVER);
	if (result < 0)
		return result;
	if (probe->link->ops->flush)
		probe->link->ops->flush(probe->link);
	frame_decoder_reset(&probe->decoder);
	probe->paced = !strcmp(probe->link->ops->name, "serial");
	probe->reached = true;
	return 0;
}

static void line_close(struct probe *probe)
{
	if (!probe->link)
		return;
	link_close(probe->link);
	link_free(probe->link);
	probe->link = NULL;
}

/* A frame tells its sender, so that a late answer is no other's. */
static void take_frame(struct probe *probe, const struct frame *frame)
{
	char identity[SAMPLE_TEXT_MAX];

	if (frame->snd == FRAME_HOST) {
		if (frame->dst == probe->asked && frame_is_text(frame, "*IDN?"))
			return; /* our own, heard back */
		probe->master = true;
	} else {
		probe->heard[frame->snd] = true;
	}
	probe->settled = true;
	if (frame->snd == FRAME_HOST || probe->known[frame->snd] ||
	    !reply_identity(frame, identity))
		return;
	probe->known[frame->snd] = true;
	print_bms(probe, frame->snd, identity);
}

static int line_receive(struct probe *probe)
{
	uint8_t bytes[FRAME_MAX];
	struct frame frame;
	ssize_t size = probe->link->ops->read(probe->link, bytes, sizeof(bytes));

	if (size < 0)
		return (int)size;
	for (ssize_t fed = 0; fed < size;) {
		fed += (ssize_t)frame_decoder_feed(&probe->decoder, bytes + fed,
						   (size_t)(size - fed));
		while (frame_decoder_next(&probe->decoder, &frame))
			take_frame(probe, &frame);
	}
	return 0;
}

/* What has not become a frame by now never will. */
static void line_pause(struct probe *probe)
{
	struct frame frame;

	while (frame_decoder_pending(&probe->decoder)) {
		frame_decoder_pause(&probe->decoder);
		while (frame_decoder_next(&probe->decoder, &frame))
			take_frame(probe, &frame);
	}
	probe->noise += probe->decoder.dropped;
	probe->decoder.dropped = 0;
}

/* Listens until somebody whose name was not known has answered at @awaited, or until @until. */
static int line_listen(struct probe *probe, uint8_t awaited, int64_t until)
{
	int err = 0;

	while (!err && !probe->known[awaited]) {
		bool begun = frame_decoder_pending(&probe->decoder);
		int64_t end = until + (begun ? TAIL : 0);

		if (line_now(probe) >= end)
			break;
		line_wait(probe, POLLIN, end);
		err = line_receive(probe);
	}
	line_pause(probe);
	return err;
}

/* The whole of @bytes, or as much as the line takes until then. */
static int line_send(struct probe *probe, const uint8_t *bytes, size_t size, int64_t until)
{
	while (size && line_now(probe) < until) {
		ssize_t count = probe->link->ops->write(probe->link, bytes, size);

		if (count < 0)
			return (int)count;
		bytes += count;
		size -= (size_t)count;
		if (size)
			line_wait(probe, POLLOUT, until);
	}
	return 0;
}

static int line_ask(struct probe *probe, uint8_t address, int64_t patience)
{
	int64_t until = line_now(probe) + patience;
	uint8_t bytes[FRAME_MAX];
	struct frame frame;
	char place[256];
	size_t size;
	int err;

	print_place(probe, address, place, sizeof(place));
	tell_progress(probe, place);
	probe->asked = address;
	frame_make(&frame, address, FRAME_HOST, "*IDN?", 5);
	size = frame_encode(&frame, bytes);
	err = line_send(probe, bytes, size, until);
	if (err)
		return err;
	if (probe->paced)
		until += (int64_t)size * 10 * NSEC_PER_SEC / probe->rate;
	return line_listen(probe, address, until);
}

/* --- the search --- */

static int probe_rate(struct probe *probe, bool quick)
{
	unsigned addresses = quick ? probe->usual : probe->addresses;
	int64_t patience = probe->options->timeout;
	int err = line_open(probe);

	if (quick)
		patience = nsec_min(patience, QUICK);
	for (unsigned i = 0; !err && i < addresses; i++)
		if (!probe->known[probe->address[i]])
			err = line_ask(probe, probe->address[i], patience);
	if (!err && !quick)
		err = line_listen(probe, FRAME_HOST, line_now(probe) + LINGER);
	/* What the first round has said about a rate need not be said again. */
	if (err && probe->link && (quick || err != -EINVAL)) {
		clear_progress(probe);
		log_print("%s", probe->link->error);
	}
	line_close(probe);
	return err;
}

/* One round. Whoever is on the same wires has the same rate, so the first that works is the one. */
static int probe_rates(struct probe *probe, bool quick)
{
	int err = 0;

	if (probe->settled)
		return probe_rate(probe, quick);
	for (size_t i = 0; i < RATES; i++) {
		probe->rate = rates[i];
		err = probe_rate(probe, quick);
		/* An adapter may lack one rate and have another. */
		if (probe->settled || (err && err != -EINVAL) || (!err && !probe->paced))
			break;
	}
	return err == -EINVAL && probe->reached ? 0 : err;
}

/* The name that an adapter keeps when it is plugged in elsewhere; others keep the one they have. */
static void find_lasting(struct probe *probe)
{
	char pattern[PATH_MAX], real[PATH_MAX];
	glob_t links;

	snprintf(probe->lasting, sizeof(probe->lasting), "%s", probe->device);
	snprintf(pattern, sizeof(pattern), "%s/serial/by-id/*", probe->options->dev);
	if (!realpath(probe->device, real) || strcmp(real, probe->device) ||
	    glob(pattern, 0, NULL, &links))
		return;
	for (size_t i = 0; i < links.gl_pathc; i++)
		if (realpath(links.gl_pathv[i], real) && !strcmp(real, probe->device)) {
			snprintf(probe->lasting, sizeof(probe->lasting), "%s", links.gl_pathv[i]);
			break;
		}
	globfree(&links);
}

/*
 * The first round is for the usual cases and quick; the second has patience and asks all addresses
 * that have not answered.
 */
static void probe_port(struct probe *probe, const char *device)
{
	unsigned before = probe->found;
	int err;

	probe->device = device;
	find_lasting(probe);
	probe->reached = probe->settled = probe->master = false;
	probe->noise = 0;
	memset(probe->heard, 0, sizeof(probe->heard));
	memset(probe->known, 0, sizeof(probe->known));
	err = probe_rates(probe, true);
	if (!err)
		err = probe_rates(probe, false);
	print_mute(probe);
	if (probe->found > before + 1)
		print_together(probe);
	if (!err && probe->found == before)
		explain_nobody(probe);
	clear_progress(probe);
}

static void add_address(struct probe *probe, uint8_t address)
{
	if (!memchr(probe->address, address, probe->addresses))
		probe->address[probe->addresses++] = address;
}

static void choose_addresses(struct probe *probe)
{
	for (size_t i = 0; i < probe->table->models; i++)
		add_address(probe, probe->table->model[i].address);
	probe->usual = probe->addresses;
	for (uint8_t address = 1; address <= ADDRESS_LAST; address++)
		add_address(probe, address);
}

/* Ports of the board itself are not asked unless named: a console may be there, or Bluetooth. */
static int probe_usb(struct probe *probe)
{
	static const char *const kinds[] = { "ttyUSB", "ttyACM" };
	char pattern[PATH_MAX];
	glob_t ports = { 0 };
	int flags = 0, result = GLOB_NOMATCH;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		snprintf(pattern, sizeof(pattern), "%s/%s*", probe->options->dev, kinds[i]);
		result = glob(pattern, flags, NULL, &ports);
		if (result == GLOB_NOSPACE)
			break;
		flags = GLOB_APPEND;
	}
	for (size_t i = 0; i < ports.gl_pathc; i++)
		probe_port(probe, ports.gl_pathv[i]);
	if (!ports.gl_pathc && result != GLOB_NOSPACE)
		log_print("there is no serial port on USB: plug the adapter in; other ports are "
			  "asked only if they are named, as in bmsfs --probe /dev/ttyS0");
	globfree(&ports);
	return result == GLOB_NOSPACE ? -ENOMEM : 0;
}

int probe_run(FILE *out, const struct instruction_table *table, const struct probe_options *options)
{
	struct probe probe = { .table = table, .options = options, .out = out };
	int err = 0;

	choose_addresses(&probe);
	if (options->device)
		probe_port(&probe, options->device);
	else
		err = probe_usb(&probe);
	if (!err && ferror(out))
		err = -EIO;
	return err ? err : (int)probe.found;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
#include "sim/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/capture.h"

/* A request that was sent, and what came. */
struct exchange {
	TAILQ_ENTRY(exchange) next;
	int64_t when;
	size_t size;
	uint8_t bytes[FRAME_MAX];
	struct replay_chunks chunks;
};

TAILQ_HEAD(exchanges, exchange);

/* The exchanges in the order in which they are to be played. */
struct replay {
	struct exchanges exchanges;
};

struct reader {
	struct replay *replay;
	struct exchange *last; /* whose answer is being read; NULL: nobody's */
	const char *error;     /* what is wrong with the line */
};

static void exchange_free(struct exchange *exchange)
{
	struct replay_chunk *chunk;

	while ((chunk = TAILQ_FIRST(&exchange->chunks))) {
		TAILQ_REMOVE(&exchange->chunks, chunk, next);
		free(chunk);
	}
	free(exchange);
}

/* What is longer than a frame is no request, and what follows it answers none. */
static int take_request(struct reader *reader, const struct capture_line *line)
{
	struct exchange *exchange;

	reader->last = NULL;
	if (line->size > sizeof(exchange->bytes))
		return 0;
	exchange = calloc(1, sizeof(*exchange));
	if (!exchange)
		return -ENOMEM;
	exchange->when = line->when;
	exchange->size = line->size;
	memcpy(exchange->bytes, line->bytes, line->size);
	TAILQ_INIT(&exchange->chunks);
	TAILQ_INSERT_TAIL(&reader->replay->exchanges, exchange, next);
	reader->last = exchange;
	return 0;
}

static int take_answer(struct reader *reader, const struct capture_line *line)
{
	struct replay_chunk *chunk;

	if (!reader->last)
		return 0;
	if (line->when < reader->last->when) {
		reader->error = "it comes before its request";
		return -EINVAL;
	}
	chunk = malloc(sizeof(*chunk) + line->size);
	if (!chunk)
		return -ENOMEM;
	chunk->delay = line->when - reader->last->when;
	chunk->size = line->size;
	memcpy(chunk->bytes, line->bytes, line->size);
	TAILQ_INSERT_TAIL(&reader->last->chunks, chunk, next);
	return 0;
}

static int take_line(struct reader *reader, const char *text, size_t size)
{
	struct capture_line line;

	if (capture_parse(text, size, &line, &reader->error))
		return -EINVAL;
	switch (line.kind) {
	case CAPTURE_SENT:
		return take_request(reader, &line);
	case CAPTURE_RECEIVED:
		return take_answer(reader, &line);
	case CAPTURE_LINE:
		reader->last = NULL;
		break;
	case CAPTURE_REMARK:
		break;
	}
	return 0;
}

static int read_lines(struct replay *replay, FILE *file, const char *name, char *reason,
		      size_t size)
{
	struct reader reader = { .replay = replay };
	unsigned long number = 0;
	char *text = NULL;
	size_t room = 0;
	ssize_t length;
	int ret = 0;

	while (!ret && (length = getline(&text, &room, file)) >= 0) {
		number++;
		if (length && text[length - 1] == '\n')
			length--;
		ret = take_line(&reader, text, (size_t)length);
	}
	free(text);
	if (ret == -EINVAL)
		snprintf(reason, size, "%s:%lu: %s", name, number, reader.error);
	if (ret || (!ferror(file) && !TAILQ_EMPTY(&replay->exchanges)))
		return ret;
	snprintf(reason, size, "%s: %s", name,
		 ferror(file) ? "cannot be read" : "there is no request in it");
	return -EINVAL;
}

int replay_read(struct replay **replay, FILE *file, const char *name, char *reason, size_t size)
{
	struct replay *made = malloc(sizeof(*made));
	int ret;

	if (!made)
		return -ENOMEM;
	TAILQ_INIT(&made->exchanges);
	ret = read_lines(made, file, name, reason, size);
	if (ret)
		replay_free(made);
	else
		*replay = made;
	return ret;
}

int replay_open(struct replay **replay, const char *name, char *reason, size_t size)
{
	int fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat stat_buffer;
	FILE *file;
	int ret;

	if (fd < 0 || fstat(fd, &stat_buffer) < 0 || !S_ISREG(stat_buffer.st_mode)) {
		snprintf(reason, size, "%s: %s", name,
			 fd < 0 ? strerror(errno) : "not a regular file");
		if (fd >= 0)
			close(fd);
		return -EINVAL;
	}
	file = fdopen(fd, "r");
	if (!file) {
		close(fd);
		return -ENOMEM;
	}
	ret = replay_read(replay, file, name, reason, size);
	fclose(file);
	return ret;
}

void replay_free(struct replay *replay)
{
	struct exchange *exchange;

	if (!replay)
		return;
	while ((exchange = TAILQ_FIRST(&replay->exchanges))) {
		TAILQ_REMOVE(&replay->exchanges, exchange, next);
		exchange_free(exchange);
	}
	free(replay);
}

/* What was played goes to the end, so the next of its kind comes before it, and at last it again. */
const struct replay_chunks *replay_next(struct replay *replay, const struct frame *request)
{
	uint8_t bytes[FRAME_MAX];
	size_t size = frame_encode(request, bytes);
	struct exchange *exchange;

	TAILQ_FOREACH (exchange, &replay->exchanges, next)
		if (exchange->size == size && !memcmp(exchange->bytes, bytes, size))
			break;
	if (!exchange)
		return NULL;
	TAILQ_REMOVE(&replay->exchanges, exchange, next);
	TAILQ_INSERT_TAIL(&replay->exchanges, exchange, next);
	return &exchange->chunks;
}

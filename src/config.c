// SPDX-License-Identifier: LGPL-3.0-or-later
#include "config.h"

#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/textfile.h"

#define BLANKS " \t\r\n"

struct config {
	const char *file;
	const char *text, *end; /* what has not been read yet */
	int (*take)(void *user, const char *name, const char *value);
	void *user;
	char *reason;
	size_t size;
	unsigned line;
	bool failed;
};

static void fail(struct config *config, const char *why)
{
	char copy[256]; /* of what may stand where the reason goes */

	snprintf(copy, sizeof(copy), "%s", why);
	snprintf(config->reason, config->size, "%s:%u: %s", config->file, config->line, copy);
	config->failed = true;
}

/* What inih would take in silence, or for something else. */
static const char *find_fault(const char *line, size_t length, size_t room)
{
	const char *start = line + strspn(line, BLANKS);

	if (length > room)
		return "the line is too long";
	for (size_t i = 0; i < length; i++)
		if (!strchr(BLANKS, line[i]) && ((unsigned char)line[i] < ' ' || line[i] == 0x7F))
			return "not a text";
	if (memchr(line, '\0', length))
		return "not a text";
	if (!strchr(";#", *start) && start > line && start < line + length)
		return "a key starts at the margin";
	return *start == '[' ? "there are no sections here" : NULL;
}

/* As fgets(3), for inih. */
static char *next_line(char *buffer, int size, void *user)
{
	struct config *config = user;
	const char *line = config->text, *fault;
	size_t left = (size_t)(config->end - line), length;

	if (!left || config->failed)
		return NULL;
	length = strcspn(line, "\n");
	length += length < left;
	config->line++;
	config->text += length;
	fault = find_fault(line, length, (size_t)size - 1);
	if (fault) {
		fail(config, fault);
		return NULL;
	}
	memcpy(buffer, line, length);
	buffer[length] = '\0';
	return buffer;
}

static int take_pair(void *user, const char *section, const char *name, const char *value)
{
	struct config *config = user;

	(void)section;
	if (!config->failed && config->take(config->user, name, value) < 0)
		fail(config, config->reason);
	return !config->failed;
}

static int read_pairs(struct config *config)
{
	int wrong = ini_parse_stream(next_line, config, take_pair, config);

	if (wrong < 0)
		return -ENOMEM;
	/* inih goes on behind a line that it does not understand. */
	if (wrong && (!config->failed || (unsigned)wrong < config->line)) {
		config->line = (unsigned)wrong;
		fail(config, "not a line \"name = value\"");
	}
	return config->failed ? -EINVAL : 0;
}

int config_read(const char *file, int (*take)(void *user, const char *name, const char *value),
		void *user, char *reason, size_t size)
{
	struct config config = {
		.file = file, .take = take, .user = user, .reason = reason, .size = size
	};
	size_t length;
	char *text;
	int err = textfile_read(file, CONFIG_FILE_MAX, &text, &length, reason, size);

	if (err)
		return err;
	text[length] = '\0';
	config.text = text;
	config.end = text + length;
	err = read_pairs(&config);
	free(text);
	return err;
}

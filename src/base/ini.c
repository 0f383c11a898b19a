// SPDX-License-Identifier: LGPL-3.0-or-later
#include "base/ini.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/textfile.h"

#define BLANKS         " \t"
#define KEY_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

int ini_fail(const struct ini *ini, unsigned line, const char *format, ...)
{
	char what[256]; /* not yet into the reason, which may be among the arguments */
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	/* What a file holds must not control a terminal. */
	for (char *c = what; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	snprintf(ini->reason, ini->size, "%.120s:%u: %s", ini->file, line, what);
	return -EINVAL;
}

/* Copies the next line without its end and its comment. Returns 1; 0 at the end; -EINVAL. */
static int copy_line(struct ini *ini)
{
	size_t left = (size_t)(ini->end - ini->text), length;
	const char *newline = memchr(ini->text, '\n', left);
	char *line = ini->copy;

	if (!left)
		return 0;
	ini->line++;
	ini->start = ini->text;
	length = newline ? (size_t)(newline - ini->start) : left;
	ini->text += length + (newline != NULL);
	if (length && ini->start[length - 1] == '\r')
		length--;
	if (length > INI_LINE_MAX)
		return ini_fail(ini, ini->line, "longer than %d characters; shorten this line",
				INI_LINE_MAX);
	for (size_t i = 0; i < length; i++) {
		line[i] = ini->start[i];
		if (line[i] != '\t' && ((unsigned char)line[i] < ' ' || line[i] == 0x7F))
			return ini_fail(ini, ini->line, "a control character; remove it");
		if (line[i] == ';' && i && strchr(BLANKS, line[i - 1]))
			length = i;
	}
	while (length && strchr(BLANKS, line[length - 1]))
		length--;
	line[length] = '\0';
	return 1;
}

static int refuse_line(const struct ini *ini)
{
	if (ini->format & INI_SECTIONS)
		return ini_fail(ini, ini->line, "neither [section] nor key = value");
	return ini_fail(ini, ini->line, "not a line \"key = value\"");
}

static int take_section(struct ini *ini, char *line)
{
	size_t length = strlen(line);

	if (!(ini->format & INI_SECTIONS))
		return ini_fail(ini, ini->line, "this file has no sections; remove this line");
	if (length < 3 || strchr(line, ']') != line + length - 1)
		return refuse_line(ini);
	line[length - 1] = '\0';
	ini->name = line + 1;
	ini->keys = 0;
	return INI_SECTION;
}

static int refuse_repeated(struct ini *ini, size_t length)
{
	if (ini->repeatable && !strcmp(ini->repeatable, ini->name))
		return 0;
	for (unsigned i = 0; i < ini->keys; i++)
		if (ini->key[i].length == length && !memcmp(ini->key[i].name, ini->name, length))
			return ini_fail(ini, ini->line, "%s: given twice; remove one", ini->name);
	if (ini->keys == INI_KEYS_MAX)
		return ini_fail(ini, ini->line, "more than %d keys; remove some", INI_KEYS_MAX);
	ini->key[ini->keys].name = ini->start;
	ini->key[ini->keys++].length = length;
	return 0;
}

static int take_key(struct ini *ini, char *line)
{
	size_t length = strspn(line, KEY_CHARACTERS);
	char *value = line + length + strspn(line + length, BLANKS);

	if (!length || (*value != '=' && *value != ':'))
		return refuse_line(ini);
	value++;
	line[length] = '\0';
	ini->name = line;
	ini->value = value + strspn(value, BLANKS);
	return refuse_repeated(ini, length) ? -EINVAL : INI_KEY;
}

static int take_indented(struct ini *ini, const char *text)
{
	if (!(ini->format & INI_CONTINUED))
		return ini_fail(ini, ini->line,
				"an indented line; start the key in the first column");
	if (!ini->keys)
		return ini_fail(ini, ini->line,
				"an indented line with no key above it to "
				"continue; start it in the first column");
	ini->value = text;
	return INI_CONTINUATION;
}

void ini_start(struct ini *ini, const char *text, size_t size)
{
	static const char mark[] = "\xEF\xBB\xBF"; /* of UTF-8, which some editors write */

	ini->text = text;
	ini->end = text + size;
	if (size >= strlen(mark) && !memcmp(text, mark, strlen(mark)))
		ini->text += strlen(mark);
	ini->line = ini->keys = 0;
}

int ini_next(struct ini *ini)
{
	char *line = ini->copy;
	size_t indent;
	int found;

	do {
		found = copy_line(ini);
		if (found <= 0)
			return found;
		indent = strspn(line, BLANKS);
	} while (!line[indent] || strchr("#;", line[indent]));
	if (indent)
		return take_indented(ini, line + indent);
	return *line == '[' ? take_section(ini, line) : take_key(ini, line);
}

static int take_pairs(struct ini *ini, ini_take *take, void *user, bool *secret)
{
	int found, err;

	while ((found = ini_next(ini)) > INI_END) {
		err = take(user, ini->name, ini->value);
		if (err < 0) {
			ini_fail(ini, ini->line, "%s", ini->reason);
			return err;
		}
		*secret |= err == INI_SECRET;
	}
	return found;
}

/* A group, or the access list that shows as one, may be how another owner lets us read the file. */
static bool is_private(const struct textfile *text)
{
	mode_t others = S_IRWXO | (text->owner == geteuid() ? S_IRWXG : 0);

	return !(text->mode & others);
}

int ini_read(const char *file, const char *repeatable, ini_take *take, void *user, char *reason,
	     size_t size)
{
	struct ini ini = { .file = file, .repeatable = repeatable, .reason = reason, .size = size };
	struct textfile text;
	bool secret = false;
	int err = textfile_read(&text, file, INI_FILE_MAX, reason, size);

	if (err)
		return err;
	ini_start(&ini, text.text, text.length);
	err = take_pairs(&ini, take, user, &secret);
	if (!err && secret && !is_private(&text)) {
		snprintf(reason, size,
			 "%s: holds a password, and others than its owner can read it; chmod 600",
			 file);
		err = -EACCES;
	}
	explicit_bzero(ini.copy, sizeof(ini.copy));
	textfile_free(&text);
	return err;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * Any command line. Input: its words, a line each, and behind a form feed the configuration file that
 * they may name. Users and groups are of this file's own making, so that no name service is asked.
 */
#include "fuzz.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/textfile.h"
#include "nsec.h"
#include "options.h"

#define WORDS 32
#define ROOM  1024

struct passwd *getpwnam(const char *name)
{
	static struct passwd entry = { .pw_uid = 65534 };

	return strcmp(name, "nobody") ? NULL : &entry;
}

struct group *getgrnam(const char *name)
{
	static struct group entry = { .gr_gid = 20 };

	return strcmp(name, "dialout") ? NULL : &entry;
}

static const char *config_text; /* NULL: there is no such file */

int textfile_read(struct textfile *file, const char *path, size_t max, char *reason, size_t size)
{
	CHECK(max >= ROOM);
	if (!config_text) {
		snprintf(reason, size, "%s: No such file or directory", path);
		return -ENOENT;
	}
	file->text = strdup(config_text);
	CHECK(file->text);
	file->length = strlen(file->text);
	return 0;
}

void textfile_free(struct textfile *file)
{
	free(file->text);
}

static void check_time(int64_t time, double min, double max)
{
	CHECK(time >= (int64_t)(min * NSEC_PER_SEC * 0.999999));
	CHECK(time <= (int64_t)(max * NSEC_PER_SEC));
}

static void check_word(const char *word)
{
	CHECK(word && word[0] && strlen(word) < ROOM);
}

static void check_options(const struct options *options)
{
	CHECK(options->action <= ACTION_VERSION);
	if (options->action == ACTION_MOUNT || options->action == ACTION_NOTHING) {
		check_word(options->device);
		check_word(options->mountpoint);
		CHECK(!options->list_writable && !options->list_json && !options->list_category);
	}
	CHECK(options->foreground || !options->debug);
	CHECK(options->baud >= 50 && options->baud <= 4000000);
	CHECK(options->addresses <= FOREST_MAX);
	for (unsigned i = 0; i < options->addresses; i++)
		CHECK(options->address[i] >= 1 && options->address[i] <= 127);
	CHECK(options->tries >= 1 && options->tries <= 10);
	check_time(options->timeout, 0.01, 60);
	check_time(options->deadline, 0.1, 3600);
	check_time(options->ttl, 0, 86400);
	check_time(options->ttl_settings, 0, 86400);
	check_time(options->grace, 0, 366 * 86400.0);
	check_time(options->wait, 0, 3600);
	check_word(options->model);
	if (options->user)
		check_word(options->user);
	CHECK(options->instructions_count <= OPTIONS_FILE_MAX);
	for (unsigned i = 0; i < options->instructions_count; i++)
		check_word(options->instructions[i]);
	CHECK(options->uid != UINT32_MAX);
	CHECK(options->umask <= 0777);
	CHECK(memchr(options->kernel, '\0', sizeof(options->kernel)));
}

/* Cuts @text into words, and returns their number. */
static int words_cut(char *text, char *word[WORDS + 1])
{
	int words = 0;

	while (text && words < WORDS)
		word[words++] = strsep(&text, "\n");
	word[words] = NULL;
	return words;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[ROOM] = "bmsfs\n", reason[200], *word[WORDS + 1], *config;
	size_t used = strlen(text);
	struct options options;
	int words, ret;

	if (size > sizeof(text) - used - 1)
		return 0;
	memcpy(text + used, data, size);
	text[used + size] = '\0';
	config = strchr(text, '\f');
	if (config)
		*config++ = '\0';
	config_text = config;
	words = words_cut(text, word);
	reason[0] = '\0';
	ret = options_parse(&options, words, word, reason, sizeof(reason));
	CHECK(memchr(reason, '\0', sizeof(reason)));
	if (ret)
		CHECK((ret == -EINVAL || ret == -ENOENT) && reason[0]);
	else
		check_options(&options);
	options_free(&options);
	CHECK(!options.text);
	return 0;
}

// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * Runs a fuzz target over files, or over every file of a folder, without libFuzzer.
 * Fails if there was nothing to run.
 */
#include "fuzz.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX (1 << 20)

#pragma weak LLVMFuzzerInitialize

/* Returns 1 for a file that was run, -1 for one that cannot be read. */
static int replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(INPUT_MAX);
	int ret = -1;

	if (file && data) {
		size_t size = fread(data, 1, INPUT_MAX, file);
		uint8_t *exact = malloc(size ? size : 1);

		/* A copy of just this size, so that a sanitizer sees any reading past it. */
		if (exact && !ferror(file)) {
			memcpy(exact, data, size);
			LLVMFuzzerTestOneInput(exact, size);
			ret = 1;
		}
		free(exact);
	}
	if (ret < 0)
		perror(path);
	free(data);
	if (file)
		fclose(file);
	return ret;
}

/* Returns the number of files run, or -1. */
static int replay_folder(const char *path)
{
	struct dirent **entry;
	int count = scandir(path, &entry, NULL, alphasort);
	int done = 0;

	if (count < 0) {
		perror(path);
		return -1;
	}
	for (int i = 0; i < count; i++) {
		char name[4096];
		int length = snprintf(name, sizeof(name), "%s/%s", path, entry[i]->d_name);

		if (entry[i]->d_name[0] != '.' && done >= 0 && (size_t)length < sizeof(name))
			done = replay_file(name) < 0 ? -1 : done + 1;
		free(entry[i]);
	}
	free(entry);
	return done;
}

int main(int argc, char **argv)
{
	int done = 0;

	if (LLVMFuzzerInitialize && LLVMFuzzerInitialize(&argc, &argv))
		return EXIT_FAILURE;
	for (int i = 1; i < argc; i++) {
		struct stat stat_buffer;
		int count;

		if (stat(argv[i], &stat_buffer) < 0) {
			perror(argv[i]);
			return EXIT_FAILURE;
		}
		count = S_ISDIR(stat_buffer.st_mode) ? replay_folder(argv[i])
						     : replay_file(argv[i]);
		if (count < 0)
			return EXIT_FAILURE;
		done += count;
	}
	printf("%d inputs\n", done);
	return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

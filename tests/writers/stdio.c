// SPDX-License-Identifier: LGPL-3.0-or-later
/* How programs in C write a value with the standard library: stdio NAME FILE */
#include <stdio.h>
#include <string.h>

static int finish(FILE *file, int result)
{
	if (fclose(file) == EOF || result == EOF) {
		perror("stdio");
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *name = argc == 3 ? argv[1] : "";
	FILE *file;

	if (!strcmp(name, "c-output"))
		return printf("%g", 2.75) < 0;
	file = argc == 3 ? fopen(argv[2], "w") : NULL;
	if (!file) {
		perror("stdio");
		return 2;
	}
	if (!strcmp(name, "c"))
		return finish(file, fprintf(file, "%g", 2.75));
	if (!strcmp(name, "c-line"))
		return finish(file, fprintf(file, "%g\n", 2.75));
	setvbuf(file, NULL, _IONBF, 0);
	return finish(file, fputs("2", file) == EOF || fputs(".75", file) == EOF ? EOF : 0);
}

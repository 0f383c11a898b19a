// SPDX-License-Identifier: LGPL-3.0-or-later
#include "alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define REAL(name) __interceptor_##name
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define REAL(name) __interceptor_##name
#endif
#endif
#ifndef REAL
#define REAL(name) __libc_##name
#endif

void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t count, size_t size);
void *REAL(realloc)(void *block, size_t size);
void REAL(free)(void *block);

static uint64_t first, calls, failures;
static bool all;
static int64_t live;

void alloc_fail(uint64_t n, bool forever)
{
	first = n;
	all = forever;
	calls = failures = 0;
}

uint64_t alloc_failed(void)
{
	return failures;
}

int64_t alloc_live(void)
{
	return live;
}

static bool fails(void)
{
	calls++;
	if (!first || (all ? calls < first : calls != first))
		return false;
	failures++;
	errno = ENOMEM;
	return true;
}

static void *counted(void *block)
{
	live += block != NULL;
	return block;
}

void *malloc(size_t size)
{
	return fails() ? NULL : counted(REAL(malloc)(size));
}

void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : counted(REAL(calloc)(count, size));
}

void *realloc(void *block, size_t size)
{
	void *moved = fails() ? NULL : REAL(realloc)(block, size);

	return block ? moved : counted(moved);
}

void free(void *block)
{
	live -= block != NULL;
	REAL(free)(block);
}

static char *copy(const char *text, size_t size)
{
	char *made = malloc(size + 1);

	if (made) {
		memcpy(made, text, size);
		made[size] = '\0';
	}
	return made;
}

/* Those of a sanitizer would not come here. */
char *strdup(const char *text)
{
	return copy(text, strlen(text));
}

char *strndup(const char *text, size_t max)
{
	return copy(text, strnlen(text, max));
}

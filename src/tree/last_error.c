// SPDX-License-Identifier: LGPL-3.0-or-later
#include "tree/last_error.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "nsec.h"

#define MINUTE 60 /* seconds: from here on an age is shown in minutes */

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), size = strlen(end);

	return length >= size && !strcmp(text + length - size, end);
}

void last_error_record(struct last_error *last, uint64_t ino, enum access access, int err,
		       int64_t now, const char *object, const char *reason)
{
	if (access == ACCESS_LINE && last->err && !last->succeeded &&
	    ends_with(last->sentence, reason))
		return;
	last->ino = ino;
	last->access = access;
	last->err = err;
	last->at = now;
	last->succeeded = false;
	last->changes++;
	snprintf(last->sentence, sizeof(last->sentence), "%s%s%s", object, *object ? ": " : "",
		 reason);
	utf8_clean(last->sentence);
}

void last_error_succeeded(struct last_error *last, uint64_t ino, enum access access)
{
	if (last->ino != ino || last->access != access || !last->err || last->succeeded)
		return;
	last->succeeded = true;
	last->changes++;
}

void last_error_print(const struct last_error *last, int64_t now, char text[LAST_ERROR_TEXT])
{
	long long age = (now - last->at) / NSEC_PER_SEC;

	text[0] = '\0';
	if (last->err)
		snprintf(text, LAST_ERROR_TEXT, "%s (%lld %s ago)%s", last->sentence,
			 age < MINUTE ? age : age / MINUTE, age < MINUTE ? "s" : "min",
			 last->succeeded ? "; succeeded since" : "");
}

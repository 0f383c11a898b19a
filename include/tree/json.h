/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Writes JSON into a text. What does not fit is told by text->full, once, at the end. */
#ifndef BMSFS_TREE_JSON_H
#define BMSFS_TREE_JSON_H

#include <stdbool.h>

#include "tree/text.h"

struct json {
	struct text *text;
	unsigned depth;
	unsigned flat; /* below so many levels all stays in one line; 0: nothing does */
	bool begun;    /* the innermost object or array has a member */
};

/* @key is NULL in arrays, and for the whole. @bracket is '{' or '['. */
void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket);

/* NULL is null. Bytes beyond ASCII become '?', for nobody knows what they are. */
void json_string(struct json *json, const char *key, const char *string);

/* What is JSON already: a number. */
void json_raw(struct json *json, const char *key, const char *raw);

#endif

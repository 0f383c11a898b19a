/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The grammar of Prometheus' text format: what may be a name, and how texts are quoted. */
#ifndef BMSFS_BASE_PROMETHEUS_H
#define BMSFS_BASE_PROMETHEUS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Makes @text a part of a name, in place: letters in lower case, digits, and "_" for each byte that
 * is neither. Returns false if no letter and no digit was in it: then it names nothing.
 */
bool prometheus_name(char *text);

/* Whether @name can be the name of a label: a letter or "_" first, and no "__" of the server's own. */
bool prometheus_is_label(const char *name);

/*
 * Writes one character of @text, escaped, and moves @text behind it. Returns the number of bytes at
 * @to, at most 4, or 0 at the end of @text. What is no printable character becomes '?'. In a help
 * text quotation marks stand for themselves (@quoted false).
 */
size_t prometheus_escape(char to[4], const char **text, bool quoted);

#endif

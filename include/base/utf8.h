/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Text of others (files, options, the wire) at the border of formats that are UTF-8. */
#ifndef BMSFS_BASE_UTF8_H
#define BMSFS_BASE_UTF8_H

#include <stddef.h>

/*
 * The bytes, 1 to 4, of the character at the start of @text, which ends with a NUL. 0 if there is
 * none that may enter another format: the end, a control character, or bytes that are not UTF-8.
 */
size_t utf8_character(const char *text);

/* Puts '?' for every byte that is part of no such character: one line for people stays one line. */
void utf8_clean(char *text);

#endif

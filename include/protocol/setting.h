/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * From what a user wrote to what the BMS is told, and whether the BMS took it.
 */
#ifndef BMSFS_PROTOCOL_SETTING_H
#define BMSFS_PROTOCOL_SETTING_H

#include "protocol/instruction.h"
#include "protocol/reply.h"
#include "protocol/value.h"

struct setting {
	double number;             /* VALUE_FLOAT: a float32; VALUE_CLOCK: seconds; 0 for texts */
	char text[VALUE_TEXT_MAX]; /* as it goes on the wire: shortest plain decimal, or the text */
};

/*
 * Parses @size bytes (one trailing newline is allowed) as a value of @row on @model. Does not ask
 * whether the row is writable. Returns 0; -EINVAL if it is no value of this type; -ERANGE outside of
 * the range, limits included, compared in the type of the row.
 */
int setting_parse(const struct instruction *row, int model, const char *text, size_t size,
		  struct setting *setting);

/*
 * Whether @sample, read back, proves that the setting is in force: 1, or 0. @before is the number
 * that was in force before, as the BMS replied it. A reply with fewer digits than the setting is
 * proof only if it would have shown @before and the neighbours of the setting otherwise. Neighbours
 * are one step away: the row's step, or else a unit of the last decimal of setting->text.
 */
int setting_agrees(const struct instruction *row, const struct setting *setting, double before,
		   const struct sample *sample);

#endif

/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What the instructions are called in Prometheus' metrics. The table is refused if two of these
 * names are the same; src/tree/metrics.c shows the values.
 */
#ifndef BMSFS_PROTOCOL_METRIC_H
#define BMSFS_PROTOCOL_METRIC_H

#include <stdbool.h>

#include "protocol/instruction.h"

#define METRIC_NAME_MAX 96

/* A number that can be set; one that cannot; a text that says what the BMS is. Else no metric. */
bool metric_is_setting(const struct instruction *row);
bool metric_is_reading(const struct instruction *row);
bool metric_is_identity(const struct instruction *row);

/*
 * The family of a setting or a reading, of its field @field or of all of it (NULL): the name of the
 * instruction and the unit, as in "bms_setting_cmax_volts" or "bms_reading_lcd1_current_amperes".
 */
void metric_family(const struct instruction *row, const struct field *field,
		   char name[METRIC_NAME_MAX]);

/* The label of an identity in bms_info, as in "software_version". False if its name gives none. */
bool metric_label(const struct instruction *row, char name[METRIC_NAME_MAX]);

/* The labels of bms_info besides, ended by NULL. */
extern const char *const metric_info_labels[];

#endif

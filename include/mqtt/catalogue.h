/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What of a mount is published: a JSON object that maps paths ("pack/soc", "CMAX",
 * "units/1/cells/3/voltage") to what is known of them. It follows from the snapshot and the
 * attributes of the files, so that an instruction of a user's own table is in it like any other. Of
 * each:
 *
 *	name, unit, type, min, max, category	as the attributes say, where they do
 *	writable	true, if a file can be written
 *	id		the component in Home Assistant: "soc", "CMAX"
 *	label, slug	its name there, and the end of its default_entity_id
 *	group, key	where its value is in the state: group "" or an object or array in it
 *	elements	of several numbers in one value: their names, or integers from 0
 */
#ifndef BMSFS_MQTT_CATALOGUE_H
#define BMSFS_MQTT_CATALOGUE_H

#include <jansson.h>
#include <stdbool.h>

/* Returns an object with the attributes of a file, which becomes the caller's, or NULL. */
typedef json_t *catalogue_describe(void *user, const char *path);

/*
 * Makes the catalogue of an online BMS. What has no value in @snapshot enters only if it was in
 * @old (or NULL) and is named as failed, so that nothing is made up and nothing comes and goes with
 * a lost reply. With @again all files are described anew. NULL if there is no memory.
 */
json_t *catalogue_make(const json_t *snapshot, const json_t *old, bool again,
		       catalogue_describe *describe, void *user);

/* Text of an entry, or NULL. */
const char *catalogue_text(const json_t *entry, const char *key);

/* Whether an entry is a number. */
bool catalogue_is_number(const json_t *entry);

/* Whether an entry is a setting that can be offered as a number: it has a range. */
bool catalogue_is_settable(const json_t *entry);

#endif

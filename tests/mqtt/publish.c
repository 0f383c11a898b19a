// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * Prints as JSON what bmsfs-mqtt would publish of the mount at argv[1], with and without settings
 * that can be set: {"discovery": ..., "writable": ..., "state": ...}.
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/snapshot.h"
#include "mqtt/catalogue.h"
#include "mqtt/discovery.h"
#include "mqtt/state.h"
#include "mqtt/watch.h"

int main(int argc, char **argv)
{
	char reason[512] = "usage: publish MOUNTPOINT [TITLE]";
	struct mqtt_config config;
	struct watch watch;
	json_t *snapshot, *catalogue, *all;

	config_init(&config);
	if (argc < 2 ||
	    (argc > 2 && config_set(&config, "title", argv[2], reason, sizeof(reason))) ||
	    config_finish(&config, "/house", reason, sizeof(reason)) ||
	    !(snapshot = snapshot_read(argv[1], reason, sizeof(reason)))) {
		fprintf(stderr, "%s\n", reason);
		return EXIT_FAILURE;
	}
	all = json_object();
	watch_init(&watch, argv[1]);
	catalogue = catalogue_make(snapshot, NULL, true, watch_describe, &watch);
	json_object_set_new(all, "discovery", discovery_make(&config, catalogue, snapshot, NULL));
	config.allow_write = true;
	json_object_set_new(all, "writable", discovery_make(&config, catalogue, snapshot, NULL));
	json_object_set_new(all, "state", state_make(catalogue, snapshot));
	json_dumpf(all, stdout, JSON_INDENT(1));
	json_decref(all);
	json_decref(catalogue);
	json_decref(snapshot);
	watch_close(&watch);
	return EXIT_SUCCESS;
}

/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The record behind bus/last_error: the last failure of a call, or of the line, as one sentence with
 * its time. A mount has one record.
 */
#ifndef BMSFS_TREE_LAST_ERROR_H
#define BMSFS_TREE_LAST_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAST_ERROR_MAX  384 /* bytes of the sentence, NUL included */
#define LAST_ERROR_TEXT 448 /* ... with its age and "succeeded since" */

/* What failed. Only a success of the same kind on the same file counts as "succeeded since". */
enum access {
	ACCESS_READ,
	ACCESS_WRITE,
	ACCESS_CHANGE, /* of attributes or names */
	ACCESS_LINE,   /* to the BMS, without a call */
};

struct last_error {
	uint64_t ino; /* of the file; of ACCESS_LINE the root of the BMS's tree */
	enum access access;
	int err;    /* -errno; 0: nothing has failed */
	int64_t at; /* on the clock of the bus */
	bool succeeded;
	uint32_t changes; /* of the record */
	char sentence[LAST_ERROR_MAX];
};

/*
 * Records a failure. @object is the file as the caller sees it, "" if @reason names the object;
 * @reason is "problem; remedy". A failure of the line whose sentence is on record already is not
 * recorded again.
 */
void last_error_record(struct last_error *last, uint64_t ino, enum access access, int err,
		       int64_t now, const char *object, const char *reason);

/* A call of this kind succeeded. */
void last_error_succeeded(struct last_error *last, uint64_t ino, enum access access);

/* Writes "CMAX: 9.9 is outside 2 to 4.3 V (12 s ago)" without a newline, or "". */
void last_error_print(const struct last_error *last, int64_t now, char text[LAST_ERROR_TEXT]);

#endif

/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Answers to what is measured or counted, as opposed to settings that are merely kept. */
#ifndef BMSFS_SIM_ANSWERS_H
#define BMSFS_SIM_ANSWERS_H

#include "sim/responder.h"

/* Makes the answer to a query of @row if it is such a one; else returns false. */
bool answer_live(struct responder *responder, const struct instruction *row, struct answer *answer);

/* Adds a frame that carries the string @text. */
void answer_add_text(const struct responder *responder, struct answer *answer, const char *text);

#endif

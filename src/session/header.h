/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_HEADER_H
#define CORAL_SESSION_HEADER_H

#include <jansson.h>
#include "session/keeper_int.h"

/* The "coral" object of a recording's header: who, where, target, what, and in which context.
 * Secrets are redacted here, before anything is stored.  New reference. */
json_t *session_header(const struct keeper *k, const char *const *argv);
/* The session's context is text from here on. */
void session_context_pack(struct keeper *k);
/* What the client learns at the start.  New reference. */
json_t *session_opened(const struct keeper *k);
/* What the client learns at the end; also the end record.  New reference. */
json_t *session_result(const struct keeper *k);

#endif

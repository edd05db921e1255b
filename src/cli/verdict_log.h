/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_VERDICT_LOG_H
#define CORAL_CLI_VERDICT_LOG_H

/* What audit verify says of an audit log. */
#include <jansson.h>
#include <stdbool.h>
#include "audit/record.h"
#include "base/err.h"

/* Whether a directory holds one. */
bool verdict_is_log(const char *dir);
/* The hash of a record, as it is given. */
int verdict_log_head(const char *given, char hash[AUDIT_HASH_SIZE], struct err *e);
/*
 * Prints it, or appends an object to rows where that is not NULL.  `heads`:
 * hashes that must be in it, NULL-terminated.  A status of verdict.h, or -1.
 */
int verdict_log(const char *dir, const char *const *heads, json_t *rows, struct err *e);

/* verdict_beside.c: of how many recordings that lie beside the log, in STATE_DIR/sessions, no record
 * tells.  `last`: the time of its last record, or "". */
int verdict_untold(const char *dir, const char *last, size_t *n, struct err *e);

#endif

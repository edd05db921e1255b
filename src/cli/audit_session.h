/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_AUDIT_SESSION_H
#define CORAL_CLI_AUDIT_SESSION_H

/* Which one session of the audit log is meant, its recording there or not. */
#include "cli/audit_source.h"
#include "record/store.h"

/* A prefix (>= 4) of the id, or the whole, to the full id.  `dir` is the log's; `whole` as for
 * audit_source_open(). */
int audit_session_find(
    const char *dir, const char *prefix, bool whole, char id[STORE_ID_LEN + 1], struct err *e);

#endif

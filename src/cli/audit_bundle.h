/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_AUDIT_BUNDLE_H
#define CORAL_CLI_AUDIT_BUNDLE_H

/*
 * A directory for an auditor: records of the log, recordings, the agent's
 * public keys, what was asked for and what is in it, and how to verify that
 * without the machine it comes from.  The same of the same log, to the byte.
 */
#include <stdio.h>
#include "audit/read.h"

struct audit_bundle;
/* PATH is made, or there and empty. */
struct audit_bundle *audit_bundle_open(const char *path, struct err *e);
int audit_bundle_record(
    struct audit_bundle *b, const struct audit_entry *x, const json_t *rec, struct err *e);
/* The rest of it: the recordings of the sessions too when `recordings`.  `asked` is borrowed. */
int audit_bundle_finish(struct audit_bundle *b, const char *state_dir, bool recordings,
    const json_t *asked, const struct audit_verdict *log, struct err *e);
/* "N records, N recordings, N without one".  1: one could not be read, else 0. */
int audit_bundle_say(const struct audit_bundle *b, FILE *f);
void audit_bundle_free(struct audit_bundle *b); /* accepts NULL */

#endif

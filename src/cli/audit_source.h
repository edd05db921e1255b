/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_AUDIT_SOURCE_H
#define CORAL_CLI_AUDIT_SOURCE_H

/*
 * The records of the audit log, in its order: all of them, or of a large log by
 * its index (the program coral-audit-index) those that audit_want_take() takes.
 * Without that program, or when it fails, the whole log is read.
 */
#include "audit/read.h"
#include "cli/audit_text.h"

struct audit_source;
/* Only the last `last` are needed; 0: all.  `whole`: never by the index; audit_source_next() may be
 * asked again for what is appended. */
struct audit_source *audit_source_open(
    const char *dir, const struct audit_want *w, size_t last, bool whole, struct err *e);
/* As audit_next(); of the entry's file only the name is known. */
int audit_source_next(struct audit_source *s, struct audit_entry *x, struct err *e);
/* How many are not as they were written, and the first: of the whole log, after the end. */
void audit_source_verdict(const struct audit_source *s, struct audit_verdict *v);
void audit_source_close(struct audit_source *s); /* accepts NULL */

/* On standard error, when some are bad: 1, else 0. */
int audit_source_say_bad(const struct audit_source *s);

#endif

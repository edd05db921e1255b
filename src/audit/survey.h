/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_AUDIT_SURVEY_H
#define CORAL_AUDIT_SURVEY_H

/* The files of a log and what they hold, read once; and the removal of the oldest. */
#include "audit/peek.h"
#include "base/err.h"

struct audit_file {
	char name[40];
	bool needed; /* the one that grows, or the last one before it */
	bool good;   /* every record of it is as written, and follows the one before */
	uint64_t records, bytes;
	char after[AUDIT_HASH_SIZE], last[AUDIT_HASH_SIZE]; /* as of struct audit_pruned */
	int64_t newest_ns;				    /* when the last was written; -1 */
};
struct audit_survey {
	struct audit_file *v; /* the oldest first */
	size_t n;
};
/* `each` is called for every good record. */
typedef void audit_survey_fn(void *arg, const struct audit_peek *k);
int audit_survey(
    const char *dir, audit_survey_fn *each, void *arg, struct audit_survey *s, struct err *e);
void audit_survey_fini(struct audit_survey *s);

/* Whether some file but those that are needed was last written before that time. */
bool audit_survey_older(const char *dir, int64_t real_ns);
/* Remove one that is not needed. */
int audit_survey_remove(const char *dir, const struct audit_file *f, struct err *e);

#endif

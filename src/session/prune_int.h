/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_PRUNE_INT_H
#define CORAL_SESSION_PRUNE_INT_H

#include "audit/survey.h"
#include "record/store.h"
#include "session/prune.h"

struct prune_one {
	char id[STORE_ID_LEN + 1];
	bool live, gone;
	bool untold; /* the log lacks its end */
	bool cut;    /* it has but that somebody found it without an end */
	uint64_t bytes;
	int64_t ended_ns; /* by the log, or untold the last write to it; -1: not known yet */
};

struct prune {
	const struct prune_job *job;
	struct prune_sum *sum;
	char audit_dir[512];
	int64_t now;
	struct prune_one *v; /* by id: the oldest first */
	size_t n;
	uint64_t total;
	struct audit_survey log;
};

/* prune_do.c: told first, then removed.  -1: it is still there; told as well. */
int prune_recording(struct prune *p, struct prune_one *one, const char *why);
int prune_log_file(struct prune *p, const struct audit_file *f, const char *why);

#endif

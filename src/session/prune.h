/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_PRUNE_H
#define CORAL_SESSION_PRUNE_H

/*
 * Recordings and files of the audit log that the policy needs no more are
 * removed, the oldest first.  Never one of a session that runs, or that may only
 * not have told yet that it ended; and what is removed is told in the log before.
 */
#include <jansson.h>
#include "base/conf.h"
#include "session/policy.h"

/* What is removed, or would be. */
struct prune_item {
	bool log;	  /* a file of the log, else a recording */
	char name[40];	  /* its id, or the file's name */
	char why[64];	  /* "older than 30d" */
	int64_t ended_ns; /* its end, or its last record */
	uint64_t bytes;
	char digest[65];	  /* SHA-256 of a recording; "" unknown */
	const struct err *failed; /* NULL: it is gone, or would be */
};
struct prune_job {
	const struct conf *conf;
	struct policy_retention keep;
	bool by_hand; /* the caller asked, not the policy */
	bool dry_run;
	void (*tell)(void *arg, const struct prune_item *item); /* may be NULL */
	void *arg;
};
struct prune_sum {
	size_t recordings, logs, failed;
	uint64_t bytes;	 /* of both */
	size_t unproved; /* were due, but the log may still get their end */
};
/* 0: all that was due is removed, or its failure told; -1: nothing was looked at, or not all. */
int prune_run(const struct prune_job *job, struct prune_sum *sum, struct err *e);

/* Every system call of it; how many there are. */
const int *prune_calls(size_t *n);

/* "30d", "36h", "90s"; "10GiB", "1500KiB", "77 bytes" */
void prune_duration(int64_t ns, char *out, size_t size);
void prune_size(uint64_t bytes, char *out, size_t size);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_AUDIT_VERIFY_H
#define CORAL_AUDIT_VERIFY_H

/* Whether a log is what was written: its chain, its beginning, and heads that were seen before. */
#include <stdint.h>
#include "audit/read.h"

enum audit_from {
	AUDIT_FROM_FIRST,   /* it has its first record */
	AUDIT_FROM_PRUNED,  /* a record of it says that what was before was removed */
	AUDIT_FROM_NOWHERE, /* nothing says what was before */
};

struct audit_proof {
	struct audit_verdict v;
	enum audit_from from;
	char first[AUDIT_TIME_SIZE], last[AUDIT_TIME_SIZE]; /* times of its records, "" none */
	char pruned[AUDIT_TIME_SIZE];			    /* of the record that tells of it */
	char head_file[40];
	uint64_t head_line;
};

enum audit_place {
	AUDIT_HEAD_GONE, /* there is no such record */
	AUDIT_HEAD_HERE,
	AUDIT_HEAD_PRUNED, /* it was the last one of a file that was removed, as records say that
			      go on without a gap up to where the log begins */
};
/* The hash of a record that was its last one at some time. */
struct audit_head {
	char hash[AUDIT_HASH_SIZE];
	enum audit_place place;
	char file[40],
	    time[AUDIT_TIME_SIZE]; /* of it, or of the record that tells of its removal */
	uint64_t line;
	char leads[AUDIT_HASH_SIZE]; /* where the removals from it on end */
};

/* `heads` have their hash.  0, or -1: it cannot be read. */
int audit_verify(
    const char *dir, struct audit_head *heads, size_t n, struct audit_proof *p, struct err *e);

#endif

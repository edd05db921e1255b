/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_AUDIT_REPORT_H
#define CORAL_CLI_AUDIT_REPORT_H

/* Sums over records of the audit log: what each user did, with each target. */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "audit/record.h"

#define REPORT_ROWS 5000 /* beyond them everybody is one */
#define REPORT_RECENT 10

enum report_count {
	REPORT_SESSIONS,
	REPORT_ROOT,	  /* of those, as user 0 */
	REPORT_FAILED,	  /* did not exit with 0, or could not start */
	REPORT_TRUNCATED, /* their recordings have no end */
	REPORT_DENIED,
	REPORT_WOULD,  /* it would have been denied */
	REPORT_ACCESS, /* attach, watch, join, kill, freeze, thaw, read of a session */
	REPORT_REMOVED,
	REPORT_COUNTS
};
extern const char *const report_keys[REPORT_COUNTS];

struct report_row {
	char *user, *target; /* "" not known */
	uint64_t n[REPORT_COUNTS];
	int64_t time_ms;
	char last[AUDIT_TIME_SIZE];
};

/* What to look at first: the newest of them. */
struct report_recent {
	char time[AUDIT_TIME_SIZE], event[32], user[128], target[128], why[512];
};

struct report {
	struct report_row *rows;
	size_t nrows;
	json_t *places; /* "USER\nTARGET": the row's number */
	struct report_row total;
	json_t *callers; /* who was not let in: how often */
	uint64_t records, not_let_in;
	char first[AUDIT_TIME_SIZE], last[AUDIT_TIME_SIZE];
	struct report_recent recent[REPORT_RECENT]; /* a ring */
	uint64_t nrecent;
};

void report_init(struct report *r);
void report_fini(struct report *r);
/* -1: no memory. */
int report_add(struct report *r, const json_t *rec);
/* The rows with most sessions first. */
void report_sort(struct report *r);

#endif

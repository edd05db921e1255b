/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_AUDIT_PEEK_H
#define CORAL_AUDIT_PEEK_H

/*
 * What a record is about, from the bytes it begins with: every record has its
 * first three keys in the same place, and only ASCII, so that no JSON need be
 * parsed for a look at millions of them.  And what the records of removals say.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "audit/record.h"

struct audit_peek {
	char session[32]; /* "" none */
	char time[AUDIT_TIME_SIZE];
	char event[32];
};
/* A line, with or without its newline.  false: it does not begin as a record does. */
bool audit_peek(const char *p, size_t n, struct audit_peek *out);
/* The time of a record in nanoseconds; -1: it is none. */
int64_t audit_time_ns(const char *time);

/* A file of the log that is removed: what stands in the `reason` of log.pruned. */
struct audit_pruned {
	char file[40];
	uint64_t records, bytes;
	char after[AUDIT_HASH_SIZE], last[AUDIT_HASH_SIZE]; /* what its first follows; its last */
};
#define AUDIT_PRUNED "log.pruned"
#define AUDIT_PRUNED_TEXT 320
/* `why` in words, then the facts. */
void audit_pruned_text(char out[AUDIT_PRUNED_TEXT], const char *why, const struct audit_pruned *p);
/* `after` and `last` of a record's line; false: it has none. */
bool audit_pruned_parse(
    const char *line, size_t n, char after[AUDIT_HASH_SIZE], char last[AUDIT_HASH_SIZE]);

#endif

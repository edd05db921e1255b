/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_AUDIT_RECORD_H
#define CORAL_AUDIT_RECORD_H

/*
 * One record of the audit log: a JSON object on a line, with the same keys in
 * the same order in each; coral-audit-log(5) says what they mean.  `hash` is
 * the SHA-256 of the line without it, and `prev_hash` the hash of the line
 * before, so that no line can be changed, dropped or moved unseen.
 */
#include <jansson.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

#define AUDIT_LINE_MAX (32 * 1024) /* its newline included */
#define AUDIT_HASH_SIZE 65	   /* lower-case hexadecimal, and a NUL */
/* What the first record of a log follows. */
#define AUDIT_GENESIS "0000000000000000000000000000000000000000000000000000000000000000"

/* Every key but timestamp, prev_hash and hash is the sender's; NULL ends. */
extern const char *const audit_keys[];

/* A record to be filled in; what is not set is null. */
json_t *audit_record_new(const char *event);
/* Text, cut where it is long; NULL and "" leave the key out. */
void audit_set_text(json_t *rec, const char *key, const char *value);
void audit_set_int(json_t *rec, const char *key, int64_t value);
/* "WHAT: WHY" into the key error. */
void audit_set_error(json_t *rec, const struct err *why);
/* Strings that were redacted; cut where they are many or long.  Borrows. */
void audit_set_list(json_t *rec, const char *key, const json_t *list);

/* What it was done to, by the first name that there is; or NULL. */
const char *audit_target(const json_t *rec);

/* The line of `rec`, appended to out; its hash.  -1: a key that no record has, or too long. */
int audit_line(const json_t *rec, int64_t real_ns, const char *prev, struct buf *out,
    char hash[AUDIT_HASH_SIZE], struct err *e);

/* A line with its newline, as it stands in a file: whether its hash is that of its bytes, and what
 * it says it follows. */
bool audit_line_check(
    const char *p, size_t n, char prev[AUDIT_HASH_SIZE], char hash[AUDIT_HASH_SIZE]);

/* "2026-11-22T05:41:20.123456Z" */
#define AUDIT_TIME_SIZE 40
void audit_time(int64_t real_ns, char out[AUDIT_TIME_SIZE]);

#endif

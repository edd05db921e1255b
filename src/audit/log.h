/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_AUDIT_LOG_H
#define CORAL_AUDIT_LOG_H

/*
 * The files of the audit log: DIR/audit.jsonl, and what it was before it grew
 * too large, DIR/audit-00000001.jsonl and on.  The chain goes on from one to
 * the next.  Any number of processes may append: each takes the lock
 * (DIR/audit.lock, flock(2)) for a record, and looks whether the end is where it left
 * it.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

#define AUDIT_FILE "audit.jsonl"
#define AUDIT_FILE_MAX (64ULL << 20)

struct audit_log;

/* DIR is made (0700) where it is missing, and must be the caller's alone to write. */
struct audit_log *audit_log_open(const char *dir, struct err *e);
void audit_log_close(struct audit_log *l); /* syncs nothing; accepts NULL */

/* Before its current file would be larger than this, another is begun; for tests. */
void audit_log_limit(struct audit_log *l, uint64_t bytes);

/*
 * Append one record.  On 0 it is in the kernel (write(2) done) and a killed
 * process loses nothing; audit_log_sync() puts it on the disk.  On -1 nothing
 * of it is in the log.  Waits 5 s at most for others that append.
 *
 * A last line that is not whole (a power cut) is moved to a file torn-*, which
 * a record of its own tells before this one.  `reserve`: may use the room that
 * is kept for what must be told when the disk is full.
 */
int audit_log_put(struct audit_log *l, const json_t *rec, bool reserve, struct err *e);
/* The line of the last put, with its newline; borrowed until the next. */
const struct buf *audit_log_last(const struct audit_log *l);
/* 0, or -1: what was put since the last time may not outlive a power cut, and no more is taken. */
int audit_log_sync(struct audit_log *l, struct err *e);

#endif

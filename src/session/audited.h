/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_AUDITED_H
#define CORAL_SESSION_AUDITED_H

/*
 * What a request leaves in the audit log: coral-audit-log(5).  Where a record
 * cannot be written, what it would tell of does not happen.
 */
#include <jansson.h>
#include "audit/send.h"
#include "session/keeper.h"

/* Who asked for what, and where it runs.  New reference. */
json_t *session_audit_record(const struct keeper_start *s, const char *event);
/* Whose process this is. */
void session_audit_caller(json_t *rec);
/* On which host, and of what environment. */
void session_audit_place(json_t *rec, const struct conf *c);
/* `target` as tgt_to_json() has it; borrowed. */
void session_audit_target(json_t *rec, const json_t *target);
/* The policy said no.  What it said stands in `why`. */
void session_audit_denied(const struct keeper_start *s, const char *session_id,
    const json_t *target, const struct err *why);
/* The policy said yes, and it cannot be recorded: with what is kept of the disk for that. */
void session_audit_unrecorded(
    const struct keeper_start *s, const json_t *target, const struct err *why);
/* Of a session that there is; `shown` is store_show()'s object.  -1: it must not be done. */
int session_audit_query(const struct keeper_start *s, const char *event, const char *session_id,
    const json_t *shown, struct err *e);
/* What somebody does with the files themselves, and no agent is asked: as session_audit_query(). */
int session_audit_local(
    const struct conf *c, const char *event, const char *session_id, struct err *e);
/* Of a key that lies in the state directory; which, stands in `what`.  `why`: it failed. */
int session_audit_key(const struct conf *c, const char *event, const char *what,
    const struct err *why, struct err *e);
/* It was allowed and told, and then it failed. */
void session_audit_failed(const struct keeper_start *s, const char *event, const char *session_id,
    const json_t *shown, const struct err *why);
/* audited_cut.c.  Its keeper died, and what it left is ended.  Told once, whoever finds it.  -1: it
 * is not. */
int session_audit_truncated(const struct conf *c, const char *session_id, struct err *e);
/* Those whose notes went with the machine, too; and those that were cut when they had ended, as the
 * log has their ends.  Reads a little of every recording, and the log where there are such. */
void session_audit_find_truncated(const struct conf *c);

#endif

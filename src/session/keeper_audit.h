/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_KEEPER_AUDIT_H
#define CORAL_SESSION_KEEPER_AUDIT_H

/* A session in the audit log: before its command runs, and when it has ended. */
#include <jansson.h>
#include "audit/send.h"
#include "base/loop.h"

struct keeper;
struct keeper_client;

struct keeper_audit {
	json_t *rec; /* of its beginning; NULL: it is not in the log */
	struct audit_call begun, ended;
	struct loop_timer t_sync;
};

/* Sends session.start, once. */
int keeper_audit_begin(struct keeper *k, struct err *e);
/* It is in the log now; -1: the command must not run. */
int keeper_audit_begun(struct keeper *k, struct err *e);
/* The command did not start after all. */
void keeper_audit_undo(struct keeper *k, const struct err *why);
/* Sends session.end; `result` as the client has it. */
void keeper_audit_end(struct keeper *k, const json_t *result);
/* Before the keeper exits: what was sent is in the log, or this process writes it itself. */
void keeper_audit_fini(struct keeper *k);
/* Somebody is not attached any more. */
void keeper_audit_left(const struct keeper_client *c, const char *kind, const char *why);

#endif

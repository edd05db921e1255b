/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_AUDIT_SEND_H
#define CORAL_AUDIT_SEND_H

/*
 * A record on its way into the log of a state directory: to the process
 * coral-audit, which an agent has, over STATE_DIR/audit/writer.sock, or where
 * none listens into the files, by this process itself.
 */
#include <jansson.h>
#include <stdbool.h>
#include "base/err.h"

struct audit_log;

/* A record that was sent.  Zero it before its first use. */
struct audit_call {
	bool sent;
	int fd;		       /* where the answer comes */
	struct audit_log *log; /* it is in there, and not synced */
};

/* Send; waits for no answer.  -1: it is not in the log. */
int audit_call_begin(
    struct audit_call *c, const char *state_dir, const json_t *rec, bool reserve, struct err *e);
/* The answer: 0, it is in the log; 5 s at most.  Once, after audit_call_begin(). */
int audit_call_wait(struct audit_call *c, struct err *e);
/* On the disk, where this process wrote it itself: within 200 ms.  Accepts what has ended. */
void audit_call_end(struct audit_call *c);

/* All of it at once. */
int audit_put(const char *state_dir, const json_t *rec, bool reserve, struct err *e);
/* With the reserve, and on the disk by whose descriptor wrote it, which alone is sure to hear that
 * it failed.  -1: a power cut may take it. */
int audit_put_synced(const char *state_dir, const json_t *rec, struct err *e);
/* Send without waiting for anything, for who must not: -1, it may be lost. */
int audit_tell(const char *state_dir, const json_t *rec);

/* STATE_DIR/audit.  -1: too long. */
int audit_dir(const char *state_dir, char *out, size_t size, struct err *e);

#endif

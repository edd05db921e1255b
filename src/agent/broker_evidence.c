/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "agent/broker_int.h"
#include "base/fd.h"
#include "base/log.h"
#include "record/evidence.h"
#include "record/keys.h"
#include "session/audited.h"

int
broker_evidence_load(struct broker *b, struct err *e)
{
	b->evidence_new = !keys_agent_there(b->conf->state_dir);
	return keys_agent_load(b->conf->state_dir, &b->evidence_key, e);
}

/* An agent that stays tells its key as it starts; one of a single command only one it made. */
int
broker_evidence_tell(const struct broker *b, struct err *e)
{
	char print[KEYFILE_PRINT], key[KEYFILE_PRINT + 20];

	if (!b->evidence_new)
		return 0;
	keyfile_print(print, b->evidence_key.public);
	snprintf(key, sizeof key, "agent_ed25519 %s", print);
	return session_audit_key(b->conf, "key.created", key, NULL, e);
}

/* Without it the keeper says so, and does not begin. */
void
broker_evidence_give(const struct broker *b, const char *id, int to)
{
	struct evidence ev;

	if (evidence_issue(&ev, &b->evidence_key, id, clock_real()) < 0)
		log_err("cannot make a key for the recording of session %s", id);
	else
		fd_write_all(to, &ev, sizeof ev); /* EPIPE: it was no session, and is gone */
	explicit_bzero(&ev, sizeof ev);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
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
	return keys_agent_load(b->conf->state_dir, &b->evidence_key, e);
}

int
broker_evidence_publish(const struct broker *b, struct err *e)
{
	return keys_agent_publish(b->conf->state_dir, &b->evidence_key, e);
}

/* An agent that stays tells its key as it starts; one of a single command only a new one. */
int
broker_evidence_tell(const struct broker *b, struct err *e)
{
	char name[KEYS_NAME];

	if (keys_agent_published(b->conf->state_dir, &b->evidence_key))
		return 0;
	keys_agent_name(name, b->evidence_key.public);
	if (session_audit_key(b->conf, "key.created", name, NULL, e) < 0)
		return -1;
	return broker_evidence_publish(b, e);
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

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "audit/record.h"
#include "base/json.h"
#include "base/log.h"
#include "base/redact.h"
#include "session/audited.h"
#include "session/keeper_int.h"

#define SYNC_NS (NS_PER_S / 5)

static void
put_context(json_t *rec, const struct keeper *k)
{
	const json_t *entered = json_object_get(k->context, "namespaces_entered");

	audit_set_list(rec, "namespaces_entered", entered);
	json_object_set_new(rec, "cross_namespace", json_boolean(json_array_size(entered) > 0));
	audit_set_int(rec, "uid", json_int(k->context, "uid", -1));
	audit_set_int(rec, "gid", json_int(k->context, "gid", -1));
}

static json_t *
record(const struct keeper *k)
{
	json_t *rec = session_audit_record(k->start, "session.start");
	json_t *argv = keeper_redact_json(k, redact_argv(enter_plan_argv(k->plan)));
	json_t *reason = keeper_redact_json(k, redact_text(k->req->reason));
	json_t *target = tgt_to_json(&k->target);

	audit_set_text(rec, "session_id", k->start->id);
	session_audit_target(rec, target);
	audit_set_list(rec, "command", argv);
	audit_set_text(rec, "reason", json_string_value(reason));
	put_context(rec, k);
	audit_set_text(rec, "decision", k->rules.would_deny[0] ? "would-deny" : "allow");
	audit_set_text(rec, "error", k->rules.would_deny);
	json_decref(argv);
	json_decref(reason);
	json_decref(target);
	return rec;
}

int
keeper_audit_begin(struct keeper *k, struct err *e)
{
	struct keeper_audit *a = &k->audit;

	/* The entry is tried again in another cgroup, and is one session all the same. */
	if (a->rec)
		return 0;
	a->rec = record(k);
	if (audit_call_begin(&a->begun, k->start->conf->state_dir, a->rec, false, e) == 0)
		return 0;
	json_decref(a->rec);
	a->rec = NULL;
	return -1;
}

static void
sync_begun(void *arg)
{
	struct keeper *k = arg;

	audit_call_end(&k->audit.begun);
}

int
keeper_audit_begun(struct keeper *k, struct err *e)
{
	struct keeper_audit *a = &k->audit;

	if (audit_call_wait(&a->begun, e) < 0)
		return -1;
	if (a->begun.log)
		loop_timer_set(k->loop, &a->t_sync, SYNC_NS, sync_begun, k);
	else
		audit_call_end(&a->begun);
	return 0;
}

static void
send_end(struct keeper *k)
{
	struct err e = {0};

	json_object_set_new(k->audit.rec, "event", json_string("session.end"));
	json_object_del(k->audit.rec, "decision");
	if (audit_call_begin(&k->audit.ended, k->start->conf->state_dir, k->audit.rec, true, &e) <
	    0)
		log_error_of(&e, "writing the audit log");
}

void
keeper_audit_undo(struct keeper *k, const struct err *why)
{
	if (!k->audit.rec)
		return;
	audit_set_int(k->audit.rec, "exit_code", err_exit_exec(why->code));
	audit_set_error(k->audit.rec, why);
	send_end(k);
	keeper_audit_fini(k);
}

/* What ended it, where that was not the command itself. */
static void
put_cause(json_t *rec, const struct keeper *k)
{
	const char *by = k->door.ended_by;
	char text[160];

	json_object_del(rec, "error");
	if (k->failure.code != ERR_NONE) {
		audit_set_error(rec, &k->failure);
	} else if (strcmp(k->cause, "exit") != 0) {
		snprintf(text, sizeof text, "%s%s%s", k->cause, by[0] ? ", by " : "", by);
		audit_set_text(rec, "error", text);
	}
}

void
keeper_audit_end(struct keeper *k, const json_t *result)
{
	static const char *const keys[] = {
	    "exit_code", "signal", "duration_ms", "stdout_bytes", "stderr_bytes", "stdin_bytes"};
	json_t *rec = k->audit.rec;

	if (!rec)
		return;
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		json_object_set(rec, keys[i], json_object_get(result, keys[i]));
	put_cause(rec, k);
	send_end(k);
}

void
keeper_audit_fini(struct keeper *k)
{
	struct keeper_audit *a = &k->audit;
	struct err e = {0};

	loop_timer_clear(k->loop, &a->t_sync);
	audit_call_end(&a->begun);
	if (a->ended.sent && audit_call_wait(&a->ended, &e) < 0)
		log_error_of(&e, "writing the audit log");
	audit_call_end(&a->ended);
	json_decref(a->rec);
	a->rec = NULL;
}

void
keeper_audit_left(const struct keeper_client *c, const char *kind, const char *why)
{
	const struct keeper *k = c->k;
	json_t *rec;
	struct err e = {0};

	if (!k->audit.rec || (strcmp(kind, "detached") != 0 && strcmp(kind, "left") != 0 &&
				 strcmp(kind, "taken_over") != 0))
		return;
	/* Nothing goes on that he could leave. */
	if (k->audit.ended.sent)
		return;
	/* The connection of whose place is taken was lost: that was told when it was. */
	if (c->fd < 0 && strcmp(kind, "taken_over") == 0)
		return;
	rec = json_copy(k->audit.rec);
	json_object_set_new(rec, "event", json_string("session.detach"));
	json_object_del(rec, "decision");
	json_object_del(rec, "error");
	audit_set_text(rec, "user_id", c->user);
	audit_set_text(rec, "actor", c->peer);
	audit_set_text(rec, "mode", keeper_role_name(c->role));
	audit_set_text(rec, "error",
	    why && strcmp(why, "lost") == 0   ? "the connection was lost"
	    : strcmp(kind, "taken_over") == 0 ? "somebody took it over"
					      : NULL);
	/* A session does not wait for this. */
	if (audit_tell(k->start->conf->state_dir, rec) < 0 &&
	    audit_put(k->start->conf->state_dir, rec, true, &e) < 0)
		log_error_of(&e, "writing the audit log");
	json_decref(rec);
}

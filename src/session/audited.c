/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session/audited.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "audit/record.h"
#include "base/attr.h"
#include "base/json.h"
#include "base/log.h"
#include "base/redact.h"
#include "record/store.h"

void
session_audit_place(json_t *rec, const struct conf *c)
{
	const char *node = getenv("NODE_NAME");
	struct utsname u = {0};

	uname(&u);
	audit_set_text(rec, "node", node && *node ? node : u.nodename);
	audit_set_text(rec, "environment", c->environment);
}

/* What somebody said, and may have said a password in. */
static void
put_said(json_t *rec, const char *key, const char *text)
{
	json_t *said = redact_text(text);

	audit_set_text(rec, key, json_string_value(said));
	json_decref(said);
}

json_t *
session_audit_record(const struct keeper_start *s, const char *event)
{
	json_t *rec = audit_record_new(event);
	char actor[256];

	snprintf(actor, sizeof actor, "%s %s", s->peer, s->req->client);
	audit_set_text(rec, "user_id", s->who.user);
	audit_set_text(rec, "actor", actor);
	audit_set_text(rec, "mode", request_verb_name(s->req->verb));
	if (s->req->reason[0])
		put_said(rec, "reason", s->req->reason);
	session_audit_place(rec, s->conf);
	return rec;
}

void
session_audit_target(json_t *rec, const json_t *target)
{
	static const struct {
		const char *key, *from;
	} texts[] = {{"runtime", "runtime"}, {"provenance", "provenance"},
	    {"service_name", "service"}, {"namespace", "namespace"}, {"pod", "pod"},
	    {"pod_uid", "pod_uid"}, {"container_name", "container"},
	    {"container_id", "container_id"}, {"image", "image"}};

	for (size_t i = 0; i < COUNT_OF(texts); i++)
		audit_set_text(rec, texts[i].key, json_str(target, texts[i].from));
	if (json_int(target, "pid", 0) > 0)
		audit_set_int(rec, "container_pid", json_int(target, "pid", 0));
}

static const json_t *
header_of(const json_t *shown)
{
	return json_object_get(json_object_get(shown, "header"), "coral");
}

static json_t *
about(const struct keeper_start *s, const char *event, const char *session_id, const json_t *target)
{
	json_t *rec = session_audit_record(s, event);

	audit_set_text(rec, "session_id", session_id);
	session_audit_target(rec, target);
	return rec;
}

/* It is denied all the same. */
static void
put_denied(const struct keeper_start *s, const char *session_id, const json_t *target,
    const struct err *why, bool reserve)
{
	json_t *rec = about(s, "denied", session_id, target);
	struct err e = {0};

	if (s->req->argc > 0) {
		json_t *argv = redact_argv((const char *const *)s->req->argv);

		audit_set_list(rec, "command", argv);
		json_decref(argv);
	}
	audit_set_text(rec, "decision", "deny");
	audit_set_error(rec, why);
	if (audit_put(s->conf->state_dir, rec, reserve, &e) < 0)
		log_error_of(&e, "writing the audit log");
	json_decref(rec);
}

void
session_audit_denied(const struct keeper_start *s, const char *session_id, const json_t *target,
    const struct err *why)
{
	put_denied(s, session_id, target, why, false);
}

void
session_audit_unrecorded(const struct keeper_start *s, const json_t *target, const struct err *why)
{
	put_denied(s, NULL, target, why, true);
}

int
session_audit_query(const struct keeper_start *s, const char *event, const char *session_id,
    const json_t *shown, struct err *e)
{
	json_t *rec = about(s, event, session_id, json_object_get(header_of(shown), "target"));
	bool reserve = s->req->verb == REQ_REMOVE || s->req->verb == REQ_KILL;
	int rc;

	audit_set_text(rec, "decision", "allow");
	rc = audit_put(s->conf->state_dir, rec, reserve, e);
	json_decref(rec);
	return rc;
}

/* Straight from the file: a static binary has no NSS to ask. */
void
session_audit_caller(json_t *rec)
{
	auto_file FILE *f = fopen("/etc/passwd", "re");
	const struct passwd *pw = NULL;
	char uid[32];

	while (f && (pw = fgetpwent(f)) && pw->pw_uid != getuid())
		;
	snprintf(uid, sizeof uid, "uid.%u", (unsigned)getuid());
	audit_set_text(rec, "user_id", pw ? pw->pw_name : uid);
	audit_set_int(rec, "uid", getuid());
}

int
session_audit_local(const struct conf *c, const char *event, const char *session_id, struct err *e)
{
	json_t *rec = audit_record_new(event), *shown = store_show(c->state_dir, session_id, e);
	const char *verb = strchr(event, '.');
	int rc = -1;

	if (shown) {
		session_audit_caller(rec);
		audit_set_text(rec, "session_id", session_id);
		audit_set_text(rec, "actor", "coral " CORAL_VERSION);
		/* "session.unseal": as who asks the agent for it. */
		audit_set_text(rec, "mode", verb ? verb + 1 : NULL);
		audit_set_text(rec, "decision", "allow");
		session_audit_place(rec, c);
		session_audit_target(rec, json_object_get(header_of(shown), "target"));
		rc = audit_put(c->state_dir, rec, false, e);
	}
	json_decref(shown);
	json_decref(rec);
	return rc;
}

int
session_audit_key(
    const struct conf *c, const char *event, const char *what, const struct err *why, struct err *e)
{
	json_t *rec = audit_record_new(event);
	int rc;

	session_audit_caller(rec);
	audit_set_text(rec, "actor", "coral " CORAL_VERSION);
	audit_set_text(rec, "reason", what);
	session_audit_place(rec, c);
	if (why)
		audit_set_error(rec, why);
	rc = audit_put(c->state_dir, rec, false, e);
	json_decref(rec);
	return rc;
}

void
session_audit_failed(const struct keeper_start *s, const char *event, const char *session_id,
    const json_t *shown, const struct err *why)
{
	json_t *rec = about(s, event, session_id, json_object_get(header_of(shown), "target"));
	struct err e = {0};

	audit_set_text(rec, "decision", "allow");
	audit_set_error(rec, why);
	if (audit_put(s->conf->state_dir, rec, true, &e) < 0)
		log_error_of(&e, "writing the audit log");
	json_decref(rec);
}

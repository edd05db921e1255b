/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "session/policy_int.h"

/* The rights that one request takes, by the names of the policy's `commands`. */
struct rights {
	const char *name[8];
	size_t n;
};

static void
need(struct rights *r, const char *name)
{
	r->name[r->n++] = name;
}

/* Of a session that runs. */
static bool
is_of_session(enum request_verb v)
{
	return v == REQ_ATTACH || v == REQ_WATCH || v == REQ_JOIN;
}

static bool
is_to_end_it(enum request_verb v)
{
	return v == REQ_KILL || v == REQ_FREEZE || v == REQ_THAW;
}

static void
rights_of(const struct policy_who *who, const struct policy_what *what, struct rights *r)
{
	const struct request *q = what->req;
	bool own = who->user[0] && what->session_user && strcmp(what->session_user, who->user) == 0;

	r->n = 0;
	switch (q->verb) {
	case REQ_EXEC:
		need(r, "exec");
		break;
	case REQ_SHELL:
		need(r, "shell");
		break;
	case REQ_SESSIONS:
		need(r, "audit");
		break;
	case REQ_SHOW:
	case REQ_READ:
		if (!own)
			need(r, "audit");
		break;
	case REQ_UNSEAL:
		/* One's own as well: others may have typed in it. */
		need(r, "audit");
		break;
	case REQ_REMOVE:
		need(r, "delete");
		break;
	case REQ_ATTACH:
		/* In somebody's place; who may do no more than share it has join. */
		if (!own)
			need(r, "attach");
		break;
	case REQ_WATCH:
		if (!own)
			need(r, "watch");
		break;
	case REQ_JOIN:
		if (!own)
			need(r, "join");
		break;
	case REQ_KILL:
	case REQ_FREEZE:
	case REQ_THAW:
		if (!own)
			need(r, "moderate");
		break;
	case REQ_NONE:
	case REQ_PS:
	case REQ_VERB_COUNT:
		break;
	}
	/* More than the container's own process has, each a right of its own. */
	if (q->user[0])
		need(r, "user");
	if (q->privileged)
		need(r, "privileged");
	if (q->namespaces[0])
		need(r, "namespaces");
	if (q->seccomp_copy)
		need(r, "seccomp");
	if (q->no_record)
		need(r, "no-record");
	if (what->host && !(own && is_of_session(q->verb)) && !is_to_end_it(q->verb))
		need(r, "host");
}

static bool
in_list(const json_t *list, const char *s)
{
	size_t i;
	json_t *v;

	json_array_foreach(list, i, v) if (str_glob(json_string_value(v), s)) return true;
	return false;
}

/* A missing list does not restrict; a list that the target cannot answer does. */
static bool
allows(const json_t *permission, const char *key, const char *value)
{
	const json_t *list = json_object_get(permission, key);

	return !list || in_list(list, value ? value : "");
}

/* PATH or LD_PRELOAD would make another program of an argv that is allowed. */
static bool
env_is_plain(const struct request *q)
{
	for (size_t i = 0; i < q->envc; i++)
		if (strncmp(q->env[i], "LANG=", 5) != 0 && strncmp(q->env[i], "LC_", 3) != 0)
			return false;
	return true;
}

static bool
argv_allowed(const json_t *permission, const struct request *q)
{
	const json_t *patterns = json_object_get(permission, "argv");
	char line[4096];

	if (!patterns)
		return true;
	/* Nor does ./deploy say of which directory. */
	if (!env_is_plain(q) || q->workdir[0] || !q->argv ||
	    str_quote_argv(line, sizeof line, (const char *const *)q->argv) + 1 >= sizeof line)
		return false;
	return in_list(patterns, line);
}

static bool
applies(const json_t *permission, const struct policy_what *what)
{
	/* Labels are not known without a colony: a rule that asks for one matches nothing. */
	return allows(permission, "environments", what->environment) &&
	       allows(permission, "services", what->service) &&
	       allows(permission, "namespaces", what->ns) &&
	       !json_object_get(permission, "labels") && argv_allowed(permission, what->req);
}

/* Why a permission that matches does not suffice here, or NULL. */
static const char *
condition_missing(const json_t *permission, const struct request *q)
{
	if (json_object_get(permission, "require_approval"))
		return "it requires an approval, which only a colony can give";
	if (json_is_true(json_object_get(permission, "require_mfa")))
		return "it requires a second factor, which only a colony can check";
	if (json_is_true(json_object_get(permission, "require_reason")) && !q->reason[0])
		return "it requires a reason (--reason TEXT)";
	return NULL;
}

static bool
has_role(const struct policy *p, const struct policy_who *who, const char *role)
{
	const char *at = who->roles;
	size_t n = strlen(role), i;
	json_t *u;

	for (; *at; at += strcspn(at, ","), at += *at == ',')
		if (strcspn(at, ",") == n && strncmp(at, role, n) == 0)
			return true;
	json_array_foreach(json_object_get(p->tree, "users"), i,
	    u) if (strcmp(json_str(u, "name"), who->user) == 0 &&
		   strcmp(json_str(u, "role"), role) == 0) return true;
	return false;
}

/* NULL: some permission grants the right; else why none does. */
static const char *
why_not(const struct policy *p, const struct policy_who *who, const struct policy_what *what,
    const char *right)
{
	const char *why = "no role of this user allows it for this target";
	size_t i, k;
	json_t *role, *perm;

	json_array_foreach(json_object_get(p->tree, "roles"), i, role)
	{
		if (!has_role(p, who, json_str(role, "name")))
			continue;
		json_array_foreach(json_object_get(role, "permissions"), k, perm)
		{
			const char *missing;

			if (!in_list(json_object_get(perm, "commands"), right) ||
			    !applies(perm, what))
				continue;
			missing = condition_missing(perm, what->req);
			if (!missing)
				return NULL;
			why = missing;
		}
	}
	return why;
}

/* Without a file: exec and shell as the target's own user, and one's own recordings. */
static const char *
why_not_by_default(const char *right)
{
	if (strcmp(right, "exec") == 0 || strcmp(right, "shell") == 0)
		return NULL;
	return "without a policy only root may";
}

static int
deny(const struct policy_who *who, const struct policy_what *what, const char *right,
    const char *why, struct err *e)
{
	err_set(e, ERR_DENIED, 0, "%s lacks the right \"%s\"%s%s", who->user, right,
	    what->service && what->service[0] ? " on " : "", what->service ? what->service : "");
	err_why(e, "%s", why);
	return err_hint(e, "ask whoever keeps policy.yaml on the agent for it");
}

static void
session_rules(const struct policy *p, const struct request *q, struct policy_session *s)
{
	*s = p->session[q->verb == REQ_SHELL];
	if (q->no_record)
		s->record_output = s->record_input = s->seal_input = false;
	if (q->on_disconnect != REQ_DISC_DEFAULT)
		s->disconnect = q->on_disconnect;
}

/* defaults.mode audit: what enforce would have refused goes into the log and the record. */
static void
let_through(const struct policy_who *who, const struct policy_what *what, const char *right,
    const char *why, struct policy_session *s)
{
	size_t n = strlen(s->would_deny);

	snprintf(
	    s->would_deny + n, sizeof s->would_deny - n, "%s%s: %s", n ? "; " : "", right, why);
	if (!what->asks_only)
		log_warn("the policy would deny %s the right \"%s\": %s", who->user, right, why);
}

static int
check_verb(const struct request *q, struct err *e)
{
	if (q->verb > REQ_NONE && q->verb < REQ_VERB_COUNT)
		return 0;
	err_set(e, ERR_DENIED, 0, "the request is not known");
	err_why(e, "its verb is %d, which no right covers", (int)q->verb);
	return err_hint(e, "use a client of the agent's version: %s", CORAL_VERSION);
}

/* What a policy names is the most that a request may ask for; ending is always allowed. */
static const char *
why_no_detach(const struct policy *p, const struct request *q)
{
	bool shell = q->verb == REQ_SHELL;

	if (q->on_disconnect != REQ_DISC_DETACH || !p->disconnect_set[shell] ||
	    p->session[shell].disconnect == REQ_DISC_DETACH)
		return NULL;
	return shell ? "defaults.disconnect.shell of the policy is not detach"
		     : "defaults.disconnect.exec of the policy is not detach";
}

static int
check_detach(const struct policy *p, const struct policy_who *who, const struct policy_what *what,
    struct policy_session *s, struct err *e)
{
	const char *why = why_no_detach(p, what->req);

	if (!why)
		return 0;
	if (p->audit_only) {
		let_through(who, what, "detach", why, s);
		return 0;
	}
	err_set(e, ERR_DENIED, 0, "this session cannot outlive its connection");
	err_why(e, "%s", why);
	return err_hint(e, "--on-disconnect hangup, or kill");
}

int
policy_check(const struct policy *p, const struct policy_who *who, const struct policy_what *what,
    struct policy_session *s, struct err *e)
{
	struct rights r;

	session_rules(p, what->req, s);
	if (check_verb(what->req, e) < 0)
		return -1;
	if (who->root)
		return 0;
	if (check_detach(p, who, what, s, e) < 0)
		return -1;
	rights_of(who, what, &r);
	for (size_t i = 0; i < r.n; i++) {
		const char *why =
		    p->tree ? why_not(p, who, what, r.name[i]) : why_not_by_default(r.name[i]);

		if (!why)
			continue;
		if (!p->audit_only)
			return deny(who, what, r.name[i], why, e);
		let_through(who, what, r.name[i], why, s);
	}
	return 0;
}

struct policy_limits
policy_limits(const struct policy *p)
{
	return p->limits;
}

struct policy_retention
policy_retention(const struct policy *p)
{
	return p->retention;
}

const char *
policy_keys(const struct policy *p)
{
	return p->keys ? p->keys : "";
}

void
policy_free(struct policy *p)
{
	if (!p)
		return;
	json_decref(p->tree);
	free(p->keys);
	free(p);
}

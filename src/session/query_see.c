/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "session/query_int.h"

static bool
is_own(const struct keeper_start *s, const json_t *shown)
{
	const char *whose = json_str(shown, "user");

	return whose && s->who.user[0] && strcmp(whose, s->who.user) == 0;
}

void
query_add_own(const struct keeper_start *s, json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		json_object_set_new(row, "own", json_boolean(is_own(s, row)));
	}
}

static void
copy(char *to, const json_t *from, const char *key, size_t size)
{
	const char *s = json_str(from, key);

	str_copy(to, s ? s : "", size);
}

/* Who types into somebody's session has all that it was given. */
static void
take_extras(struct request *q, const json_t *coral)
{
	copy(q->user, coral, "as_user", sizeof q->user);
	copy(q->namespaces, coral, "namespaces", sizeof q->namespaces);
	q->privileged = json_is_true(json_object_get(coral, "privileged"));
	q->seccomp_copy = json_str(coral, "seccomp") != NULL;
}

static int
check(const struct keeper_start *s, enum request_verb verb, const json_t *shown, const char *whose,
    bool asks_only, struct err *e)
{
	const json_t *coral = json_object_get(json_object_get(shown, "header"), "coral");
	const json_t *t = json_object_get(coral, "target");
	const char *runtime = json_str(t, "runtime");
	struct request q;
	struct policy_session rules;
	struct policy_what what = {.req = &q,
	    .service = json_str(t, "service"),
	    .ns = json_str(t, "namespace"),
	    .environment = s->conf->environment,
	    .pod = json_str(t, "pod"),
	    .container = json_str(t, "container"),
	    .host = runtime && strcmp(runtime, "process") == 0,
	    .asks_only = asks_only,
	    .session_user = whose};

	request_init(&q);
	q.verb = verb;
	str_copy(q.reason, s->req->reason, sizeof q.reason);
	if ((verb == REQ_ATTACH || verb == REQ_JOIN) && !is_own(s, shown))
		take_extras(&q, coral);
	return policy_check(s->policy, &s->who, &what, &rules, e);
}

int
query_check(
    const struct keeper_start *s, enum request_verb verb, const json_t *shown, struct err *e)
{
	return check(s, verb, shown, json_str(shown, "user"), false, e);
}

bool
query_moderates(const struct keeper_start *s, const json_t *shown)
{
	return check(s, s->req->verb, shown, NULL, true, NULL) == 0;
}

struct query_viewer
query_viewer(const struct keeper_start *s, enum request_verb verb)
{
	struct request q;
	struct policy_what what = {.req = &q, .asks_only = true};
	struct policy_session rules;

	/* The rights on recordings have no target. */
	request_init(&q);
	q.verb = REQ_SESSIONS;
	return (struct query_viewer){.s = s,
	    .verb = verb,
	    .all = policy_check(s->policy, &s->who, &what, &rules, NULL) == 0};
}

static bool
allowed(const struct keeper_start *s, enum request_verb verb, const json_t *shown)
{
	return check(s, verb, shown, json_str(shown, "user"), true, NULL) == 0;
}

bool
query_sees(void *viewer, const json_t *shown)
{
	static const enum request_verb any[] = {REQ_WATCH, REQ_JOIN, REQ_ATTACH, REQ_KILL};
	const struct query_viewer *v = viewer;
	const char *state = json_str(shown, "state");

	if (v->all || is_own(v->s, shown))
		return true;
	if (v->verb != REQ_SESSIONS && allowed(v->s, v->verb, shown))
		return true;
	/* What a listing shows is there for every verb: one that is not allowed is told why. */
	for (size_t i = 0; state && strcmp(state, "live") == 0 && i < COUNT_OF(any); i++)
		if (allowed(v->s, any[i], shown))
			return true;
	return false;
}

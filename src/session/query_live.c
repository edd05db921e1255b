/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "session/audited.h"
#include "session/control.h"
#include "session/query_int.h"

/* One that has just begun has no door yet, and one that ends says so for a moment. */
#define BETWEEN_NS (2 * NS_PER_S)
#define BETWEEN_MS 20
/* TERM, its grace, KILL, and what a kernel may take for that. */
#define END_NS (15 * NS_PER_S)

static bool
is_live(const json_t *shown)
{
	const char *state = json_str(shown, "state");

	return state && strcmp(state, "live") == 0;
}

/* An exit needs no explanation. */
static void
say_cause(const char *cause, struct err *e)
{
	static const struct {
		const char *cause, *text;
	} known[] = {
	    {"disconnected", "nobody was attached any more, or its owner hung up"},
	    {"timeout", "its time was over"},
	    {"recording", "it could not be recorded any more"},
	    {"limit", "its recording was as large as policy allows"},
	    {"oom", "its container had no memory left"},
	    {"target_gone", "its container ended"},
	    {"agent_stopped", "the agent was stopped"},
	};

	for (size_t i = 0; cause && i < COUNT_OF(known); i++)
		if (strcmp(known[i].cause, cause) == 0)
			err_why(e, ": %s", known[i].text);
}

static int
say_ended(const char *id, const json_t *shown, struct err *e)
{
	const json_t *code = json_object_get(shown, "exit_code");
	int64_t began = json_int(json_object_get(shown, "header"), "timestamp", 0);
	char iso[CLOCK_ISO_SIZE];

	err_set(e, ERR_NO_SESSION, 0, "session %s has ended", id);
	if (json_is_integer(code) && began > 0) {
		clock_iso(began * NS_PER_S + json_int(shown, "duration_ms", 0) * NS_PER_MS, iso);
		err_why(e, "at %s, with exit code %d", iso, (int)json_integer_value(code));
		say_cause(json_str(shown, "cause"), e);
	} else {
		err_why(e, "its recording has no end: its keeper was killed, or it was cut");
	}
	return err_hint(e, "coral replay %s", id);
}

static struct control_ask
question(const struct keeper_start *s, const char *id)
{
	struct control_ask a = {.who = s->who, .req = *s->req, .stream = -1};

	str_copy(a.req.id, id, sizeof a.req.id);
	str_copy(a.peer, s->peer, sizeof a.peer);
	return a;
}

/* Borrows the caller's stream and request: nothing of `a` is to be freed. */
static json_t *
ask_keeper(const struct keeper_start *s, const char *id, bool moderates, struct err *e)
{
	int64_t until = clock_mono() + BETWEEN_NS;
	struct control_ask a = question(s, id);
	enum request_verb v = s->req->verb;
	json_t *answer, *shown;
	bool live;

	if (v == REQ_ATTACH || v == REQ_WATCH || v == REQ_JOIN)
		a.stream = s->stream;
	a.moderates = moderates;
	for (;;) {
		answer = control_call(s->conf, id, &a, e);
		if (answer || e->code != ERR_NO_SESSION)
			return answer;
		shown = store_show(s->conf->state_dir, id, e);
		live = is_live(shown);
		if (shown && !live)
			say_ended(id, shown, e);
		json_decref(shown);
		if (!live || clock_mono() > until)
			return NULL;
		poll(NULL, 0, BETWEEN_MS);
	}
}

/* Who ends a session wants to know that it has ended, and how. */
static json_t *
wait_for_end(const struct keeper_start *s, const char *id, struct err *e)
{
	static const char *const keys[] = {
	    "id", "state", "exit_code", "signal", "cause", "user", "target"};
	int64_t until = clock_mono() + END_NS;
	json_t *shown, *j;

	while ((shown = store_show(s->conf->state_dir, id, e)) && is_live(shown) &&
	       clock_mono() < until) {
		json_decref(shown);
		poll(NULL, 0, BETWEEN_MS);
	}
	if (!shown)
		return NULL;
	j = json_object();
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		json_object_set(j, keys[i], json_object_get(shown, keys[i]));
	json_decref(shown);
	return j;
}

static int
do_live(const struct keeper_start *s, const char *id, bool moderates, struct err *e)
{
	json_t *answer = ask_keeper(s, id, moderates, e);

	if (!answer)
		return -1;
	switch (s->req->verb) {
	case REQ_KILL:
		json_decref(answer);
		return query_send_json(s->stream, wait_for_end(s, id, e), e);
	case REQ_FREEZE:
	case REQ_THAW:
		return query_send_json(s->stream, answer, e);
	default:
		json_decref(answer);
		return 1;
	}
}

/* "session.attach" and so on: before it is done, and whether or not it succeeds. */
static int
audit(const struct keeper_start *s, const char *id, const json_t *shown, struct err *e)
{
	char event[32];

	snprintf(event, sizeof event, "session.%s", request_verb_name(s->req->verb));
	return session_audit_query(s, event, id, shown, e);
}

int
query_live(const struct keeper_start *s, struct err *e)
{
	struct query_viewer v = query_viewer(s, s->req->verb);
	const char *dir = s->conf->state_dir;
	char id[STORE_ID_LEN + 1];
	bool moderates = false;
	json_t *shown;
	int rc;

	if (store_resolve(dir, s->req->id, query_sees, &v, id, e) < 0)
		return -1;
	shown = store_show(dir, id, e);
	if (!shown)
		return -1;
	rc = query_check(s, s->req->verb, shown, e);
	if (rc < 0)
		session_audit_denied(s, id, NULL, e);
	/* A connection that is taken up again may be owed the end of its session, for which its
	 * keeper waits unless it is told not to. */
	if (rc == 0 && !is_live(shown) &&
	    ((!s->req->token[0] && v.verb != REQ_KILL) || !control_there(s->conf, id)))
		rc = say_ended(id, shown, e);
	if (rc == 0 && (v.verb == REQ_FREEZE || v.verb == REQ_THAW))
		moderates = query_moderates(s, shown);
	if (rc == 0)
		rc = audit(s, id, shown, e);
	json_decref(shown);
	return rc < 0 ? -1 : do_live(s, id, moderates, e);
}

static void
add_status(json_t *row, const json_t *status)
{
	static const char *const keys[] = {
	    "attached", "idle_s", "rows", "cols", "frozen", "frozen_by"};

	if (!status)
		return;
	if (json_is_true(json_object_get(status, "detached")))
		json_object_set_new(row, "state", json_string("detached"));
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		if (json_object_get(status, keys[i]))
			json_object_set(row, keys[i], json_object_get(status, keys[i]));
}

void
query_add_status(const struct keeper_start *s, json_t *rows)
{
	size_t n = json_array_size(rows), live = 0, i;
	auto_free const char **ids = calloc(n + 1, sizeof *ids);
	auto_free json_t **row = calloc(n + 1, sizeof *row);
	auto_free json_t **status = calloc(n + 1, sizeof *status);
	struct control_ask a = question(s, "");
	json_t *r;

	if (!ids || !row || !status)
		return;
	json_array_foreach(rows, i, r) if (is_live(r))
	{
		ids[live] = json_str(r, "id");
		row[live++] = r;
	}
	a.req.verb = REQ_SESSIONS;
	control_call_all(s->conf, ids, live, &a, status);
	for (i = 0; i < live; i++) {
		add_status(row[i], status[i]);
		json_decref(status[i]);
	}
}

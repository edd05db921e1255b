/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/audit_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/json.h"
#include "base/str.h"

#define CALLERS_MAX 1000
#define OTHERS "(others)"

const char *const report_keys[REPORT_COUNTS] = {
    "sessions", "as_root", "failed", "truncated", "denied", "would_deny", "access", "removed"};

void
report_init(struct report *r)
{
	*r = (struct report){.places = json_object(), .callers = json_object()};
}

void
report_fini(struct report *r)
{
	for (size_t i = 0; i < r->nrows; i++) {
		free(r->rows[i].user);
		free(r->rows[i].target);
	}
	free(r->rows);
	json_decref(r->places);
	json_decref(r->callers);
	*r = (struct report){.rows = NULL};
}

static const char *
text_of(const json_t *rec, const char *key)
{
	const char *s = json_str(rec, key);

	return s ? s : "";
}

static bool
is_event(const json_t *rec, const char *name)
{
	return strcmp(text_of(rec, "event"), name) == 0;
}

static struct report_row *
new_row(struct report *r, const char *user, const char *target)
{
	struct report_row *more = r->rows, *row;

	if ((r->nrows & (r->nrows + 1)) == 0)
		more = realloc(r->rows, (2 * r->nrows + 2) * sizeof *more);
	if (!more)
		return NULL;
	r->rows = more;
	row = &more[r->nrows];
	*row = (struct report_row){.user = strdup(user), .target = strdup(target)};
	if (row->user && row->target) {
		r->nrows++;
		return row;
	}
	free(row->user);
	free(row->target);
	return NULL;
}

static struct report_row *
row_of(struct report *r, const char *user, const char *target)
{
	auto_free char *key = NULL;
	const json_t *at;
	struct report_row *row;

	if (asprintf(&key, "%s\n%s", user, target) < 0)
		return NULL;
	at = json_object_get(r->places, key);
	if (!at && r->nrows >= REPORT_ROWS && strcmp(user, OTHERS) != 0)
		return row_of(r, OTHERS, OTHERS);
	if (at)
		return &r->rows[json_integer_value(at)];
	row = new_row(r, user, target);
	if (row)
		json_object_set_new(r->places, key, json_integer((json_int_t)(row - r->rows)));
	return row;
}

static void
count(struct report *r, struct report_row *row, enum report_count what)
{
	row->n[what]++;
	r->total.n[what]++;
}

static void
remember(struct report *r, const json_t *rec)
{
	struct report_recent *x = &r->recent[r->nrecent++ % REPORT_RECENT];
	const char *target = audit_target(rec), *why = json_str(rec, "error");

	str_copy(x->time, text_of(rec, "timestamp"), sizeof x->time);
	str_copy(x->event, text_of(rec, "event"), sizeof x->event);
	str_copy(x->user, text_of(rec, "user_id"), sizeof x->user);
	str_copy(x->target, target ? target : "", sizeof x->target);
	str_copy(x->why, why ? why : text_of(rec, "actor"), sizeof x->why);
}

static void
add_start(struct report *r, struct report_row *row, const json_t *rec)
{
	count(r, row, REPORT_SESSIONS);
	if (json_int(rec, "uid", -1) == 0)
		count(r, row, REPORT_ROOT);
	if (strcmp(text_of(rec, "decision"), "would-deny") == 0) {
		count(r, row, REPORT_WOULD);
		remember(r, rec);
	}
}

static void
add_end(struct report *r, struct report_row *row, const json_t *rec)
{
	int64_t ms = json_int(rec, "duration_ms", 0);
	bool truncated = is_event(rec, "session.truncated");

	if (ms > 0 && ms < INT64_MAX / 2 - r->total.time_ms) {
		row->time_ms += ms;
		r->total.time_ms += ms;
	}
	if (truncated) {
		count(r, row, REPORT_TRUNCATED);
		remember(r, rec);
	} else if (json_int(rec, "exit_code", 0) != 0 || json_str(rec, "error")) {
		count(r, row, REPORT_FAILED);
	}
}

static bool
is_access(const char *event)
{
	static const char *const names[] = {"session.attach", "session.watch", "session.join",
	    "session.kill", "session.freeze", "session.thaw", "session.read", "session.unseal"};

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (strcmp(event, names[i]) == 0)
			return true;
	return false;
}

/* Nobody knows who it was, only from where. */
static void
add_caller(struct report *r, const json_t *rec)
{
	const char *actor = text_of(rec, "actor");
	json_t *n;

	r->not_let_in++;
	remember(r, rec);
	if (!json_object_get(r->callers, actor) && json_object_size(r->callers) >= CALLERS_MAX)
		actor = OTHERS;
	n = json_object_get(r->callers, actor);
	json_object_set_new(r->callers, actor, json_integer(json_integer_value(n) + 1));
}

/* A removal has a second record when it failed. */
static bool
is_removal(const json_t *rec)
{
	return (is_event(rec, "session.remove") || is_event(rec, "session.removed")) &&
	       !json_str(rec, "error");
}

static int
add_to_row(struct report *r, const json_t *rec)
{
	const char *event = text_of(rec, "event"), *target = audit_target(rec);
	struct report_row *row = row_of(r, text_of(rec, "user_id"), target ? target : "");

	if (!row)
		return -1;
	str_copy(row->last, text_of(rec, "timestamp"), sizeof row->last);
	str_copy(r->total.last, row->last, sizeof r->total.last);
	if (strcmp(event, "session.start") == 0) {
		add_start(r, row, rec);
	} else if (strcmp(event, "session.end") == 0 || strcmp(event, "session.truncated") == 0) {
		add_end(r, row, rec);
	} else if (strcmp(event, "denied") == 0) {
		count(r, row, REPORT_DENIED);
		remember(r, rec);
	} else if (is_removal(rec)) {
		count(r, row, REPORT_REMOVED);
	} else if (is_access(event)) {
		count(r, row, REPORT_ACCESS);
	}
	return 0;
}

int
report_add(struct report *r, const json_t *rec)
{
	const char *event = text_of(rec, "event");

	if (r->records++ == 0)
		str_copy(r->first, text_of(rec, "timestamp"), sizeof r->first);
	str_copy(r->last, text_of(rec, "timestamp"), sizeof r->last);
	if (strcmp(event, "auth.failure") == 0) {
		add_caller(r, rec);
		return 0;
	}
	/* What the agent tells of itself nobody did. */
	if (strcmp(event, "denied") == 0 || strncmp(event, "session.", 8) == 0)
		return add_to_row(r, rec);
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const struct report_row *x = a, *y = b;
	int rc;

	for (size_t i = 0; i < REPORT_COUNTS; i++)
		if (x->n[i] != y->n[i])
			return x->n[i] > y->n[i] ? -1 : 1;
	rc = strcmp(x->user, y->user);
	return rc ? rc : strcmp(x->target, y->target);
}

void
report_sort(struct report *r)
{
	if (r->nrows > 1)
		qsort(r->rows, r->nrows, sizeof *r->rows, compare);
}

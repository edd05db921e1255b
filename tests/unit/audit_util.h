/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TESTS_AUDIT_UTIL_H
#define CORAL_TESTS_AUDIT_UTIL_H

/* A log in the directory of a test. */
#include "audit/log.h"
#include "audit/read.h"
#include "base/json.h"
#include "record_util.h"

static __attribute__((unused)) json_t *
aud_record(int n)
{
	json_t *rec = audit_record_new("session.start");

	audit_set_text(rec, "user_id", "alice");
	audit_set_int(rec, "container_pid", n);
	return rec;
}

static __attribute__((unused)) int
aud_put(struct audit_log *l, int n, struct err *e)
{
	json_t *rec = aud_record(n);
	int rc = audit_log_put(l, rec, false, e);

	json_decref(rec);
	return rc;
}

/* Opens, puts `n` records numbered from `from`, closes. */
static __attribute__((unused)) int
aud_fill(const char *dir, uint64_t limit, int from, int n)
{
	struct err e = {0};
	struct audit_log *l = audit_log_open(dir, &e);
	int rc = l ? 0 : -1;

	if (l && limit)
		audit_log_limit(l, limit);
	for (int i = 0; rc == 0 && i < n; i++)
		rc = aud_put(l, from + i, &e);
	if (rc < 0)
		printf("# %s: %s\n", e.what, e.why);
	audit_log_close(l);
	return rc;
}

/* Reads all of it; how many records have each container_pid below `n` goes to seen. */
static __attribute__((unused)) struct audit_verdict
aud_read(const char *dir, unsigned *seen, size_t n)
{
	struct err e = {0};
	struct audit_reader *r = audit_read_open(dir, &e);
	struct audit_verdict v = {0};
	struct audit_entry x;

	memset(seen, 0, n * sizeof *seen);
	while (r && audit_next(r, &x, &e) == 1) {
		json_t *j = json_parse(x.text, x.len, NULL);
		int64_t pid = json_int(j, "container_pid", -1);

		if (x.good && pid >= 0 && (size_t)pid < n)
			seen[pid]++;
		json_decref(j);
	}
	ok(r && e.code == ERR_NONE, "the log is read: %s %s", e.what, e.why);
	if (r)
		audit_verdict(r, &v);
	audit_read_close(r);
	return v;
}

static __attribute__((unused)) bool
aud_is_whole(const struct audit_verdict *v)
{
	if (v->bad || !v->begins || v->torn)
		printf("# bad %d at %s:%d %s, begins %d, torn %d\n", (int)v->bad, v->bad_file,
		    (int)v->bad_line, v->why, v->begins, v->torn);
	return v->bad == 0 && v->begins && !v->torn;
}

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "audit/send.h"
#include "base/attr.h"
#include "base/conf.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/audit_report.h"
#include "cli/audit_source.h"
#include "cli/cmds.h"
#include "cli/table.h"

#define CALLERS_SHOWN 5
/* Of a container: as runtimes show it. */
#define ID_LEN 64
#define ID_SHOWN 12

static const char *const heads[REPORT_COUNTS] = {
    "SESSIONS", "AS ROOT", "FAILED", "TRUNCATED", "DENIED", "WOULD DENY", "ACCESS", "REMOVED"};

static void
duration(int64_t ms, char *out, size_t size)
{
	long long s = (long long)(ms / 1000);

	if (s >= 3600)
		snprintf(out, size, "%lldh %02lldm", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(out, size, "%lldm %02llds", s / 60, s % 60);
	else
		snprintf(out, size, "%lld.%llds", s, (long long)(ms % 1000 / 100));
}

/* To the right, below its head. */
static void
number_cell(struct table *t, const char *head, uint64_t n)
{
	char text[32];

	if (n > 0)
		snprintf(text, sizeof text, "%*llu", (int)strlen(head), (unsigned long long)n);
	else
		snprintf(text, sizeof text, "%*s", (int)strlen(head), ".");
	table_cell(t, text);
}

static void
add_row(struct table *t, const struct report *r, const struct report_row *row, const char *user)
{
	char time[32], last[24], padded[40], target[256];

	table_cell(t, user);
	str_copy(target, row->target ? row->target : "", sizeof target);
	if (strlen(target) == ID_LEN && strspn(target, "0123456789abcdef") == ID_LEN)
		target[ID_SHOWN] = '\0';
	table_cell(t, target);
	for (size_t i = 0; i < REPORT_COUNTS; i++) {
		if (i == 1) {
			duration(row->time_ms, time, sizeof time);
			snprintf(padded, sizeof padded, "%8s", time);
			table_cell(t, padded);
		}
		if (r->total.n[i] > 0 || i == 0)
			number_cell(t, heads[i], row->n[i]);
	}
	snprintf(last, sizeof last, "%.16s%s", row->last, row->last[0] ? "Z" : "");
	if (last[10] == 'T')
		last[10] = ' ';
	table_cell(t, last);
}

/* Of the counts only those that something has. */
static int
print_rows(const struct report *r)
{
	const char *all[REPORT_COUNTS + 5] = {"USER", "TARGET"};
	struct table *t;
	size_t n = 2;

	for (size_t i = 0; i < REPORT_COUNTS; i++) {
		if (i == 1)
			all[n++] = "    TIME";
		if (r->total.n[i] > 0 || i == 0)
			all[n++] = heads[i];
	}
	all[n++] = "LAST";
	all[n] = NULL;
	t = table_new(all);
	if (!t)
		return -1;
	for (size_t i = 0; i < r->nrows; i++)
		add_row(t, r, &r->rows[i], r->rows[i].user);
	if (r->nrows > 1)
		add_row(t, r, &r->total, "total");
	table_print(t, stdout, (int)n);
	table_free(t);
	return 0;
}

static void
heading(const char *text)
{
	bool bold = table_colour(stdout);

	printf("\n%s%s%s\n", bold ? "\033[1m" : "", text, bold ? "\033[0m" : "");
}

static void
print_callers(const struct report *r)
{
	char text[64], vis[256];
	size_t shown = 0;
	const char *who;
	json_t *n;

	if (r->not_let_in == 0)
		return;
	snprintf(text, sizeof text, "Not let in: %llu", (unsigned long long)r->not_let_in);
	heading(text);
	json_object_foreach(r->callers, who, n)
	{
		if (shown++ == CALLERS_SHOWN)
			break;
		str_vis(vis, sizeof vis, who);
		printf("%8lld  %s\n", (long long)json_integer_value(n), *vis ? vis : "-");
	}
	if (json_object_size(r->callers) > CALLERS_SHOWN)
		printf(
		    "          and from %zu more\n", json_object_size(r->callers) - CALLERS_SHOWN);
}

/* The newest last. */
static const struct report_recent *
recent(const struct report *r, size_t i)
{
	uint64_t first = r->nrecent > REPORT_RECENT ? r->nrecent - REPORT_RECENT : 0;

	return first + i < r->nrecent ? &r->recent[(first + i) % REPORT_RECENT] : NULL;
}

static void
print_recent(const struct report *r)
{
	const struct report_recent *x;
	int width = table_columns(stdout);
	char line[2048], part[1024];

	if (r->nrecent > 0)
		heading(r->nrecent > REPORT_RECENT ? "To look at, the last 10" : "To look at");
	for (size_t i = 0; (x = recent(r, i)); i++) {
		snprintf(part, sizeof part, "%.19sZ  %s  %s%s%s", x->time, x->event,
		    x->user[0] ? x->user : "-", x->target[0] ? " in " : "", x->target);
		str_vis(line, sizeof line, part);
		fputs(line, stdout);
		if (x->why[0]) {
			str_vis(part, sizeof part, x->why);
			fputs("\n    ", stdout);
			table_wrap(stdout, part, 4, 4, width ? width : 100);
		} else {
			putchar('\n');
		}
	}
}

static void
print_report(const struct report *r, const struct audit_source *s)
{
	struct audit_verdict v;

	audit_source_verdict(s, &v);
	if (r->records == 0) {
		puts("No records.");
		return;
	}
	printf("%.19sZ to %.19sZ: %llu %s, %s\n\n", r->first, r->last,
	    (unsigned long long)r->records, r->records == 1 ? "record" : "records",
	    v.bad ? "and the log is NOT as it was written" : "and the chain of the log holds");
	print_rows(r);
	print_callers(r);
	print_recent(r);
}

static json_t *
row_json(const struct report_row *row, bool total)
{
	json_t *j = json_object();

	if (!total) {
		json_object_set_new(
		    j, "user_id", row->user[0] ? json_text(row->user) : json_null());
		json_object_set_new(
		    j, "target", row->target[0] ? json_text(row->target) : json_null());
	}
	for (size_t i = 0; i < REPORT_COUNTS; i++)
		json_object_set_new(j, report_keys[i], json_integer((json_int_t)row->n[i]));
	json_object_set_new(j, "time_ms", json_integer((json_int_t)row->time_ms));
	if (!total)
		json_object_set_new(j, "last", json_text(row->last));
	return j;
}

static void
print_json(const struct report *r, const struct audit_source *s)
{
	json_t *rows = json_array(), *callers = json_array(), *look = json_array(), *j, *n;
	const struct report_recent *x;
	struct audit_verdict v;
	const char *who;

	audit_source_verdict(s, &v);
	for (size_t i = 0; i < r->nrows; i++)
		json_array_append_new(rows, row_json(&r->rows[i], false));
	json_object_foreach(r->callers, who, n)
	{
		json_array_append_new(callers, json_pack("{s:s,s:O}", "actor", who, "count", n));
	}
	for (size_t i = 0; (x = recent(r, i)); i++)
		json_array_append_new(
		    look, json_pack("{s:s,s:s,s:o,s:o,s:o}", "timestamp", x->time, "event",
			      x->event, "user_id", x->user[0] ? json_text(x->user) : json_null(),
			      "target", x->target[0] ? json_text(x->target) : json_null(), "why",
			      x->why[0] ? json_text(x->why) : json_null()));
	j = json_pack("{s:s,s:s,s:I,s:I,s:o,s:o,s:I,s:o,s:o}", "first", r->first, "last", r->last,
	    "records", (json_int_t)r->records, "bad", (json_int_t)v.bad, "rows", rows, "total",
	    row_json(&r->total, true), "not_let_in", (json_int_t)r->not_let_in, "callers", callers,
	    "recent", look);
	cmd_print_json(j);
	json_decref(j);
}

static int
collect(struct report *r, struct audit_source *s, const struct audit_want *w, struct err *e)
{
	char text[AUDIT_TEXT_MAX];
	struct audit_entry x;
	int rc;

	while ((rc = audit_source_next(s, &x, e)) == 1) {
		json_t *rec = audit_want_take(w, &x, text);

		rc = rec ? report_add(r, rec) : 0;
		json_decref(rec);
		if (rc < 0)
			return err_set(e, ERR_LIMIT, ENOMEM, "cannot sum up the audit log");
	}
	report_sort(r);
	return rc;
}

static int
run(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	struct audit_want want = {.user = NULL};
	struct audit_source *s = NULL;
	struct report r;
	struct err e = {0};
	struct conf conf;
	bool as_json;
	char dir[512];
	int rc = -1;

	(void)dashdash;
	if (argc > 0)
		return cmd_bad_words(c, argc, argv, &e), cmd_fail(&e);
	report_init(&r);
	if (cmd_format(a, &as_json, &e) == 0 && audit_want_init(&want, a, &e) == 0 &&
	    cmd_settings(&conf, &e) == 0 && audit_dir(conf.state_dir, dir, sizeof dir, &e) == 0 &&
	    (s = audit_source_open(dir, &want, 0, false, &e)))
		rc = collect(&r, s, &want, &e);
	if (rc == 0 && as_json)
		print_json(&r, s);
	else if (rc == 0)
		print_report(&r, s);
	rc = rc == 0 ? audit_source_say_bad(s) : cmd_fail(&e);
	report_fini(&r);
	audit_source_close(s);
	audit_want_fini(&want);
	return rc;
}

static const struct opt opts[] = {
    AUDIT_WANT_OPTS,
    {"output", 'o', OPT_STR, "table|json", "how to print", COMP_WORDS, "table json"},
    {NULL, 0, OPT_FLAG, NULL, NULL, COMP_NONE, NULL},
};

const struct cmd cmd_audit_report = {
    .name = "audit report",
    .usage = "[flags]",
    .summary = "sum up who did what, with which target, and what to look at",
    .examples = "coral audit report --since 30d\tthe last month\n"
		"coral audit report --since yesterday -s checkout -o json\tfor another program\n",
    .opts = opts,
    .run = run,
};

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "audit/send.h"
#include "base/attr.h"
#include "base/conf.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/audit_bundle.h"
#include "cli/audit_session.h"
#include "cli/audit_source.h"
#include "cli/cmds.h"

struct job {
	struct audit_want want;
	char session[STORE_ID_LEN + 1];
	struct audit_source *s;
	struct audit_bundle *bundle; /* NULL: to standard output */
	bool csv;
};

/* A program of tables takes what begins so for a formula, and computes it. */
static bool
is_formula(const char *s)
{
	return *s && strchr("=+-@", *s);
}

static void
put_cell(const json_t *v)
{
	auto_free char *other = NULL;
	char vis[AUDIT_LINE_MAX];
	const char *s = json_string_value(v);

	if (!v || json_is_null(v))
		return;
	if (!s)
		s = other = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
	str_vis(vis, sizeof vis, s ? s : "");
	putchar('"');
	if (json_is_string(v) && is_formula(vis))
		putchar('\'');
	for (const char *p = vis; *p; p++) {
		if (*p == '"')
			putchar('"');
		putchar(*p);
	}
	putchar('"');
}

static void
put_row(const json_t *rec)
{
	for (const char *const *k = audit_keys; *k; k++) {
		put_cell(json_object_get(rec, *k));
		putchar(',');
	}
	put_cell(json_object_get(rec, "prev_hash"));
	putchar(',');
	put_cell(json_object_get(rec, "hash"));
	fputs("\r\n", stdout);
}

static void
put_heads(void)
{
	for (const char *const *k = audit_keys; *k; k++)
		printf("%s,", *k);
	fputs("prev_hash,hash\r\n", stdout);
}

static int
put(struct job *j, const struct audit_entry *x, const json_t *rec, struct err *e)
{
	if (j->bundle)
		return audit_bundle_record(j->bundle, x, rec, e);
	if (j->csv)
		put_row(rec);
	else
		printf("%.*s\n", (int)x->len, x->text);
	return 0;
}

static int
put_all(struct job *j, struct err *e)
{
	char text[AUDIT_TEXT_MAX];
	struct audit_entry x;
	int rc;

	while ((rc = audit_source_next(j->s, &x, e)) == 1) {
		json_t *rec = audit_want_take(&j->want, &x, text);

		rc = rec ? put(j, &x, rec, e) : 0;
		json_decref(rec);
		if (rc < 0 || ferror(stdout))
			break;
	}
	if (rc == 0 && (fflush(stdout) == EOF || ferror(stdout))) {
		err_set(e, ERR_IO, errno, "cannot write what is exported");
		return *e->hint ? -1 : err_hint(e, "-d DIR, or another standard output");
	}
	return rc;
}

/* As it was said, for the manifest. */
static json_t *
asked(const struct args *a, const struct audit_want *w)
{
	const char *keys[] = {"user", "service", "session", "event", "decision", "grep"};
	json_t *j = json_object();

	json_object_set_new(j, "since", w->since[0] ? json_string(w->since) : json_null());
	json_object_set_new(j, "until", w->until[0] ? json_string(w->until) : json_null());
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		const char *s = args_str(a, keys[i]);

		json_object_set_new(j, keys[i], s ? json_text(s) : json_null());
	}
	return j;
}

/* 1: without a recording that could not be read. */
static int
finish(struct job *j, const struct args *a, const char *state_dir, struct err *e)
{
	bool recordings = args_flag(a, "recordings") || args_str(a, "session");
	struct audit_verdict v;
	json_t *what;
	int rc;

	if (!j->bundle)
		return 0;
	what = asked(a, &j->want);
	audit_source_verdict(j->s, &v);
	rc = audit_bundle_finish(j->bundle, state_dir, recordings, what, &v, e);
	json_decref(what);
	return rc == 0 ? audit_bundle_say(j->bundle, stdout) : rc;
}

static int
take_flags(struct job *j, const struct args *a, struct err *e)
{
	const char *format = args_str(a, "output"), *dir = args_str(a, "directory");

	j->csv = format && strcmp(format, "csv") == 0;
	if (format && !j->csv && strcmp(format, "json") != 0) {
		err_set(e, ERR_USAGE, 0, "cannot export as \"%.40s\"", format);
		err_why(e, "there is no such format of records");
		return err_hint(e, "-o json, or -o csv");
	}
	if (dir && format) {
		err_set(e, ERR_USAGE, 0, "-o and -d exclude each other");
		err_why(e, "the records in a directory are the lines of the log");
		return err_hint(e, "leave one of them out");
	}
	if (!dir && args_flag(a, "recordings")) {
		err_set(e, ERR_USAGE, 0, "cannot export recordings to standard output");
		err_why(e, "they are files of their own");
		return err_hint(e, "-d DIR");
	}
	return audit_want_init(&j->want, a, e);
}

static int export(struct job *j, const struct args *a, struct err *e)
{
	struct conf conf;
	char dir[512];

	if (take_flags(j, a, e) < 0 || cmd_settings(&conf, e) < 0 ||
	    audit_dir(conf.state_dir, dir, sizeof dir, e) < 0)
		return -1;
	/* Evidence: by what the log has, and not by what an index says that it has. */
	if (j->want.session && audit_session_find(dir, j->want.session, true, j->session, e) < 0)
		return -1;
	if (j->want.session)
		j->want.session = j->session;
	j->s = audit_source_open(dir, &j->want, 0, true, e);
	if (!j->s)
		return -1;
	if (args_str(a, "directory") &&
	    !(j->bundle = audit_bundle_open(args_str(a, "directory"), e)))
		return -1;
	if (j->csv)
		put_heads();
	return put_all(j, e) < 0 ? -1 : finish(j, a, conf.state_dir, e);
}

static int
run(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	struct job j = {.s = NULL};
	struct err e = {0};
	int rc;

	(void)dashdash;
	if (argc > 0) {
		cmd_bad_words(c, argc, argv, &e);
		err_hint(&e, "coral audit export --session ID -d DIR");
		return cmd_fail(&e);
	}
	rc = export(&j, a, &e);
	rc = rc < 0 ? cmd_fail(&e) : audit_source_say_bad(j.s) | rc;
	audit_bundle_free(j.bundle);
	audit_source_close(j.s);
	audit_want_fini(&j.want);
	return rc;
}

static const struct opt opts[] = {
    AUDIT_WANT_OPTS,
    {"output", 'o', OPT_STR, "json|csv", "how to print; json, the default: the lines as they are",
	COMP_WORDS, "json csv"},
    {"directory", 'd', OPT_STR, "DIR", "write a directory for an auditor, with all that proves it",
	COMP_DIR, NULL},
    {"recordings", 0, OPT_FLAG, NULL, "with the recordings of the sessions; --session implies it",
	COMP_NONE, NULL},
    {NULL, 0, OPT_FLAG, NULL, NULL, COMP_NONE, NULL},
};

const struct cmd cmd_audit_export = {
    .name = "audit export",
    .usage = "[flags]",
    .summary = "take records out of the audit log, with recordings and what proves them",
    .examples =
	"coral audit export --session 01jd0 -d case-7\ta directory for an auditor\n"
	"coral audit export --since 2026-11-01 --until 2026-12-01 -o csv >november.csv\tfor a "
	"program of tables\n",
    .opts = opts,
    .run = run,
};

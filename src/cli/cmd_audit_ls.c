/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/cmds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "audit/send.h"
#include "base/conf.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/audit_session.h"
#include "cli/audit_source.h"
#include "cli/audit_text.h"

#define LINES_MAX 100000

/* What is printed; with --lines the last of them are held back until all are read. */
struct listing {
	struct audit_want want;
	struct audit_source *s;
	const char *session; /* the one whose id begins so; NULL: as the flags say */
	bool as_json, whole; /* whole: every key on a line of its own */
	bool none;	     /* --lines 0: of what there is already */
	size_t keep, at, shown;
	char **kept;
};

static void
print_value(const char *key, const json_t *v)
{
	char text[AUDIT_LINE_MAX], vis[AUDIT_LINE_MAX];
	auto_free char *other = NULL;
	const char *argv[512];
	size_t i, n = 0;
	json_t *s;

	if (json_is_array(v)) {
		json_array_foreach(v, i, s) if (json_is_string(s) && n + 1 < COUNT_OF(argv))
		    argv[n++] = json_string_value(s);
		argv[n] = NULL;
		str_quote_argv(text, sizeof text, argv);
		printf("%s: %s\n", key, n ? text : "-");
		return;
	}
	if (!json_is_string(v))
		other = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
	str_vis(vis, sizeof vis, json_is_string(v) ? json_string_value(v) : other ? other : "?");
	printf("%s: %s\n", key, vis);
}

static void
print_whole(const struct listing *l, const json_t *rec)
{
	const char *key;
	char name[128];
	json_t *v;

	if (l->shown > 0)
		putchar('\n');
	json_object_foreach((json_t *)(uintptr_t)rec, key, v)
	{
		if (json_is_null(v))
			continue;
		str_vis(name, sizeof name, key);
		print_value(name, v);
	}
}

static void
print(struct listing *l, const struct audit_entry *x, const json_t *rec, const char *text)
{
	char *line;

	if (l->none)
		return;
	line = l->as_json ? json_show_text(x->text, x->len) : strdup(text);
	if (l->keep > 0) {
		free(l->kept[l->at % l->keep]);
		l->kept[l->at++ % l->keep] = line;
		return;
	}
	if (l->as_json)
		puts(line ? line : "");
	else if (l->whole)
		print_whole(l, rec);
	else
		puts(text);
	free(line);
	l->shown++;
}

static void
print_kept(struct listing *l)
{
	for (size_t i = l->at > l->keep ? l->at - l->keep : 0; i < l->at; i++)
		if (l->kept[i % l->keep]) {
			puts(l->kept[i % l->keep]);
			l->shown++;
		}
	l->keep = 0;
}

static int
read_all(struct listing *l, struct err *e)
{
	char text[AUDIT_TEXT_MAX];
	struct audit_entry x;
	json_t *rec;
	int rc;

	while ((rc = audit_source_next(l->s, &x, e)) == 1) {
		rec = audit_want_take(&l->want, &x, text);
		if (rec)
			print(l, &x, rec, text);
		json_decref(rec);
	}
	if (rc == 0 && l->keep > 0)
		print_kept(l);
	l->none = false;
	return rc;
}

/* inotify(7): EMFILE and ENOSPC say that a user has as many as he may. */
static int
cannot_watch(struct err *e)
{
	err_set(e, ERR_IO, errno, "cannot watch the audit log");
	err_why(e, "inotify: %s", strerror(errno));
	return err_hint(e, "raise max_user_instances or max_user_watches in /proc/sys/fs/inotify");
}

/* Until it is killed. */
static int
follow(struct listing *l, int changes, struct err *e)
{
	char events[4096];

	for (;;) {
		if (read_all(l, e) < 0)
			return -1;
		if (cmd_print_failed()) {
			err_set(e, ERR_IO, errno, "cannot write the records");
			err_why(e, "%s", strerror(errno));
			return err_hint(e, "make room there, or write them elsewhere");
		}
		if (ferror(stdout))
			return 0;
		if (read(changes, events, sizeof events) < 0 && errno != EINTR)
			return cannot_watch(e);
	}
}

/* Watched before it is read: nothing is missed between. */
static int
list(struct listing *l, const char *dir, bool following, struct err *e)
{
	auto_close int changes = -1;

	l->s = audit_source_open(dir, &l->want, l->keep, following, e);
	if (!l->s)
		return -1;
	if (!following)
		return read_all(l, e);
	changes = inotify_init1(IN_CLOEXEC);
	if (changes < 0 || inotify_add_watch(changes, dir, IN_MODIFY | IN_MOVED_FROM) < 0)
		return cannot_watch(e);
	return follow(l, changes, e);
}

static int
run(struct listing *l, const struct args *a, bool following)
{
	char dir[512], id[STORE_ID_LEN + 1];
	struct err e = {0};
	struct conf conf;
	int rc = -1;

	if (cmd_format(a, &l->as_json, &e) == 0 && audit_want_init(&l->want, a, &e) == 0 &&
	    cmd_settings(&conf, &e) == 0 && audit_dir(conf.state_dir, dir, sizeof dir, &e) == 0 &&
	    (!l->session || audit_session_find(dir, l->session, false, id, &e) == 0)) {
		if (l->session)
			l->want.session = id;
		rc = list(l, dir, following, &e);
	}
	if (rc == 0)
		rc = audit_source_say_bad(l->s);
	else
		rc = cmd_fail(&e);
	audit_source_close(l->s);
	audit_want_fini(&l->want);
	return rc;
}

static int
run_ls(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	struct listing l = {.none = args_int(a, "lines", 1) == 0};
	struct err e = {0};
	size_t lines;
	int rc;

	(void)dashdash;
	if (argc > 0) {
		cmd_bad_words(c, argc, argv, &e);
		err_hint(&e, "coral audit show ID has those of one session");
		return cmd_fail(&e);
	}
	if (audit_want_lines(a, LINES_MAX, &lines, &e) < 0)
		return cmd_fail(&e);
	l.keep = lines;
	l.kept = calloc(l.keep + 1, sizeof *l.kept);
	if (!l.kept)
		l.keep = 0;
	rc = run(&l, a, args_flag(a, "follow"));
	for (size_t i = 0; l.kept && i < lines; i++)
		free(l.kept[i]);
	free(l.kept);
	return rc;
}

static int
run_show(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	struct listing l = {.whole = true, .session = argv[0]};
	struct err e = {0};

	(void)dashdash;
	if (argc != 1)
		return cmd_bad_words(c, argc, argv, &e), cmd_fail(&e);
	return run(&l, a, false);
}

#define OUTPUT                                                                                     \
	{                                                                                          \
		"output", 'o', OPT_STR, "table|json", "how to print; json: an object a line",      \
		    COMP_WORDS, "table json"                                                       \
	}
static const struct opt ls_opts[] = {
    AUDIT_WANT_OPTS,
    {"follow", 'f', OPT_FLAG, NULL, "go on as records are written", COMP_NONE, NULL},
    {"lines", 0, OPT_INT, "N", "the last N alone", COMP_NONE, NULL},
    OUTPUT,
    {NULL, 0, OPT_FLAG, NULL, NULL, COMP_NONE, NULL},
};
static const struct opt show_opts[] = {
    OUTPUT,
    {NULL, 0, OPT_FLAG, NULL, NULL, COMP_NONE, NULL},
};

const struct cmd cmd_audit_ls = {
    .name = "audit ls",
    .usage = "[flags]",
    .summary = "list the records of the audit log, the oldest first",
    .examples = "coral audit ls --since yesterday -u alice\twhat she did\n"
		"coral audit ls --decision deny --lines 20\tthe last that were denied\n"
		"coral audit ls -f -o json\tfor another program, as it happens\n",
    .opts = ls_opts,
    .run = run_ls,
};
const struct cmd cmd_audit_show = {
    .name = "audit show",
    .usage = "[flags] ID",
    .summary = "show every record of one session",
    .examples = "coral audit show 01jd0\ta prefix of the id will do\n",
    .opts = show_opts,
    .words = COMP_SESSION,
    .run = run_show,
};

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/cmds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/pattern.h"
#include "base/str.h"
#include "cli/auditor.h"
#include "cli/grep_text.h"
#include "cli/replay.h"
#include "cli/when.h"
#include "replay/grep.h"
#include "screen/screen.h"

#define MEMORY_MAX ((rlim_t)1 << 30)

struct search {
	const struct args *args;
	struct pattern pattern;
	char must[PATTERN_MAX + 1];
	const char *user, *service;
	int64_t since, until;
	struct grep_text out;
	size_t missed; /* recordings that were not searched, or not to the end */
};

static bool
match(void *arg, const char *line, size_t n, size_t *from, size_t *to)
{
	struct search *s = arg;

	return pattern_match(&s->pattern, line, n, from, to);
}

static int
found(void *arg, const struct grep_hit *h)
{
	struct search *s = arg;
	int64_t real = s->out.start < 0 ? -1 : s->out.start + h->t;

	if ((s->since > INT64_MIN || s->until < INT64_MAX) &&
	    (real < 0 || real < s->since || real > s->until))
		return 0;
	return grep_text_put(&s->out, h, real);
}

/* The rest is searched all the same. */
static void
missed(struct search *s, const struct err *e)
{
	s->missed++;
	fflush(stdout);
	cmd_fail(e);
}

static bool
of_whom(const struct search *s, const char *user, const char *target)
{
	return (!s->user || str_glob(s->user, user ? user : "")) &&
	       (!s->service || str_glob(s->service, target ? target : ""));
}

static void
search(struct search *s, const char *spec)
{
	struct grep_want want = {match, found, s, s->must[0] ? s->must : NULL};
	struct cast_reader *r;
	struct err e = {0};
	char name[300];
	auto_close int copy = -1;
	int fd = replay_source(s->args, spec, name, sizeof name, &e);

	if (fd >= 0)
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	r = fd < 0 ? NULL : cast_open_fd(fd, name, &e);
	if (!r) {
		missed(s, &e);
		return;
	}
	grep_text_begin(&s->out, spec, cast_header(r));
	if (of_whom(s, s->out.user, s->out.target) && grep_indexed(r, copy, &want, &e) < 0)
		missed(s, &e);
	cast_close(r);
}

/* Whether any of it is between --since and --until. */
static bool
in_time(const struct search *s, const json_t *row)
{
	const char *started = json_str(row, "started");
	int64_t from, ms = json_int(row, "duration_ms", -1);

	if (!started || when_parse(started, "started", 0, &from, NULL) < 0)
		return true;
	/* It is told to the second. */
	return from <= s->until &&
	       (ms < 0 || s->since < 0 || from + NS_PER_S + ms * (NS_PER_S / 1000) >= s->since);
}

/* Of a damaged one the size, and whose it is, may not be known: that it was not searched is said.
 */
static bool
may_have(const struct search *s, const json_t *row)
{
	const char *state = json_str(row, "state"), *user = json_str(row, "user");
	bool damaged = state && strcmp(state, "damaged") == 0;

	if (damaged && !user)
		return true;
	return (damaged || json_int(row, "size", 0) > 0) && in_time(s, row) &&
	       of_whom(s, user, json_str(row, "target"));
}

/* The oldest first. */
static int
search_all(struct search *s, struct err *e)
{
	json_t *rows = cmd_ask_session(s->args, REQ_SESSIONS, NULL, e);
	const json_t *row;

	if (!rows)
		return -1;
	for (size_t i = json_array_size(rows); i-- > 0 && !ferror(stdout);) {
		row = json_array_get(rows, i);
		if (json_str(row, "id") && may_have(s, row))
			search(s, json_str(row, "id"));
	}
	json_decref(rows);
	return 0;
}

static int
take_times(struct search *s, struct err *e)
{
	const char *since = args_str(s->args, "since"), *until = args_str(s->args, "until");

	s->since = INT64_MIN;
	s->until = INT64_MAX;
	if (since && when_parse(since, "since", clock_real(), &s->since, e) < 0)
		return -1;
	return until ? when_parse(until, "until", clock_real(), &s->until, e) : 0;
}

/* A hostile recording must not take the machine's memory. */
static void
bound_memory(void)
{
#ifndef __SANITIZE_ADDRESS__
	struct rlimit rl;

	if (getrlimit(RLIMIT_AS, &rl) < 0 ||
	    (rl.rlim_max != RLIM_INFINITY && rl.rlim_max < MEMORY_MAX))
		return;
	rl.rlim_cur = MEMORY_MAX;
	setrlimit(RLIMIT_AS, &rl);
#endif
}

/* As the screen has it: what it drops, the pattern need not have. */
static int
take_pattern(struct search *s, const char *word, struct err *e)
{
	auto_free char *text = strdup(word);
	const char *why;

	if (!text)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot search");
	why = screen_as_shown(text);
	if (why) {
		err_set(e, ERR_USAGE, 0, "no screen can have \"%s\" on it", word);
		err_why(e, "%s", why);
		return err_hint(
		    e, "write it as it is shown; with -E, \" +\" is any number of blanks");
	}
	if (pattern_init(&s->pattern, text, args_flag(s->args, "extended-regexp"),
		args_flag(s->args, "ignore-case"), e) < 0)
		return -1;
	pattern_must(&s->pattern, s->must);
	return 0;
}

static int
search_words(struct search *s, char **words, struct err *e)
{
	if (!*words)
		return search_all(s, e);
	for (; *words && !ferror(stdout); words++)
		search(s, *words);
	return 0;
}

static int
finish(struct search *s, struct err *e)
{
	grep_text_end(&s->out);
	if (fflush(stdout) == EOF || ferror(stdout)) {
		err_set(e, ERR_IO, errno, "cannot write what was found");
		if (!*e->hint)
			err_hint(e, "give it another standard output");
		return cmd_fail(e);
	}
	return s->missed > 0 || s->out.found == 0;
}

static int
run(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	struct search s = {
	    .args = a, .user = args_str(a, "user"), .service = args_str(a, "service")};
	struct err e = {0};
	bool as_json;
	int rc;

	(void)dashdash;
	if (argc < 1)
		return cmd_bad_words(c, argc, argv, &e), cmd_fail(&e);
	if (cmd_format(a, &as_json, &e) < 0 || take_times(&s, &e) < 0 ||
	    take_pattern(&s, argv[0], &e) < 0)
		return cmd_fail(&e);
	rc = grep_text_init(&s.out, a, as_json, &e);
	if (rc == 0)
		rc = auditor_unlock(a, &e);
	if (rc == 0) {
		bound_memory();
		rc = search_words(&s, argv + 1, &e);
	}
	rc = rc < 0 ? cmd_fail(&e) : finish(&s, &e);
	grep_text_fini(&s.out);
	pattern_fini(&s.pattern);
	return rc;
}

static const struct opt opts[] = {
    {"ignore-case", 'i', OPT_FLAG, NULL, "the case of letters does not count", COMP_NONE, NULL},
    {"extended-regexp", 'E', OPT_FLAG, NULL, "the pattern is an extended regular expression",
	COMP_NONE, NULL},
    {"since", 0, OPT_STR, "TIME", "what came on the screen from then on", COMP_NONE, NULL},
    {"until", 0, OPT_STR, "TIME", "and until then", COMP_NONE, NULL},
    {"user", 'u', OPT_STR, "USER", "in sessions of this user; * and ? stand for others", COMP_NONE,
	NULL},
    {"service", 's', OPT_STR, "SERVICE", "in sessions on this target; * and ? stand for others",
	COMP_SERVICE, NULL},
    {"lines", 0, OPT_INT, "N", "the last N alone", COMP_NONE, NULL},
    AUDITOR_KEY_OPT,
    {"output", 'o', OPT_STR, "table|json", "how to print; json: an object a line", COMP_WORDS,
	"table json"},
    CMD_AGENT_OPTS,
    {NULL, 0, OPT_FLAG, NULL, NULL, COMP_NONE, NULL},
};

const struct cmd cmd_audit_grep = {
    .name = "audit grep",
    .usage = "[flags] PATTERN [ID|FILE...]",
    .summary = "find a text that was on the screen of a session",
    .examples = "coral audit grep 'DROP TABLE'\tin all sessions, and how to look at each place\n"
		"coral audit grep -i --since yesterday -u alice password\tin those of one person\n"
		"coral audit grep -E 'rm -[rf]+ /' 01jd0\tin one, with a regular expression\n",
    .opts = opts,
    .words = COMP_SESSION,
    .run = run,
};

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a moderator does to sessions that run: end, freeze, thaw. */
#include "cli/cmds.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

/* One of them: its answer, or NULL and an error. */
typedef json_t *one_fn(const struct args *a, const char *id, struct err *e);

/* Asked before the first answer is waited for: each may take its 5 s of grace. */
#define AT_ONCE 8

static json_t *
has_ended(json_t *j, const char *id, struct err *e)
{
	const char *state = json_string_value(json_object_get(j, "state"));
	char seen[128];

	if (!state || strcmp(state, "live") != 0)
		return j;
	json_decref(j);
	str_vis(seen, sizeof(seen), id);
	err_set(e, ERR_TIMEOUT, 0, "session %s has not ended yet", seen);
	err_why(e, "it was told to, and SIGKILL was sent; something in it cannot die now");
	err_hint(e, "coral sessions show %s", seen);
	return NULL;
}

static json_t *
freeze_one(const struct args *a, const char *id, struct err *e)
{
	return cmd_ask_session(a, REQ_FREEZE, id, e);
}

static json_t *
thaw_one(const struct args *a, const char *id, struct err *e)
{
	return cmd_ask_session(a, REQ_THAW, id, e);
}

static void
print_id(const json_t *done, const char *said)
{
	const char *full = json_string_value(json_object_get(done, "id"));
	char id[128];

	str_vis(id, sizeof(id), full ? full : said);
	printf("%s\n", id);
}

/* What was done, one after the other. */
struct done {
	json_t *all;
	bool as_json;
	int rc;
};

static int
begin(struct done *d, const struct cmd *c, const struct args *a, int argc, char **argv)
{
	struct err e;

	*d = (struct done){.rc = 0};
	if (cmd_format(a, &d->as_json, &e) < 0 ||
	    (argc == 0 && cmd_bad_words(c, argc, argv, &e) < 0))
		return cmd_fail(&e);
	d->all = json_array();
	return 0;
}

/* Takes the answer; NULL: there is an error. */
static void
tell(struct done *d, json_t *answer, const char *id, const struct err *e)
{
	if (!answer) {
		d->rc = cmd_fail(e);
		return;
	}
	if (!d->as_json)
		print_id(answer, id);
	json_array_append_new(d->all, answer);
}

static int
end(struct done *d)
{
	if (d->as_json)
		cmd_print_json(d->all);
	json_decref(d->all);
	return d->rc;
}

static int
run_each(const struct cmd *c, const struct args *a, int argc, char **argv, one_fn *one)
{
	struct done d;
	int rc = begin(&d, c, a, argc, argv);

	if (rc != 0)
		return rc;
	for (int i = 0; i < argc; i++) {
		struct err e;
		json_t *answer = one(a, argv[i], &e);

		tell(&d, answer, argv[i], &e);
	}
	return end(&d);
}

static void
end_some(struct done *d, const struct args *a, int n, char **ids)
{
	struct cmd_asked *asked[AT_ONCE];
	struct err e[AT_ONCE];

	for (int i = 0; i < n; i++)
		asked[i] = cmd_ask_begin(a, REQ_KILL, ids[i], &e[i]);
	for (int i = 0; i < n; i++) {
		json_t *j = asked[i] ? cmd_ask_finish(asked[i], a, &e[i]) : NULL;

		if (j)
			j = has_ended(j, ids[i], &e[i]);
		tell(d, j, ids[i], &e[i]);
	}
}

static int
run_kill(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	struct done d;
	int rc = begin(&d, c, a, argc, argv);

	(void)dashdash;
	if (rc != 0)
		return rc;
	for (int i = 0; i < argc; i += AT_ONCE)
		end_some(&d, a, argc - i < AT_ONCE ? argc - i : AT_ONCE, argv + i);
	return end(&d);
}

static int
run_freeze(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	(void)dashdash;
	return run_each(c, a, argc, argv, freeze_one);
}

static int
run_thaw(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	(void)dashdash;
	return run_each(c, a, argc, argv, thaw_one);
}

static const struct opt opts[] = {
    {"output", 'o', OPT_STR, "table|json", "how to print", COMP_WORDS, "table json"},
    CMD_AGENT_OPTS,
    {NULL, 0, OPT_FLAG, NULL, NULL, COMP_NONE, NULL},
};

const struct cmd cmd_kill = {
    .name = "kill",
    .usage = "[flags] ID...",
    .summary = "end sessions that run",
    .examples = "coral kill 01jd0\tTERM, 5 s of grace, KILL; prints its id when it has ended\n"
		"coral sessions -o json | jq -r '.[] | select(.state == \"detached\") | .id' | "
		"xargs -r coral kill\tall that nobody is attached to\n",
    .opts = opts,
    .words = COMP_LIVE,
    .run = run_kill,
};
const struct cmd cmd_sessions_freeze = {
    .name = "sessions freeze",
    .usage = "[flags] ID...",
    .summary = "make sessions stand still: no key, no output, no process that runs",
    .examples = "coral sessions freeze 01jd0\tuntil coral sessions thaw, or coral kill\n",
    .opts = opts,
    .words = COMP_LIVE,
    .run = run_freeze,
};
const struct cmd cmd_sessions_thaw = {
    .name = "sessions thaw",
    .usage = "[flags] ID...",
    .summary = "let frozen sessions go on",
    .examples = "coral sessions thaw 01jd0\tas if nothing had been\n",
    .opts = opts,
    .words = COMP_LIVE,
    .run = run_thaw,
};

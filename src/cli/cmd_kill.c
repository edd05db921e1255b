/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a moderator does to sessions that run: end, freeze, thaw. */
#include "cli/cmds.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

/* One of them: its answer, or NULL and an error. */
typedef json_t *one_fn(const struct args *a, const char *id, struct err *e);

static json_t *
end_one(const struct args *a, const char *id, struct err *e)
{
	json_t *j = cmd_ask_session(a, REQ_KILL, id, e);
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

static int
run_each(const struct cmd *c, const struct args *a, int argc, char **argv, one_fn *one)
{
	json_t *all = json_array();
	bool as_json;
	struct err e;
	int rc = 0;

	if (cmd_format(a, &as_json, &e) < 0 ||
	    (argc == 0 && cmd_bad_words(c, argc, argv, &e) < 0)) {
		json_decref(all);
		return cmd_fail(&e);
	}
	for (int i = 0; i < argc; i++) {
		json_t *done = one(a, argv[i], &e);

		if (!done) {
			rc = cmd_fail(&e);
			continue;
		}
		if (!as_json)
			print_id(done, argv[i]);
		json_array_append_new(all, done);
	}
	if (as_json)
		cmd_print_json(all);
	json_decref(all);
	return rc;
}

static int
run_kill(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	(void)dashdash;
	return run_each(c, a, argc, argv, end_one);
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

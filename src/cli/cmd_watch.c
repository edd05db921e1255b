/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/enter.h"

static int
words(struct enter *en, int argc, char **argv, int dashdash, struct err *e)
{
	(void)dashdash;
	return argc != 1 ? cmd_bad_words(&cmd_watch, argc, argv, e) : enter_session(en, argv[0], e);
}

static int
run(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	(void)c;
	return enter_main(a, REQ_WATCH, words, argc, argv, dashdash);
}

static const struct opt opts[] = {
    CMD_AGENT_OPTS,
    ENTER_QUIET_OPT,
    ENTER_ESCAPE_OPT,
    {NULL, 0, OPT_FLAG, NULL, NULL, COMP_NONE, NULL},
};
const struct cmd cmd_watch = {
    .name = "watch",
    .usage = "[flags] ID",
    .summary = "look on at a session; nothing that is typed reaches it",
    .examples = "coral watch 01jd0\ta prefix of the id will do; q or ^C leaves\n"
		"coral watch 01jd0 | tee what.log\tits output as it comes\n",
    .opts = opts,
    .like_exec = true,
    .words = COMP_LIVE,
    .run = run,
};

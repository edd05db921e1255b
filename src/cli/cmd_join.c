/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/enter.h"

static int
words(struct enter *en, int argc, char **argv, int dashdash, struct err *e)
{
	(void)dashdash;
	return argc != 1 ? cmd_bad_words(&cmd_join, argc, argv, e) : enter_session(en, argv[0], e);
}

static int
run(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	(void)c;
	return enter_main(a, REQ_JOIN, words, argc, argv, dashdash);
}

static const struct opt opts[] = {
    CMD_AGENT_OPTS,
    ENTER_QUIET_OPT,
    ENTER_ESCAPE_OPT,
    ENTER_STATUS_OPT,
    {NULL, 0, OPT_FLAG, NULL, NULL, COMP_NONE, NULL},
};
const struct cmd cmd_join = {
    .name = "join",
    .usage = "[flags] ID",
    .summary = "take part in a session: look on, and type when the keyboard is given",
    .examples = "coral join 01jd0\ta prefix of the id will do; ~k asks for the keyboard\n",
    .opts = opts,
    .like_exec = true,
    .words = COMP_LIVE,
    .run = run,
};

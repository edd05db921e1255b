/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/enter.h"

static int
words(struct enter *en, int argc, char **argv, int dashdash, struct err *e)
{
	(void)dashdash;
	return argc > 1 ? cmd_bad_words(&cmd_attach, argc, argv, e) : enter_session(en, argv[0], e);
}

static int
run(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	(void)c;
	return enter_main(a, REQ_ATTACH, words, argc, argv, dashdash);
}

static const struct opt opts[] = {
    CMD_AGENT_OPTS,
    ENTER_QUIET_OPT,
    ENTER_ESCAPE_OPT,
    ENTER_STATUS_OPT,
    {NULL, 0, OPT_FLAG, NULL, NULL, COMP_NONE, NULL},
};
const struct cmd cmd_attach = {
    .name = "attach",
    .usage = "[flags] [ID]",
    .summary = "go on with a session that was left, at this terminal",
    .examples = "coral attach\tthe only session of yours that goes on\n"
		"coral attach 01jd0\ta prefix of the id will do; who typed there is let go\n",
    .opts = opts,
    .like_exec = true,
    .words = COMP_LIVE,
    .run = run,
};

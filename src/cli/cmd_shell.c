/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/enter.h"

static int
prepare(struct enter *en, int argc, char **argv, int dashdash, struct err *e)
{
	(void)dashdash;
	if (argc > 1) {
		err_set(e, ERR_USAGE, 0, "coral shell does not take \"%s\"", argv[1]);
		err_why(e, "it takes one target, and runs no command");
		return err_hint(e, "coral exec -t %s -- %s ...", argv[0], argv[1]);
	}
	if (enter_target(en, argv[0], e) < 0 || enter_tty(en, true, e) < 0)
		return -1;
	return enter_env(&en->req, en->args, e);
}

static int
run_shell(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	(void)c;
	return enter_main(a, REQ_SHELL, prepare, argc, argv, dashdash);
}

static const struct opt shell_opts[] = {
    ENTER_OPTS,
    {NULL, 0, OPT_FLAG, NULL, NULL, COMP_NONE, NULL},
};
const struct cmd cmd_shell = {
    .name = "shell",
    .usage = "[flags] [TARGET]",
    .summary = "open an interactive shell in a container",
    .examples = "coral shell checkout\ta prompt in the container of the service checkout\n"
		"coral shell --pid 4711\twhere that process is\n"
		"coral shell -u 0 checkout\tas root of the container, where policy permits\n"
		"coral shell checkout <steps.sh\ta script, without a terminal\n",
    .opts = shell_opts,
    .like_exec = true,
    .words = COMP_SERVICE,
    .run = run_shell,
};

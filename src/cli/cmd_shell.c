/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/enter.h"

static int
prepare(struct enter *en, int argc, char **argv, struct err *e)
{
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
	struct enter en;
	struct err e;
	int rc;

	(void)c;
	(void)dashdash;
	if (enter_init(&en, a, REQ_SHELL, &e) < 0 || prepare(&en, argc, argv, &e) < 0)
		rc = enter_fail(&en, &e);
	else
		rc = enter_run(&en);
	enter_fini(&en);
	return rc;
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

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/cmds.h"

#include <stdio.h>

static int
run_version(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	struct err e;

	(void)a;
	(void)dashdash;
	if (argc > 0) {
		cmd_bad_words(c, argc, argv, &e);
		return cmd_fail(&e);
	}
	printf("coral %s\n", CORAL_VERSION);
	return 0;
}

const struct cmd cmd_version = {
    .name = "version",
    .usage = "",
    .summary = "print the version",
    .run = run_version,
};

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_ARGS_H
#define CORAL_CLI_ARGS_H

/* The parser over a command's option rows. */
#include "cli/cmd.h"

#define ARGS_VALUES 256 /* of one option */

struct args {
	const struct cmd *cmd;
	struct args_value *values; /* one a row */
	bool help;		   /* -h or --help stood among the options */
	char **words;		   /* NULL-terminated; into argv */
	int nwords, dashdash;
};

/* argv: what follows the verb.  -1: ERR_USAGE.  Always call args_fini(). */
int args_parse(struct args *a, const struct cmd *c, int argc, char **argv, struct err *e);
void args_fini(struct args *a);

#endif

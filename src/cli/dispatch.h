/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_DISPATCH_H
#define CORAL_CLI_DISPATCH_H

#include <stdio.h>
#include "cli/cmd.h"

/* The whole program: the exit status. */
int cmd_main(int argc, char **argv);

/* Help on standard output, wrapped to its width.  c NULL: the overview. */
void help_print(FILE *f, const struct cmd *c);
/* The verbs of a word that is none by itself, as "audit"; false: it has none. */
bool help_group(FILE *f, const char *verb);
/* Every row of every command as JSON: what the check of the manual pages reads. */
int help_rows(void);

#endif

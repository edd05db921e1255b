/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_AUDITOR_H
#define CORAL_CLI_AUDITOR_H

/* An auditor's secret key, as the command line names it. */
#include <stdbool.h>
#include "cli/args.h"
#include "record/auditor.h"

/* What --key says, else CORAL_AUDITOR_KEY; NULL: neither. */
const char *auditor_key_path(const struct args *a);
/* Loads it, asking for its passphrase on the terminal.  ERR_USAGE when none is named. */
int auditor_key_take(struct auditor_key *k, const struct args *a, struct err *e);
/* The same, when one is named, for all that this process reads. */
int auditor_unlock(const struct args *a, struct err *e);
int auditor_unlock_with(const char *path, struct err *e);
/* As auditor_ask_fn, on the terminal. */
int auditor_ask(const char *what, char *out, size_t size, struct err *e);
/* A new one, twice; "" when there is to be none.  ERR_USAGE without a terminal. */
int auditor_ask_new(char *out, size_t size, struct err *e);

/* The row that names it. */
#define AUDITOR_KEY_OPT                                                                            \
	{                                                                                          \
		"key", 0, OPT_STR, "FILE",                                                         \
		    "an auditor's secret key, in place of CORAL_AUDITOR_KEY", COMP_FILE, NULL      \
	}

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_CMD_H
#define CORAL_CLI_CMD_H

/*
 * Verbs as data.  One file cmd_x.c a verb, one table row each; parsing, --help,
 * completion and the check of the man pages read the rows.
 */
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

enum opt_kind { OPT_FLAG, OPT_STR, OPT_INT, OPT_DUR, OPT_LIST };
/* What completes a value. */
enum opt_complete { COMP_NONE, COMP_SERVICE, COMP_POD, COMP_NAMESPACE, COMP_CONTAINER, COMP_PID, COMP_SESSION, COMP_LIVE /* sessions that run */, COMP_FILE, COMP_DIR, COMP_WORDS };

struct opt {
	const char *name;  /* long name, without -- */
	char letter;	   /* short one, or 0 */
	enum opt_kind kind;
	const char *arg;   /* metavariable: "NAME", or NULL for flags */
	const char *help;  /* one line, lower case, no full stop */
	enum opt_complete complete;
	const char *words; /* COMP_WORDS: "detach hangup kill" */
};

struct cmd;
/* Parsed values, by option name; owned by the dispatcher. */
struct args;
bool args_flag(const struct args *a, const char *name);
int args_count(const struct args *a, const char *name); /* times given: -tt */
const char *args_str(const struct args *a, const char *name); /* last, or NULL */
long long args_int(const struct args *a, const char *name, long long def); /* ns for OPT_DUR */
const char *const *args_list(const struct args *a, const char *name); /* NULL-terminated, may be empty */
bool args_by_letter(const struct args *a, const char *name, int i); /* the i-th time was -x, not --name */

struct cmd {
	const char *name;    /* "exec"; "agent start" for a sub-verb */
	const char *alias;   /* or NULL */
	const char *usage;   /* "[flags] [TARGET --] CMD [ARG...]" */
	const char *summary; /* one line */
	const char *examples; /* lines of "coral ...\tWHAT" */
	const struct opt *opts; /* ends with a NULL name */
	bool stop_at_word; /* options end at the first word (exec); one "--" right after it is taken out */
	bool like_exec;	   /* coral's own failures exit as err_exit_exec() says, a usage error with 125 */
	enum opt_complete words; /* what completes a plain word */
	const char *word_list;	 /* of COMP_WORDS: "bash zsh" */
	bool hidden;
	/* argv: the words after the options, NULL-terminated.  dashdash: index in argv before which
	 * "--" stood, or -1.  Returns the exit status. */
	int (*run)(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash);
};

extern const struct cmd *const cmd_table[]; /* NULL-terminated, in order of --help */
const struct cmd *cmd_find(int argc, char **argv, int *used);
/* Print an error and give the status: exec-like or local. */
int cmd_fail_exec(const struct err *e);
int cmd_fail(const struct err *e);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_ENTER_H
#define CORAL_CLI_ENTER_H

/* What exec, shell, attach, watch and join have in common. */
#include <jansson.h>
#include "base/conf.h"
#include "cli/cmds.h"
#include "client/client.h"

struct enter {
	const struct args *args;
	struct conf conf;
	struct request req;
	struct client_io io;
	bool as_json, explain;
	int status_fd; /* or -1 */
	/* The flags by which the agent is reached, to be typed again; or "".  A hint has room for
	 * it. */
	char reach[ERR_HINT_SIZE - 64];
	char **loose;  /* the command, when its first word may be a forgotten target; or NULL */
};

/* Rows of attach, watch and join too. */
#define ENTER_ESCAPE_OPT                                                                           \
	{                                                                                          \
		"escape", 0, OPT_STR, "CHAR|none",                                                 \
		    "what begins an escape in a terminal, as the first of a line (default ~)",     \
		    COMP_WORDS, "none"                                                             \
	}
#define ENTER_QUIET_OPT                                                                            \
	{                                                                                          \
		"quiet", 'q', OPT_FLAG, NULL, "no notices on standard error", COMP_NONE, NULL      \
	}
#define ENTER_STATUS_OPT                                                                           \
	{                                                                                          \
		"status-fd", 0, OPT_INT, "N", "write the outcome as JSON to this descriptor",      \
		    COMP_NONE, NULL                                                                \
	}
/* Rows of both, to be followed by the verb's own. */
#define ENTER_OPTS                                                                                 \
	{"service", 0, OPT_STR, "NAME", "enter the container of this service", COMP_SERVICE,       \
	    NULL},                                                                                 \
	    {"pod", 0, OPT_STR, "NAME", "enter a container of this pod", COMP_POD, NULL},          \
	    {"namespace", 'n', OPT_STR, "NS", "only in this Kubernetes namespace", COMP_NAMESPACE, \
		NULL},                                                                             \
	    {"container", 'c', OPT_STR, "NAME|ID", "enter this container", COMP_CONTAINER, NULL},  \
	    {"pid", 0, OPT_INT, "N", "enter where this process is", COMP_PID, NULL},               \
	    CMD_AGENT_OPTS,                                                                        \
	    {"stdin", 'i', OPT_FLAG, NULL, "pass standard input on (the default)", COMP_NONE,      \
		NULL},                                                                             \
	    {"no-stdin", 0, OPT_FLAG, NULL, "give the command an empty standard input", COMP_NONE, \
		NULL},                                                                             \
	    {"tty", 't', OPT_FLAG, NULL, "allocate a terminal; -tt even when there is none here",  \
		COMP_NONE, NULL},                                                                  \
	    {"T", 'T', OPT_FLAG, NULL, "never allocate a terminal", COMP_NONE, NULL},              \
	    {"user", 'u', OPT_STR, "NAME|UID[:GROUP]", "run as this user of the container",        \
		COMP_NONE, NULL},                                                                  \
	    {"workdir", 'w', OPT_STR, "DIR", "run in this directory of the container", COMP_NONE,  \
		NULL},                                                                             \
	    {"env", 'e', OPT_LIST, "K=V", "set a variable; -e K copies the value from here",       \
		COMP_NONE, NULL},                                                                  \
	    {"env-file", 0, OPT_LIST, "FILE", "set the variables that this file lists", COMP_FILE, \
		NULL},                                                                             \
	    ENTER_QUIET_OPT,                                                                       \
	    {"timeout", 0, OPT_DUR, "DUR", "end the command after this long (exit status 124)",    \
		COMP_NONE, NULL},                                                                  \
	    {"namespaces", 0, OPT_STR, "LIST", "enter only these, such as mnt,pid,net",            \
		COMP_WORDS, "mnt pid net ipc uts user cgroup time"},                               \
	    {"reason", 0, OPT_STR, "TEXT", "why, for the record", COMP_NONE, NULL},                \
	    {"privileged", 0, OPT_FLAG, NULL, "with every capability, where policy permits",       \
		COMP_NONE, NULL},                                                                  \
	    {"seccomp", 0, OPT_STR, "auto|copy", "where the target's seccomp filter comes from",   \
		COMP_WORDS, "auto copy"},                                                          \
	    {"no-record", 0, OPT_FLAG, NULL, "do not record, where policy permits", COMP_NONE,     \
		NULL},                                                                             \
	    {"on-disconnect", 0, OPT_STR, "detach|hangup|kill",                                    \
		"what becomes of the command when the connection is lost", COMP_WORDS,             \
		"detach hangup kill"},                                                             \
	    ENTER_ESCAPE_OPT,                                                                      \
	    {"explain", 0, OPT_FLAG, NULL,                                                         \
		"say on standard error what of the container's context was applied", COMP_NONE,    \
		NULL},                                                                             \
	ENTER_STATUS_OPT

/* Puts a command's words into the request. */
typedef int enter_words(struct enter *en, int argc, char **argv, int dashdash, struct err *e);
/* All of such a command: prints what is to be printed, and returns the exit status. */
int enter_main(const struct args *a, enum request_verb verb, enter_words *words, int argc,
    char **argv, int dashdash);

/* Settings and flags to a request; io is filled but for what the verb decides.  Pair with
 * enter_fini() also after -1. */
int enter_init(struct enter *en, const struct args *a, enum request_verb verb, struct err *e);
void enter_fini(struct enter *en);
/* "" or NULL: none.  ERR_USAGE when flags name one as well.  Fills in the default service. */
int enter_target(struct enter *en, const char *word, struct err *e);
/* Decides tty, size, raw mode; `by_default` where no flag says anything. */
int enter_tty(struct enter *en, bool by_default, struct err *e);
/* enter_attach.c: a session by its id, a prefix of it, or (attach) by being the only one. */
int enter_session(struct enter *en, const char *id, struct err *e);
/* Fills `reach`: settings and the environment are there again the next time, a flag is not. */
void enter_reach(struct enter *en);
/* What those have to say who leave a session that goes on. */
void enter_left(const struct enter *en, const struct client_result *res);

/* enter_env.c: --env-file, then --env. */
int enter_env(struct request *r, const struct args *a, struct err *e);
/* LANG and LC_* from here, where they are plain. */
void enter_locale(struct request *r);

/* outcome.c: the object of -o json and --status-fd.  res or e may be NULL.  Gives the exit status,
 * which is not the command's where the object could not be written; that is printed, e is not. */
int outcome_report(const struct enter *en, const struct client_result *res, const struct err *e);

/* explain.c */
void explain_print(const json_t *opened);
/* The items of a context, `indent` columns to the right. */
void explain_items(FILE *f, int indent, const json_t *items);

/* choose.c: one of several, on the terminal. */
bool choose_possible(void);
bool choose_word_means(const char *word, const json_t *row);
/* Asks for one of those that `r` may mean.  0: `r` names it; 1: given up; -1: there is nothing to
 * choose. */
int choose_target(struct request *r, const json_t *targets);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_CMDS_H
#define CORAL_CLI_CMDS_H

/* The verbs, one file each, and the few helpers that every verb may use. */
#include <jansson.h>
#include "cli/cmd.h"
#include "client/client.h"
#include "transport/client.h"

struct conf;

extern const struct cmd cmd_exec, cmd_shell, cmd_ps;
extern const struct cmd cmd_attach, cmd_watch, cmd_join;
extern const struct cmd cmd_sessions, cmd_sessions_ls, cmd_sessions_show, cmd_sessions_rm;
extern const struct cmd cmd_sessions_freeze, cmd_sessions_thaw, cmd_kill;
extern const struct cmd cmd_audit_ls, cmd_audit_show, cmd_audit_grep;
extern const struct cmd cmd_audit_export, cmd_audit_report;
extern const struct cmd cmd_audit_prune;
extern const struct cmd cmd_replay, cmd_agent_start, cmd_agent_status, cmd_agent_embedded;
extern const struct cmd cmd_audit_verify, cmd_keys_create, cmd_keys_list, cmd_keys_export;
extern const struct cmd cmd_audit_unseal;
extern const struct cmd cmd_completion, cmd_version, cmd_help, cmd_complete;

/* No such verb: ERR_USAGE that names the nearest.  -1. */
int cmd_unknown(int argc, char **argv, struct err *e);
/* Fewer or more words than the verb takes: ERR_USAGE.  -1. */
int cmd_bad_words(const struct cmd *c, int argc, char **argv, struct err *e);

/* "-o json|table" of the listing verbs.  -1: ERR_USAGE. */
int cmd_format(const struct args *a, bool *as_json, struct err *e);
/* One JSON value on standard output, with a newline. */
void cmd_print_json(const json_t *j);
/* Whether what was printed is not all where it should be, with errno; a pipe whose reader has left
 * is not that.  Flushes. */
bool cmd_print_failed(void);

/* conf_load(), its warning on standard error, and its effect on what we print. */
int cmd_settings(struct conf *c, struct err *e);

/*
 * Which agent, from settings and --agent-addr and --identity.  Borrows from
 * conf and args; `ids` is the storage of the identity list.
 */
struct cmd_agent {
	struct client_where where;
	const char *ids[17];
	char known_hosts[300];
	char share_dir[264];
};
void cmd_agent_from(struct cmd_agent *to, const struct conf *c, const struct args *a);
/* Settings, connection, one question: the answer as JSON (new reference), or NULL. */
json_t *cmd_ask(const struct args *a, const struct request *r, struct err *e);
/* The same about one session, or NULL: about none. */
json_t *cmd_ask_session(
    const struct args *a, enum request_verb verb, const char *id, struct err *e);
/* That in two steps: asked, or NULL; then the answer, which frees what the first gave. */
struct cmd_asked;
struct cmd_asked *cmd_ask_begin(
    const struct args *a, enum request_verb verb, const char *id, struct err *e);
json_t *cmd_ask_finish(struct cmd_asked *q, const struct args *a, struct err *e);

/* The rows that name an agent. */
#define CMD_AGENT_OPTS                                                                             \
	{"agent-addr", 0, OPT_STR, "HOST:PORT", "the agent to use, also as the path of a socket",  \
	    COMP_NONE, NULL},                                                                      \
	{                                                                                          \
		"identity", 0, OPT_LIST, "FILE", "private key to prove who you are", COMP_FILE,    \
		    NULL                                                                           \
	}

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_AUDIT_TEXT_H
#define CORAL_CLI_AUDIT_TEXT_H

/* Which records of the audit log are wanted, and how they are shown. */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "audit/read.h"
#include "base/pattern.h"
#include "cli/cmd.h"

#define AUDIT_TEXT_MAX 4096

struct audit_want {
	char since[AUDIT_TIME_SIZE], until[AUDIT_TIME_SIZE]; /* "": no bound */
	const char *session;				     /* a prefix; NULL any */
	const char *user, *event, *target, *decision;	     /* may have * and ?; NULL any */
	bool grep;
	struct pattern pattern;
};
#define AUDIT_WANT_OPTS                                                                            \
	{"since", 0, OPT_STR, "TIME",                                                              \
	    "from then on: 2026-11-22, \"2026-11-22 10:30\", yesterday, 2h", COMP_NONE, NULL},     \
	    {"until", 0, OPT_STR, "TIME", "until then", COMP_NONE, NULL},                          \
	    {"user", 'u', OPT_STR, "USER", "what this user did; * and ? stand for others",         \
		COMP_NONE, NULL},                                                                  \
	    {"service", 's', OPT_STR, "SERVICE", "what was done to this target, likewise",         \
		COMP_SERVICE, NULL},                                                               \
	    {"session", 0, OPT_STR, "ID", "of this session; a prefix will do", COMP_SESSION,       \
		NULL},                                                                             \
	    {"event", 0, OPT_STR, "NAME", "these events: session.start, session.*, denied",        \
		COMP_WORDS, AUDIT_EVENTS},                                                         \
	    {"decision", 0, OPT_STR, "WHAT", "what policy said: allow, deny, would-deny",          \
		COMP_WORDS, "allow deny would-deny"},                                              \
	{                                                                                          \
		"grep", 'g', OPT_STR, "PATTERN", "what matches this extended regular expression",  \
		    COMP_NONE, NULL                                                                \
	}
#define AUDIT_EVENTS                                                                               \
	"agent.start agent.stop session.start session.end session.truncated session.attach "       \
	"session.watch session.join session.kill session.freeze session.thaw session.detach "      \
	"session.read session.unseal session.remove session.removed log.pruned key.created "       \
	"key.replaced denied auth.failure log.recovered"

/* From the flags of AUDIT_WANT_OPTS.  Always call the other one. */
int audit_want_init(struct audit_want *w, const struct args *a, struct err *e);
void audit_want_fini(struct audit_want *w);
/* --lines N, of at most so many; 0: it was not given, or is 0. */
int audit_want_lines(const struct args *a, long long most, size_t *n, struct err *e);

/* The record, or NULL: not wanted.  `text` is its line for people, without a newline. */
json_t *audit_want_take(
    const struct audit_want *w, const struct audit_entry *x, char text[AUDIT_TEXT_MAX]);

#endif

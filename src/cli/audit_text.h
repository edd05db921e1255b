/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_AUDIT_TEXT_H
#define CORAL_CLI_AUDIT_TEXT_H

/* Which records of the audit log are wanted, and how they are shown. */
#include <jansson.h>
#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include "audit/read.h"
#include "cli/cmd.h"

#define AUDIT_TEXT_MAX 4096

struct audit_want {
	char since[AUDIT_TIME_SIZE], until[AUDIT_TIME_SIZE]; /* "": no bound */
	const char *user;				     /* may have * and ?; NULL any */
	bool grep;
	regex_t pattern;
};
/* From --since, --until, -u and -g.  Always call the other one. */
int audit_want_init(struct audit_want *w, const struct args *a, struct err *e);
void audit_want_fini(struct audit_want *w);

/* The record, or NULL: not wanted.  `text` is its line for people, without a newline. */
json_t *audit_want_take(
    const struct audit_want *w, const struct audit_entry *x, char text[AUDIT_TEXT_MAX]);

#endif

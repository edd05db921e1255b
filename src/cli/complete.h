/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_COMPLETE_H
#define CORAL_CLI_COMPLETE_H

/* Completion as the shells' scripts ask for it; coral __complete INDEX WORD... */
#include <stdio.h>
#include "cli/cmd.h"

/* What is known of the command line so far. */
struct complete_at {
	const struct cmd *cmd;	   /* NULL: still the verb */
	int first;		   /* where its own words begin */
	const struct opt *pending; /* whose value is being typed */
	const char *prefix;	   /* what of the value is there */
	bool option;		   /* an option's name is being typed */
	int nwords;		   /* plain words before */
	bool dashdash;
};
/* words[at] is being typed; words[0] is coral itself. */
void complete_parse(struct complete_at *to, int at, char **words);
/* "value\tdescription" lines for a kind of value that a running agent knows, from it or the cache.
 * `any`: a bare word, which may name a target in every way.  words: where --agent-addr may stand.
 */
void complete_live(
    FILE *f, const struct complete_at *at, enum opt_complete kind, bool any, int argc, char **argv);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_GREP_TEXT_H
#define CORAL_CLI_GREP_TEXT_H

/* How coral audit grep prints what it finds: when, who, how to look at it, and the line. */
#include <jansson.h>
#include <stdbool.h>
#include "cli/cmd.h"
#include "replay/grep.h"

struct grep_text {
	const char *agent; /* --agent-addr */
	bool as_json, ascii;
	bool none;	  /* --lines 0 */
	const char *spec; /* of the recording; what follows is of its header and borrowed */
	const char *id, *user, *target;
	int64_t start; /* in real time, or -1 */
	size_t found;
	size_t keep, at; /* --lines */
	char **kept;
};
int grep_text_init(struct grep_text *t, const struct args *a, bool as_json, struct err *e);
void grep_text_begin(struct grep_text *t, const char *spec, const json_t *header);
/* -1: standard output takes no more. */
int grep_text_put(struct grep_text *t, const struct grep_hit *h, int64_t real_ns);
/* Print what --lines held back. */
void grep_text_end(struct grep_text *t);
void grep_text_fini(struct grep_text *t);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_VERDICT_H
#define CORAL_CLI_VERDICT_H

/* What is said of a recording: whether it is authentic, and whether it is complete. */
#include <jansson.h>
#include <stdio.h>
#include "record/keys.h"
#include "record/verify.h"

enum { VERDICT_GOOD = 0, VERDICT_BAD = 1, VERDICT_INCOMPLETE = 3 };

struct verdict {
	const struct verify_result *r;
	const struct keys_one *key; /* that is trusted, or NULL */
	const char *name;
	bool authentic, complete;
	int status;
	char because[512], extent[512]; /* why it is (not) authentic, and (not) complete */
};

/* `id`: how the session's id must begin, or NULL. */
void verdict_of(struct verdict *v, const struct verify_result *r, const struct keys_list *keys,
    const char *name, const char *id);
json_t *verdict_json(const struct verdict *v);
void verdict_print(const struct verdict *v, FILE *f);

#endif

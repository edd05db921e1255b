/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_POLICY_INT_H
#define CORAL_SESSION_POLICY_INT_H

#include <jansson.h>
#include "base/clock.h"
#include "record/auditor.h"
#include "session/policy.h"

/* Added to any clock it is still a time. */
#define POLICY_DURATION_MAX (10LL * 365 * 24 * 3600 * NS_PER_S)

struct policy {
	json_t *tree;			  /* the validated file; NULL: none, the defaults hold */
	char *keys;			  /* users' keys as authorized_keys text */
	bool audit_only;		  /* defaults.mode: audit */
	struct policy_session session[2]; /* [0] exec, [1] shell */
	struct policy_limits limits;
	struct auditors auditors;
	struct policy_retention retention;
	bool disconnect_set[2]; /* defaults.disconnect names it */
};

/* policy_schema.c: every key known and of its kind, every name defined. */
int policy_check_tree(const json_t *t, struct err *e);
int policy_bad(const char *where, const char *key, const char *why, struct err *e);

#endif

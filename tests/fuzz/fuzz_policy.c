/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session/policy.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
decide(const struct policy *p, enum request_verb verb, const char *user)
{
	static char *argv[] = {(char *)"df", (char *)"-h", NULL};
	struct request r;
	struct policy_who who = {.user = "alice", .roles = "sre,developer", .uid = (uid_t)-1};
	struct policy_what what = {.req = &r,
	    .service = "checkout",
	    .ns = "shop",
	    .environment = "production",
	    .session_user = "bob"};
	struct policy_session rules;
	struct err e = {0};

	memset(&r, 0, sizeof(r));
	r.verb = verb;
	r.argv = argv;
	r.argc = 2;
	strcpy(r.user, user);
	if (policy_check(p, &who, &what, &rules, &e) < 0) {
		if (e.code != ERR_DENIED || !e.what[0] || !e.why[0] || !e.hint[0])
			abort();
	} else if (rules.timeout_ns < 0) {
		abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = {0};
	struct policy *p;

	log_open("fuzz", LOG_LV_ERR);
	p = policy_parse((const char *)data, size, "policy.yaml", &e);
	if (!p) {
		if (e.code != ERR_CONFIG || !e.what[0] || !e.why[0] || !e.hint[0])
			abort();
		return 0;
	}
	for (int v = REQ_NONE; v <= REQ_VERB_COUNT; v++) {
		decide(p, (enum request_verb)v, "");
		decide(p, (enum request_verb)v, "0");
	}
	if (strlen(policy_keys(p)) > 2 * 1024 * 1024)
		abort();
	policy_free(p);
	return 0;
}

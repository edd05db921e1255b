/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_POLICY_H
#define CORAL_SESSION_POLICY_H

/*
 * Who may do what, without a colony: policy.yaml (spec section 7's schema), or
 * its defaults when the file is absent.  Keys that need a colony (approvals,
 * MFA) are understood and deny: never silently weaker.  Deny on any doubt.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"
#include "record/quota.h"
#include "transport/request.h"

struct auditors;
struct policy;
struct policy *policy_load(const char *path, struct err *e); /* absent file: defaults */
struct policy *policy_parse(const char *text, size_t n, const char *name, struct err *e);
void policy_free(struct policy *p);

struct policy_who {
	char user[64];	 /* from the key or the socket, never from a flag */
	char roles[256]; /* from authorized_keys; may be "" */
	uid_t uid;	 /* over the unix socket; (uid_t)-1 over TCP */
	bool root;	 /* uid 0 over the unix socket or embedded */
};
struct policy_what {
	const struct request *req;
	/* the target, all may be "" */
	const char *service, *ns, *environment, *pod, *container;
	bool host;	/* it is in no container: a process of the agent's own system */
	bool asks_only; /* what is allowed, and nothing is done: mode audit logs nothing */
	const char *session_user; /* SHOW, READ, REMOVE, ATTACH ...: whose session */
};
struct policy_session {
	bool record_output, record_input;
	bool record_redactor, redact_environ;
	const json_t *redact_patterns; /* texts; borrowed of the policy, NULL: none */
	bool on_failure_block; /* else kill */
	uint64_t bulk_cap;
	bool allow_tiocsti;
	int64_t timeout_ns;		    /* attended_max, 0 none */
	enum request_disconnect disconnect; /* what holds for this session: never DEFAULT */
	int64_t keep_ns;		    /* how long a detached session is kept */
	int64_t idle_ns;		    /* without a key typed; 0 none */
	const struct auditors *auditors;    /* borrowed from the policy; NULL: there are none */
	bool seal_input;		    /* what is typed unseen, to them; else it is masked */
	bool encrypt;			    /* the whole recording, to them */
	/* defaults.limits; 0: none */
	uint64_t session_bytes, session_rate; /* of its recording; of output, a second */
	uint64_t user_rate, host_rate;	      /* of all sessions' output; user_rate for all but root */
	struct quota_limits quota;	      /* user_day holds for all but root */
	char would_deny[512]; /* defaults.mode audit: why enforce would have refused; else "" */
};
/* What one person may have at a time, root on the unix socket apart: defaults.limits. */
struct policy_limits {
	size_t connections, sessions;
};
struct policy_limits policy_limits(const struct policy *p);
/* What is removed when: defaults.retention. */
struct policy_retention {
	int64_t age_ns;	 /* recordings whose end is longer ago; 0 none */
	uint64_t size;	 /* the oldest beyond so many bytes; 0 none */
	int64_t keep_ns; /* but none that ended later than so long ago */
	int64_t log_ns;	 /* files of the audit log; 0 none */
};
struct policy_retention policy_retention(const struct policy *p);
/* "10GiB", "500MiB", "77".  0 or -1. */
int policy_size(const char *text, uint64_t *bytes);
/* The keys in the policy's own user list, as authorized_keys text (borrowed; "" when none). */
const char *policy_keys(const struct policy *p);

/* 0 allowed (s filled); -1 ERR_DENIED: why names the rule or what is missing. */
int policy_check(const struct policy *p, const struct policy_who *who,
    const struct policy_what *what, struct policy_session *s, struct err *e);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_KEEPER_H
#define CORAL_SESSION_KEEPER_H

/*
 * The keeper: one process a session, a fork of the broker without exec.  It
 * finds and enters the target, owns the PTY master or the pipes, and records
 * before it delivers.  It outlives the broker, and the transport never tells it
 * more than a request and frames.
 */
#include "base/conf.h"
#include "record/store.h"
#include "session/policy.h"
#include "transport/request.h"

struct keeper_start {
	int stream;   /* to the client, by way of its transport; owned */
	int evidence; /* a struct evidence comes out of it: what to sign the recording with; owned */
	char id[STORE_ID_LEN + 1];
	const struct conf *conf;
	const struct policy *policy;
	struct policy_who who;
	const char *peer; /* "unix", "embedded", "203.0.113.9:4022" */
	const struct request *req;
	size_t running; /* of the same person's; 0 for root, who is not counted */
};

/* Serves one request to its end; never returns.  Call in a fresh fork that
 * holds no other descriptor of value.  Exit status 0: everything that belonged
 * to the session is gone; KEEPER_GAVE_STREAM: it was none, and the stream is with the session that
 * was asked for; else the caller runs session_cleanup(). */
#define KEEPER_GAVE_STREAM 40
_Noreturn void keeper_main(const struct keeper_start *s);

#endif

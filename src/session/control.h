/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_CONTROL_H
#define CORAL_SESSION_CONTROL_H

/*
 * The door of a running session: RUNTIME_DIR/live/ID.sock, SOCK_SEQPACKET, in a
 * directory that only the agent's user may enter.  Who asked is decided by the
 * caller, a fork of the broker that has checked the policy; the keeper believes
 * only callers of its own uid.  One question a connection: who, the request,
 * and for attach, watch and join the stream to the client as a descriptor; one
 * answer.  Works across a restart of the broker.
 */
#include <jansson.h>
#include "base/conf.h"
#include "base/err.h"
#include "session/policy.h"
#include "transport/request.h"

struct control_ask {
	struct policy_who who;
	char peer[80];	    /* as keeper_start's */
	struct request req; /* attach, watch, join, kill, freeze, thaw; sessions: its status */
	int stream;	    /* to the client, or -1 */
	bool moderates; /* freeze, thaw: may do it with anybody's here, not with their own alone */
};
void control_ask_fini(struct control_ask *a); /* closes the stream where it was not taken */

/* In the keeper.  Non-blocking listening socket; removed by control_close(). */
int control_listen(const struct conf *c, const char *id, struct err *e);
void control_close(const struct conf *c, const char *id, int *fd);
/* Remove the doors that killed keepers left, where nothing else will: at a broker's start. */
void control_sweep(const struct conf *c);
/* One question: a descriptor for the answer, or -1 (nobody, nobody who may ask, or gone again).
 * Waits 1 s at most for a caller to say what it wants. */
int control_accept(int fd, struct control_ask *a);
/* One of both; closes fd. */
void control_answer(int fd, const json_t *answer, const struct err *refused);

/* In a fork of the broker: ask session `id`.  Its answer (new reference), or NULL: refused, ended
 * (ERR_NO_SESSION) or silent for 5 s.  The stream stays the caller's to close. */
json_t *control_call(
    const struct conf *c, const char *id, const struct control_ask *a, struct err *e);
/* Whether somebody would be asked: a keeper is there, also of a session that has ended. */
bool control_there(const struct conf *c, const char *id);
/* Ask n sessions the same at once, without a stream; 2 s for all of them.  out[i]: as above, NULL
 * for every session that does not answer. */
void control_call_all(const struct conf *c, const char *const *ids, size_t n,
    const struct control_ask *a, json_t **out);

#endif

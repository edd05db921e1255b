/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_QUERY_INT_H
#define CORAL_SESSION_QUERY_INT_H

#include <jansson.h>
#include "record/store.h"
#include "session/query.h"

/* query.c: takes the reference. */
int query_send_json(int stream, json_t *j, struct err *e);

int query_send_bytes(int stream, const char *p, size_t n);

/* query_follow.c: the recording as far as there is one, and what comes until it is over. */
int query_follow(const struct keeper_start *s, const char *id, int fd, struct err *e);

/* query_see.c: for whom there is which session. */
struct query_viewer {
	const struct keeper_start *s;
	enum request_verb verb; /* beside what is listed, those where this is allowed */
	bool all;		/* has the right `audit` */
};
struct query_viewer query_viewer(const struct keeper_start *s, enum request_verb verb);
bool query_sees(void *viewer, const json_t *shown); /* a store_may_fn */
/* Whether the policy allows `verb` on the session that `shown` describes. */
int query_check(
    const struct keeper_start *s, enum request_verb verb, const json_t *shown, struct err *e);

/* Whether that would be so if the session were somebody else's. */
bool query_moderates(const struct keeper_start *s, const json_t *shown);

/* query_live.c: attach, watch, join, kill, freeze, thaw.  1: the session has the stream now, and
 * nothing more is said on it here. */
int query_live(const struct keeper_start *s, struct err *e);
/* What their keepers say, into those rows that are live. */
void query_add_status(const struct keeper_start *s, json_t *rows);
/* Which of them are the asker's own: a client does not know by what name it is known here. */
void query_add_own(const struct keeper_start *s, json_t *rows);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLIENT_CLIENT_H
#define CORAL_CLIENT_CLIENT_H

/* The user's side of a session: reach an agent, ask, relay, report. */
#include <jansson.h>
#include <stdbool.h>
#include "base/buf.h"
#include "base/err.h"
#include "transport/request.h"

struct client_where {
	const char *address;	 /* --agent-addr, CORAL_AGENT or config; NULL: the local socket, else embedded */
	const char *socket;	 /* the local agent's unix socket */
	const char *known_hosts;
	const char *const *identities;
	bool embed;		 /* may start an embedded agent (root, nothing listening) */
	const char *share_dir;	 /* of the connections that commands share; NULL: none is shared */
	int64_t share_ns;	 /* how long one outlives its last command */
	bool fresh;		 /* not over a shared connection that is there: it is replaced */
	bool ask;		 /* may ask on the terminal: an unknown host key, a passphrase */
};

/* Connect and authenticate; starts the embedded agent where that applies. */
struct tp_client *client_connect(const struct client_where *w, struct err *e);

/* A request failed with e before it began, and only because its connection was `shared` (see
 * tp_client_shared()): then true, and w->fresh is set for another client_connect(). */
bool client_connect_again(struct client_where *w, bool shared, const struct err *e);

struct client_io {
	int in, out, err; /* -1: closed; in -1: no stdin at all (EOF at once) */
	bool raw;	  /* put `in` in raw mode while the session runs */
	bool capture;	  /* -o json: keep the streams in memory, at most 16 MiB each */
	bool quiet;	  /* no notices on stderr */
	/* Called once, with FR_OPENED's object (borrowed), before the first byte of output; or NULL. */
	void (*opened)(void *arg, const json_t *opened);
	void *arg;
	int escape;	  /* the character that begins an escape, with `raw` only; or -1 */
	/* Connects anew after a loss, without asking anybody; in a thread of its own, which may
	 * outlive the session: again_arg stays.  NULL: a loss is the end. */
	struct tp_client *(*again)(void *arg, struct err *e);
	void *again_arg;
	const char *reach; /* the flags by which this agent is reached, with a space; or NULL */
};
struct client_result {
	json_t *result; /* FR_RESULT's object, with what only FR_OPENED said; owned; NULL when none arrived */
	json_t *left;	/* the session goes on without us: FR_LEFT's object or one like it, with "id"; owned */
	struct buf out, err; /* when captured: the first 16 MiB */
	uint64_t out_bytes, err_bytes; /* delivered */
	int exit_code;	/* what coral should exit with */
};
void client_result_fini(struct client_result *res);
/* exec, shell, attach, watch and join.  0: the session ran (see result); -1: err.  The terminal is
 * restored either way.  c is freed. */
int client_session(struct tp_client *c, const struct request *r, const struct client_io *io,
    struct client_result *res, struct err *e);
/* Everything else: the answer's bytes through `take` (return -1 to stop) until FR_END. */
int client_query(struct tp_client *c, const struct request *r,
    int (*take)(void *arg, const void *p, size_t n), void *arg, struct err *e);
/* The same, parsed as one JSON value (16 MiB at most). */
json_t *client_query_json(struct tp_client *c, const struct request *r, struct err *e);
/* That in two steps, for questions whose answers take long: sent, or NULL; then the answer, which
 * frees what the first gave.  The connection carries nothing else meanwhile. */
struct client_asked *client_query_begin(
    struct tp_client *c, const struct request *r, struct err *e);
json_t *client_query_finish(struct client_asked *a, struct err *e);

#endif

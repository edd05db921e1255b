/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session/query.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "record/store.h"
#include "session/audited.h"
#include "session/query_int.h"
#include "target/target.h"
#include "transport/frame.h"

static int
send_frame(int stream, enum frame_type type, const void *p, size_t n)
{
	struct buf b;
	int rc;

	buf_init(&b, FRAME_DATA_MAX + FRAME_HEAD);
	rc = frame_put(&b, type, p, n);
	if (rc == 0)
		rc = fd_write_all(stream, buf_head(&b), b.len);
	buf_fini(&b);
	return rc;
}

int
query_send_bytes(int stream, const char *p, size_t n)
{
	while (n > 0) {
		size_t part = n < FRAME_DATA_MAX ? n : FRAME_DATA_MAX;

		if (send_frame(stream, FR_DATA, p, part) < 0)
			return -1;
		p += part;
		n -= part;
	}
	return 0;
}

int
query_send_json(int stream, json_t *j, struct err *e)
{
	auto_free char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

	json_decref(j);
	if (!text)
		return e->code ? -1 : err_set(e, ERR_INTERNAL, ENOMEM, "cannot build the answer");
	if (query_send_bytes(stream, text, strlen(text)) < 0)
		return err_set(e, ERR_TRANSPORT, errno, "the client went away");
	return 0;
}

static int
answer_ps(const struct keeper_start *s, struct err *e)
{
	char cache[256];
	struct tgt_sys sys;
	struct tgt_list list = {0};
	json_t *all = json_array();

	if ((size_t)snprintf(cache, sizeof cache, "%s/targets", s->conf->runtime_dir) >=
	    sizeof cache)
		cache[0] = '\0';
	if (tgt_sys_open(&sys, s->conf->proc_root, cache, e) < 0 ||
	    tgt_list_all(&sys, &list, e) < 0) {
		json_decref(all);
		return -1;
	}
	for (size_t i = 0; i < list.n; i++)
		json_array_append_new(all, tgt_to_json(&list.v[i]));
	tgt_list_fini(&list);
	tgt_sys_close(&sys);
	return query_send_json(s->stream, all, e);
}

/* Other people's sessions are for who has the right `audit`, and while they are live for who may do
 * something with them. */
static int
answer_sessions(const struct keeper_start *s, struct err *e)
{
	struct query_viewer v = query_viewer(s, REQ_SESSIONS);
	json_t *rows = store_list(s->conf->state_dir, query_sees, &v, e);

	if (rows) {
		query_add_status(s, rows);
		query_add_own(s, rows);
	}
	return query_send_json(s->stream, rows, e);
}

static int
answer_read(const struct keeper_start *s, const char *id, struct err *e)
{
	auto_close int fd = store_open_cast(s->conf->state_dir, id, e);
	auto_free char *block = malloc(FRAME_DATA_MAX);
	ssize_t n;

	if (fd < 0 || !block)
		return -1;
	if (s->req->follow)
		return query_follow(s, id, fd, e);
	while ((n = read(fd, block, FRAME_DATA_MAX)) > 0)
		if (query_send_bytes(s->stream, block, (size_t)n) < 0)
			return err_set(e, ERR_TRANSPORT, errno, "the client went away");
	return n < 0 ? err_set(e, ERR_IO, errno, "cannot read the recording of %s", id) : 0;
}

/* It is there for who may do this with everybody's, and for its owner. */
struct doer {
	const struct keeper_start *s;
	bool all;
};

static bool
may_know(void *arg, const json_t *shown)
{
	const struct doer *d = arg;
	const char *whose = json_str(shown, "user");

	return d->all || (whose && strcmp(whose, d->s->who.user) == 0);
}

/* A live one with what its keeper says. */
static int
answer_show(const struct keeper_start *s, json_t *shown, struct err *e)
{
	json_t *rows = json_array();

	json_array_append(rows, shown);
	query_add_status(s, rows);
	json_decref(rows);
	return query_send_json(s->stream, shown, e);
}

/* What the log has not must not be done, and what was done must be in the log. */
static int
answer_remove(const struct keeper_start *s, const char *id, const json_t *shown, struct err *e)
{
	if (session_audit_query(s, "session.remove", id, shown, e) < 0)
		return -1;
	if (store_remove(s->conf->state_dir, id, e) == 0)
		return query_send_json(s->stream, json_pack("{s:s}", "removed", id), e);
	session_audit_failed(s, "session.remove", id, shown, e);
	return -1;
}

static int
answer_one(const struct keeper_start *s, struct err *e)
{
	const char *dir = s->conf->state_dir;
	struct policy_what what = {.req = s->req, .asks_only = true};
	struct doer who = {.s = s};
	struct policy_session rules;
	char id[STORE_ID_LEN + 1];
	json_t *shown;
	int rc;

	/* Who may do this with their own alone is not told that others' exist. */
	who.all = policy_check(s->policy, &s->who, &what, &rules, NULL) == 0;
	if (store_resolve(dir, s->req->id, may_know, &who, id, e) < 0)
		return -1;
	shown = store_show(dir, id, e);
	if (!shown)
		return -1;
	what.session_user = json_str(shown, "user");
	what.asks_only = false;
	rc = policy_check(s->policy, &s->who, &what, &rules, e);
	if (rc == 0 && s->req->verb == REQ_SHOW)
		return answer_show(s, shown, e);
	if (rc < 0)
		session_audit_denied(s, id, NULL, e);
	else if (s->req->verb == REQ_REMOVE)
		rc = answer_remove(s, id, shown, e);
	else
		rc = session_audit_query(s,
		    s->req->verb == REQ_UNSEAL ? "session.unseal" : "session.read", id, shown, e);
	json_decref(shown);
	if (rc < 0 || s->req->verb == REQ_REMOVE)
		return rc;
	return answer_read(s, id, e);
}

static int
answer(const struct keeper_start *s, struct err *e)
{
	switch (s->req->verb) {
	case REQ_PS:
		return answer_ps(s, e);
	case REQ_SESSIONS:
		return answer_sessions(s, e);
	case REQ_SHOW:
	case REQ_READ:
	case REQ_UNSEAL:
	case REQ_REMOVE:
		return answer_one(s, e);
	case REQ_ATTACH:
	case REQ_WATCH:
	case REQ_JOIN:
	case REQ_KILL:
	case REQ_FREEZE:
	case REQ_THAW:
		return query_live(s, e);
	default:
		return err_set(e, ERR_PROTOCOL, 0, "the request has no verb this agent knows");
	}
}

/* Nothing here wants to be ended with care, and nothing has failed. */
static void
end_at_once(int signo)
{
	(void)signo;
	_exit(0);
}

int
query_serve(const struct keeper_start *s)
{
	unsigned char wire[ERR_WIRE_MAX];
	struct err e = {0};
	sigset_t none;
	int rc;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, end_at_once);
	/* Blocked are the broker's, which takes them from a descriptor. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	rc = answer(s, &e);
	if (rc > 0)
		return KEEPER_GAVE_STREAM;
	if (rc == 0)
		send_frame(s->stream, FR_END, NULL, 0);
	else
		send_frame(s->stream, FR_ERROR, wire, err_encode(&e, wire));
	/* A keeper that did not answer in time may still find its copy one day. */
	shutdown(s->stream, SHUT_RDWR);
	return 0;
}

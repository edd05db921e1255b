/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keeper's side of its door, and what both sides say. */
#include "session/control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "record/store.h"
#include "session/control_int.h"
#include "session/live.h"

#define VERSION 1
#define BACKLOG 64
#define SAY_MS 1000

void
control_ask_fini(struct control_ask *a)
{
	fd_close(&a->stream);
	explicit_bzero(a->req.token, sizeof a->req.token);
	request_fini(&a->req);
}

bool
control_brings_stream(enum request_verb v)
{
	return v == REQ_ATTACH || v == REQ_WATCH || v == REQ_JOIN;
}

static bool
is_for_keepers(enum request_verb v)
{
	return control_brings_stream(v) || v == REQ_KILL || v == REQ_FREEZE || v == REQ_THAW ||
	       v == REQ_SESSIONS;
}

static int
put_text(struct buf *b, const char *s)
{
	return buf_put_u16(b, (uint16_t)strlen(s)) < 0 || buf_put_str(b, s) < 0 ? -1 : 0;
}

static bool
get_text(struct rd *r, char *out, size_t size)
{
	size_t n = rd_u16(r);
	const unsigned char *p = rd_bytes(r, n);

	if (!p || n >= size || memchr(p, 0, n))
		return false;
	memcpy(out, p, n);
	out[n] = '\0';
	return true;
}

int
control_encode(const struct control_ask *a, struct buf *out, struct err *e)
{
	/* A command, an environment or a target mean nothing to a session that runs. */
	struct request r = a->req;

	r.argv = r.env = NULL;
	r.argc = r.envc = 0;
	r.word[0] = r.workdir[0] = '\0';
	if (buf_put_u8(out, VERSION) == 0 && buf_put_u32(out, (uint32_t)a->who.uid) == 0 &&
	    buf_put_u8(out, a->who.root) == 0 && buf_put_u8(out, a->moderates) == 0 &&
	    put_text(out, a->who.user) == 0 && put_text(out, a->who.roles) == 0 &&
	    put_text(out, a->peer) == 0)
		return request_encode(&r, out, e);
	return err_set(e, ERR_INTERNAL, ENOMEM, "cannot ask the session's keeper");
}

int
control_decode(struct control_ask *a, const unsigned char *p, size_t n)
{
	struct rd r = {p, n, false};
	struct err e = {0};
	uint8_t root, moderates;

	*a = (struct control_ask){.stream = -1};
	if (rd_u8(&r) != VERSION)
		return -1;
	a->who.uid = (uid_t)rd_u32(&r);
	root = rd_u8(&r);
	moderates = rd_u8(&r);
	if (root > 1 || moderates > 1 || !get_text(&r, a->who.user, sizeof a->who.user) ||
	    !get_text(&r, a->who.roles, sizeof a->who.roles) ||
	    !get_text(&r, a->peer, sizeof a->peer))
		return -1;
	a->who.root = root == 1;
	a->moderates = moderates == 1;
	request_init(&a->req);
	if (request_decode(&a->req, r.p, r.n, &e) < 0)
		return -1;
	if (is_for_keepers(a->req.verb))
		return 0;
	request_fini(&a->req);
	return -1;
}

bool
control_is_ours(int fd, int *pid)
{
	struct ucred u = {0};
	socklen_t n = sizeof u;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &n) < 0 || n != sizeof u)
		return false;
	if (pid)
		*pid = u.pid;
	return u.uid == geteuid();
}

void
control_address(int dir, const char *id, struct sockaddr_un *at)
{
	*at = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(
	    at->sun_path, sizeof at->sun_path, "/proc/self/fd/%d/%.*s.sock", dir, STORE_ID_LEN, id);
}

int
control_listen(const struct conf *c, const char *id, struct err *e)
{
	auto_close int dir = session_live_dir(c, e);
	auto_close int fd = -1;
	struct sockaddr_un at;

	if (dir < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	control_address(dir, id, &at);
	unlink(at.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, BACKLOG) < 0)
		return err_set(e, ERR_IO, errno, "cannot open the door of session %s", id);
	return steal_fd(&fd);
}

void
control_close(const struct conf *c, const char *id, int *fd)
{
	if (*fd < 0)
		return;
	fd_close(fd);
	session_live_shut(c, id);
}

/* A caller that has given up meanwhile is told no answer, and nothing is done for it. */
static bool
still_there(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) == 0;
}

static int
hear(int fd, struct control_ask *a)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	unsigned char text[CONTROL_ASK_MAX];
	int stream = -1;
	size_t nfds = 1;
	ssize_t n;
	bool bad;

	if (!control_is_ours(fd, NULL) || poll(&p, 1, SAY_MS) <= 0)
		return -1;
	n = fd_recv_msg(fd, text, sizeof text, &stream, &nfds);
	bad = n <= 0 || control_decode(a, text, (size_t)n) < 0;
	/* Of a token there is one copy, which is wiped. */
	explicit_bzero(text, sizeof text);
	if (bad) {
		fd_close(&stream);
		return -1;
	}
	a->stream = stream;
	if (still_there(fd) && (stream >= 0) == control_brings_stream(a->req.verb))
		return 0;
	control_ask_fini(a);
	return -1;
}

int
control_accept(int fd, struct control_ask *a)
{
	auto_close int got = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	return got >= 0 && hear(got, a) == 0 ? steal_fd(&got) : -1;
}

void
control_answer(int fd, const json_t *answer, const struct err *refused)
{
	unsigned char wire[ERR_WIRE_MAX];
	auto_free char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
	struct buf b;

	buf_init(&b, CONTROL_ANSWER_MAX);
	buf_put_u8(&b, text ? CONTROL_YES : CONTROL_NO);
	if (!text)
		buf_put(&b, wire, err_encode(refused, wire));
	if ((text && buf_put_str(&b, text) < 0) ||
	    fd_send_msg(fd, buf_head(&b), b.len, NULL, 0) < 0)
		log_warn("an answer could not be given at the door");
	buf_fini(&b);
	close(fd);
}

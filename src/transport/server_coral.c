/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/server_int.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

/* Chunks a turn, so that one busy channel does not starve the others. */
#define CHUNKS 8

static void
bad_head(struct chan *c, const char *why)
{
	struct err e;

	err_set(&e, ERR_PROTOCOL, 0, "the request cannot be understood");
	err_why(&e, "%s", why);
	err_hint(&e, "use the same release of coral on both sides");
	chan_refuse(c, &e);
}

/* The first frame, once it is whole, becomes a request; what follows it is the keeper's. */
void
coral_head(struct chan *c)
{
	struct request r;
	struct frame f;
	struct err e;
	int rc;

	if (c->waiting && c->held.len < FRAME_HEAD + FRAME_MAX)
		chan_take(c);
	rc = frame_peek(&c->held, &f);
	if (rc < 0 || (c->held.len && *buf_head(&c->held) != FR_OPEN)) {
		bad_head(c, "the first frame is not a request");
		return;
	}
	if (rc == 0) {
		if (c->peer_eof)
			bad_head(c, "it ends before it is whole");
		return;
	}
	request_init(&r);
	rc = request_decode(&r, f.data, f.len, &e);
	frame_drop(&c->held, &f);
	/* Encoded anew: the broker never sees bytes that a peer chose. */
	if (rc == 0)
		chan_ask(c, &r);
	else
		chan_refuse(c, &e);
	request_fini(&r);
}

/* write(2) to the keeper; what went.  A keeper that reads no more takes all. */
static size_t
put(struct chan *c, const void *p, size_t n)
{
	ssize_t put = 0;

	if (!c->keeper_deaf) {
		put = send(c->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (put < 0 && errno != EAGAIN && errno != EINTR)
			c->keeper_deaf = true;
	}
	if (c->keeper_deaf)
		return n;
	return put > 0 ? (size_t)put : 0;
}

int
coral_on_data(struct chan *c, const void *data, uint32_t len)
{
	size_t took;

	/* Straight from libssh's buffer; the rest stays there, and with it the window. */
	if (c->state != CH_STREAM || c->held.len) {
		c->waiting = len;
		return 0;
	}
	took = put(c, data, len);
	c->waiting = len - took;
	return (int)took;
}

void
coral_to_keeper(struct chan *c)
{
	if (c->held.len == 0 && c->waiting)
		chan_take(c);
	if (c->held.len)
		buf_consume(&c->held, put(c, buf_head(&c->held), c->held.len));
	if (c->peer_eof && !c->held.len && !c->waiting && !c->keeper_deaf) {
		shutdown(c->fd, SHUT_WR);
		c->keeper_deaf = true;
	}
}

static void
flush(struct chan *c)
{
	if (c->out.len)
		buf_consume(&c->out, chan_write(c, buf_head(&c->out), c->out.len, false));
}

void
coral_from_keeper(struct chan *c)
{
	int chunks = CHUNKS;

	flush(c);
	while (c->state == CH_STREAM && !c->keeper_eof && !c->out.len && chunks-- > 0) {
		size_t room = chan_room(c), sent;
		ssize_t n;

		if (room > CHUNK)
			room = CHUNK;
		if (room == 0)
			return;
		n = read(c->fd, c->srv->scratch, room);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			c->keeper_eof = true;
			return;
		}
		sent = chan_write(c, c->srv->scratch, (size_t)n, false);
		if (sent < (size_t)n && buf_put(&c->out, c->srv->scratch + sent, (size_t)n - sent))
			c->keeper_eof = true;
		/* Less than asked for: the socket is empty, and asking again costs a call. */
		if ((size_t)n < room)
			return;
	}
}

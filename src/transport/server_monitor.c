/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/server_int.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "transport/readahead.h"
#include "transport/sock.h"

#define BEAT_NS (2 * NS_PER_S)
#define ANSWER_MS 10000
/* Nothing was begun: the client may ask again on another connection. */
#define UNBEGUN ESHUTDOWN

static void
lose_monitor(struct srv *s)
{
	uint32_t never = 0;

	loop_del(&s->mon);
	fd_close(&s->conf->monitor);
	s->mon_lost = true;
	/* New keys need the broker's signature: as late as the bytes allow. */
	ssh_options_set(s->ssh, SSH_OPTIONS_REKEY_TIME, &never);
}

int
srv_send(struct srv *s, const void *p, size_t n)
{
	if (s->mon_lost) {
		errno = EPIPE;
		return -1;
	}
	return fd_send_msg(s->conf->monitor, p, n, NULL, 0) == (ssize_t)n ? 0 : -1;
}

/* Descriptors are wanted with PM_STREAM only; fd_recv_msg() closes the rest. */
static ssize_t
receive(struct srv *s, int *fd)
{
	size_t nfds = 1;
	ssize_t n = fd_recv_msg(s->conf->monitor, s->msg, sizeof(s->msg), fd, &nfds);

	if (n <= 0 || nfds == 0)
		*fd = -1;
	return n;
}

static void
refused(struct chan *c, struct rd *r)
{
	struct err e;

	if (!err_decode(&e, r->p, r->n))
		err_set(&e, ERR_INTERNAL, 0, "the session was refused");
	chan_refuse(c, &e);
}

static void
answer(struct srv *s, size_t n, int *fd)
{
	struct rd r = {.p = s->msg, .n = n};
	unsigned type = rd_u8(&r);
	struct chan *c = srv_chan(s, rd_u32(&r));

	/* The channel may be gone by now: then the stream is just closed. */
	if (r.bad || !c || c->state != CH_WAIT)
		return;
	if (type == PM_STREAM && *fd >= 0)
		chan_stream(c, steal_fd(fd));
	else if (type == PM_REFUSED)
		refused(c, &r);
}

/* While keys are exchanged anew, an answer for a channel may come first. */
int
srv_ask(struct srv *s, const void *p, size_t n, size_t *len)
{
	struct pollfd wait = {.fd = s->conf->monitor, .events = POLLIN};
	ssize_t got;
	int ready;

	if (srv_send(s, p, n) < 0)
		return -1;
	for (;;) {
		auto_close int fd = -1;

		do {
			ready = poll(&wait, 1, ANSWER_MS);
		} while (ready < 0 && errno == EINTR);
		got = ready > 0 ? receive(s, &fd) : -1;
		if (got <= 0)
			return -1;
		if (s->msg[0] != PM_STREAM && s->msg[0] != PM_REFUSED)
			break;
		answer(s, (size_t)got, &fd);
	}
	if (len)
		*len = (size_t)got;
	return s->msg[0];
}

static void
gone_away(struct err *e, int sys, const char *why)
{
	err_set(e, ERR_TRANSPORT, sys, "the agent has gone away");
	err_why(e, "%s", why);
	err_hint(e, "try again: a new agent may be up");
}

/* What waits for an answer that will not come is told so; so is who has not asked yet. */
static void
orphan(struct srv *s)
{
	struct err e;

	for (struct chan *c = s->chans; c; c = c->next) {
		if (c->state == CH_WAIT)
			gone_away(&e, 0, "it ended before it answered the request");
		else if (c->state == CH_HEAD)
			gone_away(&e, UNBEGUN, "it ended before it was asked");
		else
			continue;
		chan_refuse(c, &e);
	}
}

/* The loop saw something, and srv_ask() may have taken it since: the network came first. */
static bool
still_there(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

void
srv_on_monitor(void *arg, short revents)
{
	struct srv *s = arg;
	auto_close int fd = -1;
	ssize_t n;

	(void)revents;
	if (!still_there(s->conf->monitor))
		return;
	n = receive(s, &fd);
	if (n > 0) {
		answer(s, (size_t)n, &fd);
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EMSGSIZE))
		return;
	/* Running sessions go on without the broker; nothing new begins. */
	lose_monitor(s);
	orphan(s);
}

/* Nothing came since the last beat: what a login took, or a burst, is given back. */
static void
tidy(struct srv *s)
{
	bool quiet = s->turns == s->turns_at_beat;

	s->turns_at_beat = s->turns;
	if (!quiet || s->turns < SRV_TIDY_TURNS)
		return;
	s->turns = s->turns_at_beat = 0;
	for (struct chan *c = s->chans; c; c = c->next) {
		buf_trim(&c->held);
		buf_trim(&c->out);
	}
	mem_forget(s->scratch, sizeof(s->scratch));
	mem_forget(s->msg, sizeof(s->msg));
	readahead_trim(s->conf->sock);
	mem_trim();
}

void
srv_beat(void *arg)
{
	struct srv *s = arg;
	const unsigned char beat = PM_HEARTBEAT;

	/* A full queue is the broker's delay, not ours. */
	if (!s->mon_lost)
		send(s->conf->monitor, &beat, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	/* Not TCP_USER_TIMEOUT: a client may be stopped, and come back. */
	tidy(s);
	if (tp_sock_silent(s->conf->sock, TP_SOCK_SILENCE_MS))
		s->ending = true;
	loop_timer_set(s->loop, &s->beat, BEAT_NS, srv_beat, s);
}

void
chan_ask(struct chan *c, const struct request *r)
{
	struct buf b;
	struct err e;
	int rc;

	buf_init(&b, FRAME_MAX + 16);
	buf_put_u8(&b, PM_OPEN);
	buf_put_u32(&b, c->id);
	rc = request_encode(r, &b, &e);
	if (rc == 0) {
		c->state = CH_WAIT;
		rc = srv_send(c->srv, buf_head(&b), b.len);
		if (rc < 0 && errno == EMSGSIZE)
			err_set(&e, ERR_LIMIT, 0, "the request is too large");
		else if (rc < 0)
			gone_away(&e, UNBEGUN, "it cannot be asked");
	}
	buf_fini(&b);
	if (rc < 0)
		chan_refuse(c, &e);
}

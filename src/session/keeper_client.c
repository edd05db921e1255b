/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "session/keeper_int.h"

struct keeper_client *
keeper_client_new(struct keeper *k, int fd, size_t max)
{
	struct keeper_client *c = calloc(1, sizeof *c), **at = &k->clients;

	if (!c)
		return NULL;
	c->k = k;
	c->fd = fd;
	c->input_granted = FRAME_CREDIT;
	buf_init(&c->in, KEEPER_IN_MAX);
	stream_init(&c->s, max);
	while (*at)
		at = &(*at)->next;
	*at = c;
	return c;
}

/* Who walks the list may stand on it: it keeps its `next`, and goes when the turn is over. */
static void
take_out(struct keeper_client *c)
{
	struct keeper *k = c->k;
	struct keeper_client **at = &k->clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	if (k->owner == c)
		k->owner = NULL;
	if (k->keyboard == c)
		k->keyboard = NULL;
	c->gone = true;
	c->next_gone = k->gone;
	k->gone = c;
}

void
keeper_clients_bury(struct keeper *k)
{
	struct keeper_client *c;

	while ((c = k->gone)) {
		k->gone = c->next_gone;
		buf_fini(&c->in);
		stream_fini(&c->s);
		free(c);
	}
}

static void
end_without_client(struct keeper *k)
{
	if (k->phase != KEEPER_RUNNING)
		return;
	if (k->rules.disconnect == REQ_DISC_HANGUP)
		keeper_stop(k, "disconnected", SIGHUP);
	else
		keeper_stop_now(k, "disconnected");
}

void
keeper_client_lost(struct keeper_client *c)
{
	struct keeper *k = c->k;

	if (c->gone)
		return;
	loop_del(&c->src);
	fd_close(&c->fd);
	take_out(c);
	if (k->phase == KEEPER_TELLING) {
		if (!k->clients)
			k->phase = KEEPER_DONE;
		return;
	}
	/* Nobody types any more: a reader of stdin must not wait for ever. */
	k->input_eof = true;
	end_without_client(k);
}

void
keeper_client_flush(struct keeper_client *c)
{
	const unsigned char *p;
	size_t n;

	while (c->opened && !c->gone && (p = stream_unsent(&c->s, &n))) {
		ssize_t put = write(c->fd, p, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put > 0) {
			c->k->last_taken = clock_mono();
			stream_sent(&c->s, (size_t)put);
		}
		if (put < 0 && errno != EAGAIN)
			keeper_client_lost(c);
		if (put <= 0)
			break;
	}
}

void
keeper_client_put(struct keeper_client *c, enum frame_type type, const void *p, size_t n)
{
	stream_put(&c->s, type, p, n);
	keeper_client_flush(c);
}

static short
stream_interest(void *arg)
{
	const struct keeper_client *c = arg;
	short want = 0;

	if (buf_room(&c->in) >= FRAME_DATA_MAX + FRAME_HEAD)
		want |= POLLIN;
	if (stream_waits(&c->s))
		want |= POLLOUT;
	return want;
}

static void
stream_ready(void *arg, short revents)
{
	struct keeper_client *c = arg;
	ssize_t n;

	if (revents & POLLOUT)
		keeper_client_flush(c);
	if (c->gone || !(revents & (POLLIN | POLLHUP | POLLERR)))
		return;
	n = buf_read_fd(&c->in, c->fd, buf_room(&c->in));
	if (n > 0)
		keeper_take_frames(c);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR && errno != ENOBUFS))
		keeper_client_lost(c);
}

void
keeper_client_open(struct keeper_client *c, enum frame_type type, const void *p, size_t n)
{
	fd_nonblock(c->fd, true);
	c->src = loop_add(c->k->loop, c->fd, stream_interest, stream_ready, c);
	c->opened = true;
	stream_first(&c->s, type, p, n);
	keeper_client_flush(c);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One client: its connection, what it says and what it is sent. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "session/keeper_int.h"

/* Who was told to leave has so long to take it. */
#define LEAVE_NS (5 * NS_PER_S)

struct keeper_client *
keeper_client_new(struct keeper *k, int fd, size_t max)
{
	struct keeper_client *c = calloc(1, sizeof *c), **at = &k->clients;

	if (!c)
		return NULL;
	c->k = k;
	c->fd = fd;
	c->since = clock_real();
	c->last_typed = clock_mono();
	c->input_granted = FRAME_CREDIT;
	buf_init(&c->in, KEEPER_IN_MAX);
	buf_init(&c->typed, FRAME_CREDIT);
	buf_init(&c->later, KEEPER_OUT_MAX);
	buf_init(&c->paint, KEEPER_PAINT_MAX);
	buf_init(&c->held, KEEPER_PAINT_MAX);
	buf_init(&c->notices, KEEPER_NOTICES_MAX);
	stream_init(&c->s, max);
	while (*at)
		at = &(*at)->next;
	*at = c;
	return c;
}

void
keeper_client_unplug(struct keeper_client *c)
{
	loop_del(&c->src);
	fd_close(&c->fd);
	loop_timer_clear(c->k->loop, &c->t_tell);
	keeper_tidy_later(c->k, KEEPER_UNTIDY);
}

/* Who walks the list may stand on it: it keeps its `next`, and goes when the turn is over. */
void
keeper_client_drop(struct keeper_client *c)
{
	struct keeper *k = c->k;
	struct keeper_client **at = &k->clients;

	if (c->gone)
		return;
	keeper_client_unplug(c);
	keeper_paint_stop(c);
	keeper_token_drop(c);
	loop_timer_clear(k->loop, &c->t_leave);
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
	keeper_end_when_alone(k);
}

void
keeper_clients_bury(struct keeper *k)
{
	struct keeper_client *c;

	while ((c = k->gone)) {
		k->gone = c->next_gone;
		buf_fini(&c->in);
		buf_fini(&c->typed);
		buf_fini(&c->later);
		buf_fini(&c->paint);
		buf_fini(&c->held);
		buf_fini(&c->notices);
		stream_fini(&c->s);
		free(c);
	}
}

bool
keeper_client_is_here(const struct keeper_client *c)
{
	return c && c->fd >= 0 && !c->leaving;
}

/* There is no room for more than one last frame when this is all that is left. */
static bool
has_room(const struct keeper_client *c, size_t n)
{
	return buf_room(&c->s.out) >= 2 * FRAME_HEAD + n + FRAME_DATA_MAX;
}

/* What was sent makes room for what waits: acknowledgements, paintings, other output. */
static bool
refill(struct keeper_client *c)
{
	size_t before = c->s.out.len;

	if (c->tell_later)
		keeper_client_tell(c);
	if (c->paint.len > 0)
		keeper_paint_more(c);
	else if (c->role != KEEPER_OWNER && !stream_waits(&c->s))
		keeper_share_more(c);
	return c->s.out.len > before;
}

/* 1: something was; 0: there is nothing; -1: not now. */
static int
write_some(struct keeper_client *c)
{
	const unsigned char *p;
	size_t n;
	ssize_t put;

	p = stream_unsent(&c->s, &n);
	if (!p)
		return 0;
	put = write(c->fd, p, n);
	if (put < 0 && errno == EINTR)
		return 1;
	if (put < 0 && errno != EAGAIN)
		keeper_client_lost(c);
	if (put <= 0)
		return -1;
	if (c == c->k->owner)
		c->k->last_taken = clock_mono();
	stream_sent(&c->s, (size_t)put);
	return 1;
}

void
keeper_client_flush(struct keeper_client *c)
{
	while (c->opened && c->fd >= 0) {
		int rc = write_some(c);

		if (c->fd < 0)
			return;
		if (!refill(c) && rc == 0 && c->leaving && c->later.len == 0)
			keeper_client_drop(c);
		if (rc < 0 || (rc == 0 && !stream_waits(&c->s)))
			return;
	}
}

void
keeper_client_tell(struct keeper_client *c)
{
	c->tell_later = !has_room(c, 8) || stream_tell(&c->s) < 0;
}

void
keeper_client_put(struct keeper_client *c, enum frame_type type, const void *p, size_t n)
{
	/* While its connection is lost that would only make it lose output. */
	if (c->leaving || c->gone || (c->opened && c->fd < 0) || !has_room(c, n))
		return;
	/* What is known before the command runs is said before anything else. */
	if (!c->opened && type == FR_NOTICE) {
		stream_first(&c->s, type, p, n);
		return;
	}
	if (type == FR_NOTICE && keeper_paint_then_tell(c, p, n))
		return;
	stream_put(&c->s, type, p, n);
	keeper_client_flush(c);
}

static void
leave_over(void *arg)
{
	keeper_client_drop(arg);
}

void
keeper_client_leave(struct keeper_client *c, const json_t *why)
{
	auto_free char *text = json_dumps(why, JSON_COMPACT);
	struct keeper *k = c->k;

	keeper_paint_stop(c);
	keeper_token_drop(c);
	if (c->fd < 0 || !text) {
		keeper_client_drop(c);
		return;
	}
	if (k->owner == c)
		k->owner = NULL;
	if (k->keyboard == c)
		k->keyboard = NULL;
	keeper_share_last(c, FR_LEFT, text, strlen(text));
	c->leaving = true;
	loop_timer_set(k->loop, &c->t_leave, LEAVE_NS, leave_over, c);
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
tell_late(void *arg)
{
	struct keeper_client *c = arg;

	if (c->s.owes)
		keeper_client_tell(c);
	keeper_client_flush(c);
}

/* At 64 KiB; else a second after something came. */
static void
acknowledge(struct keeper_client *c)
{
	if (!c->s.keeps || c->gone || c->fd < 0)
		return;
	if (stream_should_tell(&c->s))
		tell_late(c);
	else if (c->s.owes && !c->t_tell.linked)
		loop_timer_set(c->k->loop, &c->t_tell, STREAM_ACK_NS, tell_late, c);
}

static void
stream_ready(void *arg, short revents)
{
	struct keeper_client *c = arg;
	ssize_t n;

	if (revents & POLLOUT)
		keeper_client_flush(c);
	if (c->fd < 0 || !(revents & (POLLIN | POLLHUP | POLLERR)))
		return;
	n = buf_read_fd(&c->in, c->fd, buf_room(&c->in));
	if (n > 0) {
		stream_came(&c->s, (size_t)n);
		keeper_take_frames(c);
		acknowledge(c);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR && errno != ENOBUFS)) {
		keeper_client_lost(c);
	}
}

void
keeper_client_open(struct keeper_client *c, enum frame_type type, const void *p, size_t n)
{
	fd_nonblock(c->fd, true);
	c->src = loop_add(c->k->loop, c->fd, stream_interest, stream_ready, c);
	c->opened = true;
	keeper_tidy_later(c->k, KEEPER_UNTIDY);
	stream_first(&c->s, type, p, n);
	keeper_client_flush(c);
}

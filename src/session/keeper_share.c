/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Output for those who look on.  Nobody waits for them: who does not take it in time gets the
 * screen as it is then, or, without one, is told how much was left out. */
#include "session/keeper_int.h"

static size_t
stream_index(const unsigned char *frame)
{
	return frame[0] == FR_STDERR;
}

static void
fall_behind(struct keeper_client *c, size_t n)
{
	c->behind = true;
	c->skipped += c->later_bytes[0] + c->later_bytes[1] + n;
	c->later_bytes[0] = c->later_bytes[1] = 0;
	buf_fini(&c->later);
	buf_init(&c->later, KEEPER_OUT_MAX);
}

void
keeper_share_none(struct keeper_client *c)
{
	if (!c->behind)
		fall_behind(c, 0);
}

void
keeper_share(struct keeper_client *c, const unsigned char *frame, size_t n)
{
	size_t bytes = n - FRAME_HEAD;

	if (!c->opened || !keeper_client_is_here(c))
		return;
	if (c->behind) {
		c->skipped += bytes;
		return;
	}
	if (!keeper_is_painting(c) && !stream_waits(&c->s) && c->later.len == 0 &&
	    buf_put(&c->s.out, frame, n) == 0) {
		c->delivered[stream_index(frame)] += bytes;
		c->shared = true;
		return;
	}
	if (c->later.len + n > KEEPER_LATER_MAX || buf_put(&c->later, frame, n) < 0)
		fall_behind(c, bytes);
	else
		c->later_bytes[stream_index(frame)] += bytes;
}

static void
catch_up(struct keeper_client *c)
{
	uint64_t skipped = c->skipped;

	if (c->leaving || c->k->phase >= KEEPER_TELLING)
		return;
	if (c->k->req->tty) {
		keeper_paint(c, PAINTER_SCREEN);
		return;
	}
	c->behind = false;
	c->skipped = 0;
	keeper_tell(c, "%llu bytes of output are left out: they came faster than they went",
	    (unsigned long long)skipped);
}

void
keeper_share_more(struct keeper_client *c)
{
	struct buf was = c->s.out;

	if (c->painting)
		return;
	if (c->behind) {
		catch_up(c);
		return;
	}
	if (c->later.len == 0)
		return;
	c->s.out = c->later;
	c->later = was;
	for (size_t i = 0; i < COUNT_OF(c->delivered); i++) {
		c->delivered[i] += c->later_bytes[i];
		c->later_bytes[i] = 0;
	}
}

void
keeper_share_last(struct keeper_client *c, enum frame_type type, const void *p, size_t n)
{
	keeper_paint_stop(c);
	if (c->later.len > 0)
		frame_put(&c->later, type, p, n);
	else
		stream_put(&c->s, type, p, n);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a terminal shows, for who comes to it or was left behind.  What is not painted in time is
 * not waited for: then the command is asked to draw its screen itself. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

#include "base/log.h"
#include "session/keeper_int.h"

#define PAINT_NS (30 * NS_PER_S)
#define AGAIN_NS (NS_PER_S / 4)
#define SLOW_NS (NS_PER_S / 2)
/* The painter follows a recording that nobody waits for when output pauses, or in large steps. */
#define PAUSE_NS NS_PER_S
#define CATCH_UP_MIN (256 * 1024)
#define CATCH_UP_MAX (16 * 1024 * 1024)

static struct painter *
painter_of(struct keeper *k, bool after_end)
{
	int fd;

	if (k->painter || !k->rules.record_output || (k->phase >= KEEPER_DRAINING && !after_end))
		return k->painter;
	fd = store_open_file(k->store_dir, k->start->id);
	if (fd >= 0)
		k->painter = painter_new(k->loop, fd, k->start->conf->runtime_dir);
	if (k->painter)
		painter_forgets(k->painter, keeper_forget, k);
	return k->painter;
}

bool
keeper_is_painting(const struct keeper_client *c)
{
	return c->painting || c->paint.len > 0;
}

static void
tell_now(struct keeper_client *c)
{
	buf_put(&c->s.out, buf_head(&c->notices), c->notices.len);
	buf_fini(&c->notices);
	buf_init(&c->notices, KEEPER_NOTICES_MAX);
}

/* Before the terminal gets another size: what was painted is of this one. */
static void
painted(struct keeper_client *c)
{
	struct keeper *k = c->k;

	buf_fini(&c->paint);
	buf_init(&c->paint, KEEPER_PAINT_MAX);
	tell_now(c);
	if (c == k->keyboard && c->size.ws_row > 0)
		keeper_resize(k, &c->size);
	keeper_fit(c);
	if (c->role != KEEPER_OWNER && !stream_waits(&c->s))
		keeper_share_more(c);
	if (c->owed_result)
		keeper_put_result(c);
}

static void
over(struct keeper_client *c, bool ok)
{
	if (!c->painting)
		return;
	c->painting = false;
	buf_clear(&c->held);
	loop_timer_clear(c->k->loop, &c->t_paint);
	if (!ok && c->k->phase >= KEEPER_DRAINING) {
		keeper_tell(
		    c, "what came meanwhile cannot be shown: coral replay %s", c->k->start->id);
	} else if (!ok) {
		keeper_tell(c, "the screen cannot be shown again: ^L asks most programs for it");
		keeper_redraw(c->k);
	}
	if (c->paint.len == 0)
		painted(c);
	if (!c->gone)
		keeper_client_flush(c);
}

static void
on_done(void *arg, bool ok)
{
	struct keeper_client *c = arg;

	if (ok && c->painting && c->held.len > 0)
		buf_put(&c->paint, buf_head(&c->held), c->held.len);
	over(c, ok);
}

static bool
others_wait(const struct keeper_client *c)
{
	for (const struct keeper_client *o = c->k->clients; o; o = o->next)
		if (o != c && o->painting)
			return true;
	return false;
}

static void paint_late(void *arg);

static void
be_patient(struct keeper_client *c)
{
	bool slow = c->paint.len > 0 && c->role != KEEPER_OWNER;

	loop_timer_set(c->k->loop, &c->t_paint, slow ? SLOW_NS : PAINT_NS, paint_late, c);
}

static void
paint_late(void *arg)
{
	struct keeper_client *c = arg;

	/* It waits for the client, which is another matter. */
	if (c->paint.len > 0 && (c->role == KEEPER_OWNER || !others_wait(c))) {
		be_patient(c);
		return;
	}
	/* There is one painter: nobody waits for those who look on.  It gets a screen when it has
	 * taken what there is. */
	if (c->paint.len > 0) {
		keeper_share_none(c);
		painter_cancel(c->k->painter, c);
		c->painting = false;
		return;
	}
	painter_cancel(c->k->painter, c);
	over(c, false);
}

static void
on_piece(void *arg, const unsigned char *p, size_t n)
{
	struct keeper_client *c = arg;

	if (!c->painting)
		return;
	buf_put(&c->paint, p, n);
	keeper_client_flush(c);
	if (c->painting)
		be_patient(c);
}

static bool
has_room(void *arg)
{
	const struct keeper_client *c = arg;

	return buf_room(&c->paint) >= PAINTER_PIECE_MAX + c->held.len;
}

static void
order(struct keeper_client *c, unsigned what)
{
	struct keeper *k = c->k;
	struct painter *p = painter_of(k, c == k->owner);
	struct err e = {0};
	struct painter_order o = {.rows = c->size.ws_row ? c->size.ws_row : 24,
	    .cols = c->size.ws_col ? c->size.ws_col : 80,
	    .what = what,
	    .piece = on_piece,
	    .room = has_room,
	    .done = on_done,
	    .arg = c};

	c->painting = true;
	loop_timer_set(k->loop, &c->t_paint, PAINT_NS, paint_late, c);
	/* What is read and not recorded yet would be missing from it, and come before it. */
	if (!p || k->blocked_since || cast_flush(k->cast, clock_mono(), &e) < 0) {
		over(c, false);
		return;
	}
	/* Its owner has seen what is held back, and would miss it on the screen; to the others it
	 * comes after that, whole. */
	if (c == k->owner)
		keeper_redact_held(k, &c->held);
	o.upto = cast_offset(k->cast);
	k->caught_up = o.upto;
	if (painter_paint(p, &o, &e) == 0)
		return;
	log_error_of(&e, "painting a screen");
	over(c, false);
}

static void
paint_again(void *arg)
{
	struct keeper_client *c = arg;

	keeper_paint(c, PAINTER_SCREEN);
}

void
keeper_paint(struct keeper_client *c, unsigned what)
{
	int64_t now = clock_mono();

	if (c->painting || c->leaving || c->gone)
		return;
	/* Who is behind all the time gets pictures, and not too many. */
	if (now < c->next_paint) {
		loop_timer_set(c->k->loop, &c->t_paint, c->next_paint - now, paint_again, c);
		return;
	}
	c->next_paint = now + AGAIN_NS;
	/* It has everything up to now. */
	c->behind = c->unfit = false;
	c->skipped = 0;
	buf_clear(&c->later);
	c->later_bytes[0] = c->later_bytes[1] = 0;
	buf_clear(&c->paint);
	buf_clear(&c->held);
	order(c, what);
}

void
keeper_paint_stop(struct keeper_client *c)
{
	if (c->painting && c->k->painter)
		painter_cancel(c->k->painter, c);
	c->painting = false;
	loop_timer_clear(c->k->loop, &c->t_paint);
	buf_fini(&c->paint);
	buf_init(&c->paint, KEEPER_PAINT_MAX);
	tell_now(c);
}

bool
keeper_paint_then_tell(struct keeper_client *c, const void *p, size_t n)
{
	return (keeper_is_painting(c) || c->t_paint.linked) &&
	       buf_room(&c->notices) >= FRAME_HEAD + n &&
	       frame_put(&c->notices, FR_NOTICE, p, n) == 0;
}

void
keeper_paint_more(struct keeper_client *c)
{
	while (c->paint.len > 0) {
		size_t n = c->paint.len < FRAME_DATA_MAX ? c->paint.len : FRAME_DATA_MAX;

		if (buf_room(&c->s.out) < FRAME_HEAD + n + KEEPER_OUT_RESERVE ||
		    stream_put(&c->s, FR_SCREEN, buf_head(&c->paint), n) < 0)
			return;
		buf_consume(&c->paint, n);
	}
	if (!c->painting)
		painted(c);
}

void
keeper_paint_none(struct keeper *k)
{
	for (struct keeper_client *c = k->clients; c; c = c->next)
		keeper_paint_stop(c);
	loop_timer_clear(k->loop, &k->t_catch_up);
	painter_free(k->painter);
	k->painter = NULL;
}

static void
catch_up(void *arg)
{
	struct keeper *k = arg;
	uint64_t behind = cast_offset(k->cast) - k->caught_up;

	if (clock_mono() - k->last_output < PAUSE_NS && behind < CATCH_UP_MAX) {
		loop_timer_set(k->loop, &k->t_catch_up, PAUSE_NS, catch_up, k);
		return;
	}
	if (behind < CATCH_UP_MIN || !painter_of(k, false))
		return;
	k->caught_up += behind;
	painter_catch_up(k->painter, k->caught_up);
}

void
keeper_catch_up_later(struct keeper *k)
{
	if (!k->req->tty || k->t_catch_up.linked || k->phase >= KEEPER_DRAINING ||
	    (!k->painter && keeper_client_is_here(k->owner)))
		return;
	loop_timer_set(k->loop, &k->t_catch_up, PAUSE_NS, catch_up, k);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "replay/player.h"

#include "base/clock.h"
#include "replay/player_int.h"

#define SLICE_NS (20 * NS_PER_MS)

/* Nearer to what lies ahead than where we stand. */
static bool
is_ahead(const struct player *p, size_t k)
{
	return !p->at.end && index_place(&p->index, k)->offset > p->at.offset;
}

void
player_seek(struct player *p, int64_t t)
{
	size_t k = index_by_time(&p->index, t);

	player_cancel(p);
	if (p->index.n > 0 && (t < p->at.t || is_ahead(p, k)))
		player_to_keyframe(p, k);
	p->job = JOB_SEEK_TIME;
	p->want_t = t;
	p->from_offset = p->at.offset;
}

void
player_seek_frame(struct player *p, uint64_t n)
{
	size_t k = index_by_frame(&p->index, n);

	player_cancel(p);
	if (p->index.n > 0 && (n < p->at.frame || is_ahead(p, k)))
		player_to_keyframe(p, k);
	p->job = JOB_SEEK_FRAME;
	p->want_frame = n;
	p->from_offset = p->at.offset;
}

void
player_find(struct player *p, const char *text, bool forward)
{
	player_cancel(p);
	find_set(&p->find, text, forward);
	player_put_aside(p, &p->back);
	p->job = JOB_FIND;
	p->from_offset = p->at.offset;
	player_find_begin(p);
}

bool
player_busy(const struct player *p)
{
	return p->job != JOB_NONE;
}

static void
end_job(struct player *p)
{
	p->job = JOB_NONE;
	screen_set_hooks(p->screen, NULL);
	p->back.valid = false;
}

void
player_cancel(struct player *p)
{
	if (p->job == JOB_FIND)
		player_take_back(p, &p->back);
	end_job(p);
}

static bool
seek_done(const struct player *p)
{
	if (!p->have)
		return true;
	return p->job == JOB_SEEK_TIME ? player_next(p) > p->want_t : p->at.frame >= p->want_frame;
}

static enum player_state
seek_work(struct player *p, int64_t until)
{
	while (!seek_done(p)) {
		player_apply(p);
		if (clock_mono() >= until)
			return PLAYER_BUSY;
	}
	return PLAYER_DONE;
}

/* Go on where reading ahead stopped, or from here when that is further. */
static enum player_state
read_ahead(struct player *p, int64_t until)
{
	enum player_state st = PLAYER_BUSY;

	bool leapt = p->learning && p->at.offset > p->front;

	if ((p->known && !p->learning) || p->caught || player_put_aside(p, &p->here) < 0)
		return PLAYER_IDLE;
	if (p->ahead.valid && (leapt || p->ahead.at.offset > p->at.offset))
		player_take_back(p, &p->ahead);
	else if (leapt)
		player_to_keyframe(p, index_by_offset(&p->index, p->front));
	while (player_apply(p) && clock_mono() < until)
		;
	if (p->known && !p->learning)
		st = PLAYER_IDLE;
	else if (player_put_aside(p, &p->ahead) < 0)
		st = PLAYER_IDLE;
	player_take_back(p, &p->here);
	return st;
}

enum player_state
player_work(struct player *p, int64_t budget_ns)
{
	int64_t until = clock_mono() + budget_ns;
	enum player_state st;

	if (p->job == JOB_NONE)
		return read_ahead(p, until);
	st = p->job == JOB_FIND ? player_find_work(p, until) : seek_work(p, until);
	if (st == PLAYER_NOT_FOUND)
		player_cancel(p);
	else if (st == PLAYER_DONE)
		end_job(p);
	return st;
}

enum player_state
player_finish(struct player *p)
{
	enum player_state st = PLAYER_DONE;

	while (player_busy(p))
		st = player_work(p, SLICE_NS);
	return st;
}

int
player_progress(const struct player *p)
{
	uint64_t at = p->job != JOB_NONE || !p->ahead.valid ? p->at.offset : p->ahead.at.offset;

	if (p->job == JOB_FIND && !p->find.forward)
		at = p->from_offset > at ? p->from_offset - at : 0;
	if (p->size == 0 || (p->known && p->job == JOB_NONE))
		return 1000;
	return at >= p->size ? 1000 : (int)(at * 1000 / p->size);
}

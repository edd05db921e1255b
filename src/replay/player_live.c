/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "replay/player_int.h"

bool
player_waits_here(struct player *p, int got)
{
	if (!p->live || got != 0 || !cast_truncated(p->reader))
		return false;
	/* Not behind half a line: it is read again when it is whole. */
	p->at.offset = cast_at(p->reader, &p->at.line);
	p->at.line_t = p->at.t;
	p->caught = true;
	return true;
}

bool
player_waiting(const struct player *p)
{
	return p->live && !p->have && !p->at.end;
}

void
player_more(struct player *p)
{
	int64_t size = p->live ? cast_size(p->reader) : -1;

	if (size < 0 || (uint64_t)size == p->size)
		return;
	p->size = (uint64_t)size;
	p->caught = false;
	if (player_waiting(p))
		player_resume(p);
}

void
player_live(struct player *p, bool live)
{
	/* What is read is learnt in one go: nothing is left out. */
	if (live) {
		index_drop_file(&p->index);
		p->learning = false;
	}
	if (live == p->live)
		return;
	p->live = live;
	p->caught = false;
	if (!live) {
		if (!p->have && !p->at.end)
			player_resume(p);
		return;
	}
	/* It was opened before anything had happened in it. */
	if (p->known && p->ending == PLAYER_TRUNCATED) {
		p->known = p->at.end = false;
		p->ending = PLAYER_WHOLE;
		buf_init(&p->ahead.screen, SAVE_MAX);
		player_waits_here(p, 0);
		index_consider(&p->index, p->screen, &p->at);
	}
}

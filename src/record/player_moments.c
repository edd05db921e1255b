/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "record/player_int.h"

#define MOMENTS_MAX 4096
#define MOMENTS_FIRST 64

/* Whatever is read was read from the front on: what lies behind `upto` is in the list. */
void
moments_take(struct moments *m, const struct cast_event *ev)
{
	struct player_moment *list, *one;
	size_t room;

	if ((ev->kind != CAST_EV_MARKER && ev->kind != CAST_EV_CORAL) || ev->offset < m->upto ||
	    m->n >= MOMENTS_MAX)
		return;
	if (m->n == m->room) {
		room = m->room ? 2 * m->room : MOMENTS_FIRST;
		list = realloc(m->list, room * sizeof(*list));
		if (!list)
			return;
		m->list = list;
		m->room = room;
	}
	m->upto = ev->offset + 1;
	one = &m->list[m->n++];
	one->t = ev->t;
	if (ev->kind == CAST_EV_CORAL)
		str_vis(one->label, sizeof(one->label), ev->name);
	else
		str_vis_n(one->label, sizeof(one->label), (const char *)ev->data, ev->len);
}

const struct player_moment *
player_moment(const struct player *p, int64_t t, bool after)
{
	const struct moments *m = &p->moments;
	size_t i;

	if (after) {
		for (i = 0; i < m->n; i++) {
			if (m->list[i].t > t)
				return &m->list[i];
		}
		return NULL;
	}
	for (i = m->n; i > 0; i--) {
		if (m->list[i - 1].t < t)
			return &m->list[i - 1];
	}
	return NULL;
}

int64_t
player_began(const struct player *p)
{
	return cast_began(p->reader);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "replay/player_int.h"

#define MOMENTS_FIRST 64
#define HIDES_AGAIN (5 * NS_PER_S)

/* One more, or NULL. */
static struct player_moment *
add(struct moments *m, const struct cast_event *ev)
{
	struct player_moment *list, *one;
	size_t room;

	if (m->n >= MOMENTS_MAX)
		return NULL;
	if (m->n == m->room) {
		room = m->room ? 2 * m->room : MOMENTS_FIRST;
		list = realloc(m->list, room * sizeof(*list));
		if (!list)
			return NULL;
		m->list = list;
		m->room = room;
	}
	m->upto = ev->offset + 1;
	one = &m->list[m->n++];
	*one = (struct player_moment){.t = ev->t};
	return one;
}

/* Whatever is read was read from the front on: what lies behind `upto` is in the list. */
void
moments_take(struct moments *m, const struct cast_event *ev)
{
	struct player_moment *one;

	if ((ev->kind != CAST_EV_MARKER && ev->kind != CAST_EV_CORAL) || ev->offset < m->upto)
		return;
	one = add(m, ev);
	if (one && ev->kind == CAST_EV_CORAL)
		str_vis(one->label, sizeof(one->label), ev->name);
	else if (one)
		str_vis_n(one->label, sizeof(one->label), (const char *)ev->data, ev->len);
}

/* Told once of a kind, until it is seldom again. */
static void
hides(struct moments *m, const struct cast_event *ev, size_t kind, const char *label)
{
	struct player_moment *one = NULL;

	if (!m->told[kind] || ev->t - m->told[kind] > HIDES_AGAIN)
		one = add(m, ev);
	m->told[kind] = ev->t + 1;
	m->upto = ev->offset + 1;
	if (!one)
		return;
	one->hidden = true;
	str_copy(one->label, label, sizeof(one->label));
}

void
moments_hidden(struct moments *m, const struct screen_hidden *was, const struct screen_hidden *is,
    const struct cast_event *ev)
{
	if (ev->offset < m->upto)
		return;
	if (is->concealed > was->concealed)
		hides(m, ev, 0, "concealed text");
	if (is->same > was->same)
		hides(m, ev, 1, "unseen by its colour");
	if (is->wiped > was->wiped)
		hides(m, ev, 2, "wiped at once");
	if (is->scrollback > was->scrollback)
		hides(m, ev, 3, "scrollback erased");
	if (is->marks > was->marks)
		hides(m, ev, 4, "invisible marks");
}

void
moments_feed(struct moments *m, struct screen *s, const struct cast_event *ev)
{
	struct screen_hidden was = *screen_hidden(s);

	screen_feed(s, ev->data, ev->len);
	moments_hidden(m, &was, screen_hidden(s), ev);
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

bool
player_frozen(const struct player *p, int64_t t)
{
	const struct player_moment *m;
	size_t i;

	/* Behind a full list it may have been thawed. */
	if (p->moments.n >= MOMENTS_MAX || !json_object_get(player_header(p), "coral"))
		return false;
	for (i = p->moments.n; i > 0; i--) {
		m = &p->moments.list[i - 1];
		if (m->t <= t &&
		    (strcmp(m->label, "frozen") == 0 || strcmp(m->label, "thawed") == 0))
			return m->label[0] == 'f';
	}
	return false;
}

int64_t
player_began(const struct player *p)
{
	return cast_began(p->reader);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "replay/player_int.h"

#define COMMANDS_MAX 4096
#define COMMANDS_FIRST 64
#define STOOD_STILL (300 * NS_PER_MS)
/* Shells say so when they begin with a line that they were given: the mark that terminals know as
 * semantic prompts. */
#define MARK "\x1b]133;C"

static void
add(struct commands *c, const struct player *p, enum command_source source, int row)
{
	size_t room = c->room ? 2 * c->room : COMMANDS_FIRST;
	struct command *one;
	struct buf text;

	if (c->n >= COMMANDS_MAX)
		return;
	if (c->n == c->room) {
		one = realloc(c->list, room * sizeof(*one));
		if (!one)
			return;
		c->list = one;
		c->room = room;
	}
	one = &c->list[c->n++];
	one->source = source;
	one->m = (struct player_moment){.t = p->ev.t > p->at.t ? p->ev.t : p->at.t};
	c->best = source > c->best ? source : c->best;
	buf_init(&text, SCREEN_COLS_MAX * 12);
	if (screen_row_text(p->screen, row, &text, NULL) == 0)
		str_vis_n(
		    one->m.label, sizeof(one->m.label), (const char *)buf_head(&text), text.len);
	buf_fini(&text);
}

/* Also across events. */
static bool
has_mark(struct commands *c, const unsigned char *p, size_t n)
{
	const unsigned char *end = p + n;
	const size_t len = sizeof(MARK) - 1;

	for (; p < end; p++) {
		if (c->matched == 0 && !(p = memchr(p, MARK[0], (size_t)(end - p))))
			return false;
		if (*p == (unsigned char)MARK[c->matched])
			c->matched++;
		else
			c->matched = *p == (unsigned char)MARK[0];
		if (c->matched == len) {
			c->matched = 0;
			return true;
		}
	}
	return false;
}

static void
output(struct commands *c, const struct player *p)
{
	bool still = p->ev.t - c->last >= STOOD_STILL;
	int row, col;

	c->last = p->ev.t;
	if (has_mark(c, p->ev.data, p->ev.len)) {
		screen_cursor(p->screen, &row, &col);
		add(c, p, COMMAND_MARKED, col == 0 && row > 0 ? row - 1 : row);
		c->waits = false;
		return;
	}
	if (still && !c->waits) {
		screen_cursor(p->screen, &row, &col);
		c->waits = col > 0;
	}
	if (!c->waits || !memchr(p->ev.data, '\n', p->ev.len))
		return;
	c->waits = false;
	screen_cursor(p->screen, &row, &col);
	if (!screen_alt(p->screen))
		add(c, p, COMMAND_GUESSED, row);
}

static void
input(struct commands *c, const struct player *p)
{
	int row, col;

	if (screen_alt(p->screen) ||
	    (!memchr(p->ev.data, '\r', p->ev.len) && !memchr(p->ev.data, '\n', p->ev.len)))
		return;
	screen_cursor(p->screen, &row, &col);
	add(c, p, COMMAND_TYPED, row);
}

void
commands_take(struct commands *c, const struct player *p)
{
	if (p->ev.offset < c->upto || c->none)
		return;
	c->upto = p->ev.offset + 1;
	if (p->ev.kind == CAST_EV_OUTPUT && p->ev.len > 0)
		output(c, p);
	else if (p->ev.kind == CAST_EV_INPUT)
		input(c, p);
}

const struct player_moment *
player_command(const struct player *p, int64_t t, bool after)
{
	const struct commands *c = &p->commands;
	const struct player_moment *best = NULL;
	size_t i;

	for (i = 0; i < c->n; i++) {
		const struct command *one = &c->list[i];

		if (one->source != c->best)
			continue;
		if (after && one->m.t > t)
			return &one->m;
		if (!after && one->m.t < t)
			best = &one->m;
	}
	return best;
}

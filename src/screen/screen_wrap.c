/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "screen/screen_int.h"

/*
 * The library does not tell which rows are one line.  Its cursor is followed
 * as far as that is cheap, so that it is known when it stands behind the last
 * column, and the character that begins the next row is written in a font of
 * its own: the mark then moves with the cell.
 */
#define MARK "\x1b[11m"
#define UNMARK "\x1b[10m"

void
wrap_unmark(struct screen *s)
{
	if (s->flags.wrap.marked)
		screen_put(s, UNMARK, strlen(UNMARK));
	s->flags.wrap.marked = false;
}

static void
find(struct screen *s)
{
	struct wrap *w = &s->flags.wrap;
	int row, col;

	screen_write(s);
	screen_cursor(s, &row, &col);
	/* The library keeps it behind the last column until it is elsewhere. */
	w->pending = w->pending && row == w->row && col == w->col;
	w->col = col;
	w->known = true;
}

static void
lose(struct screen *s)
{
	struct wrap *w = &s->flags.wrap;

	/* It may have gone from there, and would go back. */
	if (!w->known && w->pending)
		find(s);
	if (w->pending) {
		screen_write(s);
		screen_cursor(s, &w->row, &w->col);
	}
	w->known = false;
}

/* Whether it is known where the next character goes: not where none wraps. */
static bool
follows(struct screen *s)
{
	struct wrap *w = &s->flags.wrap;

	wrap_unmark(s);
	if (!w->known)
		find(s);
	if (w->off)
		w->known = w->pending = false;
	return !w->off;
}

void
wrap_printing(struct screen *s, int width)
{
	struct wrap *w = &s->flags.wrap;
	int cols = screen_cols(s);

	if (!follows(s))
		return;
	if (w->pending || w->col + width > cols) {
		screen_put(s, MARK, strlen(MARK));
		w->marked = true;
		w->col = 0;
	}
	/* Behind the last column it stays on what stands there. */
	w->pending = w->col + width >= cols;
	if (!w->pending)
		w->col += width;
}

size_t
wrap_run(struct screen *s, size_t n)
{
	struct wrap *w = &s->flags.wrap;
	int cols = screen_cols(s);

	if (!follows(s))
		return n;
	if (w->pending)
		return 0;
	if (n >= (size_t)(cols - w->col)) {
		n = (size_t)(cols - w->col);
		w->pending = true;
		w->col = cols - 1;
	} else {
		w->col += (int)n;
	}
	return n;
}

void
wrap_mode(struct screen *s, bool dec, int mode, bool on)
{
	if (dec && mode == 7)
		s->flags.wrap.off = !on;
	else if (!dec && mode == 20)
		s->flags.wrap.newline = on;
}

static void
control(struct screen *s, const struct filter *f, unsigned char c)
{
	struct wrap *w = &s->flags.wrap;

	if (c == '\r' || (c == '\n' && f->newline)) {
		w->col = 0;
		w->known = true;
		w->pending = false;
	} else if (c < 0x0e && (c != '\n' || w->pending || w->newline)) {
		lose(s);
	}
}

void
wrap_seen(struct screen *s, enum filter_seen what, const struct filter *f, unsigned char final)
{
	struct wrap *w = &s->flags.wrap;

	wrap_unmark(s);
	if (what == FILTER_CONTROL) {
		control(s, f, final);
		return;
	}
	/* Character sets, and looks. */
	if (what == FILTER_ESCAPE ? f->inter != 0 : final == 'm')
		return;
	lose(s);
	if (what == FILTER_ESCAPE && final == 'c')
		*w = (struct wrap){0};
	/* Also when they lead to where it is. */
	if (what == FILTER_CONTROL_SEQUENCE && !f->leader && !f->inter &&
	    strchr("ABCDEFGH`adefjk", final))
		w->pending = false;
}

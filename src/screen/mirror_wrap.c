/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "screen/mirror_int.h"

/*
 * The library does not tell which rows are one line.  Its cursor is followed
 * as far as that is cheap, so that it is known when it stands behind the last
 * column, and the character that begins the next row is written in a font of
 * its own: the mark then moves with the cell.
 */
#define MARK "\x1b[11m"
#define UNMARK "\x1b[10m"

void
wrap_unmark(struct mirror *m)
{
	if (m->wrap.marked)
		screen_put(m->s, UNMARK, strlen(UNMARK));
	m->wrap.marked = false;
}

static void
find(struct mirror *m)
{
	struct wrap *w = &m->wrap;
	int row, col;

	screen_flush(m->s);
	screen_cursor(m->s, &row, &col);
	/* The library keeps it behind the last column until it is elsewhere. */
	w->pending = w->pending && row == w->row && col == w->col;
	w->col = col;
	w->known = true;
}

static void
lose(struct mirror *m)
{
	struct wrap *w = &m->wrap;

	if (w->known && w->pending) {
		screen_flush(m->s);
		screen_cursor(m->s, &w->row, &w->col);
	}
	w->known = false;
}

void
wrap_printing(struct mirror *m, int width)
{
	struct wrap *w = &m->wrap;
	int cols = screen_cols(m->s);

	wrap_unmark(m);
	if (!w->known)
		find(m);
	if (!(m->modes.on & MM_WRAP)) {
		w->known = w->pending = false;
		return;
	}
	if (w->pending || w->col + width > cols) {
		screen_put(m->s, MARK, strlen(MARK));
		w->marked = true;
		w->col = 0;
	}
	/* Behind the last column it stays on what stands there. */
	w->pending = w->col + width >= cols;
	if (!w->pending)
		w->col += width;
}

void
wrap_seen(struct mirror *m, enum filter_seen what, const struct filter *f, unsigned char final)
{
	wrap_unmark(m);
	switch (what) {
	case FILTER_CONTROL:
		if (final == '\r') {
			m->wrap.col = 0;
			m->wrap.known = true;
			m->wrap.pending = false;
			return;
		}
		if (final == '\n' && !m->wrap.pending && !(m->modes.on & MM_NEWLINE))
			return;
		if (final >= 0x0e)
			return;
		break;
	case FILTER_ESCAPE:
		/* Character sets. */
		if (f->inter)
			return;
		break;
	case FILTER_CONTROL_SEQUENCE:
		/* Looks. */
		if (final == 'm')
			return;
		break;
	}
	lose(m);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "screen/mirror.h"

#include <stdlib.h>
#include <string.h>

#include "screen/mirror_int.h"

static bool
on_seen(void *arg, enum filter_seen what, const struct filter *f, unsigned char final)
{
	return modes_seen(arg, what, f, final);
}

static bool
on_mode(void *arg, bool dec, int mode, bool on)
{
	return modes_mode(arg, dec, mode, on);
}

static void
on_pushed(void *arg, const struct screen_cell *cells, int cols)
{
	struct screen_cell line[SCREEN_COLS_MAX];
	struct mirror *m = arg;
	int col;

	if (m->probing)
		return;
	for (col = 0; col < cols; col++) {
		line[col] = cells[col];
		if (m->s->flags.reverse)
			line[col].attrs ^= SCREEN_REVERSE;
		cell_normal(&line[col]);
	}
	if (lines_push(&m->back, line, cols) < 0)
		m->failed = true;
}

static void
follow(struct mirror *m)
{
	m->s->track =
	    (struct screen_track){.seen = on_seen, .mode = on_mode, .pushed = on_pushed, .arg = m};
}

struct mirror *
mirror_new(int rows, int cols)
{
	struct mirror *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->s = screen_new(rows, cols);
	if (!m->s) {
		free(m);
		return NULL;
	}
	m->rows = screen_rows(m->s);
	m->cols = screen_cols(m->s);
	modes_reset(&m->modes, m->rows);
	follow(m);
	return m;
}

void
mirror_free(struct mirror *m)
{
	if (!m)
		return;
	lines_clear(&m->back);
	screen_free(m->s);
	free(m);
}

void
mirror_resize(struct mirror *m, int rows, int cols)
{
	m->rows = rows < SCREEN_MIN ? SCREEN_MIN : rows > SCREEN_ROWS_MAX ? SCREEN_ROWS_MAX : rows;
	m->cols = cols < SCREEN_MIN ? SCREEN_MIN : cols > SCREEN_COLS_MAX ? SCREEN_COLS_MAX : cols;
}

/* Painted anew on a screen of the new size, as on the user's terminal, so that both agree. */
int
mirror_settle(struct mirror *m)
{
	struct mirror *to;
	size_t pulled;

	if (m->rows == screen_rows(m->s) && m->cols == screen_cols(m->s))
		return 0;
	to = mirror_reflow(m, m->rows, m->cols, &pulled);
	if (!to) {
		m->failed = true;
		return -1;
	}
	lines_pop(&m->back, pulled);
	if (lines_move(&m->back, &to->back) < 0)
		m->failed = true;
	screen_free(m->s);
	m->s = steal_ptr(&to->s);
	m->modes = to->modes;
	follow(m);
	mirror_free(to);
	return m->failed ? -1 : 0;
}

static void
keep_tail(struct mirror *m, const unsigned char *p, size_t n)
{
	size_t i;

	if (m->s->flags.filter.utf8_need == 0) {
		m->tail_len = 0;
		return;
	}
	for (i = n > 3 ? n - 3 : 0; i < n; i++) {
		if (p[i] >= 0xc0)
			m->tail_len = 0;
		if (m->tail_len < sizeof(m->tail))
			m->tail[m->tail_len++] = p[i];
	}
}

int
mirror_feed(struct mirror *m, const void *p, size_t n)
{
	if (m->failed || mirror_settle(m) < 0)
		return -1;
	screen_feed(m->s, p, n);
	keep_tail(m, p, n);
	return m->failed ? -1 : 0;
}

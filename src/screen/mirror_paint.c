/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>

#include "screen/mirror_int.h"

/* A row on its own, or left to the terminal to begin, which then knows both rows for one line.
 * Whether the next one can be. */
static bool
paint_row(struct paint *p, const struct screen_cell *cells, const struct screen_cell *next,
    int cols, int row, bool joined)
{
	bool goes_on = next && next->joined && cols == p->cols, agreed = true;
	int used = cells_used(cells, cols), col = 0;

	if (goes_on)
		used = next->width == 2 && used == cols - 1 ? used : cols;
	if (!joined || !paint_may_wrap(p, &cells[0]))
		paint_at(p, row, 0);
	while (col < used) {
		/* Half of a character does not fit. */
		if (col + cells[col].width > p->cols)
			break;
		paint_glyph(p, &cells[col]);
		agreed = !paint_doubtful(&cells[col]);
		col += cells[col].width ? cells[col].width : 1;
		if (!agreed && col < p->cols)
			paint_num(p, "\x1b[%G", col + 1, 0);
	}
	if (col < cols) {
		if (p->pen.bg.kind)
			paint_plain(p);
		paint_str(p, "\x1b[K");
	}
	return goes_on && agreed;
}

void
paint_grid(struct paint *p, const struct grid *g, int rows)
{
	int cols = g->cols < p->cols ? g->cols : p->cols, row;
	bool joined = false;

	paint_plain(p);
	for (row = 0; row < rows; row++) {
		if (row < g->rows) {
			joined = paint_row(p, grid_row(g, row),
			    row + 1 < g->rows && row + 1 < rows ? grid_row(g, row + 1) : NULL, cols,
			    row, joined);
			continue;
		}
		paint_plain(p);
		paint_at(p, row, 0);
		paint_str(p, "\x1b[K");
	}
	paint_plain(p);
}

/* What was begun and is not complete: it goes on with what comes. */
static void
paint_partial(struct paint *p, const struct mirror *m)
{
	const struct filter *f = &m->s->flags.filter;
	char c[2] = "";
	int i;

	if (m->tail_len && buf_put(p->out, m->tail, m->tail_len) < 0)
		p->full = true;
	switch (f->state) {
	case FILTER_GROUND:
		return;
	case FILTER_STRING:
		/* One that nobody knows, and that ends as the others do. */
		paint_str(p, "\x1b]9999;");
		return;
	case FILTER_STRING_ESC:
		paint_str(p, "\x1b]9999;\x1b");
		return;
	case FILTER_ESC:
		paint_str(p, "\x1b");
		break;
	case FILTER_CSI:
		paint_str(p, f->leader == 0xff ? "\x1b[0?" : "\x1b[");
		c[0] = f->leader == 0xff ? '\0' : (char)f->leader;
		paint_str(p, c);
		for (i = 0; i <= f->nargs; i++) {
			if (f->args[i] >= 0)
				paint_num(p, "%", f->args[i], 0);
			if (i < f->nargs)
				paint_str(p, f->more & 1u << i ? ":" : ";");
		}
		break;
	}
	c[0] = f->inter == 0xff ? '\0' : (char)f->inter;
	paint_str(p, f->inter == 0xff ? "  " : c);
}

/* Two lists, oldest first, of the first one only `n`. */
static const struct line *
line_of_both(const struct mirror *m, size_t n, const struct mirror *more, size_t i)
{
	if (i < n)
		return lines_at(&m->back, i);
	i -= n;
	return m != more && i < more->back.n ? lines_at(&more->back, i) : NULL;
}

/* From `first` on: pushed away just as far as they go.  The terminal is to know when the last of
 * them and the top row of the screen are one line. */
static void
paint_back(struct paint *p, const struct grid *g, const struct mirror *m, size_t n,
    const struct mirror *more, size_t first)
{
	struct flow f = {.p = p};
	const struct line *line, *next;
	size_t i = first;
	int row;

	paint_str(p, "\r\x1b[J");
	for (line = line_of_both(m, n, more, i); line; line = next) {
		next = line_of_both(m, n, more, ++i);
		if (next)
			flow_line(&f, line, next);
		else
			flow_line_before(&f, line, grid_row(g, 0));
	}
	if (f.col > 0)
		flow_cell(&f, grid_row(g, 0));
	paint_plain(p);
	for (row = 1; row < g->rows; row++)
		paint_str(p, "\n");
	paint_str(p, "\x1b[?6l");
}

static int
paint_all(struct paint *p, struct mirror *show, const struct grid *g)
{
	struct mirror_cursor c;

	paint_grid(p, g, g->rows);
	if (state_cursor(show, &c) < 0 || state_paint(p, show, g->rows, &c) < 0)
		return -1;
	paint_partial(p, show);
	return 0;
}

/* Fewer and fewer of the lines, until it fits. */
static int
paint_fitting(struct mirror *show, const struct grid *g, const struct mirror *m, size_t n,
    unsigned what, struct buf *out)
{
	size_t all = n + (show != m ? show->back.n : 0), first = 0, mark = out->len;

	for (;;) {
		struct paint p = {.out = out, .cols = screen_cols(show->s)};

		state_reset(&p, what);
		if (what & MIRROR_SCROLLBACK)
			paint_back(&p, g, m, n, show, first);
		if (paint_all(&p, show, g) < 0)
			return -1;
		if (!p.full)
			return 0;
		out->len = mark;
		if (!(what & MIRROR_SCROLLBACK) || first == all)
			return -1;
		first += (all - first + 1) / 2;
	}
}

int
mirror_paint(struct mirror *m, int rows, int cols, unsigned what, struct buf *out)
{
	struct mirror *other = NULL, *show = m;
	size_t pulled = 0;
	struct grid g;
	int rc = -1;

	if (m->failed || mirror_settle(m) < 0)
		return -1;
	rows = rows < SCREEN_MIN ? SCREEN_MIN : rows > SCREEN_ROWS_MAX ? SCREEN_ROWS_MAX : rows;
	cols = cols < SCREEN_MIN ? SCREEN_MIN : cols > SCREEN_COLS_MAX ? SCREEN_COLS_MAX : cols;
	if (rows != screen_rows(m->s) || cols != screen_cols(m->s)) {
		other = mirror_reflow(m, rows, cols, &pulled);
		if (!other)
			return -1;
		show = other;
	}
	if (mirror_grid(show, false, &g) == 0) {
		rc = paint_fitting(show, &g, m, m->back.n - pulled, what, out);
		free(g.cells);
	}
	mirror_free(other);
	return rc;
}

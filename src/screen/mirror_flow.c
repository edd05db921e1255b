/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "screen/mirror_int.h"

/* How many more of the lines that scrolled away are read than fit on the screen, for those that
 * take fewer rows when wrapped anew; and to begin where a line begins. */
#define PULL_TIMES 4
#define PULL_MORE 64

static void
new_row(struct flow *f)
{
	paint_plain(f->p);
	paint_str(f->p, "\r\n");
	f->row++;
	f->col = 0;
}

void
flow_cell(struct flow *f, const struct screen_cell *c)
{
	if (f->col + c->width > f->p->cols) {
		if (paint_may_wrap(f->p, c) && (f->col == f->p->cols || !paint_doubtful(c))) {
			f->row++;
			f->col = 0;
		} else {
			new_row(f);
		}
	}
	paint_glyph(f->p, c);
	f->col += c->width;
	if (paint_doubtful(c) && f->col < f->p->cols)
		paint_num(f->p, "\x1b[%G", f->col + 1, 0);
}

void
flow_end(struct flow *f)
{
	new_row(f);
}

/* Blanks that belong to a line because it goes on after them; not the column that a wide
 * character left free. */
static void
fill_row(struct flow *f, int used, int cols, bool wide_follows)
{
	static const struct screen_cell blank = {.width = 1};

	if (wide_follows && used == cols - 1)
		return;
	for (; used < cols; used++)
		flow_cell(f, &blank);
}

static int
flow_cells(struct flow *f, const struct line *line)
{
	struct line_iter it;
	struct screen_cell c;
	int used = 0;

	line_begin(&it, line);
	while (line_next(&it, &c)) {
		flow_cell(f, &c);
		used += c.width;
	}
	return used;
}

void
flow_line_before(struct flow *f, const struct line *line, const struct screen_cell *next)
{
	int used = flow_cells(f, line);

	if (next && next->joined)
		fill_row(f, used, line->cols, next->width == 2);
	else
		flow_end(f);
}

void
flow_line(struct flow *f, const struct line *line, const struct line *next)
{
	struct screen_cell first = {0};
	struct line_iter it;

	if (next) {
		line_begin(&it, next);
		line_next(&it, &first);
		first.joined = next->joined;
	}
	flow_line_before(f, line, &first);
}

/* The cursor after n columns that are blank, seen from here. */
static struct mirror_cursor
cursor_after(const struct flow *f, int n, const struct screen_cell *last)
{
	int cols = f->p->cols;
	struct mirror_cursor c = {.row = f->row, .col = f->col + n};

	if (n == 0 && f->col == cols && last)
		return (struct mirror_cursor){
		    .row = f->row, .col = cols - last->width, .pending = true, .glyph = *last};
	if (c.col >= cols)
		c.col = cols - 1;
	return c;
}

/* One row; the cursor, when it is on it, becomes one of the flow's. */
static void
flow_row(struct flow *f, const struct grid *g, int row, const struct mirror_cursor *from,
    struct mirror_cursor *to)
{
	const struct screen_cell *cells = grid_row(g, row), *last = NULL;
	int used = cells_used(cells, g->cols), col;

	for (col = 0; col < used; col++) {
		bool here = from->row == row && from->col == col;

		if (cells[col].width == 0)
			continue;
		if (here && !from->pending)
			*to = f->col + cells[col].width > f->p->cols
				  ? (struct mirror_cursor){.row = f->row + 1}
				  : (struct mirror_cursor){.row = f->row, .col = f->col};
		flow_cell(f, &cells[col]);
		last = &cells[col];
		if (here && from->pending)
			*to = cursor_after(f, 0, last);
	}
	if (from->row == row && from->col >= used)
		*to = cursor_after(f, from->col - used, last);
}

/* Fill it or end it. */
static void
end_row(struct flow *f, const struct grid *g, int row)
{
	const struct screen_cell *next = grid_row(g, row + 1);

	if (next->joined)
		fill_row(f, cells_used(grid_row(g, row), g->cols), g->cols, next->width == 2);
	else
		flow_end(f);
}

static int
last_row(const struct grid *g, int at_least)
{
	int row = g->rows - 1;

	while (row > at_least && cells_used(grid_row(g, row), g->cols) == 0)
		row--;
	return row;
}

/* A screen that is full goes on above. */
static size_t
how_many(const struct mirror *m, int rows)
{
	size_t n = (size_t)rows * PULL_TIMES, more;

	if (n > m->back.n)
		n = m->back.n;
	for (more = 0; more < PULL_MORE && n < m->back.n; more++, n++) {
		if (n > 0 && !lines_at(&m->back, m->back.n - n)->joined)
			break;
	}
	return n;
}

static void
flow_pulled(struct flow *f, const struct mirror *m, size_t n, const struct grid *g)
{
	size_t i, all = m->back.n;

	for (i = all - n; i + 1 < all; i++)
		flow_line(f, lines_at(&m->back, i), lines_at(&m->back, i + 1));
	if (n > 0)
		flow_line_before(f, lines_at(&m->back, i), grid_row(g, 0));
}

static int
flow_screen(struct paint *p, struct mirror *m, int rows, size_t *pulled)
{
	struct mirror_cursor from, to = {0};
	struct flow f = {.p = p};
	struct grid g;
	int row, last, top;

	if (state_cursor(m, &from) < 0 || mirror_grid(m, false, &g) < 0)
		return -1;
	last = last_row(&g, from.row);
	*pulled = last == g.rows - 1 ? how_many(m, rows) : 0;
	flow_pulled(&f, m, *pulled, &g);
	for (row = 0; row <= last; row++) {
		flow_row(&f, &g, row, &from, &to);
		if (row < last)
			end_row(&f, &g, row);
	}
	paint_plain(p);
	free(g.cells);
	top = f.row >= rows ? f.row - rows + 1 : 0;
	to.row -= top;
	if (to.row < 0)
		to = (struct mirror_cursor){.col = to.col};
	if (to.row >= rows)
		to.row = rows - 1;
	return state_paint(p, m, rows, &to);
}

struct mirror *
mirror_reflow(struct mirror *m, int rows, int cols, size_t *pulled)
{
	struct mirror *to = mirror_new(rows, cols);
	struct paint p = {.cols = cols};
	struct buf out;

	buf_init(&out, MIRROR_PAINT_MAX);
	p.out = &out;
	state_reset(&p, MIRROR_SCREEN);
	paint_at(&p, 0, 0);
	if (!to || flow_screen(&p, m, rows, pulled) < 0 || p.full ||
	    mirror_feed(to, buf_head(&out), out.len) < 0) {
		mirror_free(to);
		to = NULL;
	}
	buf_fini(&out);
	if (!to)
		return NULL;
	/* What is not complete goes on where it was. */
	to->s->flags.filter = m->s->flags.filter;
	memcpy(to->tail, m->tail, sizeof(to->tail));
	to->tail_len = m->tail_len;
	to->modes.touched = m->modes.touched;
	return to;
}

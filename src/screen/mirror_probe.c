/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "screen/mirror_int.h"

int
probe_begin(struct probe *p, struct mirror *m)
{
	screen_flush(m->s);
	p->m = m;
	buf_init(&p->saved, screen_save_size(m->s));
	if (screen_save(m->s, &p->saved) < 0) {
		buf_fini(&p->saved);
		return -1;
	}
	m->probing = true;
	return 0;
}

void
probe_send(struct probe *p, const char *seq)
{
	screen_put(p->m->s, seq, strlen(seq));
	screen_flush(p->m->s);
}

void
probe_end(struct probe *p)
{
	screen_restore(p->m->s, buf_head(&p->saved), p->saved.len);
	buf_fini(&p->saved);
	p->m->probing = false;
}

static void
read_grid(struct mirror *m, struct grid *g)
{
	struct screen_cell *c = g->cells;
	int row, col;

	for (row = 0; row < g->rows; row++) {
		for (col = 0; col < g->cols; col++, c++) {
			screen_cell(m->s, row, col, c);
			if (m->s->flags.reverse)
				c->attrs ^= SCREEN_REVERSE;
			cell_normal(c);
		}
	}
}

int
mirror_grid(struct mirror *m, bool alt, struct grid *g)
{
	bool other = screen_alt(m->s) && !alt;
	struct probe p;

	g->rows = screen_rows(m->s);
	g->cols = screen_cols(m->s);
	g->cells = calloc((size_t)g->rows * (size_t)g->cols, sizeof(*g->cells));
	if (!g->cells)
		return -1;
	if (other) {
		if (probe_begin(&p, m) < 0) {
			free(steal_ptr(&g->cells));
			return -1;
		}
		probe_send(&p, "\x1b[?1047l");
	}
	read_grid(m, g);
	if (other)
		probe_end(&p);
	return 0;
}

int
mirror_cursor(struct mirror *m, struct mirror_cursor *c)
{
	static const struct {
		uint32_t cp;
		const char *utf8;
	} marks[] = {{0x2588, "\xe2\x96\x88"}, {0x2592, "\xe2\x96\x92"}};
	struct screen_cell cell;
	struct probe p;
	int i, row, col;

	screen_flush(m->s);
	screen_cursor(m->s, &row, &col);
	*c = (struct mirror_cursor){.row = row, .col = col};
	/* It is on the left half of a wide character. */
	if (c->col < screen_cols(m->s) - 2 || !(m->modes.on & MM_WRAP))
		return 0;
	screen_cell(m->s, c->row, c->col, &cell);
	i = cell.ch[0] == marks[0].cp;
	if (probe_begin(&p, m) < 0)
		return -1;
	probe_send(&p, marks[i].utf8);
	screen_cell(m->s, c->row, c->col, &cell);
	c->pending = cell.ch[0] != marks[i].cp;
	probe_end(&p);
	if (!c->pending)
		return 0;
	/* A wide one that was erased since. */
	screen_cell(m->s, c->row, c->col, &c->glyph);
	if (c->glyph.width == 1 && c->col < screen_cols(m->s) - 1)
		screen_cell(m->s, c->row, ++c->col, &c->glyph);
	if (m->s->flags.reverse)
		c->glyph.attrs ^= SCREEN_REVERSE;
	cell_normal(&c->glyph);
	return 0;
}

int
mirror_tabs(struct mirror *m, uint8_t stops[SCREEN_COLS_MAX / 8])
{
	int row, col, before = 0;
	struct probe p;

	memset(stops, 0, SCREEN_COLS_MAX / 8);
	if (probe_begin(&p, m) < 0)
		return -1;
	probe_send(&p, "\r");
	for (;;) {
		probe_send(&p, "\t");
		screen_cursor(m->s, &row, &col);
		/* At the end of a row it goes no further, with or without a stop. */
		if (col <= before || col == screen_cols(m->s) - 1)
			break;
		stops[col / 8] |= (uint8_t)(1u << col % 8);
		before = col;
	}
	probe_end(&p);
	return 0;
}

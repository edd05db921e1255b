/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "screen/mirror_int.h"

static const struct charsets ascii = {.g = {'B', 'B', 'B', 'B'}};

void
state_reset(struct paint *p, unsigned what)
{
	/* Taking margins away moves the cursor. */
	paint_str(p, "\x1b[?1047l\x1b"
		     "7\x1b[?6l\x1b[r\x1b"
		     "8\x1b(B\x1b)B\x0f\x1b[4l\x1b[20l\x1b[?7h\x1b[?5l\x1b[?25l");
	if (!(what & MIRROR_SCROLLBACK))
		paint_str(p, "\x1b[?6l\x1b*B\x1b+B\x1b[>4m\x1b[0 q");
	memcpy(p->g, ascii.g, sizeof(p->g));
	p->pen = (struct screen_cell){0};
	paint_plain(p);
}

static int
clamp(int v, int max)
{
	return v < 0 ? 0 : v > max ? max : v;
}

/* Margins are as wide as the screen here, so that origin mode changes no position. */
static void
save_at(struct paint *p, const struct saved_cursor *c, int row, int col, const char *save)
{
	if (c->origin)
		paint_str(p, "\x1b[?6h");
	paint_at(p, row, col);
	paint_pen(p, &c->pen);
	paint_charsets(p, &c->cs);
	paint_str(p, save);
	if (c->origin)
		paint_str(p, "\x1b[?6l");
	paint_charsets(p, &ascii);
	paint_plain(p);
}

static int
paint_tabs(struct paint *p, struct mirror *m)
{
	uint8_t stops[SCREEN_COLS_MAX / 8];
	int col, known = screen_cols(m->s);

	if (mirror_tabs(m, stops) < 0)
		return -1;
	paint_str(p, "\x1b[3g");
	for (col = 1; col < p->cols; col++) {
		if (col < known ? stops[col / 8] & 1u << col % 8 : col % 8 == 0)
			paint_num(p, "\x1b[1;%H\x1bH", col + 1, 0);
	}
	return 0;
}

static int
paint_alternate(struct paint *p, struct mirror *m, int rows, const struct mirror_cursor *primary)
{
	const struct modes *md = &m->modes;
	struct grid g;

	if (md->alt_saved) {
		save_at(p, &md->saved[0], primary->row, primary->col, "\x1b[?1049h");
	} else {
		save_at(p, &md->saved[0], clamp(md->saved[0].row, rows - 1),
		    clamp(md->saved[0].col, p->cols - 1),
		    "\x1b"
		    "7");
		paint_str(p, "\x1b[?1047h");
	}
	if (mirror_grid(m, true, &g) < 0)
		return -1;
	paint_grid(p, &g, rows);
	free(g.cells);
	save_at(p, &md->saved[1], clamp(md->saved[1].row, rows - 1),
	    clamp(md->saved[1].col, p->cols - 1),
	    "\x1b"
	    "7");
	return 0;
}

int
state_cursor(struct mirror *m, struct mirror_cursor *c)
{
	const struct saved_cursor *s = &m->modes.saved[0];

	if (mirror_cursor(m, c) < 0)
		return -1;
	if (screen_alt(m->s))
		*c = m->modes.alt_saved ? (struct mirror_cursor){.row = s->row, .col = s->col}
					: (struct mirror_cursor){0};
	return 0;
}

static void
paint_cursor(struct paint *p, struct mirror *m, int rows, const struct mirror_cursor *c)
{
	const struct modes *md = &m->modes;
	int row = clamp(c->row, rows - 1), top = 0;
	struct screen_cell pen;

	/* Terminals of another size forget them. */
	if (rows == screen_rows(m->s) && (md->top > 0 || md->bottom < rows)) {
		paint_num(p, "\x1b[%;%r", md->top + 1, md->bottom);
		top = md->top;
	}
	if (md->on & MM_ORIGIN) {
		paint_str(p, "\x1b[?6h");
		row = row > top ? row - top : 0;
	}
	paint_at(p, row, clamp(c->col, p->cols - 1));
	if (c->pending)
		paint_glyph(p, &c->glyph);
	screen_pen(m->s, &pen);
	paint_pen(p, &pen);
	paint_charsets(p, &md->cs);
}

static void
paint_modes(struct paint *p, const struct modes *md)
{
	static const struct {
		uint32_t bit;
		const char *seq; /* without its last letter */
		bool always;
	} known[] = {{MM_CURSOR_KEYS, "\x1b[?1", true}, {MM_REVERSE, "\x1b[?5", true},
	    {MM_WRAP, "\x1b[?7", true}, {MM_INSERT, "\x1b[4", true}, {MM_NEWLINE, "\x1b[20", true},
	    {MM_FOCUS, "\x1b[?1004", true}, {MM_PASTE, "\x1b[?2004", true},
	    {MM_BLINK, "\x1b[?12", false}, {MM_META, "\x1b[?1034", false},
	    {MM_WHEEL, "\x1b[?1007", false}};
	static const int mouse[] = {9, 1000, 1002, 1003, 1005, 1006, 1015};
	size_t i;

	for (i = 0; i < COUNT_OF(known); i++) {
		if (!known[i].always && !(md->touched & known[i].bit))
			continue;
		paint_str(p, known[i].seq);
		paint_str(p, md->on & known[i].bit ? "h" : "l");
	}
	paint_str(p, md->on & MM_KEYPAD ? "\x1b=" : "\x1b>");
	for (i = 0; i < COUNT_OF(mouse); i++)
		paint_num(p, "\x1b[?%l", mouse[i], 0);
	if (md->mouse)
		paint_num(p, "\x1b[?%h", md->mouse, 0);
	if (md->mouse_coding)
		paint_num(p, "\x1b[?%h", md->mouse_coding, 0);
	if (md->cursor_shape)
		paint_num(p, "\x1b[% q", md->cursor_shape, 0);
	if (md->other_keys)
		paint_num(p, "\x1b[>4;%m", md->other_keys, 0);
	if (md->on & MM_CURSOR)
		paint_str(p, "\x1b[?25h");
}

int
state_paint(struct paint *p, struct mirror *m, int rows, const struct mirror_cursor *c)
{
	bool alt = screen_alt(m->s);
	const struct saved_cursor *saved = &m->modes.saved[0];
	struct mirror_cursor at = *c;

	if (paint_tabs(p, m) < 0)
		return -1;
	if (!alt)
		save_at(p, saved, clamp(saved->row, rows - 1), clamp(saved->col, p->cols - 1),
		    "\x1b"
		    "7");
	else if (paint_alternate(p, m, rows, c) < 0 || mirror_cursor(m, &at) < 0)
		return -1;
	if (p->cols != screen_cols(m->s) && alt)
		at.pending = false;
	paint_cursor(p, m, rows, &at);
	paint_modes(p, &m->modes);
	return 0;
}

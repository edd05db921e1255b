/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "screen/screen_dump.h"

struct trial {
	struct screen *s;
	struct buf saved;
	struct screen_hooks hooks;
	struct screen_track track;
	uint64_t changes;
	int dirty_from, dirty_to;
};

static int
trial_begin(struct trial *t, struct screen *s)
{
	*t = (struct trial){.s = s,
	    .hooks = s->hooks,
	    .track = s->track,
	    .changes = s->changes,
	    .dirty_from = s->dirty_from,
	    .dirty_to = s->dirty_to};
	screen_flush(s);
	buf_init(&t->saved, screen_save_size(s));
	if (screen_save(s, &t->saved) < 0) {
		buf_fini(&t->saved);
		return -1;
	}
	s->hooks = (struct screen_hooks){0};
	s->track = (struct screen_track){0};
	return 0;
}

static void
undo(struct trial *t)
{
	screen_restore(t->s, buf_head(&t->saved), t->saved.len);
}

static void
trial_end(struct trial *t)
{
	undo(t);
	t->s->hooks = t->hooks;
	t->s->track = t->track;
	t->s->changes = t->changes;
	t->s->dirty_from = t->dirty_from;
	t->s->dirty_to = t->dirty_to;
	buf_fini(&t->saved);
}

/* Past the filter. */
static void
give(struct trial *t, const char *seq)
{
	screen_put(t->s, seq, strlen(seq));
	screen_flush(t->s);
}

static void
look_at(const struct trial *t, int row, int col, struct look *l)
{
	VTermScreenCell c;

	memset(l, 0, sizeof(*l));
	if (!vterm_screen_get_cell(t->s->vts, (VTermPos){row, col}, &c))
		return;
	for (size_t i = 0; i < LOOK_CHARS && c.chars[i]; i++)
		l->ch[i] = c.chars[i];
	l->fg = screen_color_of(&c.fg);
	l->bg = screen_color_of(&c.bg);
	l->bold = c.attrs.bold;
	l->italic = c.attrs.italic;
	l->underline = (uint8_t)c.attrs.underline;
	l->blink = c.attrs.blink;
	l->reverse = (c.attrs.reverse != 0) != t->s->flags.reverse;
	l->strike = c.attrs.strike;
	l->font = (uint8_t)c.attrs.font;
}

static void
pen_now(const struct screen *s, struct look *l)
{
	VTermValue v;

	memset(l, 0, sizeof(*l));
	if (vterm_state_get_penattr(s->state, VTERM_ATTR_BOLD, &v))
		l->bold = v.boolean != 0;
	if (vterm_state_get_penattr(s->state, VTERM_ATTR_ITALIC, &v))
		l->italic = v.boolean != 0;
	if (vterm_state_get_penattr(s->state, VTERM_ATTR_UNDERLINE, &v))
		l->underline = (uint8_t)v.number;
	if (vterm_state_get_penattr(s->state, VTERM_ATTR_BLINK, &v))
		l->blink = v.boolean != 0;
	if (vterm_state_get_penattr(s->state, VTERM_ATTR_REVERSE, &v))
		l->reverse = v.boolean != 0;
	if (vterm_state_get_penattr(s->state, VTERM_ATTR_STRIKE, &v))
		l->strike = v.boolean != 0;
	if (vterm_state_get_penattr(s->state, VTERM_ATTR_FONT, &v))
		l->font = (uint8_t)v.number;
	if (vterm_state_get_penattr(s->state, VTERM_ATTR_FOREGROUND, &v))
		l->fg = screen_color_of(&v.color);
	if (vterm_state_get_penattr(s->state, VTERM_ATTR_BACKGROUND, &v))
		l->bg = screen_color_of(&v.color);
}

void
screen_pen(const struct screen *s, struct screen_cell *out)
{
	static const struct {
		VTermAttr attr;
		uint8_t look;
	} on[] = {{VTERM_ATTR_BOLD, SCREEN_BOLD}, {VTERM_ATTR_ITALIC, SCREEN_ITALIC},
	    {VTERM_ATTR_BLINK, SCREEN_BLINK}, {VTERM_ATTR_REVERSE, SCREEN_REVERSE},
	    {VTERM_ATTR_STRIKE, SCREEN_STRIKE}};
	VTermValue v;
	size_t i;

	*out = (struct screen_cell){.width = 1};
	for (i = 0; i < COUNT_OF(on); i++) {
		if (vterm_state_get_penattr(s->state, on[i].attr, &v) && v.boolean)
			out->attrs |= on[i].look;
	}
	if (vterm_state_get_penattr(s->state, VTERM_ATTR_UNDERLINE, &v) && v.number)
		out->attrs |= SCREEN_UNDERLINE;
	if (vterm_state_get_penattr(s->state, VTERM_ATTR_FOREGROUND, &v))
		out->fg = screen_color_of(&v.color);
	if (vterm_state_get_penattr(s->state, VTERM_ATTR_BACKGROUND, &v))
		out->bg = screen_color_of(&v.color);
}

/* What a selective erasure leaves is protected. */
static void
find_protected(struct trial *t, struct look *grid, int rows, int cols)
{
	VTermScreenCell c;
	struct look *l = grid;

	give(t, "\x1b[?2J");
	for (int row = 0; row < rows; row++) {
		for (int col = 0; col < cols; col++, l++) {
			if (l->ch[0] && l->ch[0] != (uint32_t)-1 &&
			    vterm_screen_get_cell(t->s->vts, (VTermPos){row, col}, &c))
				l->protected = c.chars[0] != 0;
		}
	}
}

static struct look *
grid_of(struct trial *t, int rows, int cols)
{
	struct look *grid = calloc((size_t)rows * (size_t)cols, sizeof(*grid)), *l = grid;

	for (int row = 0; grid && row < rows; row++) {
		for (int col = 0; col < cols; col++)
			look_at(t, row, col, l++);
	}
	if (grid)
		find_protected(t, grid, rows, cols);
	return grid;
}

static VTermPos
cursor_now(const struct screen *s)
{
	VTermPos pos;

	vterm_state_get_cursorpos(s->state, &pos);
	return pos;
}

static uint32_t
char_at(const struct trial *t, int row, int col)
{
	VTermScreenCell c;

	return vterm_screen_get_cell(t->s->vts, (VTermPos){row, col}, &c) ? c.chars[0] : 0;
}

static void
try_wrap(struct trial *t, struct probed *p)
{
	static const struct {
		uint32_t cp;
		const char *utf8;
	} marks[] = {{0x2592, "\xe2\x96\x92"}, {0x2588, "\xe2\x96\x88"}};
	char seq[64];

	/* Behind a wide character it is on the left half. */
	if (p->col >= p->cols - 2) {
		for (size_t i = 0; i < COUNT_OF(marks); i++) {
			if (char_at(t, p->row, p->col) == marks[i].cp)
				continue;
			give(t, marks[i].utf8);
			p->pending = char_at(t, p->row, p->col) != marks[i].cp;
			undo(t);
			break;
		}
	}
	snprintf(seq, sizeof(seq), "\x1b[?6l\x1b[r\x1b[4l\x1b[1;%dHxy", p->cols);
	give(t, seq);
	p->wrap = cursor_now(t->s).row == 1;
	undo(t);
}

static void
try_modes(struct trial *t, struct probed *p)
{
	give(t, "\x1b[?6l\x1b[r\x1b(B\x0f\x1b[H\x1b[2Ka\x1b[Hb");
	p->insert = char_at(t, 0, 1) == 'a';
	undo(t);
	give(t, "\x1b[?6l\x1b[r\x1b[1;2H\n");
	p->linefeed = cursor_now(t->s).col == 0;
	undo(t);
	vterm_set_size(t->s->vt, p->rows + 2, p->cols);
	give(t, "\x1b[2;3r\x1b[H");
	p->origin = cursor_now(t->s).row != 0;
	undo(t);
	give(t, "\x1b[4l\x1b[?6l\x1b[r\x1b(B\x0f\x1b[H\x1b[2Kx\x1b[?2K");
	p->protects = char_at(t, 0, 0) == 'x';
	undo(t);
}

static void
try_margins(struct trial *t, struct probed *p)
{
	give(t, "\x1b[?6h\x1b[H");
	p->top = cursor_now(t->s).row;
	give(t, "\x1b[30000H");
	p->bottom = cursor_now(t->s).row + 1;
	undo(t);
}

static char
set_now(struct trial *t)
{
	uint32_t c;

	give(t, "\x1b[4l\x1b[?6l\x1b[r\x1b[Hq\x1b[H");
	c = char_at(t, 0, 0);
	if (c != 'q')
		return '0';
	give(t, "#");
	return char_at(t, 0, 0) == '#' ? 'B' : 'A';
}

static void
try_sets(struct trial *t, struct probed *p)
{
	give(t, "\x0f");
	p->sets[0] = set_now(t);
	undo(t);
	give(t, "\x0e");
	p->sets[1] = set_now(t);
	undo(t);
	give(t, "\x1b(B\x1b)0");
	p->shift = set_now(t) == '0';
	undo(t);
}

static void
try_tabs(struct trial *t, struct probed *p)
{
	int before = 0, col;

	/* At the end of a row it goes no further, with or without a stop: a column more. */
	vterm_set_size(t->s->vt, p->rows, p->cols + 1);
	give(t, "\r");
	for (;;) {
		give(t, "\t");
		col = cursor_now(t->s).col;
		if (col <= before || col >= p->cols)
			break;
		p->tabs[col] = true;
		before = col;
	}
	undo(t);
}

static int
try_saved(struct trial *t, struct probed *p)
{
	static const struct look black = {.fg = {.kind = 2}, .bg = {.kind = 2}};
	VTermPos pos;

	give(t, "\x1b"
		"8");
	pos = cursor_now(t->s);
	p->saved.row = pos.row;
	p->saved.col = pos.col;
	p->saved.shown = t->s->flags.cursor_shown;
	pen_now(t->s, &p->saved.pen);
	/* As the library has it from the beginning: black on black, out of sight. */
	p->saved.never = pos.row == 0 && pos.col == 0 && !p->saved.shown &&
			 memcmp(&p->saved.pen, &black, sizeof(black)) == 0;
	undo(t);
	return pos.row < 0 || pos.row >= SCREEN_ROWS_MAX || pos.col < 0 ||
		       pos.col >= SCREEN_COLS_MAX
		   ? -1
		   : 0;
}

int
screen_probe(struct screen *s, struct probed *p)
{
	struct trial t;
	VTermPos pos;
	int rc;

	memset(p, 0, sizeof(*p));
	if (trial_begin(&t, s) < 0)
		return -1;
	p->rows = screen_rows(s);
	p->cols = screen_cols(s);
	p->filter = s->flags.filter;
	p->alt = s->flags.alt;
	p->reverse = s->flags.reverse;
	p->shown = s->flags.cursor_shown;
	pos = cursor_now(s);
	p->row = pos.row;
	p->col = pos.col;
	pen_now(s, &p->pen);
	if (p->alt) {
		p->alternate = grid_of(&t, p->rows, p->cols);
		undo(&t);
		give(&t, "\x1b[?1047l");
	}
	p->primary = grid_of(&t, p->rows, p->cols);
	undo(&t);
	rc = pos.row < 0 || pos.row >= p->rows || pos.col < 0 || pos.col >= p->cols ||
		     !p->primary || (p->alt && !p->alternate)
		 ? -1
		 : try_saved(&t, p);
	if (rc == 0) {
		try_wrap(&t, p);
		try_modes(&t, p);
		try_margins(&t, p);
		try_sets(&t, p);
		try_tabs(&t, p);
	}
	trial_end(&t);
	return rc;
}

void
probed_fini(struct probed *p)
{
	free(steal_ptr(&p->primary));
	free(steal_ptr(&p->alternate));
}

static bool
same_grid(const struct look *a, const struct look *b, const struct probed *p)
{
	if (!a || !b)
		return a == b;
	return memcmp(a, b, (size_t)p->rows * (size_t)p->cols * sizeof(*a)) == 0;
}

/* All but the grids, which are behind pointers. */
static bool
same_rest(const struct probed *a, const struct probed *b)
{
	struct probed x = *a, y = *b;

	x.primary = x.alternate = y.primary = y.alternate = NULL;
	/* Padding. */
	return memcmp(&x.filter, &y.filter, sizeof(x.filter)) == 0 && x.alt == y.alt &&
	       x.reverse == y.reverse && x.shown == y.shown && x.row == y.row && x.col == y.col &&
	       memcmp(&x.pen, &y.pen, sizeof(x.pen)) == 0 && x.pending == y.pending &&
	       x.wrap == y.wrap && x.insert == y.insert && x.linefeed == y.linefeed &&
	       x.origin == y.origin && x.protects == y.protects && x.top == y.top &&
	       x.bottom == y.bottom && memcmp(x.sets, y.sets, sizeof(x.sets)) == 0 &&
	       x.shift == y.shift && memcmp(x.tabs, y.tabs, sizeof(x.tabs)) == 0 &&
	       x.saved.never == y.saved.never && x.saved.shown == y.saved.shown &&
	       x.saved.row == y.saved.row && x.saved.col == y.saved.col &&
	       memcmp(&x.saved.pen, &y.saved.pen, sizeof(x.saved.pen)) == 0;
}

bool
screen_same(struct screen *a, struct screen *b)
{
	struct probed x = {0}, y = {0};
	bool same = screen_probe(a, &x) == 0 && screen_probe(b, &y) == 0 && x.rows == y.rows &&
		    x.cols == y.cols && same_rest(&x, &y) && same_grid(x.primary, y.primary, &x) &&
		    same_grid(x.alternate, y.alternate, &x);

	probed_fini(&x);
	probed_fini(&y);
	return same;
}

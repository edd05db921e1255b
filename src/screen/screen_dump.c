/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "screen/screen_dump.h"

/* A wide character whose right half is wanted. */
#define WIDE "\xe4\xb8\x80"
#define WIDE_FIRST 0x1100
#define HALF ((uint32_t)-1)

struct dump {
	struct buf *out;
	const struct look *at; /* a grid */
	int cols;
	struct look pen;
	bool pen_known, failed;
};

static void
say(struct dump *d, const char *text)
{
	if (buf_put_str(d->out, text) < 0)
		d->failed = true;
}

static void
say_num(struct dump *d, const char *before, int n, const char *after)
{
	if (buf_printf(d->out, "%s%d%s", before, n, after) < 0)
		d->failed = true;
}

static void
go_to(struct dump *d, int row, int col)
{
	say_num(d, "\x1b[", row + 1, "");
	say_num(d, ";", col + 1, "H");
}

static void
set_color(struct dump *d, const char *which, const struct screen_color *c)
{
	if (c->kind == 1) {
		say(d, which);
		say_num(d, "8:5:", c->r, "m");
	} else if (c->kind == 2) {
		say(d, which);
		say_num(d, "8:2:", c->r, ":");
		say_num(d, "", c->g, ":");
		say_num(d, "", c->b, "m");
	}
}

static void
set_pen(struct dump *d, const struct look *l)
{
	struct look want = *l;

	memset(want.ch, 0, sizeof(want.ch));
	want.protected = false;
	if (d->pen_known && memcmp(&want, &d->pen, sizeof(want)) == 0)
		return;
	d->pen = want;
	d->pen_known = true;
	say(d, "\x1b[0");
	if (l->bold)
		say(d, ";1");
	if (l->italic)
		say(d, ";3");
	if (l->underline)
		say_num(d, ";4:", l->underline, "");
	if (l->blink)
		say(d, ";5");
	if (l->reverse)
		say(d, ";7");
	if (l->strike)
		say(d, ";9");
	if (l->font)
		say_num(d, ";", 10 + l->font, "");
	say(d, "m");
	/* All of them in one would be more arguments than the filter takes. */
	set_color(d, "\x1b[3", &l->fg);
	set_color(d, "\x1b[4", &l->bg);
}

static void
put_text(struct dump *d, const struct look *l)
{
	char utf8[4];

	set_pen(d, l);
	if (l->protected)
		say(d, "\x1b[1\"q");
	for (size_t i = 0; i < LOOK_CHARS && l->ch[i]; i++)
		if (buf_put(d->out, utf8, screen_cp_utf8(l->ch[i], utf8)) < 0)
			d->failed = true;
	if (l->protected)
		say(d, "\x1b[0\"q");
}

static bool
is_blank(const struct look *l)
{
	static const struct look blank;

	return memcmp(l, &blank, sizeof(blank)) == 0;
}

/* Halves of wide characters are in it, or what may be wide. */
static bool
is_hard(const struct look *row, int cols)
{
	for (int i = 0; i < cols; i++)
		if (row[i].ch[0] >= WIDE_FIRST)
			return true;
	return false;
}

static void
easy_row(struct dump *d, int row)
{
	const struct look *l = d->at + (size_t)row * (size_t)d->cols;
	int col = 0, n, here = -1;

	while (col < d->cols) {
		if (is_blank(&l[col])) {
			col++;
			continue;
		}
		if (here != col)
			go_to(d, row, col);
		here = col;
		if (l[col].ch[0]) {
			put_text(d, &l[col]);
			here = ++col;
			continue;
		}
		for (n = 1; col + n < d->cols && memcmp(&l[col], &l[col + n], sizeof(*l)) == 0; n++)
			;
		set_pen(d, &l[col]);
		say_num(d, "\x1b[", n, "X");
		col += n;
	}
}

/*
 * Right to left.  The right half of a wide character keeps the looks that the
 * cell had; it stays behind when the left one is overwritten.
 */
static void
hard_cell(struct dump *d, int row, int col, bool again)
{
	const struct look *l = d->at + (size_t)row * (size_t)d->cols + col;
	bool half = col + 1 < d->cols && l[1].ch[0] == HALF;

	if ((l->ch[0] == HALF && col == 0) ||
	    (l->ch[0] != HALF && col + 1 == d->cols && screen_cp_wide(l->ch[0]))) {
		d->failed = true;
		return;
	}
	if (is_blank(l) && !half && !again)
		return;
	go_to(d, row, col);
	if (half || l->ch[0] == HALF)
		set_pen(d, l);
	if (half) {
		say(d, WIDE);
		go_to(d, row, col);
	}
	if (l->ch[0] == HALF) {
		if (!half)
			say(d, " ");
		return;
	}
	if (l->ch[0]) {
		put_text(d, l);
	} else {
		set_pen(d, l);
		say(d, "\x1b[X");
	}
	if (l->ch[0] >= WIDE_FIRST && !half && col + 1 < d->cols && !d->failed)
		hard_cell(d, row, col + 1, true);
}

static void
put_grid(struct dump *d, const struct look *grid, int rows, int cols)
{
	d->at = grid;
	d->cols = cols;
	for (int row = 0; row < rows && !d->failed; row++) {
		if (!is_hard(grid + (size_t)row * (size_t)cols, cols)) {
			easy_row(d, row);
			continue;
		}
		for (int col = cols - 1; col >= 0 && !d->failed; col--)
			hard_cell(d, row, col, false);
	}
}

static void
put_tabs(struct dump *d, const struct probed *s)
{
	bool usual = true;

	for (int col = 1; col < s->cols; col++)
		usual &= s->tabs[col] == (col % 8 == 0);
	if (usual)
		return;
	say(d, "\x1b[3g");
	for (int col = 1; col < s->cols; col++) {
		if (s->tabs[col]) {
			go_to(d, 0, col);
			say(d, "\x1b"
			       "H");
		}
	}
}

/* Where the cursor is: behind a character that marks may still join, or that fills its row. */
static void
put_cursor(struct dump *d, const struct probed *s, const struct look *grid)
{
	const struct look *row = grid + (size_t)s->row * (size_t)s->cols;
	int top = s->origin ? s->top : 0, col = s->col;
	bool behind = s->pending || (s->filter.marks > 0 && col > 0);

	if (behind && !s->pending)
		col--;
	if (behind && row[col].ch[0] == HALF && col > 0)
		col--;
	if (s->row < top || (behind && (row[col].ch[0] == 0 || row[col].ch[0] == HALF))) {
		if (s->row < top || s->pending)
			d->failed = true;
		behind = false;
		col = s->col;
	}
	go_to(d, s->row - top, col);
	if (behind)
		put_text(d, &row[col]);
}

static void
put_state(struct dump *d, const struct probed *s, const struct look *grid)
{
	char sets[] = "\x1b(B\x1b)B";

	if (s->reverse)
		say(d, "\x1b[?5h");
	if (s->top > 0 || s->bottom < s->rows) {
		say_num(d, "\x1b[", s->top + 1, ";");
		say_num(d, "", s->bottom, "r");
	}
	if (s->origin)
		say(d, "\x1b[?6h");
	if (s->wrap || s->pending)
		say(d, "\x1b[?7h");
	put_cursor(d, s, grid);
	if (s->pending && !s->wrap)
		say(d, "\x1b[?7l");
	if (s->protects)
		say(d, "\x1b[1\"q");
	if (s->insert)
		say(d, "\x1b[4h");
	if (s->linefeed)
		say(d, "\x1b[20h");
	sets[2] = s->sets[0];
	sets[5] = s->sets[1];
	if (strcmp(sets, "\x1b(B\x1b)B") != 0)
		say(d, sets);
	if (s->shift)
		say(d, "\x0e");
	if (!s->shown)
		say(d, "\x1b[?25l");
	d->pen_known = false;
	set_pen(d, &s->pen);
}

/* The cursor that was saved, perhaps when the screen was larger. */
static void
put_saved(struct dump *d, const struct probed *s)
{
	if (s->saved.never)
		return;
	set_pen(d, &s->saved.pen);
	if (!s->saved.shown)
		say(d, "\x1b[?25l");
	go_to(d, s->saved.row, s->saved.col);
	say(d, "\x1b"
	       "7\x1b[?25h");
}

static int
put_hiding(const struct filter *f, struct buf *out)
{
	const uint32_t looks[] = {f->looks.concealed, f->looks.fg, f->looks.bg, f->saved.concealed,
	    f->saved.fg, f->saved.bg};
	const uint64_t counts[] = {f->hidden.concealed, f->hidden.same, f->hidden.wiped,
	    f->hidden.scrollback, f->hidden.marks};
	int rc = 0;

	for (size_t i = 0; i < COUNT_OF(looks); i++)
		rc |= buf_put_u32(out, looks[i]);
	for (size_t i = 0; i < COUNT_OF(counts); i++)
		rc |= buf_put_u64(out, counts[i]);
	return rc;
}

static void
take_hiding(struct rd *r, struct filter *f)
{
	uint32_t *const looks[] = {&f->saved.concealed, &f->saved.fg, &f->saved.bg};
	uint64_t *const counts[] = {&f->hidden.concealed, &f->hidden.same, &f->hidden.wiped,
	    &f->hidden.scrollback, &f->hidden.marks};
	struct filter_looks now;

	now.concealed = rd_u32(r);
	now.fg = rd_u32(r);
	now.bg = rd_u32(r);
	for (size_t i = 0; i < COUNT_OF(looks); i++)
		*looks[i] = rd_u32(r);
	for (size_t i = 0; i < COUNT_OF(counts); i++)
		*counts[i] = rd_u64(r);
	filter_take_looks(f, &now);
}

static int
put_head(const struct probed *s, struct buf *out)
{
	const struct filter *f = &s->filter;
	int rows = s->saved.row < s->rows ? s->rows : s->saved.row + 1;
	int cols = s->saved.col < s->cols ? s->cols : s->saved.col + 1;
	int rc = 0;

	rc |= buf_put_u16(out, (uint16_t)s->rows);
	rc |= buf_put_u16(out, (uint16_t)s->cols);
	rc |= buf_put_u16(out, (uint16_t)rows);
	rc |= buf_put_u16(out, (uint16_t)cols);
	rc |= buf_put_u8(out, (uint8_t)f->state);
	rc |= buf_put_u8(out, f->utf8_need);
	rc |= buf_put_u8(out, f->utf8_lo);
	rc |= buf_put_u8(out, f->utf8_hi);
	rc |= buf_put_u32(out, f->cp);
	rc |= buf_put_u8(out, f->inter);
	rc |= buf_put_u8(out, f->leader);
	rc |= buf_put_u8(out, f->nargs);
	rc |= buf_put_u8(out, f->skip_arg);
	for (size_t i = 0; i <= FILTER_ARGS_MAX; i++)
		rc |= buf_put_u32(out, (uint32_t)f->args[i]);
	rc |= buf_put_u32(out, f->more);
	rc |= buf_put_u32(out, f->last);
	rc |= buf_put_u8(out, f->marks);
	rc |= buf_put_u8(out, f->newline);
	return rc | put_hiding(f, out);
}

static int
put_all(const struct probed *s, struct buf *out)
{
	struct dump d = {.out = out};
	size_t mark;
	int rc = put_head(s, out);

	/* Room for the length of the first part. */
	mark = out->len;
	rc |= buf_put_u32(out, 0);
	put_saved(&d, s);
	if (rc < 0 || d.failed)
		return -1;
	for (int i = 0; i < 4; i++)
		out->data[out->off + mark + (size_t)i] =
		    (unsigned char)((out->len - mark - 4) >> (24 - 8 * i));
	say(&d, "\x1b[?25h\x1b[?7l");
	put_tabs(&d, s);
	put_grid(&d, s->primary, s->rows, s->cols);
	if (s->alt) {
		set_pen(&d, &(struct look){.bold = 0});
		say(&d, "\x1b[?1047h");
		put_grid(&d, s->alternate, s->rows, s->cols);
	}
	put_state(&d, s, s->alt ? s->alternate : s->primary);
	return d.failed ? -1 : 0;
}

int
screen_dump(struct screen *s, struct buf *out)
{
	size_t before = out->len;
	struct probed p;
	int rc = -1;

	if (screen_probe(s, &p) == 0)
		rc = put_all(&p, out);
	probed_fini(&p);
	if (rc < 0)
		out->len = before;
	return rc;
}

static bool
take_filter(struct rd *r, struct filter *f)
{
	uint8_t state = rd_u8(r);

	memset(f, 0, sizeof(*f));
	f->state = (enum filter_state)state;
	f->utf8_need = rd_u8(r);
	f->utf8_lo = rd_u8(r);
	f->utf8_hi = rd_u8(r);
	f->cp = rd_u32(r);
	f->inter = rd_u8(r);
	f->leader = rd_u8(r);
	f->nargs = rd_u8(r);
	f->skip_arg = rd_u8(r) != 0;
	for (size_t i = 0; i <= FILTER_ARGS_MAX; i++) {
		f->args[i] = (int32_t)rd_u32(r);
		if (f->args[i] < -1 || f->args[i] > FILTER_ARG_LIMIT)
			return false;
	}
	f->more = rd_u32(r);
	f->last = rd_u32(r);
	f->marks = rd_u8(r);
	f->newline = rd_u8(r) != 0;
	take_hiding(r, f);
	return !r->bad && state <= FILTER_STRING_ESC && f->utf8_need <= 3 && f->cp <= 0x10ffff &&
	       (f->utf8_need == 0 || (f->utf8_lo >= 0x80 && f->utf8_hi <= 0xbf)) &&
	       f->cp >> (21 - 6 * f->utf8_need) == 0 && f->nargs < FILTER_ARGS_MAX &&
	       (f->last == 0 || (screen_cp_safe(f->last) && !screen_cp_combines(f->last))) &&
	       f->last <= 0x10ffff && f->marks <= FILTER_MARKS;
}

int
screen_load(struct screen *s, const void *p, size_t n)
{
	struct screen_hooks hooks = s->hooks;
	struct rd r = {.p = p, .n = n};
	int rows = rd_u16(&r), cols = rd_u16(&r), rows0 = rd_u16(&r), cols0 = rd_u16(&r);
	const unsigned char *first;
	struct filter f;
	uint32_t len;

	if (!take_filter(&r, &f))
		return -1;
	len = rd_u32(&r);
	first = rd_bytes(&r, len);
	if (r.bad || rows < SCREEN_MIN || rows > SCREEN_ROWS_MAX || cols < SCREEN_MIN ||
	    cols > SCREEN_COLS_MAX)
		return -1;
	screen_set_hooks(s, NULL);
	screen_restart(s);
	screen_resize(s, rows0, cols0);
	screen_feed(s, first, len);
	screen_resize(s, rows, cols);
	screen_feed(s, r.p, r.n);
	s->flags.filter = f;
	s->dirty_from = 0;
	s->dirty_to = SCREEN_ROWS_MAX;
	s->changes++;
	s->hooks = hooks;
	return 0;
}

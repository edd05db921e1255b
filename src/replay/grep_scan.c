/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "replay/grep_int.h"

#define ROW_BYTES (SCREEN_COLS_MAX * 12)
/* Cells read for wipes within one event: one that wipes more often would take hours. */
#define WIPE_CELLS (4 << 20)

/* With a NUL behind it: for who matches. */
static void
set_text(struct grep_scan *s, struct buf *from, struct grep_line *l)
{
	l->p = from->len ? buf_cstr(from) : "";
	l->n = from->len;
	if (l->p)
		return;
	s->failed = true;
	l->p = "";
	l->n = 0;
}

/* What leaves at the top, once it is whole. */
static void
leave(struct grep_scan *s)
{
	struct grep_line l = {.row = 0};

	set_text(s, &s->leaving, &l);
	if (s->want->match(s->want->arg, l.p, l.n, &l.from, &l.to))
		hits_leave(s->hits, s, &l, s->t);
}

static void
on_scrolled(void *arg, const char *text, size_t n, bool on)
{
	struct grep_scan *s = arg;
	size_t keep = GREP_OVERLAP;

	s->left = true;
	if (buf_put(&s->leaving, text, n) < 0)
		s->failed = true;
	if (on && s->leaving.len < GREP_LINE)
		return;
	leave(s);
	if (!on) {
		buf_clear(&s->leaving);
		return;
	}
	/* Of a line without an end: what stands on the seam is looked at with the next piece. */
	while (keep > 0 && (buf_head(&s->leaving)[s->leaving.len - keep] & 0xc0) == 0x80)
		keep--;
	buf_consume(&s->leaving, s->leaving.len - keep);
}

/* A line that begins in a row; the row after it. */
static int
join(struct grep_scan *s, int row)
{
	const struct grep_row *r = &s->row[row];

	buf_clear(&s->line);
	if (row == 0 && !s->alt && s->leaving.len)
		buf_put(&s->line, buf_head(&s->leaving), s->leaving.len);
	for (;; r++) {
		if (r->text.len && buf_put(&s->line, buf_head(&r->text), r->text.len) < 0)
			s->failed = true;
		row++;
		if (s->alt || r->end != SCREEN_GOES_ON || row >= s->rows ||
		    s->line.len >= GREP_LINE)
			return row;
	}
}

/* The beginning of the row behind a line that fills its own: a program may have painted one text
 * over both. */
static bool
add_next(struct grep_scan *s, int next)
{
	const struct buf *text;
	size_t more;

	if (next >= s->rows || s->row[next - 1].end == SCREEN_ENDS)
		return false;
	text = &s->row[next].text;
	more = text->len < GREP_OVERLAP ? text->len : GREP_OVERLAP;
	while (more > 0 && more < text->len && (buf_head(text)[more] & 0xc0) == 0x80)
		more--;
	return more > 0 && buf_put(&s->line, buf_head(text), more) == 0;
}

static bool
matches(struct grep_scan *s, int row, int *next, struct grep_line *l)
{
	const struct grep_want *w = s->want;
	struct grep_line over;
	size_t own;
	bool hit;

	*next = join(s, row);
	*l = (struct grep_line){.row = row, .alt = s->alt};
	set_text(s, &s->line, l);
	own = l->n;
	hit = w->match(w->arg, l->p, l->n, &l->from, &l->to);
	if (!add_next(s, *next))
		return hit;
	/* Shown in any case: who makes an index takes note of it. */
	over = *l;
	set_text(s, &s->line, &over);
	l->p = over.p;
	if (!w->match(w->arg, over.p, over.n, &over.from, &over.to) || hit || over.from >= own)
		return hit;
	*l = over;
	if (l->to <= own)
		l->n = own;
	return true;
}

static void
take_rows(struct grep_scan *s, int from, int to)
{
	for (int i = from; i < to; i++) {
		buf_clear(&s->row[i].text);
		s->row[i].end = SCREEN_ENDS;
		if (screen_row_text(s->screen, i, &s->row[i].text, &s->row[i].end) < 0)
			s->failed = true;
	}
}

/* The rows that changed and those that are of one line with them, before or now. */
static bool
changed(struct grep_scan *s, int *from, int *to)
{
	bool any = screen_dirty(s->screen, from, to), on;

	if (screen_alt(s->screen) != s->alt || screen_rows(s->screen) != s->rows) {
		s->alt = screen_alt(s->screen);
		s->rows = screen_rows(s->screen);
		*from = 0;
		*to = s->rows;
		any = true;
	} else if (s->left) {
		*from = 0;
		*to = any ? *to : 1;
		any = true;
	}
	s->left = false;
	if (!any)
		return false;
	on = s->row[*to - 1].end != SCREEN_ENDS;
	take_rows(s, *from, *to);
	while (*from > 0 && s->row[*from - 1].end != SCREEN_ENDS)
		(*from)--;
	for (on |= s->row[*to - 1].end != SCREEN_ENDS; on && *to < s->rows; (*to)++)
		on = s->row[*to].end != SCREEN_ENDS;
	return true;
}

static void
look(struct grep_scan *s)
{
	int from, to, row, next, n = 0, others[SCREEN_ROWS_MAX];
	struct grep_line l;

	if (!changed(s, &from, &to))
		return;
	hits_open(s->hits, s, from, to == s->rows ? SCREEN_ROWS_MAX : to, s->alt);
	for (row = from; row < to; row = next) {
		if (matches(s, row, &next, &l) && !hits_same(s->hits, s, &l))
			others[n++] = row;
	}
	for (int i = 0; i < n; i++) {
		if (matches(s, others[i], &next, &l))
			hits_other(s->hits, s, &l, s->t);
	}
	hits_close(s->hits, s, s->alt, s->t);
}

static void
on_wiping(void *arg)
{
	struct grep_scan *s = arg;
	int cells = screen_rows(s->screen) * screen_cols(s->screen);

	if (s->wipe_cells < cells)
		return;
	s->wipe_cells -= cells;
	look(s);
}

struct grep_scan *
scan_new(struct grep_hits *x, const struct grep_want *w, int rows, int cols, bool newline)
{
	struct grep_scan *s = calloc(1, sizeof(*s));
	struct screen_hooks hooks = {on_scrolled, on_wiping, s};

	if (!s)
		return NULL;
	s->screen = screen_new(rows, cols);
	if (!s->screen) {
		free(s);
		return NULL;
	}
	s->hits = x;
	s->want = w;
	for (size_t i = 0; i < SCREEN_ROWS_MAX; i++)
		buf_init(&s->row[i].text, ROW_BYTES);
	buf_init(&s->leaving, GREP_LINE + ROW_BYTES);
	buf_init(&s->line, 2 * (GREP_LINE + ROW_BYTES));
	screen_set_hooks(s->screen, &hooks);
	screen_set_newline(s->screen, newline);
	return s;
}

void
scan_free(struct grep_scan *s)
{
	if (!s)
		return;
	screen_free(s->screen);
	for (size_t i = 0; i < SCREEN_ROWS_MAX; i++)
		buf_fini(&s->row[i].text);
	buf_fini(&s->leaving);
	buf_fini(&s->line);
	free(s);
}

void
scan_feed(struct grep_scan *s, int64_t t, const void *p, size_t n)
{
	s->t = t;
	s->wipe_cells = WIPE_CELLS;
	screen_feed(s->screen, p, n);
	look(s);
}

void
scan_resize(struct grep_scan *s, int64_t t, int rows, int cols)
{
	s->t = t;
	screen_resize(s->screen, rows, cols);
	look(s);
}

void
scan_moved(struct grep_scan *s, int64_t t, const struct buf *leaving)
{
	int from, to;

	s->t = t;
	s->alt = screen_alt(s->screen);
	s->rows = screen_rows(s->screen);
	s->left = false;
	buf_clear(&s->leaving);
	if (leaving->len > 0 && buf_put(&s->leaving, buf_head(leaving), leaving->len) < 0)
		s->failed = true;
	take_rows(s, 0, s->rows);
	screen_dirty(s->screen, &from, &to);
}

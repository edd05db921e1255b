/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TESTS_MIRROR_UTIL_H
#define CORAL_TESTS_MIRROR_UTIL_H

/* Two mirrors compared, and terminal programs made up at random. */
#include <stdlib.h>
#include <string.h>

#include "screen/mirror_int.h"

static uint64_t mu_seed;

static unsigned mu_rnd(unsigned n) __attribute__((unused));
static size_t mu_program(char *out, size_t max, int rows, int cols) __attribute__((unused));
static const char *mu_differ(struct mirror *a, struct mirror *b, bool lines)
    __attribute__((unused));
static struct mirror *mu_painted(struct mirror *m, int rows, int cols, unsigned what)
    __attribute__((unused));

static unsigned
mu_rnd(unsigned n)
{
	mu_seed ^= mu_seed << 13;
	mu_seed ^= mu_seed >> 7;
	mu_seed ^= mu_seed << 17;
	return (unsigned)(mu_seed >> 11) % n;
}

static size_t
mu_sequence(char *out, size_t max, int rows, int cols)
{
	static const char *const plain[] = {"\r\n", "\r\n", "\r\n", "\n", "\r", "\t", "\b", "\033M",
	    "\033D", "\033E", "\0337", "\0338", "\033[s", "\033[u", "\033[K", "\033[1K", "\033[2K",
	    "\033[J", "\033[1J", "\033[2J", "\033[?1049h", "\033[?1049l", "\033[?1047h",
	    "\033[?1047l", "\033[?1048h", "\033[?1048l", "\033[?6h", "\033[?6l", "\033[?7l",
	    "\033[?7h", "\033[?7h", "\033[4h", "\033[4l", "\033[4l", "\033[20h", "\033[20l",
	    "\033[?5h", "\033[?5l", "\033[?25l", "\033[?25h", "\033[?2004h", "\033[?2004l",
	    "\033[?1h", "\033[?1l", "\033=", "\033>", "\033[?1000h", "\033[?1003;1006h",
	    "\033[?1000l", "\033[?1006l", "\033[?1004h", "\033[?12h", "\033[?1034h", "\033[3 q",
	    "\033[0 q", "\033(0", "\033(B", "\033)0", "\033*A", "\016", "\017", "\033[m", "\033[m",
	    "\033[1m", "\033[7m", "\033[4m", "\033[27m", "\033[9;5;3m", "\033[>4;2m", "\033[>4m",
	    "\033[3g", "\033H", "\033[g", "\033[!p", "\033#8", "\033[r", "\033]0;title\a",
	    "\xe4\xb8\xad\xe6\x96\x87", "\xc3\xb1\xcc\x81", "\xc3\xa9\xe2\x94\x80\xe2\x82\xac",
	    "\xf0\x9f\x98\x80", "\xe2\x80\x8b"};
	static const char finals[] = "ABCDEFGHILMPSTXZ@`adefb";
	static const int counts[] = {1, 2, 3, 5, 20};
	int a = 1 + (int)mu_rnd((unsigned)rows + 2), b = 1 + (int)mu_rnd((unsigned)cols + 2);
	int n = 0;

	switch (mu_rnd(8)) {
	case 0:
		return (size_t)snprintf(out, max, "\033[%d;%dH", a, b);
	case 1:
		return (size_t)snprintf(out, max, "\033[%d;%dr", a, a + (int)mu_rnd(8));
	case 2:
		return (size_t)snprintf(out, max, "\033[%d%c", counts[mu_rnd(COUNT_OF(counts))],
		    finals[mu_rnd(sizeof(finals) - 1)]);
	case 3:
		switch (mu_rnd(4)) {
		case 0:
			return (size_t)snprintf(
			    out, max, "\033[%d;%dm", 30 + (int)mu_rnd(8), 40 + (int)mu_rnd(8));
		case 1:
			return (size_t)snprintf(out, max, "\033[38;5;%d;48;2;%d;2;3m",
			    (int)mu_rnd(256), (int)mu_rnd(256));
		case 2:
			return (size_t)snprintf(out, max, "\033[%dm", 90 + (int)mu_rnd(8));
		default:
			return (size_t)snprintf(out, max, "\033[m");
		}
	case 4:
	case 5:
		n = 1 + (int)mu_rnd(mu_rnd(6) ? 12u : (unsigned)cols * 3 / 2);
		for (int i = 0; i < n; i++)
			out[i] = mu_rnd(6) ? (char)('a' + mu_rnd(26)) : ' ';
		return (size_t)n;
	default:
		return (size_t)snprintf(out, max, "%s", plain[mu_rnd(COUNT_OF(plain))]);
	}
}

/* At most max bytes of valid sequences and text. */
static size_t
mu_program(char *out, size_t max, int rows, int cols)
{
	char seq[2048];
	size_t len = 0, n;

	for (;;) {
		n = mu_sequence(seq, sizeof(seq), rows, cols);
		if (n > max - len)
			return len;
		memcpy(out + len, seq, n);
		len += n;
	}
}

static bool
mu_same_saved(const struct saved_cursor *a, const struct saved_cursor *b)
{
	return a->row == b->row && a->col == b->col && a->origin == b->origin &&
	       cell_same_pen(&a->pen, &b->pen) && memcmp(&a->cs, &b->cs, sizeof(a->cs)) == 0;
}

static const char *
mu_differ_modes(struct mirror *a, struct mirror *b)
{
	const struct modes *x = &a->modes, *y = &b->modes;
	bool alt = screen_alt(a->s);

	if (alt != screen_alt(b->s) || (alt && x->alt_saved != y->alt_saved))
		return "alternate screen";
	if (x->on != y->on)
		return "modes";
	if (x->mouse != y->mouse || x->mouse_coding != y->mouse_coding)
		return "mouse";
	if (x->cursor_shape != y->cursor_shape)
		return "cursor shape";
	if (x->other_keys != y->other_keys)
		return "other keys";
	if (memcmp(&x->cs, &y->cs, sizeof(x->cs)) != 0)
		return "character sets";
	if (x->top != y->top || x->bottom != y->bottom)
		return "margins";
	if (!mu_same_saved(&x->saved[0], &y->saved[0]))
		return "saved cursor";
	if (alt && !mu_same_saved(&x->saved[1], &y->saved[1]))
		return "saved cursor of the alternate screen";
	return NULL;
}

static const char *
mu_differ_grid(struct mirror *a, struct mirror *b, bool alt)
{
	static char where[256];
	struct grid x = {0}, y = {0};
	const char *why = NULL;
	int i;

	if (mirror_grid(a, alt, &x) < 0 || mirror_grid(b, alt, &y) < 0)
		return "no memory";
	for (i = 0; i < x.rows * x.cols && !why; i++) {
		const struct screen_cell *c = &x.cells[i], *d = &y.cells[i];

		if (c->width == d->width && memcmp(c->ch, d->ch, sizeof(c->ch)) == 0 &&
		    (cell_same_pen(c, d) || c->width == 0))
			continue;
		snprintf(where, sizeof(where),
		    "cell %d,%d of %s: U+%x+%x w%d a%x fg %d.%d bg %d.%d; U+%x+%x w%d a%x fg %d.%d "
		    "bg %d.%d",
		    i / x.cols, i % x.cols, alt ? "alt" : "primary", c->ch[0], c->ch[1], c->width,
		    c->attrs, c->fg.kind, c->fg.r, c->bg.kind, c->bg.r, d->ch[0], d->ch[1],
		    d->width, d->attrs, d->fg.kind, d->fg.r, d->bg.kind, d->bg.r);
		why = where;
	}
	free(x.cells);
	free(y.cells);
	return why;
}

static const char *
mu_differ_lines(const struct lines *a, const struct lines *b)
{
	static char where[64];
	size_t i;

	if (a->n != b->n) {
		snprintf(where, sizeof(where), "%zu lines, %zu lines", a->n, b->n);
		return where;
	}
	for (i = 0; i < a->n; i++) {
		const struct line *x = lines_at(a, i), *y = lines_at(b, i);

		if (x->len != y->len || memcmp(x->data, y->data, x->len) != 0) {
			snprintf(where, sizeof(where), "line %zu of %zu", i, a->n);
			return where;
		}
	}
	return NULL;
}

/* What differs, or NULL. */
static const char *
mu_differ(struct mirror *a, struct mirror *b, bool lines)
{
	uint8_t tabs[2][SCREEN_COLS_MAX / 8];
	struct mirror_cursor c, d;
	struct screen_cell p, q;
	const char *why;

	mirror_settle(a);
	mirror_settle(b);
	if (screen_rows(a->s) != screen_rows(b->s) || screen_cols(a->s) != screen_cols(b->s))
		return "size";
	why = mu_differ_modes(a, b);
	if (!why)
		why = mu_differ_grid(a, b, false);
	if (!why && screen_alt(a->s))
		why = mu_differ_grid(a, b, true);
	if (!why && lines)
		why = mu_differ_lines(&a->back, &b->back);
	if (why)
		return why;
	mirror_cursor(a, &c);
	mirror_cursor(b, &d);
	if (c.row != d.row || c.col != d.col)
		return "cursor";
	if (c.pending != d.pending)
		return "pending wrap";
	screen_pen(a->s, &p);
	screen_pen(b->s, &q);
	if (!cell_same_pen(&p, &q))
		return "pen";
	mirror_tabs(a, tabs[0]);
	mirror_tabs(b, tabs[1]);
	return memcmp(tabs[0], tabs[1], sizeof(tabs[0])) != 0 ? "tab stops" : NULL;
}

/* A fresh one of that size that got the painting. */
static struct mirror *
mu_painted(struct mirror *m, int rows, int cols, unsigned what)
{
	struct mirror *to = mirror_new(rows, cols);
	struct buf out;

	buf_init(&out, MIRROR_PAINT_MAX);
	if (mirror_paint(m, rows, cols, what, &out) < 0 ||
	    mirror_feed(to, buf_head(&out), out.len) < 0) {
		mirror_free(to);
		to = NULL;
	}
	buf_fini(&out);
	return to;
}

#endif

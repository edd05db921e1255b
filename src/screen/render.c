/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "screen/render.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

struct render {
	struct render_opts o;
	int rows, cols;
	struct screen_cell *want, *drawn; /* rows * cols */
	bool whole;			  /* nothing is known of the terminal */

	/* While flushing. */
	int at_row, at_col; /* -1: unknown */
	struct screen_cell pen;
	bool pen_known;
};

static const struct screen_cell blank = {.width = 1};

struct render *
render_new(const struct render_opts *o)
{
	struct render *r = calloc(1, sizeof(*r));

	if (r)
		r->o = *o;
	return r;
}

void
render_free(struct render *r)
{
	if (!r)
		return;
	free(r->want);
	free(r->drawn);
	free(r);
}

static int
clamp(int v, int lo, int hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

int
render_resize(struct render *r, int rows, int cols)
{
	size_t n;
	struct screen_cell *want, *drawn;

	rows = clamp(rows, SCREEN_MIN, SCREEN_ROWS_MAX);
	cols = clamp(cols, SCREEN_MIN, SCREEN_COLS_MAX);
	n = (size_t)rows * (size_t)cols;
	want = calloc(n, sizeof(*want));
	drawn = calloc(n, sizeof(*drawn));
	if (!want || !drawn) {
		free(want);
		free(drawn);
		return -1;
	}
	free(r->want);
	free(r->drawn);
	r->want = want;
	r->drawn = drawn;
	r->rows = rows;
	r->cols = cols;
	render_clear(r);
	render_forget(r);
	return 0;
}

int
render_rows(const struct render *r)
{
	return r->rows;
}

int
render_cols(const struct render *r)
{
	return r->cols;
}

void
render_forget(struct render *r)
{
	r->whole = true;
}

static struct screen_cell *
want_at(struct render *r, int row, int col)
{
	return &r->want[(size_t)row * (size_t)r->cols + (size_t)col];
}

void
render_clear(struct render *r)
{
	size_t i, n = (size_t)r->rows * (size_t)r->cols;

	for (i = 0; i < n; i++)
		r->want[i] = blank;
}

static bool
same_color(const struct screen_color *a, const struct screen_color *b)
{
	return a->kind == b->kind && a->r == b->r && a->g == b->g && a->b == b->b;
}

/* Text in the colour of its ground is there to be missed: an auditor sees it in plain colours.
 * Blocks and shades are pictures. */
static bool
reveal(struct screen_cell *c)
{
	bool picture = c->ch[0] >= 0x2580 && c->ch[0] <= 0x259f;

	if (!c->ch[0] || picture || c->fg.kind == 0 || !same_color(&c->fg, &c->bg))
		return false;
	c->fg = c->bg = (struct screen_color){0};
	c->attrs ^= SCREEN_REVERSE;
	return true;
}

int
render_screen(struct render *r, const struct screen *s, int top, int rows)
{
	int row, col, revealed = 0, cols = screen_cols(s) < r->cols ? screen_cols(s) : r->cols;
	struct screen_cell *c;

	if (rows > r->rows)
		rows = r->rows;
	if (rows > screen_rows(s) - top)
		rows = screen_rows(s) - top;
	for (row = 0; row < rows; row++) {
		for (col = 0; col < cols; col++) {
			c = want_at(r, row, col);
			screen_cell(s, top + row, col, c);
			revealed += reveal(c);
			/* Half a character does not fit. */
			if ((c->width == 2 && col + 1 == r->cols) || (c->width == 0 && col == 0))
				*c = blank;
		}
	}
	if (screen_cursor(s, &row, &col) && row >= top && row - top < rows && col < cols)
		want_at(r, row - top, col)->attrs ^= SCREEN_REVERSE;
	return revealed;
}

/* The next character of a text that is not at its end; 0: none to be drawn. */
static uint32_t
next_cp(const unsigned char **p)
{
	size_t partial, len = **p < 0x80 ? 1 : **p < 0xe0 ? 2 : **p < 0xf0 ? 3 : 4;
	uint32_t cp;

	if (str_utf8_prefix(*p, strnlen((const char *)*p, len), &partial) != len) {
		cp = 0xfffd;
		len = 1;
	} else {
		cp = len == 1 ? **p : **p & (0x7fu >> len);
		for (size_t i = 1; i < len; i++)
			cp = cp << 6 | ((*p)[i] & 0x3f);
	}
	*p += len;
	return screen_cp_safe(cp) && !screen_cp_combines(cp) ? cp : 0;
}

int
render_width(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	uint32_t cp;
	int n = 0;

	while (*p) {
		if ((cp = next_cp(&p)) != 0)
			n += screen_cp_wide(cp) ? 2 : 1;
	}
	return n;
}

/* Of a character that is half overdrawn nothing stays. */
static void
put_cp(struct render *r, int row, int col, int width, uint8_t attrs, uint32_t cp)
{
	struct screen_cell *c = want_at(r, row, col);

	if (c->width == 0 && col > 0)
		c[-1] = blank;
	if (col + width < r->cols && c[width].width == 0)
		c[width] = blank;
	*c = (struct screen_cell){.ch = {cp}, .width = (uint8_t)width, .attrs = attrs};
	if (width == 2)
		c[1] = (struct screen_cell){.width = 0, .attrs = attrs};
}

int
render_text(struct render *r, int row, int col, uint8_t attrs, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	while (*p && row >= 0 && row < r->rows && col >= 0 && col < r->cols) {
		uint32_t cp = next_cp(&p);
		int width = cp && screen_cp_wide(cp) ? 2 : 1;

		if (!cp)
			continue;
		if (col + width > r->cols)
			break;
		put_cp(r, row, col, width, attrs, cp);
		col += width;
	}
	return col;
}

void
render_mark(struct render *r, int row, int col, int n, uint8_t attrs)
{
	for (; n > 0 && row >= 0 && row < r->rows && col < r->cols; n--, col++)
		want_at(r, row, col)->attrs = attrs;
}

static bool
same_pen(const struct screen_cell *a, const struct screen_cell *b)
{
	return a->attrs == b->attrs && same_color(&a->fg, &b->fg) && same_color(&a->bg, &b->bg);
}

static bool
same_cell(const struct screen_cell *a, const struct screen_cell *b)
{
	return a->width == b->width && memcmp(a->ch, b->ch, sizeof(a->ch)) == 0 && same_pen(a, b);
}

/* The nearest of the 6 x 6 x 6 cube, for a terminal without true colour. */
static int
cube(const struct screen_color *c)
{
	int r = (c->r * 5 + 127) / 255, g = (c->g * 5 + 127) / 255, b = (c->b * 5 + 127) / 255;

	return 16 + 36 * r + 6 * g + b;
}

static int
put_color(const struct render *r, const struct screen_color *c, int ground, struct buf *out)
{
	if (c->kind == 0 || r->o.colors == RENDER_NO_COLOR)
		return 0;
	if (c->kind == 1 && c->r < 8)
		return buf_printf(out, ";%d", ground + c->r);
	if (c->kind == 1)
		return buf_printf(out, ";%d;5;%d", ground + 8, c->r);
	if (r->o.colors == RENDER_RGB)
		return buf_printf(out, ";%d;2;%d;%d;%d", ground + 8, c->r, c->g, c->b);
	return buf_printf(out, ";%d;5;%d", ground + 8, cube(c));
}

static int
put_pen(struct render *r, const struct screen_cell *c, struct buf *out)
{
	static const struct {
		uint8_t attr;
		const char *sgr;
	} looks[] = {{SCREEN_BOLD, ";1"}, {SCREEN_DIM, ";2"}, {SCREEN_ITALIC, ";3"},
	    {SCREEN_UNDERLINE, ";4"}, {SCREEN_REVERSE, ";7"}, {SCREEN_STRIKE, ";9"}};
	size_t i;

	if (r->pen_known && same_pen(&r->pen, c))
		return 0;
	if (buf_put_str(out, "\x1b[0") < 0)
		return -1;
	for (i = 0; i < COUNT_OF(looks); i++) {
		if (c->attrs & looks[i].attr && buf_put_str(out, looks[i].sgr) < 0)
			return -1;
	}
	if (put_color(r, &c->fg, 30, out) < 0 || put_color(r, &c->bg, 40, out) < 0)
		return -1;
	r->pen = *c;
	r->pen_known = true;
	return buf_put_str(out, "m");
}

static int
put_glyph(struct render *r, const struct screen_cell *c, struct buf *out)
{
	char utf8[4];
	int i;

	if (c->ch[0] == 0 || (r->o.ascii && c->ch[0] >= 0x7f))
		return buf_put(out, c->ch[0] == 0 ? " " : "?", 1) < 0 ||
			       (c->width == 2 && buf_put(out, " ", 1) < 0)
			   ? -1
			   : 0;
	for (i = 0; i < 3 && c->ch[i]; i++) {
		if (r->o.ascii && i > 0)
			break;
		if (buf_put(out, utf8, screen_cp_utf8(c->ch[i], utf8)) < 0)
			return -1;
	}
	return 0;
}

static int
draw(struct render *r, int row, int col, struct buf *out)
{
	const struct screen_cell *c = want_at(r, row, col);

	if (c->width == 0)
		return 0;
	if ((r->at_row != row || r->at_col != col) &&
	    buf_printf(out, "\x1b[%d;%dH", row + 1, col + 1) < 0)
		return -1;
	if (put_pen(r, c, out) < 0 || put_glyph(r, c, out) < 0)
		return -1;
	r->at_row = row;
	r->at_col = col + c->width;
	/* Terminals disagree about widths: after anything but ASCII say where we are, and so too
	 * where the line would wrap. */
	if (c->ch[0] >= 0x7f || r->at_col >= r->cols)
		r->at_row = -1;
	return 0;
}

int
render_flush(struct render *r, struct buf *out)
{
	size_t n = (size_t)r->rows * (size_t)r->cols, i;
	int row, col;

	r->at_row = -1;
	r->pen_known = false;
	for (row = 0; row < r->rows; row++) {
		for (col = 0; col < r->cols; col++) {
			i = (size_t)row * (size_t)r->cols + (size_t)col;
			if (!r->whole && same_cell(&r->want[i], &r->drawn[i]))
				continue;
			/* A wide character changes with either half. */
			if (r->want[i].width == 0 && !r->whole && draw(r, row, col - 1, out) < 0)
				goto full;
			if (draw(r, row, col, out) < 0)
				goto full;
		}
	}
	if (r->pen_known && buf_put_str(out, "\x1b[0m") < 0)
		goto full;
	memcpy(r->drawn, r->want, n * sizeof(r->want[0]));
	r->whole = false;
	return 0;
full:
	r->whole = true;
	return -1;
}

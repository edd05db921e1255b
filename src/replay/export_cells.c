/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "replay/export_int.h"

#include <stdlib.h>

#include "screen/render.h"

#define NEAR 24 /* of 765: looks nearer to each other than this cannot be told apart */
#define BLANKS 4

/* xterm's cube and greys; the sixteen of a common dark terminal. */
static int32_t
palette(int i)
{
	static const int32_t named[16] = {0x000000, 0xcd3131, 0x0dbc79, 0xe5e510, 0x2472c8,
	    0xbc3fbc, 0x11a8cd, 0xe5e5e5, 0x666666, 0xf14c4c, 0x23d18b, 0xf5f543, 0x3b8eea,
	    0xd670d6, 0x29b8db, 0xffffff};
	static const uint8_t level[6] = {0, 95, 135, 175, 215, 255};
	int grey;

	if (i < 16)
		return named[i];
	if (i < 232) {
		i -= 16;
		return level[i / 36] << 16 | level[i / 6 % 6] << 8 | level[i % 6];
	}
	grey = 8 + (i - 232) * 10;
	return grey << 16 | grey << 8 | grey;
}

static int32_t
rgb(const struct screen_color *c)
{
	if (c->kind == 0)
		return EXPORT_PLAIN;
	return c->kind == 1 ? palette(c->r) : c->r << 16 | c->g << 8 | c->b;
}

static bool
alike(int32_t a, int32_t b)
{
	int sum = abs((a >> 16) - (b >> 16)) + abs((a >> 8 & 255) - (b >> 8 & 255)) +
		  abs((a & 255) - (b & 255));

	return sum < NEAR;
}

struct export_look
export_look(const struct screen_cell *c)
{
	struct export_look k = {rgb(&c->fg), rgb(&c->bg), c->attrs};
	bool picture = c->ch[0] >= 0x2580 && c->ch[0] <= 0x259f;
	int32_t fg, bg;

	if (c->attrs & SCREEN_REVERSE) {
		fg = k.bg == EXPORT_PLAIN ? EXPORT_BG : k.bg;
		k.bg = k.fg == EXPORT_PLAIN ? EXPORT_FG : k.fg;
		k.fg = fg;
		k.attrs &= (uint8_t)~SCREEN_REVERSE;
	}
	fg = k.fg == EXPORT_PLAIN ? EXPORT_FG : k.fg;
	bg = k.bg == EXPORT_PLAIN ? EXPORT_BG : k.bg;
	if (c->ch[0] && !picture && alike(fg, bg)) {
		k.fg = EXPORT_BG;
		k.bg = EXPORT_FG;
		k.attrs |= EXPORT_REVEALED;
	}
	return k;
}

static bool
same(const struct export_look *a, const struct export_look *b)
{
	return a->fg == b->fg && a->bg == b->bg && a->attrs == b->attrs;
}

/* In every fixed font that people have, in the width of a cell. */
static bool
common(const struct screen_cell *c)
{
	uint32_t cp = c->ch[0];

	return c->width == 1 && !c->ch[1] && (cp < 0x250 || (cp >= 0x2500 && cp < 0x2580));
}

static bool
nothing(const struct screen_cell *c, const struct export_look *k)
{
	return !c->ch[0] && k->bg == EXPORT_PLAIN &&
	       !(k->attrs & (SCREEN_UNDERLINE | SCREEN_STRIKE));
}

/* Where the run that began at `col` ends: after what is common and looks the same, a few blanks
 * between words included. */
static int
run_end(const struct screen_cell *cells, int col, int cols, const struct export_look *look)
{
	int at, end = col + 1;
	struct export_look k;

	for (at = end; at < cols && at - end <= BLANKS && common(&cells[at]); at++) {
		k = export_look(&cells[at]);
		if (nothing(&cells[at], &k))
			continue;
		if (!same(&k, look))
			break;
		end = at + 1;
	}
	/* Lines under and ground are drawn below every cell of a run. */
	if (look->bg != EXPORT_PLAIN || look->attrs & (SCREEN_UNDERLINE | SCREEN_STRIKE)) {
		for (at = col + 1; at < end; at++) {
			k = export_look(&cells[at]);
			if (nothing(&cells[at], &k))
				return at;
		}
	}
	return end;
}

void
export_row(const struct screen_cell *cells, int cols, export_run_fn *fn, void *arg)
{
	struct export_run r;
	struct export_look k;
	int col, end;

	for (col = 0; col < cols; col = end) {
		end = col + 1;
		k = export_look(&cells[col]);
		if (cells[col].width == 0 || nothing(&cells[col], &k))
			continue;
		r = (struct export_run){col, 1, k, &cells[col]};
		if (cells[col].width == 2)
			end = col + 2 <= cols ? col + 2 : cols;
		else if (common(&cells[col]))
			end = run_end(cells, col, cols, &k);
		r.width = end - col;
		fn(arg, &r);
	}
}

void
export_take_row(const struct screen *s, int row, struct screen_cell *out)
{
	int col, cols = screen_cols(s);

	for (col = 0; col < cols; col++)
		screen_cell(s, row, col, &out[col]);
}

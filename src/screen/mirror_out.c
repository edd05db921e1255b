/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "screen/mirror_int.h"

void
paint_str(struct paint *p, const char *s)
{
	if (buf_put_str(p->out, s) < 0)
		p->full = true;
}

/* fmt with at most two numbers, of our own making. */
void
paint_num(struct paint *p, const char *fmt, int a, int b)
{
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			if (buf_put(p->out, fmt, 1) < 0)
				p->full = true;
			continue;
		}
		if (buf_printf(p->out, "%d", a) < 0)
			p->full = true;
		a = b;
	}
}

static void
put_color(struct paint *p, const struct screen_color *c, int ground)
{
	if (c->kind == 1 && c->r < 8)
		paint_num(p, ";%", ground + c->r, 0);
	else if (c->kind == 1 && c->r < 16)
		paint_num(p, ";%", ground + 60 + c->r - 8, 0);
	else if (c->kind == 1)
		paint_num(p, ";%;5;%", ground + 8, c->r);
	else if (c->kind == 2) {
		paint_num(p, ";%;2;%", ground + 8, c->r);
		paint_num(p, ";%;%", c->g, c->b);
	}
}

/* Width 0: what the terminal has is not known. */
void
paint_pen(struct paint *p, const struct screen_cell *pen)
{
	static const struct {
		uint8_t attr;
		const char *sgr;
	} looks[] = {{SCREEN_BOLD, ";1"}, {SCREEN_ITALIC, ";3"}, {SCREEN_UNDERLINE, ";4"},
	    {SCREEN_BLINK, ";5"}, {SCREEN_REVERSE, ";7"}, {SCREEN_STRIKE, ";9"}};
	size_t i;

	if (p->pen.width && cell_same_pen(&p->pen, pen))
		return;
	paint_str(p, "\x1b[0");
	for (i = 0; i < COUNT_OF(looks); i++) {
		if (pen->attrs & looks[i].attr)
			paint_str(p, looks[i].sgr);
	}
	put_color(p, &pen->fg, 30);
	put_color(p, &pen->bg, 40);
	paint_str(p, "m");
	p->pen = *pen;
	p->pen.width = 1;
}

void
paint_plain(struct paint *p)
{
	static const struct screen_cell plain = {.width = 1};

	paint_pen(p, &plain);
}

/* With either pen a blank is the same. */
static bool
looks_blank(const struct screen_cell *pen, const struct screen_cell *c)
{
	return pen->width && cell_same_color(&pen->bg, &c->bg) &&
	       !(pen->attrs & (SCREEN_REVERSE | SCREEN_UNDERLINE | SCREEN_STRIKE));
}

void
paint_glyph(struct paint *p, const struct screen_cell *c)
{
	char utf8[4];
	int i;

	if (c->ch[0] == 0 && c->attrs == 0 && looks_blank(&p->pen, c)) {
		paint_str(p, " ");
		return;
	}
	paint_pen(p, c);
	if (c->ch[0] == 0)
		paint_str(p, " ");
	for (i = 0; i < 3 && c->ch[i]; i++) {
		if (buf_put(p->out, utf8, screen_cp_utf8(c->ch[i], utf8)) < 0)
			p->full = true;
	}
}

void
paint_at(struct paint *p, int row, int col)
{
	paint_num(p, "\x1b[%;%H", row + 1, col + 1);
}

void
paint_charsets(struct paint *p, const struct charsets *cs)
{
	static const char slot[] = "()*+";
	char seq[4] = "\x1b";
	int i;

	for (i = 0; i < 4; i++) {
		seq[1] = slot[i];
		seq[2] = cs->g[i];
		if (p->g[i] != cs->g[i])
			paint_str(p, seq);
		p->g[i] = cs->g[i];
	}
	paint_str(p, cs->shift ? "\x0e" : "\x0f");
}

bool
paint_doubtful(const struct screen_cell *c)
{
	static const uint32_t agreed[][2] = {{0x2500, 0x259f}, {0x3040, 0x30ff}, {0x4e00, 0x9fff},
	    {0xac00, 0xd7a3}, {0xff01, 0xff60}};
	size_t i;

	if (c->ch[1])
		return true;
	for (i = 0; i < COUNT_OF(agreed); i++) {
		if (c->ch[0] >= agreed[i][0] && c->ch[0] <= agreed[i][1])
			return false;
	}
	return c->ch[0] >= 0x300;
}

/* A terminal may fill a row that comes in at the bottom with the colour of the ground. */
bool
paint_may_wrap(const struct paint *p, const struct screen_cell *next)
{
	return p->pen.bg.kind == 0 && next->bg.kind == 0;
}

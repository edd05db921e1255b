/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "replay/export.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "replay/export_font.h"
#include "replay/export_int.h"

#define SCALE 2 /* dots of a side of the font's */
#define PAD FONT_W
#define IDAT_BYTES 65536
#define WARNING 0xff5f5f
#define FILTER_NONE 0
#define FILTER_UP 2 /* of PNG: each byte less the one above */

struct png {
	FILE *out;
	const struct screen *screen;
	struct export_font *font;
	z_stream z;
	unsigned char packed[IDAT_BYTES];
	unsigned char line[1 + 3 * SCALE * (SCREEN_COLS_MAX * FONT_W + 2 * PAD)];
	size_t line_len;
	int cols, cursor_row, cursor_col;
	struct screen_cell cells[SCREEN_COLS_MAX]; /* of the row at hand */
	struct export_look looks[SCREEN_COLS_MAX];
};

static void
be32(unsigned char *p, uint32_t v)
{
	p[0] = (unsigned char)(v >> 24);
	p[1] = (unsigned char)(v >> 16);
	p[2] = (unsigned char)(v >> 8);
	p[3] = (unsigned char)v;
}

static void
put_chunk(FILE *out, const char *type, const unsigned char *p, size_t n)
{
	unsigned char head[8], sum[4];
	uLong crc = crc32(0, (const unsigned char *)type, 4);

	be32(head, (uint32_t)n);
	memcpy(head + 4, type, 4);
	if (n > 0)
		crc = crc32(crc, p, (unsigned)n);
	be32(sum, (uint32_t)crc);
	fwrite(head, 1, sizeof(head), out);
	fwrite(p, 1, n, out);
	fwrite(sum, 1, sizeof(sum), out);
}

static void
put_header(FILE *out, int width, int height)
{
	unsigned char head[13] = {0};

	be32(head, (uint32_t)width);
	be32(head + 4, (uint32_t)height);
	head[8] = 8; /* bits */
	head[9] = 2; /* red, green, blue */
	fwrite("\x89PNG\r\n\x1a\n", 1, 8, out);
	put_chunk(out, "IHDR", head, sizeof(head));
}

static void
pack(struct png *g, int flush)
{
	g->z.next_in = g->line;
	g->z.avail_in = flush == Z_FINISH ? 0 : (unsigned)g->line_len;
	do {
		if (g->z.avail_out == 0) {
			put_chunk(g->out, "IDAT", g->packed, sizeof(g->packed));
			g->z.next_out = g->packed;
			g->z.avail_out = sizeof(g->packed);
		}
		if (deflate(&g->z, flush) == Z_STREAM_END)
			break;
	} while (g->z.avail_in > 0 || g->z.avail_out == 0 || flush == Z_FINISH);
	if (flush == Z_FINISH)
		put_chunk(g->out, "IDAT", g->packed, sizeof(g->packed) - g->z.avail_out);
}

/* A dot of the font's, SCALE wide. */
static void
put_dot(struct png *g, int x, int32_t color)
{
	unsigned char *p = g->line + 1 + (size_t)x * 3 * SCALE;
	int i;

	for (i = 0; i < SCALE; i++, p += 3) {
		p[0] = (unsigned char)(color >> 16);
		p[1] = (unsigned char)(color >> 8);
		p[2] = (unsigned char)color;
	}
}

static void
end_line(struct png *g)
{
	int i;

	g->line[0] = FILTER_NONE;
	pack(g, Z_NO_FLUSH);
	memset(g->line, 0, g->line_len);
	g->line[0] = FILTER_UP;
	for (i = 1; i < SCALE; i++)
		pack(g, Z_NO_FLUSH);
}

static void
put_margin(struct png *g)
{
	int x, y;

	for (y = 0; y < PAD; y++) {
		for (x = 0; x < g->cols * FONT_W + 2 * PAD; x++)
			put_dot(g, x, EXPORT_BG);
		end_line(g);
	}
}

/* What the font lacks: a box, over both halves of what is wide. */
static unsigned
box(const struct screen_cell *c, int y)
{
	unsigned left = c->width == 0 ? 0 : 0x40, right = c->width == 2 ? 0 : 0x02;
	unsigned inner = (left ? 0x3f : 0xff) & (right ? 0xfc : 0xff);

	if (y < 2 || y > FONT_H - 3)
		return 0;
	return left | right | (y == 2 || y == FONT_H - 3 ? inner : 0);
}

/* One row of a cell's dots, the leftmost in the highest bit. */
static unsigned
dots(const struct png *g, int col, int y)
{
	const struct screen_cell *c = &g->cells[col];
	uint8_t attrs = g->looks[col].attrs;
	int bits = c->ch[0] ? font_row(g->font, c->ch[0], y) : c->width == 0 ? -1 : 0;

	if ((attrs & SCREEN_UNDERLINE && y == FONT_H - 2) ||
	    (attrs & SCREEN_STRIKE && y == FONT_H / 2))
		return 0xff;
	if (bits < 0)
		return box(c, y);
	return (unsigned)(attrs & SCREEN_BOLD ? bits | bits >> 1 : bits);
}

static void
put_cell_line(struct png *g, int row, int col, int y)
{
	const struct export_look *k = &g->looks[col];
	int32_t fg = k->fg == EXPORT_PLAIN ? EXPORT_FG : k->fg;
	int32_t bg = k->bg == EXPORT_PLAIN ? EXPORT_BG : k->bg;
	bool here = row == g->cursor_row && col == g->cursor_col, edge;
	unsigned bits = dots(g, col, y);
	int x;

	for (x = 0; x < FONT_W; x++) {
		edge = y == 0 || y == FONT_H - 1;
		if (here && (edge || x == 0 || x == FONT_W - 1))
			put_dot(g, PAD + col * FONT_W + x, EXPORT_FG);
		else if (k->attrs & EXPORT_REVEALED && edge && x % 4 < 2)
			put_dot(g, PAD + col * FONT_W + x, WARNING);
		else
			put_dot(g, PAD + col * FONT_W + x, bits >> (FONT_W - 1 - x) & 1 ? fg : bg);
	}
}

static void
put_row(struct png *g, int row)
{
	int col, x, y;

	export_take_row(g->screen, row, g->cells);
	for (col = 0; col < g->cols; col++)
		g->looks[col] = export_look(&g->cells[col]);
	for (y = 0; y < FONT_H; y++) {
		for (x = 0; x < PAD; x++) {
			put_dot(g, x, EXPORT_BG);
			put_dot(g, PAD + g->cols * FONT_W + x, EXPORT_BG);
		}
		for (col = 0; col < g->cols; col++)
			put_cell_line(g, row, col, y);
		end_line(g);
	}
}

int
export_png(const struct screen *s, FILE *out)
{
	struct png *g = calloc(1, sizeof(*g));
	int rows = screen_rows(s), row, width, rc = -1;

	if (!g)
		return -1;
	g->out = out;
	g->screen = s;
	g->cols = screen_cols(s);
	width = g->cols * FONT_W + 2 * PAD;
	g->line_len = 1 + 3 * SCALE * (size_t)width;
	g->font = font_new();
	g->z.next_out = g->packed;
	g->z.avail_out = sizeof(g->packed);
	if (!screen_cursor(s, &g->cursor_row, &g->cursor_col))
		g->cursor_row = -1;
	if (g->font && deflateInit(&g->z, 6) == Z_OK) {
		put_header(out, SCALE * width, SCALE * (rows * FONT_H + 2 * PAD));
		put_margin(g);
		for (row = 0; row < rows; row++)
			put_row(g, row);
		put_margin(g);
		pack(g, Z_FINISH);
		put_chunk(out, "IEND", g->packed, 0);
		deflateEnd(&g->z);
		rc = 0;
	}
	font_free(g->font);
	free(g);
	return rc;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "replay/export.h"

#include "base/str.h"
#include "replay/export_int.h"

#define CELL_W 9
#define CELL_H 18
#define BASE 14 /* of the letters, from the top of their cell */
#define PAD 9

struct svg {
	FILE *out;
	int row;
};

/* Text between tags or quotes: ASCII alone, and no character that XML 1.0 has not. */
static void
put_cp(FILE *out, uint32_t cp)
{
	if (cp < 0x20 || cp == 0xfffe || cp == 0xffff)
		cp = 0xfffd;
	if (cp >= 0x7f || cp == '<' || cp == '>' || cp == '&' || cp == '"' || cp == '\'')
		fprintf(out, "&#%u;", (unsigned)cp);
	else
		putc((int)cp, out);
}

static void
put_ground(void *arg, const struct export_run *r)
{
	struct svg *g = arg;

	if (r->look.bg == EXPORT_PLAIN)
		return;
	fprintf(g->out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"#%06x\"%s/>\n",
	    PAD + r->col * CELL_W, PAD + g->row * CELL_H, r->width * CELL_W, CELL_H,
	    (unsigned)r->look.bg,
	    r->look.attrs & EXPORT_REVEALED ? " stroke=\"#ff5f5f\" stroke-dasharray=\"2\"" : "");
}

static void
put_looks(FILE *out, const struct export_look *k)
{
	const char *lines = k->attrs & SCREEN_UNDERLINE && k->attrs & SCREEN_STRIKE
				? "underline line-through"
			    : k->attrs & SCREEN_UNDERLINE ? "underline"
			    : k->attrs & SCREEN_STRIKE	  ? "line-through"
							  : NULL;

	if (k->fg != EXPORT_PLAIN)
		fprintf(out, " fill=\"#%06x\"", (unsigned)k->fg);
	if (k->attrs & SCREEN_BOLD)
		fputs(" font-weight=\"bold\"", out);
	if (k->attrs & SCREEN_ITALIC)
		fputs(" font-style=\"italic\"", out);
	if (lines)
		fprintf(out, " text-decoration=\"%s\"", lines);
}

/* Blanks side by side, or at an end, would be one or none to most that draw this. */
static void
put_blank(const struct export_run *r, int i, FILE *out)
{
	bool lone = i > 0 && i + 1 < r->width && r->cells[i - 1].ch[0] && r->cells[i + 1].ch[0];

	fputs(lone ? " " : "&#160;", out);
}

static void
put_letters(void *arg, const struct export_run *r)
{
	struct svg *g = arg;
	int i, j;

	/* Each run is stretched to its cells: the picture is the same with any font. */
	fprintf(g->out,
	    "<text x=\"%d\" y=\"%d\" textLength=\"%d\" lengthAdjust=\"spacingAndGlyphs\"",
	    PAD + r->col * CELL_W, PAD + g->row * CELL_H + BASE, r->width * CELL_W);
	put_looks(g->out, &r->look);
	putc('>', g->out);
	for (i = 0; i < r->width; i++) {
		if (r->cells[i].width == 0)
			continue;
		if (!r->cells[i].ch[0])
			put_blank(r, i, g->out);
		for (j = 0; j < 3 && r->cells[i].ch[j]; j++)
			put_cp(g->out, r->cells[i].ch[j]);
	}
	fputs("</text>\n", g->out);
}

static void
put_title(FILE *out, const char *title)
{
	const unsigned char *p;
	char seen[512];

	str_vis(seen, sizeof(seen), title);
	fputs("<title>", out);
	for (p = (const unsigned char *)seen; *p; p++)
		put_cp(out, *p < 0x80 ? *p : '?');
	fputs("</title>\n", out);
}

static void
put_cursor(const struct screen *s, FILE *out)
{
	int row, col;

	if (screen_cursor(s, &row, &col))
		fprintf(out,
		    "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" "
		    "stroke=\"#%06x\"/>\n",
		    PAD + col * CELL_W, PAD + row * CELL_H, CELL_W, CELL_H, EXPORT_FG);
}

void
export_svg(const struct screen *s, const char *title, FILE *out)
{
	struct screen_cell cells[SCREEN_COLS_MAX];
	struct svg g = {.out = out};
	int rows = screen_rows(s), cols = screen_cols(s);
	int w = 2 * PAD + cols * CELL_W, h = 2 * PAD + rows * CELL_H;

	fprintf(out,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
	    "viewBox=\"0 0 %d %d\">\n",
	    w, h, w, h);
	if (title && *title)
		put_title(out, title);
	fprintf(out, "<rect width=\"%d\" height=\"%d\" fill=\"#%06x\"/>\n", w, h, EXPORT_BG);
	fprintf(out,
	    "<g font-family=\"DejaVu Sans Mono,Menlo,Consolas,monospace\" font-size=\"15\" "
	    "fill=\"#%06x\">\n",
	    EXPORT_FG);
	for (g.row = 0; g.row < rows; g.row++) {
		export_take_row(s, g.row, cells);
		export_row(cells, cols, put_ground, &g);
		export_row(cells, cols, put_letters, &g);
	}
	put_cursor(s, out);
	fputs("</g>\n</svg>\n", out);
}

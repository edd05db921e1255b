/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "replay/export_page.h"

#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/json.h"
#include "replay/export_int.h"

int
page_init(struct page *p, FILE *out, long chunk_max)
{
	*p = (struct page){.out = out, .chunk_max = chunk_max, .whole = true};
	p->shown = calloc((size_t)SCREEN_ROWS_MAX * SCREEN_COLS_MAX, sizeof(p->shown[0]));
	return p->shown ? 0 : -1;
}

void
page_fini(struct page *p)
{
	free(p->shown);
	p->shown = NULL;
}

void
page_put_json(FILE *out, const json_t *j)
{
	auto_free char *s = json_show(j, JSON_ENSURE_ASCII | JSON_COMPACT);
	const char *p;

	for (p = s ? s : "null"; *p; p++) {
		if (*p == '<' || *p == '>' || *p == '&')
			fprintf(out, "\\u%04x", *p);
		else
			putc(*p, out);
	}
}

static int
put_unit(FILE *out, unsigned u)
{
	return fprintf(out, "\\u%04x", u);
}

static int
put_cp(FILE *out, uint32_t cp)
{
	if (cp >= 0x10000)
		return put_unit(out, 0xd7c0 + (cp >> 10)) + put_unit(out, 0xdc00 | (cp & 0x3ff));
	if (cp >= 0x7f || cp < 0x20 || strchr("<>&\"'\\", (int)cp))
		return put_unit(out, cp);
	putc((int)cp, out);
	return 1;
}

/* [COLUMN, WIDTH, "TEXT", ATTRIBUTES, COLOUR, GROUND]; what is plain at the end is left out. */
static void
put_run(void *arg, const struct export_run *r)
{
	struct page *p = arg;
	const struct export_look *k = &r->look;
	int i, j;

	p->chunk += fprintf(p->out, ",[%d,%d,\"", r->col, r->width);
	for (i = 0; i < r->width; i++) {
		if (r->cells[i].width == 0)
			continue;
		if (!r->cells[i].ch[0])
			p->chunk += put_cp(p->out, ' ');
		for (j = 0; j < 3 && r->cells[i].ch[j]; j++)
			p->chunk += put_cp(p->out, r->cells[i].ch[j]);
	}
	putc('"', p->out);
	if (k->attrs || k->fg != EXPORT_PLAIN || k->bg != EXPORT_PLAIN)
		p->chunk += fprintf(p->out, ",%u", k->attrs);
	if (k->fg != EXPORT_PLAIN || k->bg != EXPORT_PLAIN)
		p->chunk += fprintf(p->out, ",%d", k->fg);
	if (k->bg != EXPORT_PLAIN)
		p->chunk += fprintf(p->out, ",%d", k->bg);
	putc(']', p->out);
	p->chunk += 2;
}

static bool
same_color(const struct screen_color *a, const struct screen_color *b)
{
	return a->kind == b->kind && a->r == b->r && a->g == b->g && a->b == b->b;
}

static bool
same_cell(const struct screen_cell *a, const struct screen_cell *b)
{
	return a->width == b->width && memcmp(a->ch, b->ch, sizeof(a->ch)) == 0 &&
	       a->attrs == b->attrs && same_color(&a->fg, &b->fg) && same_color(&a->bg, &b->bg);
}

static bool
same_row(const struct screen_cell *a, const struct screen_cell *b, int cols)
{
	int i;

	for (i = 0; i < cols; i++) {
		if (!same_cell(&a[i], &b[i]))
			return false;
	}
	return true;
}

/* The rows that differ; the whole of those, since a browser lays out a row at once. */
static void
put_rows(struct page *p, const struct screen *s)
{
	struct screen_cell now[SCREEN_COLS_MAX], *was;
	int row;

	for (row = 0; row < p->rows; row++) {
		was = &p->shown[(size_t)row * SCREEN_COLS_MAX];
		export_take_row(s, row, now);
		if (!p->whole && same_row(now, was, p->cols))
			continue;
		memcpy(was, now, (size_t)p->cols * sizeof(now[0]));
		p->chunk += fprintf(p->out, ",[%d", row);
		export_row(now, p->cols, put_run, p);
		putc(']', p->out);
	}
}

/* [TIME, COLS, ROWS, CURSOR ROW, CURSOR COLUMN, ROW...]; COLS is 0 where only some rows follow. */
void
page_frame(struct page *p, const struct screen *s, int64_t t)
{
	int rows = screen_rows(s), cols = screen_cols(s);
	bool first = p->chunk == 0;

	if (first) {
		p->chunk += fprintf(p->out,
		    "<script type=\"application/json\" class=\"frames\" data-t=\"%.6f\">[",
		    (double)t / 1e9);
	}
	p->whole = first || rows != p->rows || cols != p->cols;
	p->rows = rows;
	p->cols = cols;
	if (!screen_cursor(s, &p->cursor_row, &p->cursor_col))
		p->cursor_row = p->cursor_col = -1;
	p->chunk += fprintf(p->out, "%s[%.6f,%d,%d,%d,%d", first ? "" : ",\n", (double)t / 1e9,
	    p->whole ? cols : 0, p->whole ? rows : 0, p->cursor_row, p->cursor_col);
	put_rows(p, s);
	putc(']', p->out);
	if (p->chunk >= p->chunk_max)
		page_end_chunk(p);
}

void
page_end_chunk(struct page *p)
{
	if (p->chunk > 0)
		fputs("]</script>\n", p->out);
	p->chunk = 0;
}

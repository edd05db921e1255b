/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "screen/mirror_lines.h"

#include <stdlib.h>
#include <string.h>

#include "screen/mirror.h"

#define OVERHEAD (sizeof(struct line) + sizeof(struct line *) + 16)
#define RUN_HEAD_MAX (2 + 3 + 3 + 2)
#define CELL_MAX 12

bool
cell_same_color(const struct screen_color *a, const struct screen_color *b)
{
	return a->kind == b->kind && a->r == b->r && a->g == b->g && a->b == b->b;
}

bool
cell_same_pen(const struct screen_cell *a, const struct screen_cell *b)
{
	return a->attrs == b->attrs && cell_same_color(&a->fg, &b->fg) &&
	       cell_same_color(&a->bg, &b->bg);
}

void
cell_normal(struct screen_cell *c)
{
	if (c->ch[0])
		return;
	/* With one of them the others may show: a bold colour is a lighter one in many terminals.
	 */
	if (c->attrs & (SCREEN_REVERSE | SCREEN_UNDERLINE | SCREEN_STRIKE))
		return;
	c->attrs = 0;
	c->fg = (struct screen_color){0};
}

bool
cell_plain(const struct screen_cell *c)
{
	return c->ch[0] == 0 && c->width == 1 && c->attrs == 0 && c->bg.kind == 0;
}

int
cells_used(const struct screen_cell *cells, int cols)
{
	while (cols > 0 && cell_plain(&cells[cols - 1]))
		cols--;
	return cols == 0 && cells[0].joined ? 1 : cols;
}

static struct line *
take(struct lines *l, size_t i)
{
	struct line *line = l->ring[(l->head + i) % l->room];

	l->bytes -= line->len + OVERHEAD;
	return line;
}

static void
drop_oldest(struct lines *l)
{
	free(take(l, 0));
	l->head = (l->head + 1) % l->room;
	l->n--;
}

void
lines_clear(struct lines *l)
{
	while (l->n > 0)
		drop_oldest(l);
	free(l->ring);
	*l = (struct lines){0};
}

void
lines_pop(struct lines *l, size_t n)
{
	for (; n > 0 && l->n > 0; n--) {
		free(take(l, l->n - 1));
		l->n--;
	}
}

static int
grow(struct lines *l)
{
	size_t room = l->room ? l->room * 2 : 64, i;
	struct line **ring = calloc(room, sizeof(struct line *));

	if (!ring)
		return -1;
	for (i = 0; i < l->n; i++)
		ring[i] = l->ring[(l->head + i) % l->room];
	free(l->ring);
	l->ring = ring;
	l->room = room;
	l->head = 0;
	return 0;
}

static int
append(struct lines *l, struct line *line)
{
	while (l->n >= MIRROR_LINES_MAX ||
	       (l->n > 0 && l->bytes + line->len + OVERHEAD > MIRROR_LINES_BYTES))
		drop_oldest(l);
	if (l->n == l->room && grow(l) < 0)
		return -1;
	l->ring[(l->head + l->n) % l->room] = line;
	l->n++;
	l->bytes += line->len + OVERHEAD;
	return 0;
}

int
lines_move(struct lines *to, struct lines *from)
{
	struct line *line;

	while (from->n > 0) {
		line = take(from, 0);
		from->head = (from->head + 1) % from->room;
		from->n--;
		if (append(to, line) < 0) {
			free(line);
			return -1;
		}
	}
	lines_clear(from);
	return 0;
}

static unsigned char *
put_color(unsigned char *p, const struct screen_color *c)
{
	if (c->kind >= 1)
		*p++ = c->r;
	if (c->kind == 2) {
		*p++ = c->g;
		*p++ = c->b;
	}
	return p;
}

static const unsigned char *
get_color(const unsigned char *p, int kind, struct screen_color *c)
{
	*c = (struct screen_color){.kind = (uint8_t)kind};
	if (kind >= 1)
		c->r = *p++;
	if (kind == 2) {
		c->g = *p++;
		c->b = *p++;
	}
	return p;
}

/* A run: attributes, kinds of both colours, the colours, bytes of text (16 bits), text. */
static unsigned char *
begin_run(unsigned char *p, const struct screen_cell *pen)
{
	*p++ = pen->attrs;
	*p++ = (unsigned char)(pen->fg.kind << 4 | pen->bg.kind);
	p = put_color(p, &pen->fg);
	p = put_color(p, &pen->bg);
	return p + 2;
}

static unsigned char *
put_cell(unsigned char *p, const struct screen_cell *c)
{
	int i;

	if (c->ch[0] == 0)
		*p++ = ' ';
	for (i = 0; i < 3 && c->ch[i]; i++)
		p += screen_cp_utf8(c->ch[i], (char *)p);
	return p;
}

static size_t
encode(const struct screen_cell *cells, int used, unsigned char *out)
{
	const struct screen_cell *pen = NULL;
	unsigned char *p = out, *text = NULL;
	int col;

	for (col = 0; col < used; col++) {
		if (cells[col].width == 0)
			continue;
		if (!pen || !cell_same_pen(pen, &cells[col])) {
			pen = &cells[col];
			text = p = begin_run(p, pen);
		}
		p = put_cell(p, &cells[col]);
		text[-2] = (unsigned char)((p - text) >> 8);
		text[-1] = (unsigned char)(p - text);
	}
	return (size_t)(p - out);
}

int
lines_push(struct lines *l, const struct screen_cell *cells, int cols)
{
	int used = cells_used(cells, cols);
	auto_free unsigned char *tmp = malloc((size_t)used * (RUN_HEAD_MAX + CELL_MAX) + 1);
	struct line *line;
	size_t len;

	if (!tmp)
		return -1;
	len = encode(cells, used, tmp);
	line = malloc(sizeof(*line) + len);
	if (!line)
		return -1;
	line->len = (uint32_t)len;
	line->cols = (uint16_t)cols;
	line->joined = cells[0].joined;
	memcpy(line->data, tmp, len);
	if (append(l, line) < 0) {
		free(line);
		return -1;
	}
	return 0;
}

void
line_begin(struct line_iter *it, const struct line *line)
{
	*it = (struct line_iter){.p = line->data, .end = line->data + line->len};
}

static uint32_t
get_cp(const unsigned char **at)
{
	const unsigned char *p = *at;
	size_t len = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4, i;
	uint32_t cp = len == 1 ? *p : *p & (0x7fu >> len);

	for (i = 1; i < len; i++)
		cp = cp << 6 | (p[i] & 0x3f);
	*at = p + len;
	return cp;
}

bool
line_next(struct line_iter *it, struct screen_cell *out)
{
	const unsigned char *p, *ahead;
	int n = 0;
	uint32_t cp;

	if (it->p == it->end)
		return false;
	if (it->left == 0) {
		p = it->p;
		it->pen = (struct screen_cell){.width = 1, .attrs = p[0]};
		p = get_color(p + 2, p[1] >> 4, &it->pen.fg);
		p = get_color(p, it->p[1] & 15, &it->pen.bg);
		it->left = (size_t)p[0] << 8 | p[1];
		it->p = p + 2;
	}
	p = it->p;
	*out = it->pen;
	out->ch[n++] = get_cp(&p);
	while (n < 3 && (size_t)(p - it->p) < it->left) {
		ahead = p;
		cp = get_cp(&ahead);
		if (!screen_cp_combines(cp))
			break;
		out->ch[n++] = cp;
		p = ahead;
	}
	it->left -= (size_t)(p - it->p);
	it->p = p;
	out->width = screen_cp_wide(out->ch[0]) ? 2 : 1;
	if (n == 1 && out->ch[0] == ' ')
		out->ch[0] = 0;
	return true;
}

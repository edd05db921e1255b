/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "pty/term.h"

#define CELL_MAX 512
/* With less of it a column tells nothing. */
#define CUT_MIN 8

struct table {
	const char *const *heads;
	int ncols;
	char **cells;
	size_t n, cap;
};

struct table *
table_new(const char *const *heads)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->heads = heads;
	while (t->ncols < TABLE_COLS && heads[t->ncols])
		t->ncols++;
	return t;
}

void
table_free(struct table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}

int
table_cell_made(struct table *t, const char *text)
{
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 64;
		char **cells = realloc(t->cells, cap * sizeof(*cells));

		if (!cells)
			return -1;
		t->cells = cells;
		t->cap = cap;
	}
	t->cells[t->n] = strdup(*text ? text : "-");
	return t->cells[t->n] ? (t->n++, 0) : -1;
}

int
table_cell(struct table *t, const char *text)
{
	char safe[CELL_MAX];

	str_vis(safe, sizeof(safe), text ? text : "");
	return table_cell_made(t, safe);
}

static char colour_mode = 'a'; /* auto, +: always, -: never */

void
table_set_colour(const char *mode)
{
	colour_mode = strcmp(mode, "always") == 0 ? '+' : strcmp(mode, "never") == 0 ? '-' : 'a';
}

bool
table_colour(FILE *f)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (no && *no)
		return false;
	if (colour_mode != 'a')
		return colour_mode == '+';
	return isatty(fileno(f)) && term && strcmp(term, "dumb") != 0;
}

/* Code points: what str_vis() lets through takes a column each but for wide characters. */
static int
columns(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static int
widest(const struct table *t, int col, bool *empty)
{
	int w = columns(t->heads[col]);

	*empty = true;
	for (size_t i = (size_t)col; i < t->n; i += (size_t)t->ncols) {
		int n = columns(t->cells[i]);

		if (n > w)
			w = n;
		if (strcmp(t->cells[i], "-") != 0)
			*empty = false;
	}
	return w;
}

/* How many bytes the first n columns take. */
static int
bytes(const char *s, int n)
{
	const char *p = s;

	while (*p && (((unsigned char)*p & 0xc0) == 0x80 || n-- > 0))
		p++;
	return (int)(p - s);
}

/* The last cell takes `room` columns at most; 0: as many as it has. */
static void
print_row(FILE *f, char *const *cells, const int *width, int ncols, int room)
{
	int pad = 0;

	for (int c = 0; c < ncols; c++) {
		if (width[c] < 0)
			continue;
		fprintf(f, "%*s", pad, "");
		if (c == ncols - 1 && room > 0 && columns(cells[c]) > room)
			fprintf(f, "%.*s...", bytes(cells[c], room - 3), cells[c]);
		else
			fputs(cells[c], f);
		pad = width[c] - columns(cells[c]) + 2;
	}
	fputc('\n', f);
}

static void
print(const struct table *t, FILE *f, int keep, int line)
{
	bool bold = table_colour(f), empty;
	int width[TABLE_COLS], room = line;

	for (int c = 0; c < t->ncols; c++) {
		width[c] = widest(t, c, &empty);
		if (empty && c >= keep)
			width[c] = -1;
		else if (c < t->ncols - 1)
			room -= width[c] + 2;
	}
	if (room < CUT_MIN)
		room = 0;
	if (bold)
		fputs("\033[1m", f);
	print_row(f, (char *const *)(const void *)t->heads, width, t->ncols, room);
	if (bold)
		fputs("\033[0m", f);
	for (size_t i = 0; i + (size_t)t->ncols <= t->n; i += (size_t)t->ncols)
		print_row(f, t->cells + i, width, t->ncols, room);
}

void
table_print(const struct table *t, FILE *f, int keep)
{
	print(t, f, keep, 0);
}

void
table_print_cut(const struct table *t, FILE *f, int keep)
{
	print(t, f, keep, table_columns(f));
}

int
table_columns(FILE *f)
{
	struct winsize ws;

	return isatty(fileno(f)) && term_size(fileno(f), &ws) ? ws.ws_col : 0;
}

void
table_wrap(FILE *f, const char *text, int at, int indent, int width)
{
	bool first = true;

	while (*text) {
		int n = (int)strcspn(text, " ");

		if (!first && at + 1 + n > width) {
			fprintf(f, "\n%*s", indent, "");
			at = indent;
		} else if (!first) {
			fputc(' ', f);
			at++;
		}
		fwrite(text, 1, (size_t)n, f);
		at += n;
		text += n + (text[n] == ' ');
		first = false;
	}
	fputc('\n', f);
}

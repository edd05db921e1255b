/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows as text. */
#include <string.h>

#include "base/str.h"
#include "screen/screen_int.h"

#define LINE_MAX_BYTES (SCREEN_COLS_MAX * 3 * 4)

/* The library leaves the right half of an overwritten wide character behind: only one that stands
 * beside a wide character counts. */
static bool
is_wide(const VTermScreenCell *c)
{
	return c->width == 2 && screen_cp_wide(c->chars[0]);
}

void
screen_one_cell(const VTermScreenCell *c, const VTermScreenCell *left, struct screen_cell *out)
{
	bool half = c->chars[0] == (uint32_t)-1 && left && is_wide(left);
	int i, n = 0;

	memset(out, 0, sizeof(*out));
	out->width = half ? 0 : is_wide(c) ? 2 : 1;
	for (i = 0; i < VTERM_MAX_CHARS_PER_CELL && c->chars[i] && n < 3; i++) {
		if (screen_cp_safe(c->chars[i]) && screen_cp_combines(c->chars[i]) == (n > 0))
			out->ch[n++] = c->chars[i];
	}
	/* What stands on one half of a wide character takes the other away. */
	if ((n == 1 && out->ch[0] == ' ') || (out->width == 1 && screen_cp_wide(out->ch[0])))
		memset(out->ch, 0, sizeof(out->ch));
}

/* Whether what begins with this goes on from the row above. */
static bool
is_joined(const VTermScreenCell *c)
{
	return c->attrs.font == SCREEN_FONT_JOINED && c->chars[0] != 0;
}

/* Of a row with so many blanks at its end, in whose last column something was written, if only a
 * space: how it ends.  Blanks belong to a line that goes on behind them; not the column that a wide
 * character left free. */
static enum screen_end
end_of(int blanks, bool written, const VTermScreenCell *next, struct buf *out)
{
	if (next && is_joined(next) && (written || (blanks == 1 && is_wide(next)))) {
		for (; written && blanks > 0; blanks--)
			buf_put(out, " ", 1);
		return SCREEN_GOES_ON;
	}
	return blanks == 0 ? SCREEN_FULL : SCREEN_ENDS;
}

/* The number of blanks at the end, which are left out, or -1. */
static int
cells_text(const VTermScreenCell *cells, int cols, struct buf *out)
{
	struct screen_cell cell;
	int blanks = 0, col;
	char utf8[4];

	for (col = 0; col < cols; col++) {
		/* The same as below, of most cells. */
		if (cells[col].chars[0] == 0 || cells[col].chars[0] == ' ') {
			blanks++;
			continue;
		}
		screen_one_cell(&cells[col], col > 0 ? &cells[col - 1] : NULL, &cell);
		if (cell.ch[0] == 0) {
			blanks += cell.width != 0;
			continue;
		}
		for (; blanks > 0; blanks--) {
			if (buf_put(out, " ", 1) < 0)
				return -1;
		}
		for (size_t i = 0; i < 3 && cell.ch[i]; i++) {
			if (buf_put(out, utf8, screen_cp_utf8(cell.ch[i], utf8)) < 0)
				return -1;
		}
	}
	return blanks;
}

/* A row of ASCII alone, as the library gives it much faster; -2: it is not.  It leaves out what
 * stands behind an overwritten wide character. */
static int
ascii_text(const struct screen *s, int row, struct buf *out)
{
	char text[SCREEN_COLS_MAX + 1];
	int cols = screen_cols(s);
	size_t n;

	if (s->beyond_ascii)
		return -2;
	n = vterm_screen_get_text(s->vts, text, sizeof(text), (VTermRect){row, row + 1, 0, cols});
	if (n > (size_t)cols)
		return -2;
	for (size_t i = 0; i < n; i++)
		if (text[i] < 0x20 || text[i] == 0x7f)
			return -2;
	while (n > 0 && text[n - 1] == ' ')
		n--;
	return n == 0 || buf_put(out, text, n) == 0 ? cols - (int)n : -1;
}

int
screen_row_text(const struct screen *s, int row, struct buf *out, enum screen_end *end)
{
	VTermScreenCell cells[SCREEN_COLS_MAX], next, last;
	VTermPos pos = {row, 0}, below = {row + 1, 0};
	int cols = screen_cols(s), blanks = ascii_text(s, row, out);

	if (blanks == -2) {
		for (; pos.col < cols; pos.col++) {
			if (!vterm_screen_get_cell(s->vts, pos, &cells[pos.col]))
				memset(&cells[pos.col], 0, sizeof(cells[0]));
		}
		blanks = cells_text(cells, cols, out);
	}
	if (blanks < 0)
		return -1;
	if (!end)
		return 0;
	pos.col = cols - 1;
	*end = end_of(blanks, vterm_screen_get_cell(s->vts, pos, &last) && last.chars[0] != 0,
	    row + 1 < screen_rows(s) && vterm_screen_get_cell(s->vts, below, &next) ? &next : NULL,
	    out);
	return 0;
}

/* What left is told of when what comes behind it is known: this. */
static void
tell_left(struct screen *s, const VTermScreenCell *next)
{
	struct left *l = &s->left;
	bool on = end_of(l->blanks, l->written, next, &l->text) == SCREEN_GOES_ON;

	l->any = false;
	if (s->hooks.scrolled)
		s->hooks.scrolled(s->hooks.arg, l->text.len ? (const char *)buf_head(&l->text) : "",
		    l->text.len, on);
	buf_clear(&l->text);
}

void
screen_leaves(struct screen *s, const VTermScreenCell *cells, int cols)
{
	struct left *l = &s->left;

	if (l->any)
		tell_left(s, &cells[0]);
	if (!s->hooks.scrolled)
		return;
	l->text.max = LINE_MAX_BYTES;
	l->blanks = cells_text(cells, cols, &l->text);
	l->written = cells[cols - 1].chars[0] != 0;
	l->any = true;
}

void
screen_left(struct screen *s)
{
	VTermScreenCell first;

	if (s->left.any)
		tell_left(
		    s, vterm_screen_get_cell(s->vts, (VTermPos){0, 0}, &first) ? &first : NULL);
}

const char *
screen_as_shown(char *text)
{
	const unsigned char *from = (const unsigned char *)text, *end = from + strlen(text);
	int marks = FILTER_MARKS;
	char *to = text;
	uint32_t cp;
	size_t len;

	for (; from < end; from += len) {
		len = str_utf8_one(from, (size_t)(end - from), &cp);
		if (len == 0)
			return "it is not UTF-8, and what a screen shows is";
		if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
			return "it has a control character, and a screen shows none: of a tab, "
			       "blanks";
		if (!screen_cp_safe(cp))
			continue;
		marks = screen_cp_combines(cp) ? marks - 1 : FILTER_MARKS;
		if (marks < 0)
			continue;
		memmove(to, from, len);
		to += len;
	}
	if (to == text && *text)
		return "a screen shows none of its characters";
	*to = '\0';
	return NULL;
}

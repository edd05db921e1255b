/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "screen/mirror_int.h"

static const struct charsets ascii = {.g = {'B', 'B', 'B', 'B'}};

static const struct saved_cursor home = {.pen = {.width = 1}, .cs = {.g = {'B', 'B', 'B', 'B'}}};

static void
forget_cursors(struct modes *md)
{
	md->saved[0] = md->saved[1] = home;
}

void
modes_reset(struct modes *md, int rows)
{
	*md = (struct modes){.on = MM_DEFAULT, .cs = ascii, .bottom = rows};
	forget_cursors(md);
}

static void
put(struct mirror *m, const char *seq)
{
	screen_put(m->s, seq, strlen(seq));
}

/* DECSTR, of which the library does little. */
static void
soft_reset(struct mirror *m)
{
	struct modes *md = &m->modes;
	int row, col;
	char at[32];

	screen_flush(m->s);
	screen_cursor(m->s, &row, &col);
	put(m, "\x1b[?1l\x1b[?6l\x1b[?7h\x1b[?25h\x1b[4l\x1b[20l\x1b[r\x1b>\x1b[m"
	       "\x1b(B\x1b)B\x1b*B\x1b+B\x0f");
	snprintf(at, sizeof(at), "\x1b[%d;%dH", row + 1, col + 1);
	put(m, at);
	wrap_mode(m->s, true, 7, true);
	wrap_mode(m->s, false, 20, false);
	md->on = (md->on &
		     ~(uint32_t)(MM_CURSOR_KEYS | MM_ORIGIN | MM_KEYPAD | MM_INSERT | MM_NEWLINE)) |
		 MM_DEFAULT;
	md->cs = ascii;
	md->top = 0;
	md->bottom = screen_rows(m->s);
	forget_cursors(md);
}

/* As xterm: each screen has its own saved position, with looks, character sets and origin.  The
 * library has one for both. */
static void
save_cursor(struct mirror *m)
{
	struct saved_cursor *c = &m->modes.saved[screen_alt(m->s)];

	screen_flush(m->s);
	screen_cursor(m->s, &c->row, &c->col);
	screen_pen(m->s, &c->pen);
	c->cs = m->modes.cs;
	c->origin = m->modes.on & MM_ORIGIN;
}

static void
restore_cursor(struct mirror *m)
{
	const struct saved_cursor *c = &m->modes.saved[screen_alt(m->s)];
	unsigned char bytes[160];
	struct buf b = {.data = bytes, .cap = sizeof(bytes), .max = sizeof(bytes)};
	struct paint p = {.out = &b, .cols = screen_cols(m->s), .pen = {.width = 0}};
	int row = c->row;

	m->modes.cs = c->cs;
	m->modes.on &= ~(uint32_t)MM_ORIGIN;
	paint_str(&p, "\x1b[?6l");
	if (c->origin) {
		m->modes.on |= MM_ORIGIN;
		paint_str(&p, "\x1b[?6h");
		row = row > m->modes.top ? row - m->modes.top : 0;
	}
	paint_at(&p, row, c->col);
	paint_plain(&p);
	paint_pen(&p, &c->pen);
	paint_charsets(&p, &c->cs);
	screen_put(m->s, (const char *)bytes, b.len);
}

static void
alternate(struct mirror *m, bool on, bool cursor)
{
	bool now;

	screen_flush(m->s);
	now = screen_alt(m->s);
	if (on && !now) {
		if (cursor)
			save_cursor(m);
		m->modes.alt_saved = cursor;
		m->modes.saved[1] = home;
		put(m, "\x1b[?1047h");
	} else if (!on && now) {
		put(m, "\x1b[?1047l");
	}
	screen_flush(m->s);
	if (!on && cursor)
		restore_cursor(m);
}

static void
margins(struct mirror *m, const struct filter *f)
{
	int rows = screen_rows(m->s);
	int top = f->args[0] > 0 ? f->args[0] : 1;
	int bottom = f->nargs > 0 && f->args[1] > 0 ? f->args[1] : rows;
	char seq[32];

	if (bottom > rows)
		bottom = rows;
	/* Terminals take no region of one row; the library would. */
	if (top >= bottom)
		return;
	m->modes.top = top - 1;
	m->modes.bottom = bottom;
	snprintf(seq, sizeof(seq), "\x1b[%d;%dr", top, bottom);
	put(m, seq);
}

static bool
seen_escape(struct mirror *m, const struct filter *f, unsigned char final)
{
	static const char *const sets = "()*+";
	const char *set = f->inter ? strchr(sets, f->inter) : NULL;

	if (set) {
		if (final == 'B' || final == 'A' || final == '0')
			m->modes.cs.g[set - sets] = (char) final;
		return false;
	}
	if (f->inter)
		return false;
	switch (final) {
	case 'c':
		modes_reset(&m->modes, screen_rows(m->s));
		screen_flush(m->s);
		lines_clear(&m->back);
		return false;
	case '7':
		save_cursor(m);
		return true;
	case '8':
		restore_cursor(m);
		return true;
	case '=':
		m->modes.on |= MM_KEYPAD;
		return false;
	case '>':
		m->modes.on &= ~(uint32_t)MM_KEYPAD;
		return false;
	}
	return false;
}

static bool
seen_plain(struct mirror *m, const struct filter *f, unsigned char final)
{
	switch (final) {
	case 'r':
		margins(m, f);
		return true;
	case 's':
		if (f->nargs == 0 && f->args[0] < 0)
			save_cursor(m);
		return true;
	case 'u':
		restore_cursor(m);
		return true;
	case 'J':
		if (f->args[0] == 3) {
			screen_flush(m->s);
			lines_clear(&m->back);
		}
		return false;
	}
	return false;
}

/* CSI > 4 ; N m, and CSI > 4 n for off. */
static void
other_keys(struct modes *md, const struct filter *f, unsigned char final)
{
	int level = f->nargs > 0 ? f->args[1] : 0;

	if (f->args[0] > 0 && f->args[0] != 4)
		return;
	md->other_keys = final == 'm' && f->args[0] == 4 && level > 0 && level <= 3 ? level : 0;
}

static bool
seen_sequence(struct mirror *m, const struct filter *f, unsigned char final)
{
	if (f->leader == 0 && f->inter == 0)
		return seen_plain(m, f, final);
	if (f->leader == 0 && f->inter == '!' && final == 'p') {
		soft_reset(m);
		return true;
	}
	if (f->leader == 0 && f->inter == ' ' && final == 'q')
		m->modes.cursor_shape = f->args[0] >= 0 && f->args[0] <= 6 ? f->args[0] : 0;
	else if (f->leader == '>' && f->inter == 0 && (final == 'm' || final == 'n'))
		other_keys(&m->modes, f, final);
	return false;
}

bool
modes_seen(struct mirror *m, enum filter_seen what, const struct filter *f, unsigned char final)
{
	switch (what) {
	case FILTER_CONTROL:
		if (final >= 0x0e)
			m->modes.cs.shift = final == 0x0e;
		return false;
	case FILTER_ESCAPE:
		return seen_escape(m, f, final);
	case FILTER_CONTROL_SEQUENCE:
		return seen_sequence(m, f, final);
	}
	return false;
}

static uint32_t
mode_bit(bool dec, int mode)
{
	static const struct {
		int mode;
		uint32_t bit;
	} known[] = {{1, MM_CURSOR_KEYS}, {5, MM_REVERSE}, {6, MM_ORIGIN}, {7, MM_WRAP},
	    {12, MM_BLINK}, {25, MM_CURSOR}, {66, MM_KEYPAD}, {1004, MM_FOCUS}, {1007, MM_WHEEL},
	    {1034, MM_META}, {2004, MM_PASTE}};
	size_t i;

	if (!dec)
		return mode == 4 ? MM_INSERT : mode == 20 ? MM_NEWLINE : 0;
	for (i = 0; i < COUNT_OF(known); i++) {
		if (known[i].mode == mode)
			return known[i].bit;
	}
	return 0;
}

bool
modes_mode(struct mirror *m, bool dec, int mode, bool on)
{
	uint32_t bit = mode_bit(dec, mode);

	if (bit) {
		m->modes.touched |= bit;
		m->modes.on = on ? m->modes.on | bit : m->modes.on & ~bit;
		return false;
	}
	switch (dec ? mode : 0) {
	case 9:
	case 1000:
	case 1001:
	case 1002:
	case 1003:
		/* Of each kind one at a time. */
		m->modes.mouse = on ? mode : 0;
		return true;
	case 1005:
	case 1006:
	case 1015:
	case 1016:
		m->modes.mouse_coding = on ? mode : 0;
		return true;
	case 1048:
		if (on)
			save_cursor(m);
		else
			restore_cursor(m);
		return true;
	case 47:
	case 1047:
		alternate(m, on, false);
		return true;
	case 1049:
		alternate(m, on, true);
		return true;
	}
	return false;
}

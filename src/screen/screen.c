/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "screen/screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "screen/screen_dump.h"

/* Two buffers of the largest size and a third while resizing are 54 MB; twice that, for what lies
 * between them.  A process with a limit on its addresses may have two. */
#define ARENA_LIMIT ((size_t)108 << 20)

static int
clamp(int v, int lo, int hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

static void *
vt_alloc(size_t n, void *arg)
{
	return arena_alloc(arg, n);
}

static void
vt_release(void *p, void *arg)
{
	arena_release(arg, p);
}

static VTermAllocatorFunctions allocator = {.malloc = vt_alloc, .free = vt_release};

static int
on_damage(VTermRect rect, void *arg)
{
	struct screen *s = arg;

	if (rect.start_row < s->dirty_from)
		s->dirty_from = rect.start_row;
	if (rect.end_row > s->dirty_to)
		s->dirty_to = rect.end_row;
	s->changes++;
	return 1;
}

static int
on_prop(VTermProp prop, VTermValue *val, void *arg)
{
	struct screen *s = arg;

	if (prop == VTERM_PROP_CURSORVISIBLE)
		s->flags.cursor_shown = val->boolean;
	else if (prop == VTERM_PROP_ALTSCREEN)
		s->flags.alt = val->boolean;
	else if (prop == VTERM_PROP_REVERSE)
		s->flags.reverse = val->boolean;
	s->changes++;
	return 1;
}

struct screen_color
screen_color_of(const VTermColor *c)
{
	if (VTERM_COLOR_IS_DEFAULT_FG(c) || VTERM_COLOR_IS_DEFAULT_BG(c))
		return (struct screen_color){0};
	if (VTERM_COLOR_IS_INDEXED(c))
		return (struct screen_color){.kind = 1, .r = c->indexed.idx};
	return (struct screen_color){2, c->rgb.red, c->rgb.green, c->rgb.blue};
}

/* The library erases with all looks of the pen; terminals with its ground only. */
static void
looks(const struct screen *s, const VTermScreenCell *c, struct screen_cell *out)
{
	out->bg = screen_color_of(&c->bg);
	if (c->chars[0] == 0) {
		out->attrs = s->flags.reverse ? SCREEN_REVERSE : 0;
		return;
	}
	out->attrs =
	    (uint8_t)((c->attrs.bold ? SCREEN_BOLD : 0) |
		      (c->attrs.underline ? SCREEN_UNDERLINE : 0) |
		      (c->attrs.italic ? SCREEN_ITALIC : 0) | (c->attrs.blink ? SCREEN_BLINK : 0) |
		      (c->attrs.reverse ? SCREEN_REVERSE : 0) |
		      (c->attrs.strike ? SCREEN_STRIKE : 0));
	out->joined = c->attrs.font == SCREEN_FONT_JOINED;
	out->fg = screen_color_of(&c->fg);
}

static void
push_cells(struct screen *s, const VTermScreenCell *cells, int cols)
{
	struct screen_cell line[SCREEN_COLS_MAX];
	int col;

	for (col = 0; col < cols; col++) {
		screen_one_cell(&cells[col], col > 0 ? &cells[col - 1] : NULL, &line[col]);
		looks(s, &cells[col], &line[col]);
	}
	s->track.pushed(s->track.arg, line, cols);
}

static int
on_push(int cols, const VTermScreenCell *cells, void *arg)
{
	struct screen *s = arg;

	if (s->track.pushed)
		push_cells(s, cells, cols);
	screen_leaves(s, cells, cols);
	return 1;
}

static const VTermScreenCallbacks callbacks = {
    .damage = on_damage,
    .settermprop = on_prop,
    .sb_pushline = on_push,
};

static void
discard_reply(const char *p, size_t n, void *arg)
{
	(void)p;
	(void)n;
	(void)arg;
}

static void
start(struct screen *s)
{
	s->vt = vterm_new_with_allocator(s->rows0, s->cols0, &allocator, &s->arena);
	vterm_set_utf8(s->vt, 1);
	vterm_output_set_callback(s->vt, discard_reply, NULL);
	s->state = vterm_obtain_state(s->vt);
	s->vts = vterm_obtain_screen(s->vt);
	vterm_screen_enable_altscreen(s->vts, 1);
	vterm_screen_set_callbacks(s->vts, &callbacks, s);
	vterm_screen_set_damage_merge(s->vts, VTERM_DAMAGE_SCREEN);
	vterm_screen_reset(s->vts, 1);
	s->flags.cursor_shown = true;
	s->dirty_to = SCREEN_ROWS_MAX;
}

struct screen *
screen_new(int rows, int cols)
{
	struct screen *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (arena_init(&s->arena, ARENA_LIMIT) < 0) {
		free(s);
		return NULL;
	}
	s->rows0 = clamp(rows, SCREEN_MIN, SCREEN_ROWS_MAX);
	s->cols0 = clamp(cols, SCREEN_MIN, SCREEN_COLS_MAX);
	start(s);
	return s;
}

/* The same allocations of the same sizes: what was saved before fits as well. */
void
screen_restart(struct screen *s)
{
	s->arena.used = 0;
	s->flags = (struct screen_flags){0};
	s->outlen = 0;
	start(s);
}

void
screen_free(struct screen *s)
{
	if (!s)
		return;
	arena_fini(&s->arena);
	buf_fini(&s->left.text);
	free(s);
}

void
screen_write(struct screen *s)
{
	if (s->outlen > 0)
		vterm_input_write(s->vt, s->out, s->outlen);
	s->outlen = 0;
}

void
screen_flush(struct screen *s)
{
	screen_write(s);
	vterm_screen_flush_damage(s->vts);
}

void
screen_put(struct screen *s, const char *p, size_t n)
{
	if (n > sizeof(s->out) - s->outlen)
		screen_flush(s);
	s->beyond_ascii |= (unsigned char)p[0] >= 0x80;
	memcpy(s->out + s->outlen, p, n);
	s->outlen += n;
}

static void
sink_put(void *arg, const char *p, size_t n)
{
	screen_put(arg, p, n);
}

static bool
sink_seen(void *arg, enum filter_seen what, const struct filter *f, unsigned char final)
{
	struct screen *s = arg;

	wrap_seen(s, what, f, final);
	return s->track.seen && s->track.seen(s->track.arg, what, f, final);
}

static bool
sink_mode(void *arg, bool dec, int mode, bool on)
{
	struct screen *s = arg;

	wrap_mode(s, dec, mode, on);
	/* Behind it another screen may be shown. */
	if (dec && s->hooks.scrolled) {
		screen_flush(s);
		screen_left(s);
	}
	return s->track.mode && s->track.mode(s->track.arg, dec, mode, on);
}

static void
sink_printing(void *arg, int width)
{
	wrap_printing(arg, width);
}

static size_t
sink_run(void *arg, const char *p, size_t n)
{
	n = wrap_run(arg, n);
	if (n > 0)
		screen_put(arg, p, n);
	return n;
}

static void
sink_wiping(void *arg, enum filter_wipe how)
{
	struct screen *s = arg;
	int row, col;

	if (!s->hooks.wiping)
		return;
	screen_flush(s);
	screen_left(s);
	screen_cursor(s, &row, &col);
	if ((how == FILTER_WIPE_LEAVE && !s->flags.alt) ||
	    (how == FILTER_WIPE_BELOW && (row > 0 || col > 0)))
		return;
	s->hooks.wiping(s->hooks.arg);
}

void
screen_feed(struct screen *s, const void *p, size_t n)
{
	struct filter_sink sink = {.put = sink_put,
	    .wiping = sink_wiping,
	    .seen = sink_seen,
	    .mode = sink_mode,
	    .printing = sink_printing,
	    .run = sink_run,
	    .arg = s,
	    .cols = screen_cols(s)};

	filter_run(&s->flags.filter, &sink, p, n);
	wrap_unmark(s);
	screen_flush(s);
	screen_left(s);
}

void
screen_resize(struct screen *s, int rows, int cols)
{
	VTermPos pos;
	char seq[32];
	int len;

	rows = clamp(rows, SCREEN_MIN, SCREEN_ROWS_MAX);
	cols = clamp(cols, SCREEN_MIN, SCREEN_COLS_MAX);
	if (rows == screen_rows(s) && cols == screen_cols(s))
		return;
	/* Margins of the old size must not meet the new one; homing them moves the cursor. */
	vterm_state_get_cursorpos(s->state, &pos);
	len = snprintf(seq, sizeof(seq), "\x1b[?6l\x1b[r\x1b[%d;%dH", pos.row + 1, pos.col + 1);
	vterm_input_write(s->vt, seq, (size_t)len);
	vterm_set_size(s->vt, rows, cols);
	/* Scrolled up by what no longer fits, the cursor may be above the screen now. */
	vterm_state_get_cursorpos(s->state, &pos);
	len = snprintf(seq, sizeof(seq), "\x1b[%d;%dH", clamp(pos.row, 0, rows - 1) + 1,
	    clamp(pos.col, 0, cols - 1) + 1);
	vterm_input_write(s->vt, seq, (size_t)len);
	s->flags.wrap.known = s->flags.wrap.pending = false;
	vterm_screen_flush_damage(s->vts);
	screen_left(s);
	s->dirty_from = 0;
	s->dirty_to = SCREEN_ROWS_MAX;
	s->changes++;
}

void
screen_set_newline(struct screen *s, bool on)
{
	s->flags.filter.newline = on;
}

int
screen_rows(const struct screen *s)
{
	int rows;

	vterm_get_size(s->vt, &rows, NULL);
	return rows;
}

int
screen_cols(const struct screen *s)
{
	int cols;

	vterm_get_size(s->vt, NULL, &cols);
	return cols;
}

bool
screen_cursor(const struct screen *s, int *row, int *col)
{
	VTermPos pos;

	vterm_state_get_cursorpos(s->state, &pos);
	*row = clamp(pos.row, 0, screen_rows(s) - 1);
	*col = clamp(pos.col, 0, screen_cols(s) - 1);
	return s->flags.cursor_shown;
}

bool
screen_alt(const struct screen *s)
{
	return s->flags.alt;
}

void
screen_cell(const struct screen *s, int row, int col, struct screen_cell *out)
{
	VTermPos pos = {row, col}, left = {row, col - 1};
	VTermScreenCell c, l;

	memset(out, 0, sizeof(*out));
	out->width = 1;
	if (!vterm_screen_get_cell(s->vts, pos, &c))
		return;
	screen_one_cell(&c, vterm_screen_get_cell(s->vts, left, &l) ? &l : NULL, out);
	looks(s, &c, out);
}

void
screen_set_hooks(struct screen *s, const struct screen_hooks *h)
{
	s->hooks = h ? *h : (struct screen_hooks){0};
}

uint64_t
screen_changes(const struct screen *s)
{
	return s->changes;
}

bool
screen_dirty(struct screen *s, int *from, int *to)
{
	int rows = screen_rows(s);

	*from = s->dirty_from < rows ? s->dirty_from : rows;
	*to = s->dirty_to < rows ? s->dirty_to : rows;
	s->dirty_from = SCREEN_ROWS_MAX;
	s->dirty_to = 0;
	/* How a row ends is seen where the next one begins. */
	if (*from > 0 && *from < *to)
		(*from)--;
	return *from < *to;
}

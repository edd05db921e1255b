/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SCREEN_MIRROR_INT_H
#define CORAL_SCREEN_MIRROR_INT_H

#include "screen/mirror.h"
#include "screen/mirror_lines.h"
#include "screen/screen_int.h"

/* Modes that are only on or off: bits. */
enum mirror_mode {
	MM_CURSOR_KEYS = 1 << 0,
	MM_REVERSE = 1 << 1,
	MM_ORIGIN = 1 << 2,
	MM_WRAP = 1 << 3,
	MM_CURSOR = 1 << 4,
	MM_FOCUS = 1 << 5,
	MM_PASTE = 1 << 6,
	MM_BLINK = 1 << 7,
	MM_META = 1 << 8,
	MM_WHEEL = 1 << 9,
	MM_KEYPAD = 1 << 10,
	MM_INSERT = 1 << 11,
	MM_NEWLINE = 1 << 12,
	MM_DEFAULT = MM_WRAP | MM_CURSOR,
};

struct charsets {
	char g[4];     /* 'B' ASCII, 'A' British, '0' line drawing */
	uint8_t shift; /* which of g[0], g[1] is in use */
};

struct saved_cursor {
	int row, col;
	bool origin;
	struct screen_cell pen;
	struct charsets cs;
};

struct modes {
	uint32_t on;
	uint32_t touched;	 /* those that the program has ever named */
	int mouse, mouse_coding; /* their DEC numbers, or 0 */
	int cursor_shape;	 /* DECSCUSR */
	int other_keys;		 /* xterm's modifyOtherKeys */
	struct charsets cs;
	int top, bottom;	      /* margins: rows [top, bottom) */
	struct saved_cursor saved[2]; /* of the primary and of the alternate screen */
	bool alt_saved;		      /* the alternate screen was entered with the cursor saved */
};

struct mirror {
	struct screen *s;
	struct modes modes;
	struct lines back;
	int rows, cols; /* to be */
	bool probing;	/* what happens now is undone */
	bool failed;
	unsigned char tail[4]; /* of a character that is not complete */
	size_t tail_len;
};

/* The size asked for last is the screen's.  -1: no memory. */
int mirror_settle(struct mirror *m);

/* mirror_modes.c */
void modes_reset(struct modes *md, int rows);
bool modes_seen(
    struct mirror *m, enum filter_seen what, const struct filter *f, unsigned char final);
bool modes_mode(struct mirror *m, bool dec, int mode, bool on);

/* mirror_probe.c: what the library knows and does not tell, found by trying; all of it undone. */
struct probe {
	struct mirror *m;
	struct buf saved;
};
int probe_begin(struct probe *p, struct mirror *m); /* -1: no memory */
void probe_send(struct probe *p, const char *seq);
void probe_end(struct probe *p);

struct grid {
	int rows, cols;
	struct screen_cell *cells;
};
/* Normal cells of a screen; free cells.  -1: no memory. */
int mirror_grid(struct mirror *m, bool alt, struct grid *g);
static inline const struct screen_cell *
grid_row(const struct grid *g, int row)
{
	return g->cells + (size_t)row * (size_t)g->cols;
}
struct mirror_cursor {
	int row, col;
	/* The last column is written: the next character goes to the next row.  The cursor is on
	 * the one written. */
	bool pending;
	struct screen_cell glyph;
};
int mirror_cursor(struct mirror *m, struct mirror_cursor *c);
/* One bit a column.  -1: no memory. */
int mirror_tabs(struct mirror *m, uint8_t stops[SCREEN_COLS_MAX / 8]);

/* mirror_out.c: what a painting is made of. */
struct paint {
	struct buf *out;
	int cols;
	struct screen_cell pen;
	char g[4]; /* character sets of the terminal */
	bool full; /* out is */
};
void paint_str(struct paint *p, const char *s);
void paint_num(struct paint *p, const char *fmt, int a, int b);
void paint_pen(struct paint *p, const struct screen_cell *pen);
void paint_plain(struct paint *p);
void paint_glyph(struct paint *p, const struct screen_cell *c);
void paint_at(struct paint *p, int row, int col);
void paint_charsets(struct paint *p, const struct charsets *cs);
/* Terminals disagree about the width of some. */
bool paint_doubtful(const struct screen_cell *c);
/* The next character may be left to the terminal to put on a new row. */
bool paint_may_wrap(const struct paint *p, const struct screen_cell *next);

/* mirror_flow.c: lines of any length, wrapped by the terminal. */
struct flow {
	struct paint *p;
	int row, col; /* rows counted from where it began */
};
void flow_cell(struct flow *f, const struct screen_cell *c);
void flow_end(struct flow *f); /* of a line */
/* Whole lines; next: what follows, or NULL. */
void flow_line(struct flow *f, const struct line *line, const struct line *next);
/* The same where a screen's row follows, of which this is the first cell. */
void flow_line_before(struct flow *f, const struct line *line, const struct screen_cell *next);
/* A mirror of the size given that shows the same; *pulled of the newest lines of m->back are on it,
 * its own are those that follow.  NULL: no memory. */
struct mirror *mirror_reflow(struct mirror *m, int rows, int cols, size_t *pulled);

/* mirror_state.c: modes, saved cursors, the alternate screen. */
void state_reset(struct paint *p, unsigned what);
/* After the primary screen, whose cursor is at *c: all the rest, for a terminal of `rows` rows and
 * p->cols columns.  -1: no memory. */
int state_paint(struct paint *p, struct mirror *m, int rows, const struct mirror_cursor *c);
/* Where the primary screen's cursor is. */
int state_cursor(struct mirror *m, struct mirror_cursor *c);

/* mirror_paint.c: the top left part of a screen, on one of `rows` rows and p->cols columns. */
void paint_grid(struct paint *p, const struct grid *g, int rows);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SCREEN_SCREEN_H
#define CORAL_SCREEN_SCREEN_H

/*
 * What a terminal shows after given bytes.  The bytes are hostile: they pass a
 * filter that forwards only whole, known, bounded sequences, so the terminal
 * library behind it never sees the inputs that hang or crash it, never answers,
 * and never takes a title, a link or a clipboard.  The state lives in one
 * arena of bounded size between guard pages and can be saved and restored
 * exactly.  Nothing of the library shows here: a screen may live in another
 * process.  Not thread-safe; nothing blocks.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"

#define SCREEN_MIN 2 /* rows and columns; other sizes are clamped */
#define SCREEN_ROWS_MAX 500
#define SCREEN_COLS_MAX 1000

struct screen;

/* How much was written so that it is not seen, ever. */
struct screen_hidden {
	uint64_t concealed;  /* characters, by SGR 8 */
	uint64_t same;	     /* characters in the colour of their ground */
	uint64_t wiped;	     /* characters gone in the same screen_feed() that wrote them */
	uint64_t scrollback; /* times that what had left the screen was erased */
	uint64_t marks;	     /* of direction or without width; none reaches a cell */
};

struct screen *screen_new(int rows, int cols); /* NULL: out of memory */
void screen_free(struct screen *s);	       /* accepts NULL */

void screen_feed(struct screen *s, const void *p, size_t n);
void screen_resize(struct screen *s, int rows, int cols);
/* Take a line feed for a new line: output that no terminal driver has seen. */
void screen_set_newline(struct screen *s, bool on);

int screen_rows(const struct screen *s);
int screen_cols(const struct screen *s);
/* Whether it is shown; row and col count from 0. */
bool screen_cursor(const struct screen *s, int *row, int *col);
bool screen_alt(const struct screen *s);

enum screen_attr {
	SCREEN_BOLD = 1,
	SCREEN_UNDERLINE = 2,
	SCREEN_ITALIC = 4,
	SCREEN_REVERSE = 8,
	SCREEN_STRIKE = 16,
	SCREEN_DIM = 32, /* never from a recording; for the player's own lines */
	SCREEN_BLINK = 64
};

struct screen_color {
	uint8_t kind; /* 0 default, 1 palette entry r, 2 red, green, blue */
	uint8_t r, g, b;
};

/* Code points here are safe to print (screen_cp_safe), at most two of them combining. */
struct screen_cell {
	uint32_t ch[3]; /* 0-terminated when shorter; ch[0] == 0: blank */
	uint8_t width;	/* 1, 2, or 0: the right half of a wide one */
	uint8_t attrs;
	bool joined; /* first in its row: the row above was full and goes on here */
	struct screen_color fg, bg;
};
void screen_cell(const struct screen *s, int row, int col, struct screen_cell *out);

enum screen_end {
	SCREEN_ENDS,
	SCREEN_FULL, /* the last column is taken, and what stands in the next row is another line */
	SCREEN_GOES_ON /* in the next row, where the terminal wrapped it */
};

/* A row as UTF-8, appended to out (-1: out is full), without trailing blanks when it does not go
 * on; end may be NULL. */
int screen_row_text(const struct screen *s, int row, struct buf *out, enum screen_end *end);

/* What to look for in rows: of `text` what no row has, such as marks without a width, is taken out.
 * NULL, or why no row can have it. */
const char *screen_as_shown(char *text);

/* Told of a row that leaves the primary screen at the top, and whether its line goes on in the next
 * one; and just before what stands is wiped for good: that may read the screen.  Neither may feed
 * it. */
struct screen_hooks {
	void (*scrolled)(void *arg, const char *text, size_t n, bool on);
	void (*wiping)(void *arg);
	void *arg;
};
void screen_set_hooks(struct screen *s, const struct screen_hooks *h); /* NULL: none */

const struct screen_hidden *screen_hidden(const struct screen *s);
/* Grows whenever cells may have changed. */
uint64_t screen_changes(const struct screen *s);

/* The rows [*from, *to) that may have changed, or how they end, since this was asked last; false:
 * none. */
bool screen_dirty(struct screen *s, int *from, int *to);

/* The whole state, to be restored into this same screen only.  -1: out is full. */
int screen_save(const struct screen *s, struct buf *out);
int screen_restore(struct screen *s, const void *p, size_t n); /* -1: not from this screen */
/* About how many bytes screen_save() appends. */
size_t screen_save_size(const struct screen *s);

/* The same as bytes that any screen takes, in any process, and that may be hostile: they pass the
 * filter too.  -1: out is full, or it is in a state that no bytes lead to: later, then. */
int screen_dump(struct screen *s, struct buf *out);
int screen_load(struct screen *s, const void *p, size_t n); /* -1: they are none */
/* Whether both show the same and go on the same, as far as can be found out. */
bool screen_same(struct screen *a, struct screen *b);

/* May be sent to a terminal: no control, no direction or zero-width mark, no tag. */
bool screen_cp_safe(uint32_t cp);
/* Takes no column of its own: combining marks. */
bool screen_cp_combines(uint32_t cp);
/* Takes two. */
bool screen_cp_wide(uint32_t cp);
/* UTF-8 of cp in out; its length. */
size_t screen_cp_utf8(uint32_t cp, char out[4]);

#endif

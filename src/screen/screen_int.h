/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SCREEN_SCREEN_INT_H
#define CORAL_SCREEN_SCREEN_INT_H

#include <vterm.h>

#include "screen/screen.h"
#include "screen/screen_arena.h"
#include "screen/screen_filter.h"

/* The library's cursor, as far as that tells when it wraps a line. */
struct wrap {
	bool known;	   /* col is where it is */
	bool pending;	   /* it is behind the last column; not known: if it is still at row, col */
	bool marked;	   /* the mark is on the pen */
	bool off, newline; /* modes: lines are not wrapped; a line feed goes to the first column */
	int row, col;
};

/* What belongs to the screen's state and lies outside the arena. */
struct screen_flags {
	struct filter filter;
	struct wrap wrap;
	bool cursor_shown, alt, reverse;
};

/* A font that nobody sees: the mark of screen_cell's joined. */
#define SCREEN_FONT_JOINED 1

/* Who follows what the library does not tell: see filter_sink. */
struct screen_track {
	bool (*seen)(void *arg, enum filter_seen what, const struct filter *f, unsigned char final);
	bool (*mode)(void *arg, bool dec, int mode, bool on);
	/* A line leaves the primary screen at the top. */
	void (*pushed)(void *arg, const struct screen_cell *cells, int cols);
	void *arg;
};

/* The row that left last, not told of: how it ends is not known yet. */
struct left {
	struct buf text;
	int blanks; /* at its end */
	bool any, written;
};

struct screen {
	struct arena arena;
	VTerm *vt;
	VTermState *state;
	VTermScreen *vts;
	struct screen_flags flags;
	struct screen_hooks hooks;
	struct screen_track track;
	struct left left;
	uint64_t changes;
	int rows0, cols0;	  /* when it was made */
	bool beyond_ascii;	  /* of what was put, ever */
	int dirty_from, dirty_to; /* rows: see screen_dirty() */

	/* The library converts a call's text on its stack: small calls. */
	char out[4096];
	size_t outlen;
};

void screen_write(struct screen *s); /* to the library */
void screen_flush(struct screen *s); /* and what follows from it */
/* At most 256 bytes that the filter would let through, past it.  A character that is not ASCII
 * comes first in its own. */
void screen_put(struct screen *s, const char *p, size_t n);
struct screen_color screen_color_of(const VTermColor *c);
/* screen_text.c: its text; a row leaves at the top; what left is told of. */
void screen_one_cell(
    const VTermScreenCell *c, const VTermScreenCell *left, struct screen_cell *out);
void screen_leaves(struct screen *s, const VTermScreenCell *cells, int cols);
void screen_left(struct screen *s);

/* screen_wrap.c: the first character of a row that goes on from the one above gets a mark.  Told
 * before a character, a mode or a sequence has an effect. */
void wrap_printing(struct screen *s, int width);
/* How many of n that take a column may be put at once; 0: each is told of. */
size_t wrap_run(struct screen *s, size_t n);
void wrap_mode(struct screen *s, bool dec, int mode, bool on);
void wrap_seen(
    struct screen *s, enum filter_seen what, const struct filter *f, unsigned char final);
void wrap_unmark(struct screen *s);

/* Looks of what would be written now. */
void screen_pen(const struct screen *s, struct screen_cell *out);
/* The book-keeping of the arena is whole: for tests. */
bool screen_sound(const struct screen *s);

#endif

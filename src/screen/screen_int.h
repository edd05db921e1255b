/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SCREEN_SCREEN_INT_H
#define CORAL_SCREEN_SCREEN_INT_H

#include <vterm.h>

#include "screen/screen.h"
#include "screen/screen_arena.h"
#include "screen/screen_filter.h"

/* What belongs to the screen's state and lies outside the arena. */
struct screen_flags {
	struct filter filter;
	bool cursor_shown, alt, reverse;
};

/* A font that nobody sees: the mark of screen_cell's joined. */
#define SCREEN_FONT_JOINED 1

/* Who follows what the library does not tell: see filter_sink. */
struct screen_track {
	bool (*seen)(void *arg, enum filter_seen what, const struct filter *f, unsigned char final);
	bool (*mode)(void *arg, bool dec, int mode, bool on);
	void (*printing)(void *arg, int width);
	/* A line leaves the primary screen at the top. */
	void (*pushed)(void *arg, const struct screen_cell *cells, int cols);
	void *arg;
};

struct screen {
	struct arena arena;
	VTerm *vt;
	VTermState *state;
	VTermScreen *vts;
	struct screen_flags flags;
	struct screen_hooks hooks;
	struct screen_track track;
	uint64_t changes;
	int rows0, cols0;	  /* when it was made */
	bool beyond_ascii;	  /* of what was put, ever */
	int dirty_from, dirty_to; /* rows: see screen_dirty() */

	/* The library converts a call's text on its stack: small calls. */
	char out[4096];
	size_t outlen;
};

void screen_flush(struct screen *s);
/* At most 256 bytes that the filter would let through, past it.  A character that is not ASCII
 * comes first in its own. */
void screen_put(struct screen *s, const char *p, size_t n);
struct screen_color screen_color_of(const VTermColor *c);
/* Looks of what would be written now. */
void screen_pen(const struct screen *s, struct screen_cell *out);
/* The book-keeping of the arena is whole: for tests. */
bool screen_sound(const struct screen *s);

#endif

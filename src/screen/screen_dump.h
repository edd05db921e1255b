/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SCREEN_SCREEN_DUMP_H
#define CORAL_SCREEN_SCREEN_DUMP_H

/* All that a screen is, found out by trying: what it would do is the only
 * thing that the library tells of most of it. */
#include "screen/screen_int.h"

#define LOOK_CHARS VTERM_MAX_CHARS_PER_CELL

/* A cell as the library has it, or looks.  Zeroed first: two are compared as bytes. */
struct look {
	uint32_t ch[LOOK_CHARS];
	struct screen_color fg, bg;
	uint8_t bold, italic, underline, blink, reverse, strike, font, protected;
};

struct probed {
	int rows, cols;
	struct filter filter;
	struct look *primary, *alternate; /* the latter NULL while it is not shown */
	bool alt, reverse, shown;
	int row, col;
	struct look pen;
	/* The row is full: the next character goes to the next one. */
	bool pending;
	bool wrap, insert, linefeed, origin, protects;
	int top, bottom;
	char sets[2]; /* 'B', 'A' or '0' */
	bool shift;
	bool tabs[SCREEN_COLS_MAX];
	struct {
		bool never, shown;
		int row, col;
		struct look pen;
	} saved;
};

/* -1: out of memory, or what cannot be. */
int screen_probe(struct screen *s, struct probed *p);
void probed_fini(struct probed *p);

/* From screen.c: as it was made, at the same addresses. */
void screen_restart(struct screen *s);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SCREEN_RENDER_H
#define CORAL_SCREEN_RENDER_H

/*
 * Cells to a real terminal.  What comes out is made of three things only:
 * cursor positions (CUP), looks (SGR) and code points that are safe to print.
 * Only what differs from what was drawn before is sent.
 */
#include <stdbool.h>
#include "base/buf.h"
#include "screen/screen.h"

enum render_colors { RENDER_NO_COLOR, RENDER_256, RENDER_RGB };
struct render_opts {
	enum render_colors colors;
	bool ascii; /* the terminal is not known to take UTF-8: '?' for the rest */
};

struct render;
struct render *render_new(const struct render_opts *o); /* NULL: out of memory */
void render_free(struct render *r);

/* The terminal's size, clamped as a screen's; forgets what was drawn.  -1: out of memory. */
int render_resize(struct render *r, int rows, int cols);
int render_rows(const struct render *r);
int render_cols(const struct render *r);
/* Someone else wrote on the terminal: draw everything next time. */
void render_forget(struct render *r);

/* Compose a picture: blank it, then put the left part of a screen, from its row `top` on, on the
 * first `rows` rows, its cursor as a reversed cell, then lines of one's own.  How many cells were
 * hidden by their colours and are shown. */
void render_clear(struct render *r);
int render_screen(struct render *r, const struct screen *s, int top, int rows);
/* UTF-8 made safe, cut at the right edge; returns the column after it. */
int render_text(struct render *r, int row, int col, uint8_t attrs, const char *text);
int render_width(const char *text); /* the columns that it takes */
/* Change the looks of n cells. */
void render_mark(struct render *r, int row, int col, int n, uint8_t attrs);

/* What changes the terminal to the picture; ends with plain looks.  -1: out is full (and the next
 * picture is drawn whole). */
int render_flush(struct render *r, struct buf *out);

#endif

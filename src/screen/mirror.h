/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SCREEN_MIRROR_H
#define CORAL_SCREEN_MIRROR_H

/*
 * A whole terminal, to be painted again on another one: screen.h's cells, and
 * what it does not tell: lines that scrolled away, modes, margins, saved
 * cursors, both screens.  The bytes fed are hostile, the bytes painted are not:
 * a closed list of sequences and code points that are safe to print.
 */
#include "base/buf.h"
#include "screen/screen.h"

#define MIRROR_LINES_MAX 10000
#define MIRROR_LINES_BYTES ((size_t)4 << 20)
/* A painting of the largest screens fits; of lines that scrolled away the oldest are left out. */
#define MIRROR_PAINT_MAX ((size_t)16 << 20)

struct mirror;

struct mirror *mirror_new(int rows, int cols); /* sizes clamped as a screen's; NULL: no memory */
void mirror_free(struct mirror *m);	       /* accepts NULL */

/* -1: out of memory, and the mirror can only be freed. */
int mirror_feed(struct mirror *m, const void *p, size_t n);
/* As a terminal that wraps long lines anew.  Done when it next matters. */
void mirror_resize(struct mirror *m, int rows, int cols);

enum mirror_what {
	MIRROR_SCREEN = 1,
	/* Before it the lines that scrolled away, below what stands above the cursor of the
	 * terminal, which scrolls away with them.  Without, the screen is painted over. */
	MIRROR_SCROLLBACK = 2,
};
/* Bytes that make a terminal of rows x cols show the same, appended.  -1: out is full or no
 * memory.  Of another size: what mirror_resize() would make of it. */
int mirror_paint(struct mirror *m, int rows, int cols, unsigned what, struct buf *out);

#endif

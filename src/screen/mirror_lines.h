/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SCREEN_MIRROR_LINES_H
#define CORAL_SCREEN_MIRROR_LINES_H

/* Lines that scrolled away, oldest first, kept as their text and runs of looks. */
#include "screen/screen.h"

struct line {
	uint32_t len;
	uint16_t cols; /* of the screen it was on */
	bool joined;   /* it goes on from the one before */
	unsigned char data[];
};

struct lines {
	struct line **ring;
	size_t room, head, n;
	size_t bytes;
};

void lines_clear(struct lines *l);
/* The oldest are dropped to stay within MIRROR_LINES_*.  -1: no memory. */
int lines_push(struct lines *l, const struct screen_cell *cells, int cols);
void lines_pop(struct lines *l, size_t n); /* the newest */
int lines_move(struct lines *to, struct lines *from);
static inline const struct line *
lines_at(const struct lines *l, size_t i)
{
	return l->ring[(l->head + i) % l->room];
}

struct line_iter {
	const unsigned char *p, *end;
	size_t left; /* bytes of this run */
	struct screen_cell pen;
};
void line_begin(struct line_iter *it, const struct line *line);
bool line_next(struct line_iter *it, struct screen_cell *out); /* width 1 or 2 */

bool cell_same_color(const struct screen_color *a, const struct screen_color *b);
bool cell_same_pen(const struct screen_cell *a, const struct screen_cell *b);
/* Of a blank only what can be seen counts. */
void cell_normal(struct screen_cell *c);
/* As a terminal's after it was erased in plain colours. */
bool cell_plain(const struct screen_cell *c);
/* How many cells before the plain ones at the end; of a joined row at least the first. */
int cells_used(const struct screen_cell *cells, int cols);

#endif

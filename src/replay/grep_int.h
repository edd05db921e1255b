/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_REPLAY_GREP_INT_H
#define CORAL_REPLAY_GREP_INT_H

#include "base/buf.h"
#include "replay/grep.h"
#include "screen/screen.h"

#define GREP_LINE ((size_t)4 << 10) /* longer ones are looked at in pieces */
#define GREP_OVERLAP ((size_t)256)  /* of two pieces, and of what goes on in the next row */
#define GREP_HITS 2048		    /* more than the rows of two screens and what they cover */

enum hit_state {
	HIT_HERE,
	HIT_OPEN,  /* was here; whether it still is is being found out */
	HIT_UNDER, /* covered by the alternate screen */
	HIT_GONE,
	HIT_LEFT /* at the top, for good */
};

struct grep_scan;
struct hit {
	struct grep_hit h;
	char text[GREP_SHOWN];
	uint64_t hash; /* of the whole line */
	size_t len;
	const struct grep_scan *on;
	int row;
	bool alt, told;
	enum hit_state state;
	int64_t gone;
};

/* A line that matches. */
struct grep_line {
	const char *p;
	size_t n, from, to;
	int row;
	bool alt;
};

/* Those that are not told yet, or still stand somewhere, oldest first. */
struct grep_hits {
	const struct grep_want *want;
	struct hit *v[GREP_HITS];
	size_t n;
	bool stopped, failed;
};

/* The rows [from, to) are about to be looked at. */
void hits_open(struct grep_hits *x, const struct grep_scan *on, int from, int to, bool alt);
/* A line that is there: whether it is known as it is. */
bool hits_same(struct grep_hits *x, const struct grep_scan *on, const struct grep_line *l);
/* One that is not: it is one that changed, or comes again, or is new. */
void hits_other(
    struct grep_hits *x, const struct grep_scan *on, const struct grep_line *l, int64_t t);
void hits_close(struct grep_hits *x, const struct grep_scan *on, bool alt, int64_t t);
/* A line leaves at the top. */
void hits_leave(
    struct grep_hits *x, const struct grep_scan *on, const struct grep_line *l, int64_t t);
/* Tell those that are over by now, or all. */
void hits_tell(struct grep_hits *x, int64_t now, bool all);
/* One of them stands somewhere. */
bool hits_any(const struct grep_hits *x);
void hits_fini(struct grep_hits *x);

struct grep_row {
	struct buf text;
	enum screen_end end;
};

/* One screen. */
struct grep_scan {
	struct grep_hits *hits;
	const struct grep_want *want;
	struct screen *screen;
	struct grep_row row[SCREEN_ROWS_MAX];
	int rows;
	struct buf leaving, line; /* the part of a line that left; a line as a whole */
	bool left;		  /* since the last look */
	bool alt;
	int64_t t;
	int wipe_cells; /* that may still be read during this event */
	bool failed;
};

struct grep_scan *scan_new(
    struct grep_hits *x, const struct grep_want *w, int rows, int cols, bool newline);
void scan_free(struct grep_scan *s);
void scan_feed(struct grep_scan *s, int64_t t, const void *p, size_t n);
void scan_resize(struct grep_scan *s, int64_t t, int rows, int cols);
/* Another screen was put in the place of its own; of a line that left, `leaving` is the beginning.
 */
void scan_moved(struct grep_scan *s, int64_t t, const struct buf *leaving);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_PAINTER_H
#define CORAL_SESSION_PAINTER_H

/*
 * What a session's terminal shows now, for who comes back or looks on: a
 * process of its own, without rights, that follows the recording through the
 * terminal model.  It does nothing until it is asked or told to catch up, so a
 * session that nobody leaves costs nothing.  When it dies (the model met what
 * it cannot bear) the answer is that there is no painting; session and
 * recording do not notice.
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/loop.h"

struct painter;

/* cast: a descriptor of the recording, open for reading; owned.  It is one of its own (open(2), not
 * dup(2)): the process moves its offset.  runtime_dir: where the agent made the empty root.  Starts
 * no process yet.  The process closes every other descriptor. */
struct painter *painter_new(struct loop *l, int cast, const char *runtime_dir);
/* The process is a copy of its caller, and reads what a container wrote: before it does, `forget`
 * is called in it, once, to wipe what it needs to know nothing of. */
void painter_forgets(struct painter *p, void (*forget)(void *arg), void *arg);
void painter_free(struct painter *p); /* ends the process; accepts NULL; not from a callback */
/* The process, or 0: the caller leaves it out of what it takes for the session's (enter_tree's
 * helper).  Changes: ask when it matters. */
int painter_pid(const struct painter *p);

/* The recording reaches to byte `upto` and nothing else is to be done: catch up, at the lowest
 * priority.  Starts the process. */
void painter_catch_up(struct painter *p, uint64_t upto);

#define PAINTER_PIECE_MAX 16384

enum painter_what {
	PAINTER_SCREEN = 1,	/* both buffers, cursor, modes, colours */
	PAINTER_SCROLLBACK = 2, /* and before them the lines that scrolled away */
};
/*
 * Paint what a terminal of rows x cols shows after the first `upto` bytes of
 * the recording.  `piece` is called with bytes for that terminal, then `done`
 * once, both from the loop.  ok false: no painting can be had, and what came of
 * it is not whole.  One at a time a painter; more are queued.  painter_cancel()
 * forgets all that have this arg.  Orders and cancels may come from callbacks.
 *
 * With PAINTER_SCROLLBACK the terminal's lines from the first to the cursor's
 * scroll away (they are the user's own), then come the session's.  Without, the
 * screen is painted over.
 */
struct painter_order {
	uint64_t upto;
	int rows, cols;
	unsigned what;
	/* At most PAINTER_PIECE_MAX bytes. */
	void (*piece)(void *arg, const unsigned char *p, size_t n);
	/* May be NULL.  false: no piece now; asked again at each turn of the loop. */
	bool (*room)(void *arg);
	void (*done)(void *arg, bool ok);
	void *arg;
};
/* -1: too many wait, or no memory; done is not called. */
int painter_paint(struct painter *p, const struct painter_order *o, struct err *e);
void painter_cancel(struct painter *p, const void *arg);

#endif

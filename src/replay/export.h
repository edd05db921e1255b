/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_REPLAY_EXPORT_H
#define CORAL_REPLAY_EXPORT_H

/*
 * A recording in the forms of others.  Each reads the file once, from front to
 * back, and holds one event and one screen at most, whatever the file's size.
 * What is for a browser is ASCII, and recorded text is only ever text in it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "base/err.h"
#include "screen/screen.h"

struct export {
	int fd;		  /* a regular file at its start; stays the caller's */
	const char *name; /* for messages; harmless */
	FILE *out;	  /* the caller asks ferror(3) of it in the end */
	FILE *timing;	  /* export_script() only */
	bool raw;	  /* export_ttyrec(), export_script(): the very bytes */
	/* All but export_html(), of a file that grows: at its end, wait for more; false: there is
	 * none. NULL: the end is the end. */
	bool (*more)(void *arg);
	void *arg;
	bool begun;	  /* set: it is a recording, as far as it goes */
	bool truncated;	  /* set: the recording has no end */
};

/* All return 0, or -1 (the file is no recording, or is damaged: what comes before is written). */

/* asciicast of version 2 or 3.  Of the same version as the file: its very lines.  Else every event
 * of it, but for coral's evidence, which speaks of the lines of the file that it was in. */
int export_cast(struct export *x, int version, struct err *e);

/* Output as terminals get it, with only what the screen model knows of (screen_filter.h) unless
 * raw: nothing in it answers, copies or sets a title. */
int export_ttyrec(struct export *x, struct err *e);
/* As script(1) has it: the output, and a line "SECONDS BYTES" for each piece of it. */
int export_script(struct export *x, struct err *e);

/* A page with a player in it, that needs nothing else and asks nothing of any network. */
int export_html(struct export *x, struct err *e);

/* What stands on a screen, as a picture; `title` may be NULL. */
void export_svg(const struct screen *s, const char *title, FILE *out);
/* -1: out of memory. */
int export_png(const struct screen *s, FILE *out);

#endif

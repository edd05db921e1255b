/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_REPLAY_GREP_H
#define CORAL_REPLAY_GREP_H

/*
 * Lines that were on the screen of a recording: those that stood there after an
 * event, just before they were wiped, or as they left it at the top.  A line
 * that the terminal wrapped is one; on the alternate screen, where programs
 * paint, a row is a line.  What matches may go on behind a row that is full,
 * too.  Memory is bounded whatever the file.
 *
 * A line is found once from when it begins to match until it is gone: growing,
 * moving, being repainted within a second and being covered by the alternate
 * screen change nothing.  Of a session without a terminal these are the lines
 * of its streams.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "record/cast.h"

struct sidecar_home;

#define GREP_INDEX_LEAST (32 << 10) /* bytes of a recording, or that one grew by */
#define GREP_SHOWN 1024		    /* bytes of a line that are given, around what matches */

struct grep_hit {
	int64_t t;	      /* of the event after which it stood there */
	const char *line;     /* UTF-8, safe to print; valid during the call */
	size_t len, from, to; /* what matches, as far as it is given */
	bool before, after;   /* the line has more there */
};

struct grep_want {
	/* Whether a line matches, and where: its first place.  line[n] is a NUL. */
	bool (*match)(void *arg, const char *line, size_t n, size_t *from, size_t *to);
	/* In the order of their times; -1 to stop. */
	int (*found)(void *arg, const struct grep_hit *h);
	void *arg;
	/* What is in every line that matches, the case of ASCII letters aside; NULL: not known. */
	const char *must;
};

/* From where r stands to the end.  0, or -1: damaged, after what was found before that. */
int grep_recording(struct cast_reader *r, const struct grep_want *w, struct err *e);
/* The same of the whole recording, of which castfd is the file: its index (coral-index(5)) tells
 * what need not be read, and is made or brought up to date in passing. */
int grep_indexed(struct cast_reader *r, int castfd, const struct grep_want *w, struct err *e);
/* Only that, of one of at least GREP_INDEX_LEAST bytes. */
int grep_make_index(struct cast_reader *r, int castfd, const struct sidecar_home *h, struct err *e);

#endif

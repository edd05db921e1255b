/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SCREEN_SCREEN_FILTER_H
#define CORAL_SCREEN_SCREEN_FILTER_H

/*
 * Between recorded bytes and the terminal library.  What comes out is made of
 * printable characters, a few C0 controls, and escape sequences from a closed
 * list, each whole, with at most FILTER_ARGS_MAX small arguments.  Strings
 * (titles, links, clipboard, graphics), queries, and what is unknown vanish.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "screen/screen.h"

#define FILTER_ARGS_MAX 15
#define FILTER_ARG_LIMIT 32767
#define FILTER_MARKS 2 /* combining marks on one character */

enum filter_state { FILTER_GROUND, FILTER_ESC, FILTER_CSI, FILTER_STRING, FILTER_STRING_ESC };

struct filter {
	enum filter_state state;
	uint8_t utf8_need; /* bytes still missing */
	uint8_t utf8_lo, utf8_hi;
	uint32_t cp;

	uint8_t inter, leader; /* of the sequence at hand; 0xff: one that is not on the list */
	uint8_t nargs;
	bool skip_arg;			   /* more arguments than fit */
	int32_t args[FILTER_ARGS_MAX + 1]; /* -1: missing */
	uint32_t more;			   /* bit i: argument i is followed by ':' */

	uint32_t last; /* character that REP repeats, or 0 */
	uint8_t marks; /* that may still join it */
	bool newline;

	/* What is hidden: the looks of what is written now, and how much was. */
	struct filter_looks {
		uint32_t concealed, fg, bg;
	} looks, saved;
	bool unseen;
	uint64_t fresh; /* characters of this filter_run() since all was wiped */
	struct screen_hidden hidden;
};

enum filter_wipe {
	FILTER_WIPE_ALL,
	FILTER_WIPE_BELOW, /* all of it when the cursor is at home */
	FILTER_WIPE_LEAVE  /* the alternate screen, if it is on */
};

enum filter_seen { FILTER_CONTROL, FILTER_ESCAPE, FILTER_CONTROL_SEQUENCE };

struct filter_sink {
	/* At most 256 bytes a call, whole sequences. */
	void (*put)(void *arg, const char *p, size_t n);
	/* Told before the sequence. */
	void (*wiping)(void *arg, enum filter_wipe how);
	/* These may be NULL.  Shown every control character, every complete sequence and every mode
	 * that is set or reset, also those that vanish; true: it is dealt with, and not put. */
	bool (*seen)(void *arg, enum filter_seen what, const struct filter *f, unsigned char final);
	bool (*mode)(void *arg, bool dec, int mode, bool on);
	void (*printing)(void *arg, int width); /* before a character of that width */
	/* With printing: put, at once, as many as it may of these of one column, and say how many.
	 */
	size_t (*run)(void *arg, const char *p, size_t n);
	void *arg;
	int cols; /* bounds REP */
};

void filter_reset(struct filter *f);
void filter_run(struct filter *f, const struct filter_sink *k, const unsigned char *p, size_t n);

/* screen_hidden.c: SGR is complete; looks are put aside and taken back; a character is written
 * that is not seen; one is left out. */
void filter_sgr(struct filter *f);
void filter_save_looks(struct filter *f);
void filter_restore_looks(struct filter *f);
void filter_take_looks(struct filter *f, const struct filter_looks *looks);
void filter_unseen(struct filter *f, uint32_t cp);
void filter_dropped(struct filter *f, uint32_t cp);

static inline void
filter_written(struct filter *f, uint32_t cp)
{
	f->fresh += cp != ' ';
	if (f->unseen)
		filter_unseen(f, cp);
}

/* From screen_filter_seq.c: a complete sequence, put when it is on the list. */
void filter_escape(struct filter *f, const struct filter_sink *k, unsigned char final);
void filter_csi(struct filter *f, const struct filter_sink *k, unsigned char final);

#endif

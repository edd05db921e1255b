/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_RECORD_SCREEN_INT_H
#define CORAL_RECORD_SCREEN_INT_H

#include <vterm.h>

#include "record/screen.h"
#include "record/screen_arena.h"
#include "record/screen_filter.h"

/* What belongs to the screen's state and lies outside the arena. */
struct screen_flags {
	struct filter filter;
	bool cursor_shown, alt;
};

struct screen {
	struct arena arena;
	VTerm *vt;
	VTermState *state;
	VTermScreen *vts;
	struct screen_flags flags;
	struct screen_hooks hooks;
	uint64_t changes;

	/* The library converts a call's text on its stack: small calls. */
	char out[4096];
	size_t outlen;
};

void screen_flush(struct screen *s);
/* The book-keeping of the arena is whole: for tests. */
bool screen_sound(const struct screen *s);

#endif

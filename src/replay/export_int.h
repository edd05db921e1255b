/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_REPLAY_EXPORT_INT_H
#define CORAL_REPLAY_EXPORT_INT_H

/* What the forms of a recording share. */
#include "record/cast.h"
#include "record/source.h"
#include "replay/export.h"

/* export_bytes.c: a reader with a descriptor of its own. */
struct cast_reader *export_open(struct export *x, struct err *e);
/* Its bytes, apart from any reader. */
struct source *export_source(const struct export *x, struct err *e);
/* cast_next(), of a file that grows beyond its end by now. */
int export_next(struct export *x, struct cast_reader *r, struct cast_event *ev, struct err *e);
/* A session without a terminal: no driver put a carriage return before its line feeds. */
bool export_lone_newlines(const struct cast_reader *r);

/* export_cells.c: colours as people see them, of a terminal that is dark. */
#define EXPORT_FG 0xd8dee4
#define EXPORT_BG 0x0f1419
#define EXPORT_PLAIN (-1) /* one of these two */

enum { EXPORT_REVEALED = 128 }; /* beside enum screen_attr: it was hidden, and is not here */

struct export_look {
	int32_t fg, bg; /* 0xrrggbb or EXPORT_PLAIN; already reversed where they were */
	uint8_t attrs;	/* without SCREEN_REVERSE */
};

/* Neighbours of one look.  What fonts may lack or draw in another width stands alone. */
struct export_run {
	int col, width; /* in cells */
	struct export_look look;
	const struct screen_cell *cells; /* `width` of them */
};

typedef void export_run_fn(void *arg, const struct export_run *r);
/* The runs of a row from left to right; what is blank on a plain ground is left out.  What
 * is there to be missed is shown. */
void export_row(const struct screen_cell *cells, int cols, export_run_fn *fn, void *arg);
struct export_look export_look(const struct screen_cell *c);
/* The cells of a row, as many as screen_cols(). */
void export_take_row(const struct screen *s, int row, struct screen_cell *out);

#endif

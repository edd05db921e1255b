/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_REPLAY_EXPORT_PAGE_H
#define CORAL_REPLAY_EXPORT_PAGE_H

/*
 * The frames of a page: what changed on the screen, row by row, as JSON in
 * script elements that nothing runs.  Each chunk begins with all that stands,
 * so that the page reads the one that it needs and no other.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "screen/screen.h"

struct page {
	FILE *out;
	struct screen_cell *shown; /* SCREEN_ROWS_MAX rows of SCREEN_COLS_MAX */
	int rows, cols;		   /* of what is shown */
	int cursor_row, cursor_col;
	long chunk, chunk_max; /* bytes of the open chunk, about; 0: none is open */
	bool whole;	       /* the next frame says everything */
};

int page_init(struct page *p, FILE *out, long chunk_max); /* -1: out of memory */
void page_fini(struct page *p);			  /* accepts one that was never begun */
void page_frame(struct page *p, const struct screen *s, int64_t t);
void page_end_chunk(struct page *p);

/* JSON that ends no element and begins no comment. */
void page_put_json(FILE *out, const json_t *j);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_TABLE_H
#define CORAL_CLI_TABLE_H

/* Aligned columns of text from outside: every cell is made harmless. */
#include <stdio.h>
#include "base/err.h"

#define TABLE_COLS 12

struct table;
/* Column heads, NULL-terminated; static strings.  NULL: out of memory. */
struct table *table_new(const char *const *heads);
void table_free(struct table *t);
/* One cell after the other, row by row; NULL is "-". */
int table_cell(struct table *t, const char *text);
/* The same of a text that is harmless already, by str_vis() or str_quote_argv(). */
int table_cell_made(struct table *t, const char *text);
/* A column with nothing in it is left out unless `keep` columns come first.  Head in bold where the
 * stream is a terminal and NO_COLOR is not set. */
void table_print(const struct table *t, FILE *f, int keep);
/* On a terminal a row that is too long is cut in its last column, if a few characters of it fit. */
void table_print_cut(const struct table *t, FILE *f, int keep);
/* The setting "color": auto, always or never. */
void table_set_colour(const char *mode);
/* Whether colours and attributes are welcome on f (NO_COLOR, TERM=dumb, not a terminal). */
bool table_colour(FILE *f);

/* How wide the terminal is; 0: it is none. */
int table_columns(FILE *f);
/* `text` from column `at`, broken at blanks before `width` and going on in column `indent`. */
void table_wrap(FILE *f, const char *text, int at, int indent, int width);

#endif

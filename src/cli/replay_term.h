/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_REPLAY_TERM_H
#define CORAL_CLI_REPLAY_TERM_H

/*
 * The auditor's terminal, taken and given back: raw mode, alternate screen, no
 * cursor, no wrapping.  It is given back on exit(3) and on a fatal signal too.
 * One per process.
 */
#include <stdbool.h>
#include "base/err.h"

/* `in` is read for keys, `out` drawn on; both terminals, borrowed. */
int rterm_enter(int in, int out, struct err *e);
void rterm_leave(void); /* again and again is fine */
bool rterm_has_colors(void);
/* Rows and columns now; 24 x 80 when unknown. */
void rterm_size(int *rows, int *cols);
void rterm_echo(void);	     /* before the reader looks how the terminal is set */
void rterm_no_signals(void); /* after it has set it: no key is one */
/* Lend the last row to someone who writes and reads there plainly, and take it back. */
void rterm_lend_row(int row);
void rterm_take_row(void);
/* Stop this process as ^Z does; returns when it goes on, with the terminal taken again. */
void rterm_suspend(void);
/* A turn of the loop begins, or (0) a wait: longer than `seconds` without a call is a hang. */
void rterm_watchdog(unsigned seconds);

#endif

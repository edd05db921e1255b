/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_PTY_TERM_H
#define CORAL_PTY_TERM_H

/*
 * The user's own terminal: raw mode, and back again on every way out.  The
 * saved modes live in this module so that an exit handler and fatal-signal
 * handlers (registered on first use) can restore them; one terminal a process.
 */
#include <stdbool.h>
#include <sys/ioctl.h>
#include "base/err.h"

int term_raw(int fd, struct err *e); /* as cfmakeraw(3), VMIN 1 VTIME 0 */
void term_restore(void);	     /* async-signal-safe, idempotent */
/* Size of fd, or of the controlling terminal, or 24x80 (then false). */
bool term_size(int fd, struct winsize *ws);
/* Undo what a full-screen program may have left: alternate screen, mouse,
 * bracketed paste, cursor, attributes.  Only when fd is a terminal. */
void term_reset_modes(int fd);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_QUERY_H
#define CORAL_SESSION_QUERY_H

#include "session/keeper.h"

/* Answers ps, sessions, show, read and remove on the stream, blocking, in the keeper's process.
 * Returns its exit status. */
int query_serve(const struct keeper_start *s);

#endif

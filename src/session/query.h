/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_QUERY_H
#define CORAL_SESSION_QUERY_H

#include "session/keeper.h"

/* Every request but exec and shell: answers on the stream, blocking, in a process of its own, or
 * takes the stream to the session that is asked for.  Returns the exit status. */
int query_serve(const struct keeper_start *s);

#endif

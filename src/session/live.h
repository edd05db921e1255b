/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_LIVE_H
#define CORAL_SESSION_LIVE_H

/*
 * Which sessions run, for whoever comes after a killed broker or keeper:
 * RUNTIME_DIR/live/ID.json names the keeper and where the session's processes
 * are.  A keeper writes it before it makes anything, and drops it when
 * everything is gone.
 */
#include "base/conf.h"
#include "base/err.h"
#include "target/enter.h"

/* RUNTIME_DIR/live, made where it is missing; it must be ours alone. */
int session_live_dir(const struct conf *c, struct err *e);

/* Called in the keeper, which names itself in the note.  user: against whose limit it counts, or
 * "".
 */
int session_live_note(const struct conf *c, const char *id, const char *user,
    const struct enter_tree *t, struct err *e);
void session_live_drop(const struct conf *c, const char *id);
/* The door, ID.sock beside the note: see control.h.  It stays longer than the note. */
void session_live_shut(const struct conf *c, const char *id);

/* Every note: `keeper` is a pidfd that the callback owns, or -1 when the keeper is dead. */
void session_live_each(const struct conf *c,
    void (*each)(void *arg, const char *id, const char *user, int keeper), void *arg);

/* End what session `id` left, and drop its note.  Blocks until it is ended, an hour at most; call
 * in a fork of the broker. */
int session_cleanup(const struct conf *c, const char *id, struct err *e);

#endif

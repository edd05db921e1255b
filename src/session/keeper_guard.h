/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_KEEPER_GUARD_H
#define CORAL_SESSION_KEEPER_GUARD_H

/*
 * A deadline for looking into a container.  Its files may lie on a file system
 * whose server never answers (FUSE, NFS); who waits for it cannot be
 * interrupted, and once the server has read the question not even killed.  So
 * a second thread watches: when the time is over it answers the client, closes
 * the stream and ends the process with status 1, which lets the broker clean
 * up as soon as the kernel lets go of the first thread.
 */
#include <stdint.h>
#include "session/keeper.h"

struct keeper_guard;

/* `what` is what is being done now, for the error; borrowed, see keeper_guard_say().  NULL: no
 * memory for a thread, and no deadline. */
struct keeper_guard *keeper_guard_start(const struct keeper_start *s, int64_t ns, const char *what);
void keeper_guard_say(struct keeper_guard *g, const char *what);
/* In time; accepts NULL.  Does not return when it is too late. */
void keeper_guard_stop(struct keeper_guard *g);

#endif

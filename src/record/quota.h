/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_RECORD_QUOTA_H
#define CORAL_RECORD_QUOTA_H

/*
 * What recordings may take, one person's in a day and all together: counters
 * in STATE_DIR/usage that every writer adds to, a piece ahead of what it
 * writes; who is killed leaves at most one piece counted that was not written.
 * What all take is counted anew before anybody is refused for it.  That does
 * not know the pieces: until each comes back for more, every session that runs
 * may pass the limit of all by one (256 KiB).  The limit of a day is passed by
 * the ends of recordings alone.
 */
#include <stdint.h>
#include "base/err.h"

struct quota_limits {
	uint64_t
	    user_day;  /* bytes that one person's sessions record from 00:00 UTC on; 0: no limit */
	uint64_t host; /* bytes on disk of all that is in STATE_DIR/sessions; 0: no limit */
	uint64_t host_free; /* bytes of the file system to leave to others; 0: none */
};

struct quota;

/* *q is NULL where nothing is limited.  `user` "": its day is not.  -1: ERR_LIMIT, there is no room
 * for one session more, or it cannot be known (ERR_RECORDING). */
int quota_open(struct quota **q, const char *state_dir, const char *user,
    const struct quota_limits *l, struct err *e);
/* Before n bytes are written.  -1: ERR_LIMIT or ERR_RECORDING, and they must not be. */
int quota_take(struct quota *q, uint64_t n, struct err *e);
/* Written all the same, the limit reached or not: ends of recordings. */
void quota_count(struct quota *q, uint64_t n);
/* They were not. */
void quota_give_back(struct quota *q, uint64_t n);
void quota_close(struct quota *q);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_REPLAY_ARCHIVE_H
#define CORAL_REPLAY_ARCHIVE_H

/*
 * What is done with recordings that go on no more, by a process that looks at
 * all of them and ends.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct archive {
	int sessions;	     /* STATE_DIR/sessions */
	int64_t compress_ns; /* after the last write to it; -1: never */
};

#define ARCHIVE_INDEX_NS (3600 * NS_PER_S) /* the same for an index, of what is not compressed */

/* Everything that is due now, session by session.  Whether something will be later, or failed. */
bool archive_run(const struct archive *a);
/* Every system call of it; how many there are. */
const int *archive_calls(size_t *n);

#endif

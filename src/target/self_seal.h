/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TARGET_SELF_SEAL_H
#define CORAL_TARGET_SELF_SEAL_H

/*
 * A program of a container that is "#!/proc/self/exe", or whose loader is,
 * executes our own file, and /proc/PID/exe is then a way to open that file for
 * writing.  So whoever enters containers runs from a file that cannot be
 * written: a private read-only mount of it that has no path, or a sealed copy
 * in memory.
 */
#include <stdbool.h>
#include "base/err.h"

/* This process runs from such a file. */
bool self_is_sealed(void);
/*
 * Execute the own program again from one, with the same environment; descriptors stay or go by
 * their close-on-exec flags.  Returns only on failure: -1.  What comes then finds
 * self_is_sealed() true, and may give itself its name back (PR_SET_NAME).
 *
 * With in_memory from the copy, where that may be executed.  It takes some milliseconds and the
 * program's size of memory; but of the mount the file is still the one that others execute, and
 * whoever tries in vain to open it for writing makes their execve(2) fail with ETXTBSY for a moment.
 */
int self_seal_exec(char *const argv[], bool in_memory, struct err *e);
/* The sealed file, O_PATH or read-only and close-on-exec; for execveat(2) with AT_EMPTY_PATH. */
int self_seal_open(struct err *e);
/* The same by the copy in memory alone. */
int self_seal_copy(struct err *e);

#endif

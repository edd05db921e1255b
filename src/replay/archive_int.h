/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_REPLAY_ARCHIVE_INT_H
#define CORAL_REPLAY_ARCHIVE_INT_H

#include <sys/stat.h>
#include "replay/archive.h"

/* Since the last write to it, ns. */
int64_t archive_age(const struct stat *st);
/* What is over and compressed, or never will be, gets an index; what did not is tried once a day.
 * Whether there will be something to do later. */
bool archive_index(const struct archive *a, int sessdir, const char *id);

#endif

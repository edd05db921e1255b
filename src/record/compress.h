/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_RECORD_COMPRESS_H
#define CORAL_RECORD_COMPRESS_H

/*
 * ID.cast becomes ID.cast.zst (coral-cast(5), COMPRESSED RECORDINGS).  The new
 * file is written beside the old one, synced, read back and compared; only then
 * does it get its name, and the old one goes when that is on disk.  So whoever
 * is killed, and wherever, leaves one whole recording under one of the two names,
 * and who comes next goes on from there.
 */
#include "base/err.h"

/* The recording of a session that is over.  1: it is compressed now, 0: it is not for us (live,
 * no plain text, or written to meanwhile), -1: it is as it was. */
int compress_recording(int sessdir, const char *id, struct err *e);

#endif

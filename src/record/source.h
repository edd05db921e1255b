/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_RECORD_SOURCE_H
#define CORAL_RECORD_SOURCE_H

/*
 * The bytes of a recording, whatever form the file has: as they are,
 * compressed by zstd, or encrypted (which its first bytes tell).  Offsets are those of the
 * recording, never of what is compressed.  Every file is hostile: memory is
 * bounded, and what is no such file is ERR_BAD_FILE.
 *
 * A compressed file with a seek table (coral-cast(5), COMPRESSED RECORDINGS)
 * is sought in at the cost of a frame; one without it is read from its
 * beginning for that; a pipe cannot be sought in.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"

struct auditor_key;
struct sealed_file;
struct source;

/* For encrypted ones, of this process from here on: an auditor's key, borrowed; or the one that
 * this process writes; NULL forgets it. */
void source_unlock(const struct auditor_key *k);
void source_unlock_own(const struct sealed_file *f);

/* From where fd stands; takes fd, whether it succeeds or not.  A file's own position is then
 * neither used nor moved: two sources on copies of one descriptor do not disturb each other. `name`
 * is for messages. */
struct source *source_open_fd(int fd, const char *name, struct err *e);
/* Up to n bytes; 0: there are no more for now.  A live recording grows, and can be read on. */
ssize_t source_read(struct source *s, void *p, size_t n, struct err *e);
/* Go on from there.  Beyond the end there is nothing to read. */
int source_seek(struct source *s, uint64_t at, struct err *e);
/* n bytes from there, fewer only where it ends. */
ssize_t source_read_at(struct source *s, uint64_t at, void *p, size_t n, struct err *e);
/* Where it stands. */
uint64_t source_at(const struct source *s);
/* Of the whole recording as it is now; -1: not known. */
int64_t source_size(const struct source *s);
void source_close(struct source *s);

#endif

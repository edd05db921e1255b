/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_RECORD_SEEKTABLE_H
#define CORAL_RECORD_SEEKTABLE_H

/*
 * Where the frames of a compressed file begin: the table at the end of zstd's
 * seekable format (a skippable frame, numbers little-endian).
 */
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"

#define SEEKTABLE_MAGIC 0x184d2a5eu /* of the skippable frame that it is in */
#define SEEKTABLE_FOOT 9	    /* bytes: frames, descriptor, its own magic */
#define SEEKTABLE_FRAMES (1u << 18)
#define SEEKTABLE_FRAME_MAX (8u << 20) /* of a frame's content */

struct seektable_frame {
	uint64_t c, d; /* where it begins, compressed and not */
};

struct seektable {
	struct seektable_frame *v;
	size_t n, room;
	uint64_t c, d; /* of all of them */
};

/* The next frame's sizes.  -1: too large, too many, or no memory. */
int seektable_add(struct seektable *t, uint64_t c, uint64_t d);
/* The frame that holds this offset of the content; the last one for what is beyond.  t->n > 0. */
size_t seektable_find(const struct seektable *t, uint64_t at);
bool seektable_same(const struct seektable *a, const struct seektable *b);

/* How long the whole skippable frame is by the last SEEKTABLE_FOOT bytes of a file.  0: there is
 * none; SIZE_MAX: it is not one that can be believed. */
size_t seektable_length(const unsigned char foot[SEEKTABLE_FOOT]);
/* The whole skippable frame, into an empty table.  -1: malformed. */
int seektable_parse(struct seektable *t, const unsigned char *p, size_t n);
/* And out of it.  -1: no memory. */
int seektable_put(const struct seektable *t, struct buf *out);
void seektable_fini(struct seektable *t); /* empty, and usable again */

#endif

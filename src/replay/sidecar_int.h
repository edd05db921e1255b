/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_REPLAY_SIDECAR_INT_H
#define CORAL_REPLAY_SIDECAR_INT_H

#include "base/sha256.h"
#include "replay/sidecar.h"

#define SIDECAR_MAGIC "coralix2"
#define SIDECAR_ENTRIES_MAX ((size_t)1 << 16)
#define SIDECAR_ENTRY 64 /* bytes of one */
#define SIDECAR_FOOT 148
#define SIDECAR_FRAME_MAX ((size_t)48 << 20)
#define SIDECAR_MOMENTS_MAX 4096
#define SIDECAR_HIDDEN 0x80		/* with the length of a moment's label */
#define SIDECAR_TAIL ((size_t)64 << 10) /* bytes that are compared at either end, at least */

#define FILTER_MOST ((size_t)8192) /* bytes: powers of two from the least to the most */
#define FILTER_LEAST ((size_t)64)

struct sidecar_entry {
	struct place at;
	uint64_t block;		    /* where its frame is, compressed, and its filter behind */
	uint32_t zlen, len, filter; /* bytes; zlen 0: no frame, or of the first an empty screen */
	uint32_t crc;		    /* of both */
};

/* What the index is of. */
struct sidecar_bound {
	uint64_t upto, first; /* where it ends, and where its first event is */
	bool chained;	      /* its marks bind all before the last of them */
	uint64_t size, mtime; /* of the file */
	uint64_t contents;    /* bytes as they are read; not in the index */
	unsigned char head[SHA256_SIZE], tail[SHA256_SIZE];
};

struct sidecar {
	int fd;
	struct sidecar_entry *list;
	size_t n, moments;
	struct buf named; /* the moments as they are in the file */
	int64_t length;
	struct sidecar_bound bound;
	struct buf block; /* scratch */
	size_t block_of;  /* the entry whose block that is, + 1 */
};

/* Fill in all but upto and first; of what has evidence, chained is true at first.  -1: it cannot be
 * read so far. */
int sidecar_bind(int castfd, struct sidecar_bound *b);
/* Its block in x->block.  -1: damaged. */
int sidecar_block(struct sidecar *x, size_t k);
size_t trigram_bit(const unsigned char *p);

#endif

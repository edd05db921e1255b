/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_RECORD_SEALED_PACK_H
#define CORAL_RECORD_SEALED_PACK_H

/* What is in a frame of an encrypted recording, compressed by itself: coral-cast(5). */
#include <stddef.h>

/* What it takes is mapped by itself, so that nothing of it is left when it is freed. */
struct sealed_packer;
struct sealed_packer *sealed_packer_new(size_t most); /* bytes at once; NULL: no memory */
void sealed_packer_free(struct sealed_packer *p);
/* n bytes, in memory of the packer's until the next call; *packed: how many.  NULL: it is not worth
 * it. */
unsigned char *sealed_pack(struct sealed_packer *p, const void *in, size_t n, size_t *packed);

/* How much it is when it is unpacked, 1 to SEALED_FRAME_MAX; 0: it is nothing of the kind. */
size_t sealed_unpacked_size(const void *in, size_t n);
/* All of it, into `size` bytes as above.  0 or -1. */
int sealed_unpack(void *out, size_t size, const void *in, size_t n);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_BASE_SHA256_H
#define CORAL_BASE_SHA256_H

/* SHA-256 piece by piece.  Allocates in sha2_init() only. */
#include <stdbool.h>
#include <stddef.h>

#define SHA256_SIZE 32

struct sha256 {
	void *ctx; /* EVP_MD_CTX */
	bool bad;
};

/* 0 or -1.  A failed init may be updated and finished: the final tells. */
int sha2_init(struct sha256 *h);
void sha2_update(struct sha256 *h, const void *p, size_t n);
/* The digest, and the state freed.  -1 when any step failed; out is then all 0. */
int sha2_final(struct sha256 *h, unsigned char out[SHA256_SIZE]);
/* The digest, and the state begun anew: of many short pieces one after the other.  As sha2_final(),
 * but after -1 there is still something to drop. */
int sha2_next(struct sha256 *h, unsigned char out[SHA256_SIZE]);
/* The state so far, to be finished apart.  0 or -1 (the final tells as well). */
int sha2_copy(struct sha256 *to, const struct sha256 *from);
/* Give up before the end; harmless after sha2_final(). */
void sha2_drop(struct sha256 *h);

#endif

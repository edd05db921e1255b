/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_BASE_ED25_H
#define CORAL_BASE_ED25_H

/* Ed25519 (RFC 8032) over whole messages; keys as their raw bytes.  All return 0 or -1. */
#include <stddef.h>

#define ED25_SEED 32
#define ED25_PUBLIC 32
#define ED25_SIGNATURE 64

/* A fresh secret and its public key. */
int ed25_make(unsigned char seed[ED25_SEED], unsigned char public[ED25_PUBLIC]);
int ed25_public(const unsigned char seed[ED25_SEED], unsigned char public[ED25_PUBLIC]);
/* `public` must be the seed's own: it is not derived again, which takes as long as to sign, and a
 * signature with another's would give the secret away. */
int ed25_sign(const unsigned char seed[ED25_SEED], const unsigned char public[ED25_PUBLIC],
    const void *p, size_t n, unsigned char out[ED25_SIGNATURE]);
int ed25_verify(const unsigned char public[ED25_PUBLIC], const void *p, size_t n,
    const unsigned char sig[ED25_SIGNATURE]);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_HOSTKEY_H
#define CORAL_TRANSPORT_HOSTKEY_H

/*
 * The agent's ed25519 host key.  Its secret lies in memory that a fork(2) does
 * not inherit, so of an agent's processes the broker alone has it; libssh never
 * sees it.  A transport offers `mask` and asks its broker for each signature.
 */
#include <stddef.h>
#include "base/err.h"

#define HOSTKEY_SEED 32
#define HOSTKEY_PUBLIC 32
#define HOSTKEY_SIGNATURE 64
#define HOSTKEY_HASH 32 /* curve25519-sha256: RFC 8731 */
#define HOSTKEY_TEXT 1024

struct hostkey {
	struct hostkey_secret *secret; /* in this process only */
	char line[128];		       /* "ssh-ed25519 AAAA..." */
	char mask[HOSTKEY_TEXT];       /* a private key's text with zeros for its secret */
};

/* Load path, creating it (0600) when absent.  Wants owner = euid and no access for others. */
int hostkey_load(struct hostkey *k, const char *path, struct err *e);
void hostkey_fini(struct hostkey *k);
/* The exchange hash of one key exchange, and nothing of another length.  0 or -1. */
int hostkey_sign(const struct hostkey *k, const unsigned char *hash, size_t n,
    unsigned char out[HOSTKEY_SIGNATURE]);

/* hostkey_text.c: the format of ssh-keygen(1), without a passphrase.  NUL-terminates; -1: no room.
 * Nothing of the secret is left outside out. */
int hostkey_text(char *out, size_t size, const unsigned char seed[HOSTKEY_SEED],
    const unsigned char public[HOSTKEY_PUBLIC]);
/* Decodes into scratch, of at least n bytes; -1: it is nothing of the kind. */
int hostkey_untext(const char *text, size_t n, unsigned char *scratch,
    unsigned char seed[HOSTKEY_SEED], unsigned char public[HOSTKEY_PUBLIC]);
/* string "ssh-ed25519", string key */
#define HOSTKEY_BLOB (4 + 11 + 4 + HOSTKEY_PUBLIC)
void hostkey_blob(unsigned char out[HOSTKEY_BLOB], const unsigned char public[HOSTKEY_PUBLIC]);

#endif

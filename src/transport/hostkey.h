/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_HOSTKEY_H
#define CORAL_TRANSPORT_HOSTKEY_H

/*
 * The agent's ed25519 host key.  Of an agent's processes the broker alone has
 * its secret (base/keyfile.h); libssh never sees it.  A transport offers `mask`
 * and asks its broker for each signature.
 */
#include <stddef.h>
#include "base/err.h"
#include "base/keyfile.h"

#define HOSTKEY_SIGNATURE ED25_SIGNATURE
#define HOSTKEY_HASH 32 /* curve25519-sha256: RFC 8731 */
#define HOSTKEY_TEXT 1024

struct hostkey {
	struct keyfile key;
	char mask[HOSTKEY_TEXT]; /* a private key's text with zeros for its secret */
};

/* Load path, creating it (0600) when absent.  Wants owner = euid and no access for others. */
int hostkey_load(struct hostkey *k, const char *path, struct err *e);
void hostkey_fini(struct hostkey *k);
/* The exchange hash of one key exchange, and nothing of another length.  0 or -1. */
int hostkey_sign(const struct hostkey *k, const unsigned char *hash, size_t n,
    unsigned char out[HOSTKEY_SIGNATURE]);

#endif

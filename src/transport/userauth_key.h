/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_USERAUTH_KEY_H
#define CORAL_TRANSPORT_USERAUTH_KEY_H

#include "transport/userauth.h"

/* The key's blob and the inner signature, to libcrypto.  digest NULL: the key's own. */
bool userauth_key_verify(const struct userauth *u, const char *digest, const unsigned char *data,
    size_t n, const unsigned char *sig, size_t sig_len);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_USERAUTH_H
#define CORAL_TRANSPORT_USERAUTH_H

/*
 * The proof of a public key, RFC 4252 section 7, for whoever believes no
 * transport.  What is parsed here was chosen by an enemy; what is verified with
 * is a key that the caller found in a list.
 */
#include <stdbool.h>
#include <stddef.h>

#define USERAUTH_ID 32
#define USERAUTH_DATA_MAX (16 * 1024)
#define USERAUTH_SIG_MAX (4 * 1024)
#define USERAUTH_USER_MAX 256

/* Into the bytes that were parsed. */
struct userauth {
	const unsigned char *id; /* the session's, USERAUTH_ID bytes */
	const char *user;	 /* not terminated */
	size_t user_len;
	const char *key_type; /* of the algorithm that signs; static */
	const unsigned char *blob;
	size_t blob_len;
	const char *alg; /* static */
};

/* The signed data: every byte of it, or -1. */
int userauth_parse(struct userauth *u, const unsigned char *data, size_t n);
/* Did the key u->blob make this signature blob of the data that u was parsed from? */
bool userauth_verify(const struct userauth *u, const unsigned char *data, size_t n,
    const unsigned char *sig, size_t sig_len);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_RECORD_EVIDENCE_H
#define CORAL_RECORD_EVIDENCE_H

/*
 * What a recording is signed with: a key that is made for one session, and
 * what the agent's evidence key says of it.  coral-cast(5) has the texts that
 * are signed.
 */
#include <jansson.h>
#include <stdint.h>
#include "base/keyfile.h"
#include "base/sha256.h"

#define EVIDENCE_MARK_DOMAIN "coral mark 1"
#define EVIDENCE_SEAL_DOMAIN "coral seal 1"
#define EVIDENCE_KEY_DOMAIN "coral recording key 1"

/* Plain data: it goes through a pipe.  Wipe it. */
struct evidence {
	unsigned char seed[ED25_SEED];
	unsigned char session_key[ED25_PUBLIC];
	unsigned char agent_key[ED25_PUBLIC];
	unsigned char certificate[ED25_SIGNATURE];
	int64_t real_ns; /* when it was certified */
};

/* Make and certify a key for the session.  0 or -1. */
int evidence_issue(
    struct evidence *ev, const struct keyfile *agent, const char *session_id, int64_t real_ns);
/* The header's "evidence" (new reference). */
json_t *evidence_json(const struct evidence *ev);
/* Out of a header's "coral": all but the secret, which is 0.  -1 and *why: it is not as it must
 * be, or the agent's key did not certify it. */
int evidence_parse(struct evidence *ev, const json_t *coral, const char **why);

/* The text that a mark's or a seal's signature is over, and its length. */
#define EVIDENCE_TEXT_MAX 512
struct evidence_mark {
	const char *domain, *session_id;
	uint64_t n, lines, bytes; /* lines and bytes before it in the file */
	unsigned char chain[SHA256_SIZE];
	int64_t real_ns;
	unsigned char line[SHA256_SIZE]; /* digest of its line up to the signature */
};
/* The chain as it begins, with the leaf of the header.  `hash` is between two digests, and so after
 * it.  0 or -1. */
int evidence_begin_chain(
    struct sha256 *hash, const unsigned char leaf[SHA256_SIZE], unsigned char chain[SHA256_SIZE]);
size_t evidence_mark_text(char out[EVIDENCE_TEXT_MAX], const struct evidence_mark *m);

#endif

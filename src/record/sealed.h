/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_RECORD_SEALED_H
#define CORAL_RECORD_SEALED_H

/*
 * A key of one session, which the auditors alone can have again: it stands in
 * the recording once for each, sealed to his key.  coral-cast(5), SEALED.
 */
#include <jansson.h>
#include <stdint.h>
#include "record/auditor.h"
#include "record/store.h"

#define SEALED_KEY 32
#define SEALED_TEXT 255 /* bytes of a text, at most; they are padded to one more */
#define SEALED_BOX (24 + SEALED_TEXT + 1 + 16)
#define SEALED_B64 ((SEALED_BOX + 2) / 3 * 4)

/* Plain data.  Wipe it. */
struct sealed_key {
	unsigned char key[SEALED_KEY];
	char session_id[STORE_ID_LEN + 1];
};

/* A new one.  -1: no random bytes. */
int sealed_make(struct sealed_key *k, const char *session_id);
/* The header's "sealing", for these (new reference). */
json_t *sealed_header(const struct sealed_key *k, const struct auditors *to);
/* And back, out of the object that has "sealing" and "session_id".  ERR_BAD_FILE, or ERR_AUTH:
 * it was not sealed to this key. */
int sealed_take(
    struct sealed_key *k, const json_t *coral, const struct auditor_key *by, struct err *e);

/* The n-th text, SEALED_B64 characters and a NUL. */
int sealed_put(const struct sealed_key *k, uint64_t n, const unsigned char *p, size_t len,
    char out[SEALED_B64 + 1]);
/* Its length, or -1: it is not the n-th, of another session, or was altered. */
int sealed_get(
    const struct sealed_key *k, uint64_t n, const char *b64, unsigned char out[SEALED_TEXT + 1]);

#endif

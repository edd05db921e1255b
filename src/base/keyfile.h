/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_BASE_KEYFILE_H
#define CORAL_BASE_KEYFILE_H

/*
 * An ed25519 key in a file of ssh-keygen's format, without a passphrase.  Its
 * secret lies in memory that a fork(2) does not inherit.
 */
#include "base/ed25.h"
#include "base/err.h"

#define KEYFILE_SEED ED25_SEED
#define KEYFILE_PUBLIC ED25_PUBLIC
#define KEYFILE_LINE 128 /* "ssh-ed25519 AAAA..." and its NUL */

struct keyfile {
	struct keyfile_secret *secret; /* in this process only */
	unsigned char public[KEYFILE_PUBLIC];
	char line[KEYFILE_LINE];
};

/* Load path, creating it (0600) when absent.  Wants owner = euid and no access for others.  `what`
 * names it in errors: "host key". */
int keyfile_load(struct keyfile *k, const char *path, const char *what, struct err *e);
/* A new one where there is none: ERR_CONFIG with EEXIST when there is.  Nothing is loaded. */
int keyfile_create(const char *path, const char *what, struct err *e);
void keyfile_fini(struct keyfile *k);
int keyfile_sign(
    const struct keyfile *k, const void *p, size_t n, unsigned char out[ED25_SIGNATURE]);

/* keyfile_text.c: the file's text.  NUL-terminates; -1: no room.  Nothing of the secret is left
 * outside out. */
int keyfile_text(char *out, size_t size, const unsigned char seed[KEYFILE_SEED],
    const unsigned char public[KEYFILE_PUBLIC]);
/* Decodes into scratch, of at least n bytes; -1: it is nothing of the kind. */
int keyfile_untext(const char *text, size_t n, unsigned char *scratch,
    unsigned char seed[KEYFILE_SEED], unsigned char public[KEYFILE_PUBLIC]);
/* string "ssh-ed25519", string key */
#define KEYFILE_BLOB (4 + 11 + 4 + KEYFILE_PUBLIC)
void keyfile_blob(unsigned char out[KEYFILE_BLOB], const unsigned char public[KEYFILE_PUBLIC]);

/* The line of a public key, without a comment. */
void keyfile_line(char out[KEYFILE_LINE], const unsigned char public[KEYFILE_PUBLIC]);
/* And back; what follows a blank is a comment.  -1: no ed25519 key. */
int keyfile_unline(const char *line, unsigned char public[KEYFILE_PUBLIC]);
/* "SHA256:..." as ssh-keygen -l has it. */
#define KEYFILE_PRINT 56
void keyfile_print(char out[KEYFILE_PRINT], const unsigned char public[KEYFILE_PUBLIC]);

#endif

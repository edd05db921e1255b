/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_RECORD_AUDITOR_H
#define CORAL_RECORD_AUDITOR_H

/*
 * Auditors' keys, X25519: what is sealed to the public ones only who holds a
 * secret one can open.  coral-keys(1) and coral-cast(5) have the texts.
 */
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

#define AUDITOR_KEY 32
#define AUDITOR_NAME 64 /* with its NUL */
#define AUDITOR_ID 17	/* the first 16 digits of the SHA-256 of the public key, and a NUL */
#define AUDITOR_KIND "coral-auditor-x25519 " /* how a line begins */
#define AUDITOR_LINE 160		     /* "coral-auditor-x25519 BASE64 NAME" and a NUL */
#define AUDITORS_MAX 16

struct auditor {
	unsigned char public[AUDITOR_KEY];
	char name[AUDITOR_NAME], id[AUDITOR_ID];
};
struct auditors {
	struct auditor v[AUDITORS_MAX];
	size_t n;
};

/* Letters, digits and ._@- only. */
bool auditor_name_valid(const char *name);
/* Of a public key and a name that is valid. */
void auditor_of(struct auditor *a, const unsigned char public[AUDITOR_KEY], const char *name);
void auditor_line(char out[AUDITOR_LINE], const struct auditor *a);
/* -1 and *why: the line is none, or of a key that is there already, or one too many. */
int auditors_add(struct auditors *l, const char *line, const char **why);

/* A secret key; in pages that no fork inherits. */
struct auditor_key {
	struct auditor who;
	struct auditor_secret *secret;
};
/* What asks a person for the passphrase of `what`: into out, or -1. */
typedef int auditor_ask_fn(const char *what, char *out, size_t size, struct err *e);
#define AUDITOR_PASS_MAX 1024
/* A new key as the file `path`, 0600, and its public half as PATH.pub: both or neither, and neither
 * may be there.  `pass` "": it is not sealed. */
int auditor_key_create(
    const char *path, const char *name, const char *pass, struct auditor *who, struct err *e);
/* ERR_CONFIG with EEXIST: one of the two is there. */
int auditor_key_absent(const char *path, struct err *e);
/* Of one that was just made: it is of no use to anybody. */
void auditor_key_discard(const char *path);
/* auditor_pair.c: the files, of the secret one's text. */
int auditor_pair_write(
    const char *path, const char *secret, size_t n, const struct auditor *who, struct err *e);
/* `ask` is called where a passphrase is needed; NULL: then it fails.  Free it also after -1. */
int auditor_key_load(struct auditor_key *k, const char *path, auditor_ask_fn *ask, struct err *e);
/* Whether a file seems to be one. */
bool auditor_key_is(const char *path);
/* Open what was sealed to the key: n bytes into out.  -1: it was not, or was altered. */
int auditor_key_open(const struct auditor_key *k, const unsigned char *box, size_t box_len,
    unsigned char *out, size_t n);
#define AUDITOR_BOX(n) ((n) + 48)
void auditor_key_free(struct auditor_key *k);

#endif

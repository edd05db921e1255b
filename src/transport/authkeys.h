/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_AUTHKEYS_H
#define CORAL_TRANSPORT_AUTHKEYS_H

/*
 * An authorized_keys file as in sshd(8), plus coral's options user="NAME" and
 * roles="A,B".  A key with no user option is bound to the name in its comment
 * up to the first "@".  Certificates and unknown options are errors that name
 * the line.  The file must belong to root or the caller and not be writable by
 * others.
 */
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

struct authkey {
	char type[64];
	unsigned char *blob;
	size_t blob_len;
	char user[64];
	char roles[256]; /* comma-separated, may be "" */
	char fingerprint[64]; /* SHA256:... */
};
struct authkeys {
	struct authkey *v;
	size_t n;
};
int authkeys_load(struct authkeys *k, const char *path, struct err *e);
int authkeys_parse(struct authkeys *k, const char *text, size_t n, const char *name, struct err *e);
void authkeys_fini(struct authkeys *k);
const struct authkey *authkeys_find(const struct authkeys *k, const char *type,
    const unsigned char *blob, size_t len);

#endif

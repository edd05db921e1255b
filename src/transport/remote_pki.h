/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_REMOTE_PKI_H
#define CORAL_TRANSPORT_REMOTE_PKI_H

/*
 * Where libssh's server signs with the host key and checks a person's
 * signature, somebody else is asked: the linker sends both calls here (--wrap),
 * which needs the static libssh.a.  A process that sets no one, as a client,
 * has libssh's own.
 */
#include <libssh/libssh.h>
#include <stddef.h>
#include "transport/hostkey.h"

struct remote_pki {
	void *arg;
	/* 0, or -1: the key exchange fails. */
	int (*sign)(
	    void *arg, const unsigned char *hash, size_t n, unsigned char sig[HOSTKEY_SIGNATURE]);
	/* What becomes of it is arg's to know: libssh goes on in any case. */
	void (*verify)(void *arg, const unsigned char *sig, size_t sig_len,
	    const unsigned char *data, size_t data_len);
};

void remote_pki_set(const struct remote_pki *r); /* kept, not copied */

struct ssh_signature_struct;
int __wrap_ssh_pki_import_pubkey_blob(ssh_string blob, ssh_key *key);
int __wrap_ssh_pki_import_signature_blob(
    ssh_string blob, ssh_key key, struct ssh_signature_struct **sig);
struct ssh_signature_struct *__wrap_pki_sign_data(
    ssh_key key, int digest, const unsigned char *p, size_t n);
int __wrap_ssh_pki_signature_verify(
    ssh_session s, struct ssh_signature_struct *sig, ssh_key key, const unsigned char *p, size_t n);

#endif

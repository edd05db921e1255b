/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/remote_pki.h"

#include <string.h>

#include "base/attr.h"

/* Of libssh 0.10, global there and in none of its headers. */
struct ssh_signature_struct *__real_pki_sign_data(
    ssh_key key, int digest, const unsigned char *p, size_t n);
int __real_ssh_pki_signature_verify(
    ssh_session s, struct ssh_signature_struct *sig, ssh_key key, const unsigned char *p, size_t n);
int ssh_pki_import_signature_blob(ssh_string blob, ssh_key key, struct ssh_signature_struct **sig);
int ssh_pki_export_signature_blob(struct ssh_signature_struct *sig, ssh_string *blob);

static const struct remote_pki *remote;

void
remote_pki_set(const struct remote_pki *r)
{
	remote = r;
}

/* string "ssh-ed25519", string signature: RFC 8709 section 6 */
static struct ssh_signature_struct *
import(ssh_key key, const unsigned char sig[HOSTKEY_SIGNATURE])
{
	static const unsigned char head[] = "\0\0\0\013ssh-ed25519\0\0\0\100";
	unsigned char raw[sizeof(head) - 1 + HOSTKEY_SIGNATURE];
	struct ssh_signature_struct *out = NULL;
	ssh_string blob = ssh_string_new(sizeof(raw));

	memcpy(raw, head, sizeof(head) - 1);
	memcpy(raw + sizeof(head) - 1, sig, HOSTKEY_SIGNATURE);
	if (!blob || ssh_string_fill(blob, raw, sizeof(raw)) < 0 ||
	    ssh_pki_import_signature_blob(blob, key, &out) != SSH_OK)
		out = NULL;
	ssh_string_free(blob);
	return out;
}

struct ssh_signature_struct *
__wrap_pki_sign_data(ssh_key key, int digest, const unsigned char *p, size_t n)
{
	unsigned char sig[HOSTKEY_SIGNATURE];

	if (!remote)
		return __real_pki_sign_data(key, digest, p, n);
	return remote->sign(remote->arg, p, n, sig) == 0 ? import(key, sig) : NULL;
}

/* A signature that libssh finds wrong it meets with silence; so it finds none wrong, and who is
 * let in is decided after it, by what was verified elsewhere. */
int
__wrap_ssh_pki_signature_verify(
    ssh_session s, struct ssh_signature_struct *sig, ssh_key key, const unsigned char *p, size_t n)
{
	ssh_string blob = NULL;

	if (!remote)
		return __real_ssh_pki_signature_verify(s, sig, key, p, n);
	if (ssh_pki_export_signature_blob(sig, &blob) != SSH_OK)
		return SSH_ERROR;
	remote->verify(remote->arg, ssh_string_data(blob), ssh_string_len(blob), p, n);
	ssh_string_free(blob);
	return SSH_OK;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/remote_pki.h"

#include <string.h>

#include "base/attr.h"

/* Of libssh 0.10, global there and in none of its headers. */
struct ssh_signature_struct *__real_pki_sign_data(
    ssh_key key, int digest, const unsigned char *p, size_t n);
int __real_ssh_pki_signature_verify(
    ssh_session s, struct ssh_signature_struct *sig, ssh_key key, const unsigned char *p, size_t n);
int __real_ssh_pki_import_pubkey_blob(ssh_string blob, ssh_key *key);
int __real_ssh_pki_import_signature_blob(
    ssh_string blob, ssh_key key, struct ssh_signature_struct **sig);
void ssh_signature_free(struct ssh_signature_struct *sig);
int ssh_pki_export_signature_blob(struct ssh_signature_struct *sig, ssh_string *blob);

static const struct remote_pki *remote;
/* What came last as a signature, in one form; NULL: it was none. */
static ssh_string given;

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
	    __real_ssh_pki_import_signature_blob(blob, key, &out) != SSH_OK)
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

/* Nobody's: its bytes are no point of the curve, so no signature is good for it. */
static ssh_key
nobody(void)
{
	static const char b64[] =
	    "AAAAC3NzaC1lZDI1NTE5AAAAIAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	ssh_key key = NULL;

	ssh_pki_import_pubkey_base64(b64, SSH_KEYTYPE_ED25519, &key);
	return key;
}

/* Key and signature alike: what libssh cannot read it meets with silence.  So it reads something
 * else, and the answer is the no of whoever decides. */
int
__wrap_ssh_pki_import_pubkey_blob(ssh_string blob, ssh_key *key)
{
	int rc = __real_ssh_pki_import_pubkey_blob(blob, key);

	if (rc == SSH_OK || !remote)
		return rc;
	*key = nobody();
	return *key ? SSH_OK : SSH_ERROR;
}

int
__wrap_ssh_pki_import_signature_blob(
    ssh_string blob, ssh_key key, struct ssh_signature_struct **sig)
{
	static const unsigned char none[HOSTKEY_SIGNATURE];
	ssh_key stand_in;

	if (!remote)
		return __real_ssh_pki_import_signature_blob(blob, key, sig);
	ssh_string_free(given);
	given = NULL;
	if (__real_ssh_pki_import_signature_blob(blob, key, sig) == SSH_OK) {
		ssh_pki_export_signature_blob(*sig, &given);
		ssh_signature_free(*sig);
	}
	stand_in = nobody();
	*sig = stand_in ? import(stand_in, none) : NULL;
	ssh_key_free(stand_in);
	return *sig ? SSH_OK : SSH_ERROR;
}

/* A signature that libssh finds wrong it meets with silence; so it finds none wrong, and who is
 * let in is decided after it, by what was verified elsewhere. */
int
__wrap_ssh_pki_signature_verify(
    ssh_session s, struct ssh_signature_struct *sig, ssh_key key, const unsigned char *p, size_t n)
{
	if (!remote)
		return __real_ssh_pki_signature_verify(s, sig, key, p, n);
	remote->verify(
	    remote->arg, given ? ssh_string_data(given) : NULL, ssh_string_len(given), p, n);
	return SSH_OK;
}

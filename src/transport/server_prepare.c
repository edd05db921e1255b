/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/server.h"

#include <openssl/evp.h>
#include <openssl/kdf.h>

/* The first of a kind makes libcrypto set up all of its kind.  Here that is done once, and its
 * memory is every transport's; there it would be time and memory of each. */
void
tp_server_prepare(void)
{
	EVP_CIPHER_free(EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL));
	EVP_MD_free(EVP_MD_fetch(NULL, "SHA2-256", NULL));
	EVP_KEYMGMT_free(EVP_KEYMGMT_fetch(NULL, "X25519", NULL));
	EVP_KEYEXCH_free(EVP_KEYEXCH_fetch(NULL, "X25519", NULL));
	EVP_KDF_free(EVP_KDF_fetch(NULL, "SSHKDF", NULL));
	EVP_RAND_free(EVP_RAND_fetch(NULL, "CTR-DRBG", NULL));
}

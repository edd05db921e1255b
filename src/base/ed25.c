/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/ed25.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

/* libcrypto wipes what it held of the seed when the key is freed. */
static EVP_PKEY *
take_seed(const unsigned char *seed)
{
	return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, ED25_SEED);
}

int
ed25_public(const unsigned char seed[ED25_SEED], unsigned char public[ED25_PUBLIC])
{
	EVP_PKEY *key = take_seed(seed);
	size_t n = ED25_PUBLIC;
	int rc = key && EVP_PKEY_get_raw_public_key(key, public, &n) == 1 && n == ED25_PUBLIC;

	EVP_PKEY_free(key);
	return rc ? 0 : -1;
}

int
ed25_make(unsigned char seed[ED25_SEED], unsigned char public[ED25_PUBLIC])
{
	if (getrandom(seed, ED25_SEED, 0) != ED25_SEED)
		return -1;
	return ed25_public(seed, public);
}

static EVP_PKEY *
take_pair(const unsigned char *seed, const unsigned char *public)
{
	OSSL_PARAM parts[] = {OSSL_PARAM_construct_octet_string(
				  OSSL_PKEY_PARAM_PRIV_KEY, (void *)(uintptr_t)seed, ED25_SEED),
	    OSSL_PARAM_construct_octet_string(
		OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t) public, ED25_PUBLIC),
	    OSSL_PARAM_construct_end()};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, NULL);
	EVP_PKEY *key = NULL;

	if (ctx && EVP_PKEY_fromdata_init(ctx) == 1)
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, parts);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

int
ed25_sign(const unsigned char seed[ED25_SEED], const unsigned char public[ED25_PUBLIC],
    const void *p, size_t n, unsigned char out[ED25_SIGNATURE])
{
	EVP_PKEY *key = take_pair(seed, public);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = ED25_SIGNATURE;
	int rc = -1;

	if (key && ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestSign(ctx, out, &len, p, n) == 1 && len == ED25_SIGNATURE)
		rc = 0;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return rc;
}

int
ed25_verify(const unsigned char public[ED25_PUBLIC], const void *p, size_t n,
    const unsigned char sig[ED25_SIGNATURE])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public, ED25_PUBLIC);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int rc = -1;

	if (key && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestVerify(ctx, sig, ED25_SIGNATURE, p, n) == 1)
		rc = 0;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return rc;
}

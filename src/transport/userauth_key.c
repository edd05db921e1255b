/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/userauth_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <string.h>

#include "base/buf.h"

#define ED25519_LEN 32
#define RSA_BITS_MIN 1024 /* as sshd(8), RequiredRSASize */
#define RSA_BITS_MAX 16384
#define INTEGER_MAX (RSA_BITS_MAX / 8 + 1)

static const unsigned char *
take(struct rd *r, size_t *n)
{
	*n = rd_u32(r);
	return rd_bytes(r, *n);
}

/* A positive mpint, RFC 4251 section 5. */
static BIGNUM *
take_integer(struct rd *r)
{
	size_t n;
	const unsigned char *p = take(r, &n);

	if (!p || n == 0 || n > INTEGER_MAX || (p[0] & 0x80))
		return NULL;
	return BN_bin2bn(p, (int)n, NULL);
}

static EVP_PKEY *
from_params(const char *type, OSSL_PARAM_BLD *build)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY *key = NULL;

	if (ctx && params && EVP_PKEY_fromdata_init(ctx) == 1 &&
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static EVP_PKEY *
rsa_key(struct rd *r)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *e = take_integer(r), *n = take_integer(r);
	EVP_PKEY *key = NULL;

	if (build && e && n && r->n == 0 && BN_num_bits(n) >= RSA_BITS_MIN &&
	    BN_num_bits(n) <= RSA_BITS_MAX &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1 &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1)
		key = from_params("RSA", build);
	OSSL_PARAM_BLD_free(build);
	BN_free(e);
	BN_free(n);
	return key;
}

/* "nistp256" and the like; libcrypto knows them as "P-256". */
static EVP_PKEY *
ec_key(struct rd *r)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	char name[] = "P-???";
	size_t n, point_len;
	const unsigned char *curve = take(r, &n), *point = take(r, &point_len);
	EVP_PKEY *key = NULL;

	if (build && curve && point && r->n == 0 && n == strlen("nistp256") &&
	    memcmp(curve, "nistp", 5) == 0) {
		memcpy(name + 2, curve + 5, 3);
		if (OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, name, 0) ==
			1 &&
		    OSSL_PARAM_BLD_push_octet_string(
			build, OSSL_PKEY_PARAM_PUB_KEY, point, point_len) == 1)
			key = from_params("EC", build);
	}
	OSSL_PARAM_BLD_free(build);
	return key;
}

static EVP_PKEY *
ed25519_key(struct rd *r)
{
	size_t n;
	const unsigned char *p = take(r, &n);

	if (!p || n != ED25519_LEN || r->n != 0)
		return NULL;
	return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, p, n);
}

static EVP_PKEY *
key_of(const struct userauth *u)
{
	struct rd r = {.p = u->blob, .n = u->blob_len};
	size_t n;

	take(&r, &n); /* the type, which u has */
	if (strcmp(u->key_type, "ssh-ed25519") == 0)
		return ed25519_key(&r);
	return strcmp(u->key_type, "ssh-rsa") == 0 ? rsa_key(&r) : ec_key(&r);
}

/* mpint r, mpint s (RFC 5656 section 3.1.2) as libcrypto wants them; its length, or -1. */
static int
ecdsa_der(const unsigned char *sig, size_t n, unsigned char **der)
{
	struct rd in = {.p = sig, .n = n};
	BIGNUM *r = take_integer(&in), *s = take_integer(&in);
	ECDSA_SIG *both = ECDSA_SIG_new();
	int len = -1;

	if (r && s && both && in.n == 0 && ECDSA_SIG_set0(both, r, s) == 1) {
		r = s = NULL; /* its own now */
		len = i2d_ECDSA_SIG(both, der);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(both);
	return len;
}

static bool
verify(EVP_PKEY *key, const char *digest, const unsigned char *data, size_t n,
    const unsigned char *sig, size_t sig_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx && EVP_DigestVerifyInit_ex(ctx, NULL, digest, NULL, NULL, key, NULL) == 1 &&
		    EVP_DigestVerify(ctx, sig, sig_len, data, n) == 1;

	EVP_MD_CTX_free(ctx);
	return good;
}

bool
userauth_key_verify(const struct userauth *u, const char *digest, const unsigned char *data,
    size_t n, const unsigned char *sig, size_t sig_len)
{
	EVP_PKEY *key = key_of(u);
	unsigned char *der = NULL;
	int len;
	bool good;

	if (!key)
		return false;
	if (strncmp(u->key_type, "ecdsa-", 6) == 0) {
		len = ecdsa_der(sig, sig_len, &der);
		good = len > 0 && verify(key, digest, data, n, der, (size_t)len);
	} else {
		good = verify(key, digest, data, n, sig, sig_len);
	}
	OPENSSL_free(der);
	EVP_PKEY_free(key);
	return good;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Proofs of a key: those of ssh's algorithms are taken, and nothing that differs in one bit. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "tap.h"
#include "transport/userauth.h"

static struct buf data, sig;

static void
put(struct buf *b, const void *p, size_t n)
{
	buf_put_u32(b, (uint32_t)n);
	buf_put(b, p, n);
}

static void
put_name(struct buf *b, const char *s)
{
	put(b, s, strlen(s));
}

static void
put_integer(struct buf *b, const BIGNUM *v)
{
	unsigned char p[1024] = {0};
	int n = BN_bn2bin(v, p + 1), pad = n == 0 || (p[1] & 0x80);

	put(b, p + 1 - pad, (size_t)(n + pad));
}

/* The key's blob, by its type. */
static void
put_blob(struct buf *b, EVP_PKEY *key, const char *type)
{
	unsigned char raw[256];
	BIGNUM *e = NULL, *n = NULL;
	size_t len = sizeof(raw);
	struct buf in;

	buf_init(&in, 4096);
	put_name(&in, type);
	if (strcmp(type, "ssh-rsa") == 0) {
		EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e);
		EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n);
		put_integer(&in, e);
		put_integer(&in, n);
	} else if (strcmp(type, "ssh-ed25519") == 0) {
		EVP_PKEY_get_raw_public_key(key, raw, &len);
		put(&in, raw, len);
	} else {
		EVP_PKEY_get_octet_string_param(
		    key, OSSL_PKEY_PARAM_PUB_KEY, raw, sizeof(raw), &len);
		put_name(&in, type + strlen("ecdsa-sha2-"));
		put(&in, raw, len);
	}
	put(b, buf_head(&in), in.len);
	BN_free(e);
	BN_free(n);
	buf_fini(&in);
}

static void
make_data(EVP_PKEY *key, const char *type, const char *alg)
{
	buf_clear(&data);
	put(&data, "0123456789abcdef0123456789abcdef", 32);
	buf_put_u8(&data, 50);
	put_name(&data, "checkout");
	put_name(&data, "ssh-connection");
	put_name(&data, "publickey");
	buf_put_u8(&data, 1);
	put_name(&data, alg);
	put_blob(&data, key, type);
}

static void
make_sig(EVP_PKEY *key, const char *alg, const char *digest)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char raw[1024];
	const unsigned char *at = raw;
	size_t n = sizeof(raw);
	struct buf in;
	ECDSA_SIG *ec;

	EVP_DigestSignInit_ex(ctx, NULL, digest, NULL, NULL, key, NULL);
	EVP_DigestSign(ctx, raw, &n, buf_head(&data), data.len);
	EVP_MD_CTX_free(ctx);
	buf_init(&in, 4096);
	if (strncmp(alg, "ecdsa", 5) == 0) {
		ec = d2i_ECDSA_SIG(NULL, &at, (long)n);
		put_integer(&in, ECDSA_SIG_get0_r(ec));
		put_integer(&in, ECDSA_SIG_get0_s(ec));
		ECDSA_SIG_free(ec);
	} else {
		buf_put(&in, raw, n);
	}
	buf_clear(&sig);
	put_name(&sig, alg);
	put(&sig, buf_head(&in), in.len);
	buf_fini(&in);
}

/* As the broker does it; an exact copy of each part, so that an overrun is seen. */
static bool
taken(const unsigned char *d, size_t n, const unsigned char *s, size_t sn)
{
	unsigned char *dc = malloc(n + !n), *sc = malloc(sn + !sn);
	struct userauth u;
	bool good;

	memcpy(dc, d, n);
	memcpy(sc, s, sn);
	good = userauth_parse(&u, dc, n) == 0 && userauth_verify(&u, dc, n, sc, sn);
	free(dc);
	free(sc);
	return good;
}

static int
altered(struct buf *b)
{
	unsigned char *p = b->data + b->off;
	int passed = 0;

	for (size_t i = 0; i < b->len; i++) {
		p[i] ^= 1;
		passed += taken(buf_head(&data), data.len, buf_head(&sig), sig.len);
		p[i] ^= 1;
	}
	return passed;
}

static int
cut(void)
{
	int passed = 0;

	for (size_t n = 0; n < data.len; n++)
		passed += taken(buf_head(&data), n, buf_head(&sig), sig.len);
	for (size_t n = 0; n < sig.len; n++)
		passed += taken(buf_head(&data), data.len, buf_head(&sig), n);
	return passed;
}

static void
test_alg(EVP_PKEY *key, const char *type, const char *alg, const char *digest)
{
	make_data(key, type, alg);
	make_sig(key, alg, digest);
	ok(taken(buf_head(&data), data.len, buf_head(&sig), sig.len), "%s", alg);
	is_int(altered(&data) + altered(&sig), 0, "none of it with a bit changed");
	is_int(cut(), 0, "none of it cut");
	buf_put_u8(&sig, 0);
	ok(!taken(buf_head(&data), data.len, buf_head(&sig), sig.len), "nor with more behind it");
}

/* The SHA-1 of old, and a certificate: as algorithms unknown. */
static void
test_unknown(EVP_PKEY *rsa, EVP_PKEY *ed)
{
	make_data(rsa, "ssh-rsa", "ssh-rsa");
	make_sig(rsa, "ssh-rsa", "SHA1");
	ok(!taken(buf_head(&data), data.len, buf_head(&sig), sig.len), "no SHA-1");
	make_data(ed, "ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com");
	make_sig(ed, "ssh-ed25519-cert-v01@openssh.com", NULL);
	ok(!taken(buf_head(&data), data.len, buf_head(&sig), sig.len), "no certificate");
	make_data(rsa, "ssh-rsa", "rsa-sha2-512");
	make_sig(rsa, "rsa-sha2-256", "SHA2-256");
	ok(!taken(buf_head(&data), data.len, buf_head(&sig), sig.len), "one algorithm in both");
}

int
main(void)
{
	EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	EVP_PKEY *rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	EVP_PKEY *weak = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)768);
	EVP_PKEY *p256 = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	EVP_PKEY *p384 = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
	EVP_PKEY *p521 = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521");

	buf_init(&data, 1 << 16);
	buf_init(&sig, 1 << 16);
	test_alg(ed, "ssh-ed25519", "ssh-ed25519", NULL);
	test_alg(rsa, "ssh-rsa", "rsa-sha2-256", "SHA2-256");
	test_alg(rsa, "ssh-rsa", "rsa-sha2-512", "SHA2-512");
	test_alg(p256, "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", "SHA2-256");
	test_alg(p384, "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", "SHA2-384");
	test_alg(p521, "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", "SHA2-512");
	test_unknown(rsa, ed);
	make_data(weak, "ssh-rsa", "rsa-sha2-256");
	make_sig(weak, "rsa-sha2-256", "SHA2-256");
	ok(!taken(buf_head(&data), data.len, buf_head(&sig), sig.len), "no RSA key of 768 bits");
	buf_fini(&data);
	buf_fini(&sig);
	EVP_PKEY_free(ed);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(weak);
	EVP_PKEY_free(p256);
	EVP_PKEY_free(p384);
	EVP_PKEY_free(p521);
	return done_testing();
}

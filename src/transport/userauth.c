/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/userauth.h"

#include <string.h>

#include "base/attr.h"
#include "base/buf.h"
#include "transport/userauth_key.h"

#define SSH_MSG_USERAUTH_REQUEST 50 /* RFC 4252 section 6 */

/* RFC 8332, RFC 5656 and RFC 8709; no SHA-1, and no certificate. */
static const struct {
	const char *alg, *key_type, *digest;
} algs[] = {
    {"ssh-ed25519", "ssh-ed25519", NULL},
    {"rsa-sha2-256", "ssh-rsa", "SHA2-256"},
    {"rsa-sha2-512", "ssh-rsa", "SHA2-512"},
    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", "SHA2-256"},
    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", "SHA2-384"},
    {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", "SHA2-512"},
};

static const unsigned char *
take(struct rd *r, size_t *n)
{
	*n = rd_u32(r);
	return rd_bytes(r, *n);
}

static bool
is(struct rd *r, const char *want)
{
	size_t n;
	const unsigned char *p = take(r, &n);

	return p && n == strlen(want) && memcmp(p, want, n) == 0;
}

/* Its index in algs, or -1. */
static int
take_alg(struct rd *r)
{
	size_t n;
	const unsigned char *p = take(r, &n);

	for (size_t i = 0; p && i < COUNT_OF(algs); i++)
		if (n == strlen(algs[i].alg) && memcmp(p, algs[i].alg, n) == 0)
			return (int)i;
	return -1;
}

int
userauth_parse(struct userauth *u, const unsigned char *data, size_t n)
{
	struct rd r = {.p = data, .n = n}, blob;
	size_t id_len;
	int alg;

	*u = (struct userauth){0};
	if (n > USERAUTH_DATA_MAX)
		return -1;
	u->id = take(&r, &id_len);
	if (id_len != USERAUTH_ID || rd_u8(&r) != SSH_MSG_USERAUTH_REQUEST)
		return -1;
	u->user = (const char *)take(&r, &u->user_len);
	if (r.bad || u->user_len >= USERAUTH_USER_MAX || !is(&r, "ssh-connection") ||
	    !is(&r, "publickey") || rd_u8(&r) != 1)
		return -1;
	alg = take_alg(&r);
	u->blob = take(&r, &u->blob_len);
	if (alg < 0 || r.bad || r.n != 0)
		return -1;
	u->alg = algs[alg].alg;
	u->key_type = algs[alg].key_type;
	/* The key says itself what it is: the same. */
	blob = (struct rd){.p = u->blob, .n = u->blob_len};
	return is(&blob, u->key_type) ? 0 : -1;
}

bool
userauth_verify(const struct userauth *u, const unsigned char *data, size_t n,
    const unsigned char *sig, size_t sig_len)
{
	struct rd r = {.p = sig, .n = sig_len};
	const unsigned char *p;
	size_t len;
	int alg;

	if (sig_len > USERAUTH_SIG_MAX)
		return false;
	alg = take_alg(&r);
	p = take(&r, &len);
	if (alg < 0 || algs[alg].alg != u->alg || r.bad || r.n != 0)
		return false;
	return userauth_key_verify(u, algs[alg].digest, data, n, p, len);
}

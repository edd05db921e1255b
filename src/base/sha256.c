/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/sha256.h"

#include <openssl/evp.h>
#include <string.h>

int
sha2_init(struct sha256 *h)
{
	h->ctx = EVP_MD_CTX_new();
	h->bad = !h->ctx || EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) != 1;
	return h->bad ? -1 : 0;
}

void
sha2_update(struct sha256 *h, const void *p, size_t n)
{
	if (!h->bad && EVP_DigestUpdate(h->ctx, p, n) != 1)
		h->bad = true;
}

int
sha2_final(struct sha256 *h, unsigned char out[SHA256_SIZE])
{
	unsigned n = SHA256_SIZE;
	int rc = 0;

	if (h->bad || !h->ctx || EVP_DigestFinal_ex(h->ctx, out, &n) != 1) {
		memset(out, 0, SHA256_SIZE);
		rc = -1;
	}
	sha2_drop(h);
	return rc;
}

int
sha2_next(struct sha256 *h, unsigned char out[SHA256_SIZE])
{
	unsigned n = SHA256_SIZE;

	if (h->bad || EVP_DigestFinal_ex(h->ctx, out, &n) != 1 ||
	    EVP_DigestInit_ex(h->ctx, NULL, NULL) != 1) {
		memset(out, 0, SHA256_SIZE);
		h->bad = true;
		return -1;
	}
	return 0;
}

void
sha2_drop(struct sha256 *h)
{
	EVP_MD_CTX_free(h->ctx);
	h->ctx = NULL;
	h->bad = true;
}

int
sha2_copy(struct sha256 *to, const struct sha256 *from)
{
	to->ctx = EVP_MD_CTX_new();
	to->bad = !to->ctx || from->bad || EVP_MD_CTX_copy_ex(to->ctx, from->ctx) != 1;
	return to->bad ? -1 : 0;
}

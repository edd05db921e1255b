/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "transport/userauth.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
inside(const void *part, size_t len, const uint8_t *p, size_t n)
{
	const uint8_t *at = part;

	if (at < p || at + len > p + n)
		abort();
}

/* The first two bytes: the length of the signature; the rest is what was signed, as in PM_VERIFY.
 * What is parsed lies within, and libcrypto takes whatever key that names. */
int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct userauth u;
	size_t sig_len;

	if (n < 2)
		return 0;
	sig_len = (size_t)p[0] << 8 | p[1];
	if (sig_len > n - 2)
		return 0;
	p += 2;
	n -= 2 + sig_len;
	if (userauth_parse(&u, p + sig_len, n) < 0)
		return 0;
	inside(u.id, USERAUTH_ID, p + sig_len, n);
	inside(u.user, u.user_len, p + sig_len, n);
	inside(u.blob, u.blob_len, p + sig_len, n);
	if (strlen(u.alg) > n)
		abort();
	userauth_verify(&u, p + sig_len, n, p, sig_len);
	return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdint.h>
#include <stdlib.h>
#include "transport/authkeys.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Every key that is taken names somebody and is found again. */
int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct authkeys k;
	struct err e;

	if (authkeys_parse(&k, (const char *)p, n, "fuzz", &e) < 0)
		return 0;
	for (size_t i = 0; i < k.n; i++) {
		if (!k.v[i].user[0] ||
		    authkeys_find(&k, k.v[i].type, k.v[i].blob, k.v[i].blob_len) != &k.v[i])
			abort();
	}
	authkeys_fini(&k);
	return 0;
}

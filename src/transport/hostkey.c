/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/hostkey.h"

void
hostkey_fini(struct hostkey *k)
{
	keyfile_fini(&k->key);
	*k = (struct hostkey){0};
}

int
hostkey_sign(const struct hostkey *k, const unsigned char *hash, size_t n,
    unsigned char out[HOSTKEY_SIGNATURE])
{
	return n == HOSTKEY_HASH ? keyfile_sign(&k->key, hash, n, out) : -1;
}

int
hostkey_load(struct hostkey *k, const char *path, struct err *e)
{
	static const unsigned char nothing[KEYFILE_SEED];

	*k = (struct hostkey){0};
	if (keyfile_load(&k->key, path, "host key", e) < 0)
		return -1;
	if (keyfile_text(k->mask, sizeof(k->mask), nothing, k->key.public) == 0)
		return 0;
	hostkey_fini(k);
	return err_set(e, ERR_INTERNAL, 0, "cannot offer the host key %s", path);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/fingerprint.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

void
tp_fingerprint(const unsigned char *blob, size_t n, char *out, size_t size)
{
	unsigned char hash[32];
	unsigned len = 0;
	char text[64];

	if (!EVP_Digest(blob, n, hash, &len, EVP_sha256(), NULL)) {
		str_copy(out, "SHA256:?", size);
		return;
	}
	str_base64(text, hash, len);
	text[strcspn(text, "=")] = '\0';
	snprintf(out, size, "SHA256:%s", text);
}

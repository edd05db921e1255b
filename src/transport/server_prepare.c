/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/server.h"

#include <openssl/evp.h>

void
tp_server_prepare(void)
{
	EVP_CIPHER_free(EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL));
}

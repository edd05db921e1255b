/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_FINGERPRINT_H
#define CORAL_TRANSPORT_FINGERPRINT_H

#include <stddef.h>

#define FINGERPRINT_SIZE 64
/* "SHA256:..." of a public key blob, as ssh-keygen -l prints it. */
void tp_fingerprint(const unsigned char *blob, size_t n, char *out, size_t size);

#endif

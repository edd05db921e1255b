/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_SANDBOX_INT_H
#define CORAL_TRANSPORT_SANDBOX_INT_H

#include "transport/server.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANDBOX_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANDBOX_ASAN 1
#endif
#endif
#ifndef SANDBOX_ASAN
#define SANDBOX_ASAN 0
#endif

/* Compile the allow-list into sb->filter: the transport's, or n calls. */
int sandbox_filter_make(struct tp_sandbox *sb, const int *calls, size_t n, struct err *e);

#endif

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

/* Compile the allow-list into sb->filter. */
int sandbox_filter_make(struct tp_sandbox *sb, struct err *e);
/* Give up everything but fds 2, a and b.  No way back; on -1 the process must end. */
int sandbox_enter(const struct tp_sandbox *sb, int a, int b, int max_fds, struct err *e);

#endif

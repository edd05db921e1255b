/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TARGET_CAPS_H
#define CORAL_TARGET_CAPS_H

/* Capabilities by name, so that an error can say which one is missing. */
#include <linux/capability.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

#define CAP_BIT(c) (1ULL << (c))
/* What a full entry uses, the bounding set's own needs aside. */
#define CAPS_ENTER                                                                                 \
	(CAP_BIT(CAP_SYS_ADMIN) | CAP_BIT(CAP_SYS_CHROOT) | CAP_BIT(CAP_SYS_PTRACE) |              \
	    CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_SETPCAP))

/* This process's permitted set; 0 when the kernel will not say. */
uint64_t caps_permitted(void);
/* This process's effective set. */
uint64_t caps_effective(void);
/* Every capability that the running kernel knows. */
uint64_t caps_all(void);
/* "CAP_SYS_ADMIN, CAP_SETUID", or "" for none; returns dst. */
char *caps_names(char *dst, size_t size, uint64_t set);
/* "capabilities: {add: [SYS_ADMIN]}", as a container's securityContext has it; returns dst. */
char *caps_yaml(char *dst, size_t size, uint64_t set);
/* Append the why of an EPERM or EACCES: those of `need` that are not effective here, or that
 * something else than a capability forbids it.  Always -1. */
int caps_why(struct err *e, uint64_t need);

#endif

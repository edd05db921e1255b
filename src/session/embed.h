/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_EMBED_H
#define CORAL_SESSION_EMBED_H

#include "base/err.h"

/* Fork an agent for this one command (root only): returns a connected socket that speaks SSH and
 * knows us, and its pid.  It ends when the socket closes and its sessions are over. */
int embed_start(pid_t *pid, struct err *e);

#endif

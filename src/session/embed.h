/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_EMBED_H
#define CORAL_SESSION_EMBED_H

#include <stdbool.h>
#include "base/err.h"

struct embed {
	int sock;   /* connected: speaks SSH and knows us */
	int status; /* for embed_error() */
};
/* Fork an agent for this one command (root only).  It ends when the socket closes and its
 * sessions are over.  The caller owns both descriptors. */
int embed_start(struct embed *m, struct err *e);
/* The agent's own words when it could not start: call when the handshake failed.  Blocks 2 s at
 * most; true and e replaced when it said something. */
bool embed_error(const struct embed *m, struct err *e);
/* In the agent: say why it cannot start. */
void embed_fail(int status, const struct err *e);

#endif

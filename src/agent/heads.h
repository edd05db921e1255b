/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_AGENT_HEADS_H
#define CORAL_AGENT_HEADS_H

/*
 * The hash of the log's last record goes to a witness off this host, so that
 * nobody here can cut the log or write it anew unseen.  In a process of its
 * own, which waits as it likes.
 */
#include "audit/head.h"

struct heads_from {
	const char *node, *environment;
};

/* One datagram to the socket `path` (/dev/log). */
int heads_syslog(
    const char *path, const struct audit_top *top, const struct heads_from *from, struct err *e);
/* A POST of a JSON object; what answers 2xx has it. */
int heads_post(
    const char *url, const struct audit_top *top, const struct heads_from *from, struct err *e);

#endif

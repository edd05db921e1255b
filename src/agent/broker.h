/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_AGENT_BROKER_H
#define CORAL_AGENT_BROKER_H

/*
 * The broker: privileged, tiny.  It accepts connections, forks a transport for
 * each, answers the transports' request table, and forks a keeper for each
 * request.  It never parses network bytes and carries no session data.
 */
#include "base/conf.h"
#include "base/err.h"

/* Serve until SIGTERM or SIGINT.  Returns an exit status; start-up errors in e. */
int broker_serve(const struct conf *c, struct err *e);
/* Serve one connected socket of the caller's own user, until it and its sessions are over. */
int broker_serve_one(const struct conf *c, int sock, struct err *e);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_CLIENT_INT_H
#define CORAL_TRANSPORT_CLIENT_INT_H

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <stdint.h>
#include "base/buf.h"
#include "transport/client.h"

struct tp_client {
	int sock;
	ssh_session ssh;
	ssh_event event;
	ssh_channel channel;
	struct ssh_channel_callbacks_struct callbacks;
	int64_t deadline; /* of the opening */
	struct buf in;	  /* taken from libssh at once, so that it grants no new window */
	size_t waiting;	  /* bytes of the channel that libssh holds */
	bool stalled;	  /* a write came up short: not again before something arrives */
	bool eof, closed, lost;
	char tried[1024]; /* keys refused so far, one a line */
};

/* Wait for the peer within the deadline of the opening. */
int client_wait(struct tp_client *c, const char *doing, struct err *e);
/* What libssh says went wrong, as a connection error. */
int client_lost(struct tp_client *c, const char *doing, struct err *e);

/* Is this the host we know?  Asks, stores, or refuses. */
int known_hosts_check(struct tp_client *c, const struct tp_client_opts *o, struct err *e);
int client_auth(struct tp_client *c, const struct tp_client_opts *o, struct err *e);
/* Append the keys that ssh-agent holds, one a line, to out. */
void client_agent_list(char *out, size_t size);

#endif

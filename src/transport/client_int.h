/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_CLIENT_INT_H
#define CORAL_TRANSPORT_CLIENT_INT_H

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <stdint.h>
#include "base/buf.h"
#include "transport/client.h"

/* Over a connection of its own, or (plain) over a master's: then sock leads to
 * it and carries the channel's bytes as they are, and ssh is NULL. */
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
	bool plain;
	bool drained;	  /* the last read was short */
	bool deaf;	  /* the master takes nothing more; what it sent is still read */
	char tried[1024]; /* keys refused so far, one a line */
};

/* Wait for the peer within the deadline of the opening. */
int client_wait(struct tp_client *c, const char *doing, struct err *e);
/* What libssh says went wrong, as a connection error. */
int client_lost(struct tp_client *c, const char *doing, struct err *e);

/* The callbacks of the channel. */
void client_listen(struct tp_client *c);

/* client_plain.c: the functions of client.h over a master's socket. */
struct tp_client *client_plain_new(int sock);
void client_plain_free(struct tp_client *c);
short client_plain_interest(const struct tp_client *c);
ssize_t client_plain_read(struct tp_client *c, void *p, size_t n);
size_t client_plain_room(const struct tp_client *c);
ssize_t client_plain_write(struct tp_client *c, const void *p, size_t n);
/* After a fork: the connection is the other process's from here on, and this
 * one reaches the channel through sock. */
void client_plain_take(struct tp_client *c, int sock);

/* Is this the host we know?  Asks, stores, or refuses. */
int known_hosts_check(struct tp_client *c, const struct tp_client_opts *o, struct err *e);
int client_auth(struct tp_client *c, const struct tp_client_opts *o, struct err *e);
/* Append the keys that ssh-agent holds, one a line, to out. */
void client_agent_list(char *out, size_t size);

#endif

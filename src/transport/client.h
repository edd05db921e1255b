/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_CLIENT_H
#define CORAL_TRANSPORT_CLIENT_H

/*
 * The client's half: an authenticated SSH connection and one channel of the
 * subsystem "coral", as a byte stream that carries frames.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/err.h"

struct tp_client;

/* Dial "HOST:PORT", "[v6]:PORT", "HOST" (7022) or an absolute path of a unix
 * socket.  Blocking, 10 s at most.  Returns a connected socket, or -1. */
int tp_dial(const char *address, struct err *e);

struct tp_client_opts {
	int sock;	      /* connected; owned by the client from here on */
	const char *host;     /* for known_hosts: "host:port"; NULL: local, not checked */
	const char *known_hosts; /* coral's own file; created when first needed */
	/* Asked when the host is unknown; NULL or false: refuse.  A changed key is always refused. */
	bool (*trust_new)(void *arg, const char *host, const char *fingerprint);
	void *arg;
	const char *const *identities; /* key files, NULL-terminated; NULL: defaults in ~/.ssh */
	bool local; /* unix socket or socketpair: the agent knows us; method "none" */
	/* Asked for a key's passphrase; NULL: encrypted keys are skipped. */
	int (*passphrase)(void *arg, const char *prompt, char *out, size_t size);
};

/* Handshake, host key, authentication, channel, subsystem.  Blocking, 20 s at most. */
struct tp_client *tp_client_open(const struct tp_client_opts *o, struct err *e);
void tp_client_free(struct tp_client *c);
/* Its connection is a master's, which others use as well (mux.h). */
bool tp_client_shared(const struct tp_client *c);

int tp_client_fd(const struct tp_client *c);
/* poll(2) events wanted now. */
short tp_client_interest(struct tp_client *c);
/* Call when the fd is ready (or to flush): never blocks.  -1: connection lost (err). */
int tp_client_turn(struct tp_client *c, struct err *e);
/* Up to n bytes that arrived; 0 none now. */
ssize_t tp_client_read(struct tp_client *c, void *p, size_t n);
/* The peer closed the channel and everything has been read. */
bool tp_client_ended(struct tp_client *c);
/* Bytes that may be written now without queueing in memory; then write, which may be short. */
size_t tp_client_room(struct tp_client *c);
ssize_t tp_client_write(struct tp_client *c, const void *p, size_t n);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_MUX_H
#define CORAL_TRANSPORT_MUX_H

/*
 * Connections that several commands share.  The command that authenticated
 * first leaves a process behind, the master, which holds the connection and
 * listens on a unix socket in a directory of the user's own.  A later command
 * gets one SSH channel of it as a stream of bytes, and no handshake.
 *
 * A master proves nothing but that it runs as the same user: the directory, the
 * socket and both ends' credentials say that.  Whatever is wrong with one, the
 * command goes on alone.
 */
#include <stdbool.h>
#include <stdint.h>
#include "transport/client.h"

#define MUX_KEY_MAX 8192

/* What two commands must have in common to share. */
struct mux_key {
	unsigned char blob[MUX_KEY_MAX];
	size_t n; /* 0: too long to be shared */
	char name[17];
};
void mux_key_begin(struct mux_key *k);
void mux_key_add(struct mux_key *k, const char *s); /* NULL: as "" */
void mux_key_end(struct mux_key *k);

struct mux {
	const struct mux_key *key;
	const char *path;  /* of the directory */
	int dir;	   /* -1: not there, or not to be used */
	bool replace;	   /* whoever listens there is of no use */
	bool alone;	   /* do not offer */
	struct err unsafe; /* the directory: why it is not used */
};

/* A channel of a running master, or NULL (no error): then dial, and offer.
 * fresh: not over what runs there. */
struct tp_client *mux_join(struct mux *m, const char *dir, const struct mux_key *key, bool fresh);
/* Leave the connection to a master of our own that lives until idle_ns after
 * its last channel; the client goes on over it.  When that cannot be, the
 * client stays as it is. */
void mux_offer(struct mux *m, struct tp_client *c, int64_t idle_ns);
void mux_close(struct mux *m);

#endif

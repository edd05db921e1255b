/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_CONN_H
#define CORAL_TRANSPORT_CONN_H

/*
 * What both ends know about a libssh session: its algorithms, and how it is
 * turned by a loop that is not libssh's.  The session sits alone in a private
 * ssh_event, so that a nested dispatch inside libssh meets nothing else.
 */
#include <libssh/libssh.h>
#include <stdbool.h>

#define CONN_KEX "curve25519-sha256,curve25519-sha256@libssh.org"
#define CONN_CIPHERS "aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes128-gcm@openssh.com"
#define CONN_MACS "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com"
#define CONN_HOSTKEYS "ssh-ed25519"
#define CONN_KEYS                                                                                  \
	"ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,"    \
	"rsa-sha2-256"

/* Events of the session's socket wanted now. */
short conn_interest(ssh_session s);
/* All that can be done without waiting: packets in, queued bytes out.  -1: the
 * connection has ended. */
int conn_turn(ssh_session s, ssh_event ev);
/* Output waits for the socket: queue no more. */
bool conn_full(ssh_session s);

#endif

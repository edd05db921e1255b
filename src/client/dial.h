/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLIENT_DIAL_H
#define CORAL_CLIENT_DIAL_H

/*
 * A connection made beside the loop: names, TCP, SSH and keys may each take
 * seconds, and the person's keys must not wait for them.  One thread an
 * attempt; nobody else uses libssh meanwhile.
 */
#include "base/err.h"

struct tp_client;
struct client_dial;

typedef struct tp_client *client_redial_fn(void *arg, struct err *e);

/* NULL with errno. */
struct client_dial *client_dial_start(client_redial_fn *dial, void *arg);
/* Readable when it is over. */
int client_dial_fd(const struct client_dial *d);
/* The connection or NULL (err), and the end of d.  Only when it is over. */
struct tp_client *client_dial_take(struct client_dial *d, struct err *e);
/* Nobody wants it any more; accepts NULL.  `arg` must live as long as the process. */
void client_dial_abandon(struct client_dial *d);

#endif

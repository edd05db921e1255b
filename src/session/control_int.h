/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_CONTROL_INT_H
#define CORAL_SESSION_CONTROL_INT_H

/*
 * What travels through a session's door.  Both ends are coral and of one uid,
 * but not always of one version: a keeper outlives the broker that forked it.
 */
#include "base/buf.h"
#include "session/control.h"

/* A question: version, uid, root, moderates, three strings, a request without a command. */
#define CONTROL_ASK_MAX (8 * 1024)
/* An answer: CONTROL_YES and JSON, or CONTROL_NO and an err_encode()d error. */
#define CONTROL_ANSWER_MAX (64 * 1024)
enum control_kind { CONTROL_YES = 'y', CONTROL_NO = 'n' };

int control_encode(const struct control_ask *a, struct buf *out, struct err *e);
/* On -1 nothing is to be freed. */
int control_decode(struct control_ask *a, const unsigned char *p, size_t n);
/* Whether the other end belongs to our own user. */
bool control_is_ours(int fd, int *pid);
/* control_sweep.c: nobody listens at it, and nobody will. */
void control_remove_dead(const struct conf *c, const char *id);
/* "/proc/self/fd/DIR/ID.sock": sun_path is short, and the directory's own path may not be. */
struct sockaddr_un;
void control_address(int dir, const char *id, struct sockaddr_un *at);
/* The verbs that bring the client's stream along. */
bool control_brings_stream(enum request_verb v);

#endif

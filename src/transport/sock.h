/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_SOCK_H
#define CORAL_TRANSPORT_SOCK_H

#include <stdbool.h>

#define TP_SOCK_SILENCE_MS 60000

/* Options for a connection, on either end: no delay and dead peers noticed on
 * TCP, large buffers on a unix socket.  Best effort. */
void tp_sock_tune(int fd);
/* End the connection when what was sent is not taken for a minute.  Only towards
 * a peer that always reads: TCP_USER_TIMEOUT also counts the time that a living
 * peer keeps its window closed, as a client does that was stopped. */
void tp_sock_impatient(int fd);
/* Something waits for the peer, and its kernel has said nothing for so long.  What
 * is idle is TCP's keepalive to end. */
bool tp_sock_silent(int fd, unsigned limit_ms);

#endif

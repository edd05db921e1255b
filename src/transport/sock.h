/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_SOCK_H
#define CORAL_TRANSPORT_SOCK_H

/* Options for a connection, on either end: no delay and dead peers noticed on
 * TCP, large buffers on a unix socket.  Best effort. */
void tp_sock_tune(int fd);

#endif

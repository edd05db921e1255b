/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_READAHEAD_H
#define CORAL_TRANSPORT_READAHEAD_H

/*
 * libssh takes 4 KiB a recv(2), with a poll(2) before each.  In the static
 * binary the linker sends its recv and poll here (--wrap), where one socket a
 * process is read 128 KiB at a time.  In a dynamic build nothing is wrapped,
 * and nothing is ever pending.
 */
#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

/* The first socket has it; later ones go without. */
void readahead_start(int fd);
/* -1: whoever has it (in a fork, which has its parent's). */
void readahead_stop(int fd);
/* libssh hears nothing more of it, and can still write. */
void readahead_deafen(int fd);
/* Give the buffer back while it is empty. */
void readahead_trim(int fd);
/* Bytes were read that libssh has not taken: poll(2) does not know of them. */
bool readahead_pending(int fd);

ssize_t __wrap_recv(int fd, void *p, size_t n, int flags);
int __wrap_poll(struct pollfd *v, nfds_t n, int timeout_ms);

#endif

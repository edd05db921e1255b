/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_BASE_FD_H
#define CORAL_BASE_FD_H

/* Descriptors: every one is born close-on-exec; close(2) is never retried. */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/buf.h"
#include "base/err.h"

void fd_close(int *fd); /* and set to -1; accepts -1 */
int fd_nonblock(int fd, bool on);
int fd_cloexec(int fd, bool on);

/* All of it, blocking (polls on EAGAIN).  0 or -1 with errno. */
int fd_write_all(int fd, const void *p, size_t n);
/* Exactly n bytes, blocking.  n, 0 at a clean end before any byte, or -1 (EPIPE when cut short). */
ssize_t fd_read_full(int fd, void *p, size_t n);

/*
 * A whole regular or procfs file relative to dirfd, at most `max` bytes; more
 * is an error (EFBIG), not a cut.  O_NOFOLLOW|O_NONBLOCK|O_NOCTTY: a FIFO or a
 * symbolic link put there by an enemy is refused.  Appends to `out`.
 * 0, or -1 with errno.
 */
int fd_read_file(int dirfd, const char *path, size_t max, struct buf *out);

/*
 * A file in dirfd with these bytes, mode 0600, in the place of what is called so: who opens it has
 * the old or the new one, whole.  Nothing is synced: for what can be made again.  Of two at once
 * the last one stays.  dirfd must be the caller's alone to write.  0, or -1 with errno: the old
 * one is as it was.
 */
int fd_replace_file(int dirfd, const char *name, const void *p, size_t n);

/* A close-on-exec AF_UNIX pair; `type` SOCK_STREAM or SOCK_SEQPACKET.
 * Buffers are raised to `bufsize` bytes where the kernel allows (0: leave). */
int fd_socketpair(int type, int bufsize, int pair[2]);

/*
 * One message with up to FD_PASS_MAX descriptors.  Blocking as the socket is.
 * fd_recv_msg: received descriptors are close-on-exec and the caller's; excess
 * ones are closed; *nfds is how many arrived (the caller sets it to the most it
 * wants).  Returns bytes, 0 at end of stream, -1 with errno; EMSGSIZE when a
 * message was cut.
 */
#define FD_PASS_MAX 8
ssize_t fd_send_msg(int sock, const void *p, size_t n, const int *fds, size_t nfds);
ssize_t fd_recv_msg(int sock, void *p, size_t n, int *fds, size_t *nfds);

/* mkdir -p with mode for what is made; then the last part must be a directory
 * owned by the caller's euid and not writable by others.  0 or -1 (err). */
int fd_make_dir(const char *path, mode_t mode, struct err *e);

/* Close every descriptor >= first but those in keep (any order). */
void fd_close_from(int first, const int *keep, size_t nkeep);

#endif

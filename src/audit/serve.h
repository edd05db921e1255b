/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_AUDIT_SERVE_H
#define CORAL_AUDIT_SERVE_H

/*
 * The process that writes the log for an agent.  One message a connection: a
 * kind, and the record as JSON; the answer is one byte 0 when the record is in
 * the kernel (with AUDIT_SAY_SYNCED on the disk), else a byte 1 and err_encode().  Only callers of
 * its own uid are believed.
 */
#include <sys/un.h>
#include "base/err.h"

#define AUDIT_SOCK "writer.sock"
#define AUDIT_SAY 's'
#define AUDIT_SAY_RESERVE 'r' /* may use the reserve: log.h */
#define AUDIT_SAY_SYNCED 'd'  /* as that */

/* writer.sock in the directory that `dir` holds, however long its path is. */
void audit_sock_name(int dir, struct sockaddr_un *a);
/* Listens there; the one that another left is replaced.  Non-blocking. */
int audit_listen(const char *dir, struct err *e);
/* Every system call of audit_serve(); how many there are. */
const int *audit_calls(size_t *n);
/* Serves until SIGKILL; `dir` as this process sees it.  Each line goes to `out` as well, -1 to
 * none. Returns only when it cannot begin. */
int audit_serve(int listener, int out, const char *dir, struct err *e);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_PTY_PTY_H
#define CORAL_PTY_PTY_H

/*
 * Pseudo-terminals on the agent's side: opened in the container's devpts from
 * outside, so that tty(1) there names a device that exists there, and no code
 * of the container runs.
 */
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include "base/err.h"

struct pty {
	int master;   /* non-blocking */
	int slave;    /* for the child only; close it in the parent after the spawn */
	bool foreign; /* the container has no devpts: allocated in the agent's own */
	unsigned number;
};

/*
 * rootfd: O_PATH of the target's root.  Opens dev/pts/ptmx below it with
 * openat2(RESOLVE_IN_ROOT, no links), requires devpts (magic, char 5:2, inode
 * 2), reopens it through the agent's own procfs, and takes the slave with
 * TIOCGPTPEER: never by name.  A target without devpts gets a pair from the
 * agent's own devpts, and `foreign` is set.  A fake ptmx is ERR_DENIED.
 * ws is set, and the slave belongs to uid (host numbering), mode 0600, before this returns.
 */
int pty_open_in(int rootfd, const struct winsize *ws, uid_t uid, struct pty *out, struct err *e);
void pty_close(struct pty *p);
int pty_resize(int master, const struct winsize *ws);
/* The programs on it have read all that was typed.  false also when that cannot be told. */
bool pty_is_read(int master);
/* ECHO is off, and ICANON on, or ISIG and ICRNL without INLCR: what is typed is hidden, not edited.
 */
bool pty_is_secret(int master);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/enter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "target/caps.h"
#include "target/proc.h"

#define START_WAIT (2 * NS_PER_S)
#define START_LOOK_MS 5

static int
gone(struct err *e, pid_t pid, const char *why)
{
	err_set(e, ERR_TARGET_GONE, 0, "process %d is gone", (int)pid);
	err_why(e, "%s", why);
	return err_hint(e, "coral ps lists what can be entered now");
}

/* Numbers in this procfs must mean to pidfd_open(2) what they say. */
static int
check_numbering(const struct tgt_sys *s, struct err *e)
{
	char link[16] = "", self[16];
	ssize_t n = readlinkat(s->proc, "self", link, sizeof(link) - 1);

	snprintf(self, sizeof(self), "%d", (int)getpid());
	if (!s->standin && n > 0 && strcmp(link, self) == 0)
		return 0;
	err_set(e, ERR_PRIVILEGE, 0, "cannot enter processes of %s", s->proc_path);
	err_why(e, "%s",
	    s->standin ? "it is not a procfs"
		       : "it belongs to another pid namespace than this process");
	return err_hint(e, "share the pid namespace (hostPID, shareProcessNamespace, pid: host)");
}

static int
open_all(const struct tgt_sys *s, struct tgt_hold *h, struct err *e)
{
	h->pidfd = pidfd_open(h->pid, 0);
	if (h->pidfd < 0 && errno == ESRCH)
		return gone(e, h->pid, "no process has this number");
	if (h->pidfd < 0) {
		err_set(e, ERR_NO_TARGET, errno, "cannot hold process %d", (int)h->pid);
		/* pidfd_open(2): what is not a thread-group leader. */
		return errno == EINVAL || errno == ENOENT
			   ? err_why(e, "%d is a thread, not a process", (int)h->pid)
			   : -1;
	}
	h->proc = proc_open(s->proc, h->pid);
	if (h->proc < 0)
		return gone(e, h->pid, "it left /proc");
	h->root = openat(h->proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (h->root >= 0)
		return 0;
	if (errno == ENOENT || errno == ESRCH)
		return gone(e, h->pid, "it exited");
	err_set(
	    e, ERR_PRIVILEGE, errno, "cannot open the root directory of process %d", (int)h->pid);
	return errno == EACCES || errno == EPERM ? caps_why(e, CAP_BIT(CAP_SYS_PTRACE)) : -1;
}

/* Whose it is, it was selected and allowed by: its cgroup, or one below. */
static bool
still_in(int pd, const char *cgroup)
{
	auto_free struct proc_cgroups *now = calloc(1, sizeof(*now));
	size_t n = strlen(cgroup);

	if (n < 2)
		return true;
	if (!now || proc_read_cgroups(pd, now) < 0)
		return false;
	for (size_t i = 0; i < now->n; i++) {
		const char *path = now->v[i].path;

		if (strncmp(path, cgroup, n) == 0 && (path[n] == '\0' || path[n] == '/'))
			return true;
	}
	return false;
}

/* Until a runtime's own process executes the command it has rights that the container will not:
 * no filter yet, every capability, even the host's root.  runc waits so between create and start.
 * A container may call its processes so too, but its first one has executed something.
 */
static bool
is_runtimes(const struct proc_stat *st)
{
	return st->forked && (strncmp(st->comm, "runc:[", 6) == 0 || strcmp(st->comm, "crun") == 0);
}

static int
not_started(struct err *e, const struct proc_stat *st)
{
	char comm[128];

	str_vis(comm, sizeof(comm), st->comm);
	err_set(e, ERR_DENIED, 0, "the container of process %d has not started", (int)st->pid);
	err_why(e, "%s still sets it up, with rights that the container will not have", comm);
	return err_hint(e, "start it first: runc start, docker start, podman start");
}

/* 0; 1: it is a runtime's still; -1. */
static int
open_once(const struct tgt_sys *s, const struct tgt *t, struct tgt_hold *h, struct proc_stat *st,
    struct err *e)
{
	*h = (struct tgt_hold){
	    .pid = t->pid, .start = t->start, .pidfd = -1, .proc = -1, .root = -1};
	if (open_all(s, h, e) < 0)
		return -1;
	if (proc_read_stat(h->proc, st) < 0 || !proc_alive(st))
		return gone(e, h->pid, "it exited");
	if (st->start != t->start)
		return gone(e, h->pid, "another process has its number now");
	if (!still_in(h->proc, t->cgroup))
		return gone(
		    e, h->pid, "it is not in the container any more that it was selected in");
	if (is_runtimes(st))
		return 1;
	/* Alive after its directory was opened: then both are the same process. */
	if (pidfd_send_signal(h->pidfd, 0, NULL, 0) < 0 && errno == ESRCH)
		return gone(e, h->pid, "it exited");
	return 0;
}

int
tgt_hold_open(const struct tgt_sys *s, const struct tgt *t, struct tgt_hold *h, struct err *e)
{
	int64_t until = clock_mono() + START_WAIT;
	struct proc_stat st = {.start = 0};
	int rc;

	*h = (struct tgt_hold){.pidfd = -1, .proc = -1, .root = -1};
	if (check_numbering(s, e) < 0)
		return -1;
	/* A container that was started just now: its root may be another in a moment. */
	while ((rc = open_once(s, t, h, &st, e)) > 0 && clock_mono() < until) {
		tgt_hold_close(h);
		poll(NULL, 0, START_LOOK_MS);
	}
	if (rc == 0)
		return 0;
	if (rc > 0)
		not_started(e, &st);
	tgt_hold_close(h);
	return -1;
}

void
tgt_hold_close(struct tgt_hold *h)
{
	fd_close(&h->pidfd);
	fd_close(&h->proc);
	fd_close(&h->root);
}

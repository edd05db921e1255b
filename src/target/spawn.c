/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

#define SPAWN_WAIT (4 * NS_PER_S) /* and a second to take it back */

struct spawn {
	struct enter_plan *p;
	int stdio[3]; /* copies above 2, or -1 where the caller's is used */
	int report[2];
	int64_t deadline;
	pid_t first;   /* stage 1 */
	int first_fd;  /* its pidfd */
	pid_t command; /* 0 not known */
	bool failed;   /* why is valid */
	struct enter_report why;
};

static int
by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void
add_fd(int *list, size_t *n, int fd)
{
	if (fd >= 0)
		list[(*n)++] = fd;
}

static void
list_fds(struct enter_job *j)
{
	j->nkeep = j->ninside = 0;
	for (size_t i = 0; i < 3; i++)
		add_fd(j->inside, &j->ninside, j->stdio[i]);
	add_fd(j->inside, &j->ninside, j->report);
	add_fd(j->inside, &j->ninside, j->root);
	add_fd(j->inside, &j->ninside, j->cwd);
	for (size_t i = 0; i < j->ninside; i++)
		j->keep[j->nkeep++] = j->inside[i];
	add_fd(j->keep, &j->nkeep, j->proc);
	add_fd(j->keep, &j->nkeep, j->target);
	add_fd(j->keep, &j->nkeep, j->pidfd);
	for (size_t i = 0; i < j->ncg; i++)
		add_fd(j->keep, &j->nkeep, j->cg[i]);
	qsort(j->inside, j->ninside, sizeof(int), by_number);
	qsort(j->keep, j->nkeep, sizeof(int), by_number);
}

static int
take_stdio(struct spawn *sp, const int stdio[3], struct err *e)
{
	struct enter_job *j = &sp->p->job;

	for (size_t i = 0; i < 3; i++) {
		struct stat st;

		if (stdio[i] < 3)
			sp->stdio[i] = fcntl(stdio[i], F_DUPFD_CLOEXEC, 3);
		j->stdio[i] = stdio[i] < 3 ? sp->stdio[i] : stdio[i];
		if (j->stdio[i] < 0 || fstat(j->stdio[i], &st) < 0)
			return err_set(e, ERR_IO, errno, "cannot pass descriptor %d on", stdio[i]);
		/* So that the session's user may open /dev/stdout again. */
		if (S_ISFIFO(st.st_mode) && fchown(j->stdio[i], sp->p->uid, (gid_t)-1) < 0)
			errno = 0;
	}
	return 0;
}

/* The C library's fork would run handlers and take locks; this is the system call. */
static pid_t
clone_first(struct spawn *sp, int cgroup)
{
	struct clone_args args = {
	    .flags = CLONE_PIDFD | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
	    .pidfd = (uintptr_t)&sp->first_fd,
	    .exit_signal = SIGCHLD,
	    .cgroup = cgroup >= 0 ? (uint64_t)cgroup : 0,
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* Kernels before 5.7, and seccomp filters that know no clone3. */
static pid_t
clone_plain(struct spawn *sp)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);

	if (pid > 0)
		sp->first_fd = pidfd_open(pid, 0);
	return pid;
}

/* The v2 cgroup to join by writing, when the clone cannot be born in it. */
static void
join_by_writing(struct spawn *sp)
{
	struct cg *c = &sp->p->cg;
	struct enter_job *j = &sp->p->job;
	int dir = c->own2 >= 0 ? c->own2 : c->target2;

	c->procs2 = dir < 0 ? -1 : openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (c->procs2 < 0)
		return;
	j->cg[j->ncg++] = c->procs2;
	list_fds(j);
}

static int
start(struct spawn *sp, struct err *e)
{
	struct cg *c = &sp->p->cg;
	int cgroup = c->own2 >= 0 ? c->own2 : c->target2;
	sigset_t all, before;
	pid_t pid;

	/* Nobody may look at the child, which for a moment is a copy of us. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* Orphans go to us rather than to an init that may be the application. */
	if (!(sp->p->job.ns & CLONE_NEWPID))
		prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = clone_first(sp, cgroup);
	if (pid < 0 && cgroup >= 0 && errno != EAGAIN && errno != ENOMEM) {
		join_by_writing(sp);
		pid = clone_first(sp, -1);
	}
	if (pid < 0 && (errno == ENOSYS || errno == EPERM || errno == EINVAL))
		pid = clone_plain(sp);
	if (pid == 0)
		enter_child(&sp->p->job);
	sigprocmask(SIG_SETMASK, &before, NULL);
	fd_close(&sp->report[1]);
	if (pid < 0) {
		err_set(e, ERR_LIMIT, errno, "cannot start a process for the session");
		return err_hint(e, "look at pids.max of the container, and at ulimit -u");
	}
	sp->first = pid;
	return 0;
}

static int
wait_for(int fd, int64_t deadline)
{
	struct pollfd pf = {.fd = fd, .events = POLLIN};
	int n;

	do {
		int64_t left = deadline - clock_mono();

		n = poll(&pf, 1, left > 0 ? (int)(left / NS_PER_MS) + 1 : 0);
	} while (n < 0 && errno == EINTR);
	return n > 0 ? 0 : -1;
}

/* Until the pipe ends: the command runs, or its last word was said. */
static int
listen_to(struct spawn *sp)
{
	struct enter_report r;

	for (;;) {
		ssize_t n;

		if (wait_for(sp->report[0], sp->deadline) < 0)
			return -1;
		n = fd_read_full(sp->report[0], &r, sizeof(r));
		if (n <= 0)
			return 0;
		if (r.stage == ENTER_PID) {
			sp->command = r.extra;
		} else if (!sp->failed) {
			sp->failed = true;
			sp->why = r;
		}
	}
}

static void
reap(pid_t pid, int pidfd, int64_t deadline)
{
	siginfo_t si;

	if (pid <= 0 || wait_for(pidfd, deadline) < 0)
		return;
	while (waitid(P_PID, (id_t)pid, &si, WEXITED) < 0 && errno == EINTR)
		;
}

/* Both stages, whatever they are doing. */
static void
abandon(struct spawn *sp)
{
	int64_t deadline = clock_mono() + NS_PER_S;

	if (sp->first > 0 && sp->first_fd >= 0) {
		pidfd_send_signal(sp->first_fd, SIGKILL, NULL, 0);
		cg_thaw_out(&sp->p->cg, sp->first);
		reap(sp->first, sp->first_fd, deadline);
		/* It can have cloned in the meantime. */
		if (!sp->command)
			listen_to(sp);
	}
	if (sp->command > 0 && sp->command != sp->first) {
		auto_close int fd = pidfd_open(sp->command, 0);

		if (fd >= 0)
			pidfd_send_signal(fd, SIGKILL, NULL, 0);
		cg_thaw_out(&sp->p->cg, sp->command);
		reap(sp->command, fd, deadline);
	}
}

static int
outcome(struct spawn *sp, struct err *e)
{
	bool inside = sp->p->job.ns & CLONE_NEWPID;

	if (listen_to(sp) < 0) {
		err_set(e, ERR_LIMIT, 0, "the command did not start within 4 s");
		err_why(e, "something stopped it during entry: the container may have been paused");
		return err_hint(e, "coral ps shows whether it is paused; then try again");
	}
	if (sp->failed)
		return plan_failure(sp->p, &sp->why, e);
	if (!inside)
		sp->command = sp->first;
	if (sp->command)
		return 0;
	err_set(e, ERR_TARGET_GONE, 0, "the entry was killed");
	err_why(e, "the container ended, or ran out of memory, while it was entered");
	return -1;
}

static int
describe(struct spawn *sp, struct enter_child *out, struct err *e)
{
	auto_close int pd = -1;
	struct proc_stat st;
	long long audit;

	out->pid = out->tree.leader = sp->command;
	out->tree.reaps = !(sp->p->job.ns & CLONE_NEWPID);
	out->pidfd =
	    sp->command == sp->first ? steal_fd(&sp->first_fd) : pidfd_open(sp->command, 0);
	if (out->pidfd < 0)
		return err_set(e, ERR_LIMIT, errno, "cannot hold the command");
	/* Ours and not waited for: its entry stays until we do, even if it ended already. */
	pd = proc_open(sp->p->sys.proc, sp->command);
	if (pd >= 0 && proc_read_stat(pd, &st) == 0)
		out->tree.leader_start = st.start;
	if (pd >= 0 && ctx_read_number(pd, "sessionid", 10, &audit) && audit >= 0 &&
	    audit < UINT32_MAX && (uint32_t)audit != sp->p->ctx.own_audit)
		out->tree.audit = (uint32_t)audit;
	return 0;
}

static int
prepare(struct spawn *sp, const int stdio[3], struct enter_tree *t, struct err *e)
{
	str_copy(t->session_id, sp->p->session_id, sizeof(t->session_id));
	t->audit = UINT32_MAX;
	if (take_stdio(sp, stdio, e) < 0)
		return -1;
	if (pipe2(sp->report, O_CLOEXEC) < 0)
		return err_set(e, ERR_LIMIT, errno, "cannot make a pipe");
	if (sp->report[1] < 3) {
		int high = fcntl(sp->report[1], F_DUPFD_CLOEXEC, 3);

		fd_close(&sp->report[1]);
		sp->report[1] = high;
		if (high < 0)
			return err_set(e, ERR_LIMIT, errno, "cannot make a pipe");
	}
	return 0;
}

/* Noted before it is made: a caller that is killed in between leaves nothing unknown. */
static int
make_cgroup(struct spawn *sp, struct enter_tree *t,
    int (*on_tree)(void *arg, const struct enter_tree *t, struct err *e), void *arg, struct err *e)
{
	struct enter_plan *p = sp->p;
	struct cg *c = &p->cg;
	struct enter_tree announced = *t;

	cg_announce(c, &announced);
	if (on_tree && on_tree(arg, &announced, e) < 0)
		return -1;
	if (cg_create(c, t, e) < 0)
		return -1;
	t->roams = !p->target_root || (p->job.caps[PROC_CAP_BND] & CAP_BIT(CAP_SYS_ADMIN)) ||
		   cg_writable_from(p->hold.proc);
	str_copy(t->oom_file, c->oom_file, sizeof(t->oom_file));
	t->oom_base = cg_oom_count(t->oom_file);
	p->job.report = sp->report[1];
	p->job.ncg = 0;
	for (size_t i = 0; i < c->nv1; i++)
		p->job.cg[p->job.ncg++] = c->v1[i].procs;
	list_fds(&p->job);
	return 0;
}

int
enter_spawn(struct enter_plan *p, const int stdio[3],
    int (*on_tree)(void *arg, const struct enter_tree *t, struct err *e), void *arg,
    struct enter_child *out, struct err *e)
{
	struct spawn sp = {.p = p, .stdio = {-1, -1, -1}, .report = {-1, -1}, .first_fd = -1};
	int rc;

	memset(out, 0, sizeof(*out));
	out->pidfd = -1;
	sp.deadline = clock_mono() + SPAWN_WAIT;
	rc = prepare(&sp, stdio, &out->tree, e);
	if (rc == 0)
		rc = make_cgroup(&sp, &out->tree, on_tree, arg, e);
	if (rc == 0)
		rc = start(&sp, e);
	if (rc == 0)
		rc = outcome(&sp, e);
	if (rc == 0 && sp.command != sp.first)
		reap(sp.first, sp.first_fd, sp.deadline);
	if (rc == 0)
		rc = describe(&sp, out, e);
	if (rc < 0) {
		abandon(&sp);
		fd_close(&out->pidfd);
		enter_tree_end(&p->sys, &out->tree, NULL, NULL);
	}
	for (size_t i = 0; i < 3; i++)
		fd_close(&sp.stdio[i]);
	fd_close(&sp.report[0]);
	fd_close(&sp.report[1]);
	fd_close(&sp.first_fd);
	return rc;
}

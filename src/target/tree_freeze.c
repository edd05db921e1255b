/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A session that stands still, and goes on as if nothing had been. */
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>

#include "base/fd.h"
#include "target/cgroup.h"
#include "target/proc.h"
#include "target/tree.h"

/* What forks while it is being stopped is found by the next look. */
#define LOOKS_MAX 16

static const char *
v1_freezer(const struct enter_tree *t)
{
	for (size_t i = 0; i < COUNT_OF(t->v1); i++)
		if (t->v1[i][0] && cg_has_file(t->v1[i], "freezer.state"))
			return t->v1[i];
	return NULL;
}

/* The directory that froze, or NULL. */
static const char *
freeze_cgroup(const struct enter_tree *t)
{
	const char *v1 = v1_freezer(t);

	if (t->v2[0] && cg_write(t->v2, "cgroup.freeze", "1") == 0)
		return t->v2;
	return v1 && cg_write(v1, "freezer.state", "FROZEN") == 0 ? v1 : NULL;
}

static int
by_pid(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

static bool
is_stopped(const struct enter_stop *st, pid_t pid, uint64_t start)
{
	for (size_t i = 0; i < st->n; i++)
		if (st->v[i].pid == pid && st->v[i].start == start)
			return true;
	return false;
}

static int
note(struct enter_stop *st, const struct proc_stat *ps)
{
	void *grown = reallocarray(st->v, st->n + 1, sizeof *st->v);

	if (!grown)
		return -1;
	st->v = grown;
	st->v[st->n].pid = ps->pid;
	st->v[st->n++].start = ps->start;
	return 0;
}

/* Whoever stands still already, as a job that was stopped with ^Z, must do so afterwards. */
static bool
stop_one(const struct tgt_sys *s, const struct enter_tree *t, struct enter_stop *st, pid_t pid)
{
	auto_close int fd = tree_hold(s, t, pid, NULL);
	auto_close int pd = fd >= 0 ? proc_open(s->proc, pid) : -1;
	struct proc_stat ps;

	if (pd < 0 || proc_read_stat(pd, &ps) < 0 || ps.state == 'T' ||
	    is_stopped(st, ps.pid, ps.start) || st->n >= TREE_PIDS_MAX)
		return false;
	return pidfd_send_signal(fd, SIGSTOP, NULL, 0) == 0 && note(st, &ps) == 0;
}

struct aged {
	pid_t pid;
	uint64_t start;
};

static int
by_age(const void *a, const void *b)
{
	const struct aged *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

static uint64_t
start_of(const struct tgt_sys *s, pid_t pid)
{
	auto_close int pd = proc_open(s->proc, pid);
	struct proc_stat ps;

	return pd >= 0 && proc_read_stat(pd, &ps) == 0 ? ps.start : UINT64_MAX;
}

/* Older first: a shell that runs would see its job stop, and say so. */
static void
sort_by_age(const struct tgt_sys *s, pid_t *pids, size_t n)
{
	auto_free struct aged *v = calloc(n, sizeof *v);

	for (size_t i = 0; v && i < n; i++)
		v[i] = (struct aged){pids[i], start_of(s, pids[i])};
	if (v)
		qsort(v, n, sizeof *v, by_age);
	for (size_t i = 0; v && i < n; i++)
		pids[i] = v[i].pid;
}

static void
stop_by_signal(
    const struct tgt_sys *s, const struct enter_tree *t, const char *frozen, struct enter_stop *st)
{
	auto_free pid_t *pids = calloc(TREE_PIDS_MAX, sizeof *pids);
	auto_free pid_t *in = calloc(TREE_PIDS_MAX, sizeof *in);
	size_t nin = in && frozen ? cg_pids(frozen, in, TREE_PIDS_MAX) : 0;
	bool more = pids && in;

	if (more)
		qsort(in, nin, sizeof *in, by_pid);
	for (int look = 0; more && look < LOOKS_MAX; look++) {
		size_t n = tree_pids(s, t, pids);

		more = false;
		sort_by_age(s, pids, n);
		for (size_t i = 0; i < n; i++)
			if (!bsearch(&pids[i], in, nin, sizeof *in, by_pid))
				more |= stop_one(s, t, st, pids[i]);
	}
}

void
enter_tree_freeze(const struct tgt_sys *s, const struct enter_tree *t, struct enter_stop *st)
{
	const char *frozen = freeze_cgroup(t);

	*st = (struct enter_stop){0};
	/* In a frozen cgroup nobody can leave it; before that they could. */
	if (!frozen || t->roams)
		stop_by_signal(s, t, frozen, st);
}

static void
go_on(const struct tgt_sys *s, const struct enter_tree *t, pid_t pid, uint64_t start)
{
	auto_close int fd = tree_hold(s, t, pid, NULL);

	if (fd >= 0 && start_of(s, pid) == start)
		pidfd_send_signal(fd, SIGCONT, NULL, 0);
}

void
enter_tree_thaw(const struct tgt_sys *s, const struct enter_tree *t, struct enter_stop *st)
{
	const char *v1 = v1_freezer(t);

	if (t->v2[0])
		cg_write(t->v2, "cgroup.freeze", "0");
	if (v1)
		cg_write(v1, "freezer.state", "THAWED");
	/* Whoever waits for others comes after them, and sees them run. */
	for (size_t i = st->n; i-- > 0;)
		go_on(s, t, st->v[i].pid, st->v[i].start);
	free(st->v);
	*st = (struct enter_stop){0};
}

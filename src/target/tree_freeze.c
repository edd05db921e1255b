/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A session that stands still, and goes on as if nothing had been. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "target/cgroup.h"
#include "target/proc.h"
#include "target/tree.h"

/* What forks while it is being stopped is found by the next look. */
#define LOOKS_MAX 16
#define STILL_WITHIN NS_PER_S

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

/* Who waits for a disk stops before it runs again. */
static bool
stands(int pd)
{
	struct proc_stat ps;

	return proc_read_stat(pd, &ps) < 0 || strchr("TtDZX", ps.state);
}

/* A signal takes a moment to stop its process. */
static void
wait_still(int pd, int64_t deadline)
{
	while (!stands(pd) && clock_mono() < deadline)
		poll(NULL, 0, 1);
}

/* Whoever stands still already, as a job that was stopped with ^Z, must do so afterwards. */
static bool
stop_one(const struct tgt_sys *s, const struct enter_tree *t, struct enter_stop *st, pid_t pid,
    int64_t deadline)
{
	auto_close int fd = tree_hold(s, t, pid, NULL);
	auto_close int pd = fd >= 0 ? proc_open(s->proc, pid) : -1;
	struct proc_stat ps;

	if (pd < 0 || proc_read_stat(pd, &ps) < 0 || ps.state == 'T' ||
	    is_stopped(st, ps.pid, ps.start) || st->n >= TREE_PIDS_MAX)
		return false;
	if (note(st, &ps) < 0 || pidfd_send_signal(fd, SIGSTOP, NULL, 0) < 0)
		return false;
	/* Else it may see others stop before it does: on a busy machine it takes its time. */
	wait_still(pd, deadline);
	return true;
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

/* Who is where they were when the cgroup froze, by number. */
struct still {
	pid_t *in, *pids;
	size_t nin;
};

static bool
is_in(const struct still *f, pid_t pid)
{
	return f->nin > 0 && bsearch(&pid, f->in, f->nin, sizeof *f->in, by_pid);
}

static void
stop_by_signal(const struct tgt_sys *s, const struct enter_tree *t, struct still *f,
    struct enter_stop *st, int64_t deadline)
{
	bool more = true;

	for (int look = 0; more && look < LOOKS_MAX; look++) {
		size_t n = tree_pids(s, t, f->pids);

		more = false;
		sort_by_age(s, f->pids, n);
		for (size_t i = 0; i < n; i++)
			if (!is_in(f, f->pids[i]))
				more |= stop_one(s, t, st, f->pids[i], deadline);
	}
}

static bool
is_still(const struct tgt_sys *s, const struct enter_tree *t, pid_t pid, char *comm)
{
	auto_close int fd = tree_hold(s, t, pid, comm);
	auto_close int pd = fd >= 0 ? proc_open(s->proc, pid) : -1;

	return pd < 0 || stands(pd);
}

/* The first that does not stand still, or 0. */
static pid_t
runs(const struct tgt_sys *s, const struct enter_tree *t, struct still *f, char *comm)
{
	size_t n = tree_pids(s, t, f->pids);

	for (size_t i = 0; i < n; i++)
		if (!is_in(f, f->pids[i]) && !is_still(s, t, f->pids[i], comm))
			return f->pids[i];
	return 0;
}

static bool
says(const char *dir, const char *file, const char *word)
{
	char path[CG_PATH_MAX + 32], text[256];
	ssize_t n;

	snprintf(path, sizeof path, "%s/%s", dir, file);
	n = proc_read(AT_FDCWD, path, text, sizeof text - 1);
	text[n < 0 ? 0 : n] = '\0';
	return strstr(text, word) != NULL;
}

/* cgroups(7): only then they stand; it takes a moment. */
static bool
is_frozen(const char *dir)
{
	return says(dir, "cgroup.events", "frozen 1") || says(dir, "freezer.state", "FROZEN");
}

/* Those that somebody with rights over cgroups moved out of ours belong to it still. */
static void
everywhere(const struct enter_tree *t, struct enter_tree *all)
{
	*all = *t;
	all->roams = t->roams || t->leader;
}

static int
freeze(const struct tgt_sys *s, const struct enter_tree *t, const char *dir, struct still *f,
    struct enter_stop *st, struct err *e)
{
	int64_t deadline = clock_mono() + STILL_WITHIN;
	char comm[64] = "";
	pid_t pid = 0;

	for (;;) {
		bool cold = !dir || is_frozen(dir);

		f->nin = cold && dir ? cg_pids(dir, f->in, TREE_PIDS_MAX) : 0;
		qsort(f->in, f->nin, sizeof *f->in, by_pid);
		if (cold)
			stop_by_signal(s, t, f, st, deadline);
		pid = cold ? runs(s, t, f, comm) : 0;
		if (cold && !pid)
			return 0;
		if (clock_mono() > deadline)
			break;
		poll(NULL, 0, 1);
	}
	err_set(e, ERR_IO, 0, "session %s does not stand still", t->session_id);
	if (pid)
		err_why(e, "its process %d (%s) still runs, a second after it was stopped",
		    (int)pid, comm);
	else
		err_why(e, "%s did not freeze within a second: a process in it cannot stop", dir);
	return err_hint(e, "try again, or end it: coral kill %s", t->session_id);
}

int
enter_tree_freeze(
    const struct tgt_sys *s, const struct enter_tree *t, struct enter_stop *st, struct err *e)
{
	auto_free pid_t *pids = calloc(TREE_PIDS_MAX, sizeof *pids);
	auto_free pid_t *in = calloc(TREE_PIDS_MAX, sizeof *in);
	struct still f = {.in = in, .pids = pids};
	struct enter_tree all;

	*st = (struct enter_stop){0};
	if (!pids || !in)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot freeze session %s", t->session_id);
	everywhere(t, &all);
	if (freeze(s, &all, freeze_cgroup(t), &f, st, e) == 0)
		return 0;
	enter_tree_thaw(s, t, st);
	return -1;
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
	struct enter_tree all;

	everywhere(t, &all);
	if (t->v2[0])
		cg_write(t->v2, "cgroup.freeze", "0");
	if (v1)
		cg_write(v1, "freezer.state", "THAWED");
	/* Whoever waits for others comes after them, and sees them run. */
	for (size_t i = st->n; i-- > 0;)
		go_on(s, &all, st->v[i].pid, st->v[i].start);
	free(st->v);
	*st = (struct enter_stop){0};
}

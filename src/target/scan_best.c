/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which process of a container stands for it. */
#include "target/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/attr.h"
#include "base/fd.h"
#include "base/str.h"

static void
fill_in(int pd, const struct proc_stat *st, uid_t uid, struct tgt *t)
{
	t->pid = st->pid;
	t->start = st->start;
	t->uid = uid;
	str_vis(t->comm, sizeof(t->comm), st->comm);
	t->ns_pid = proc_ns(pd, "pid");
	t->ns_mnt = proc_ns(pd, "mnt");
	if (!*t->provenance)
		str_copy(t->provenance, "discovered", sizeof(t->provenance));
}

int
scan_process(int pd, const struct proc_stat *st, struct tgt *t)
{
	struct proc_status status;

	if (proc_read_status(pd, &status) < 0)
		return -1;
	fill_in(pd, st, status.uid[1], t);
	proc_status_fini(&status);
	return 0;
}

struct choice {
	const struct scan_member *m;
	int pd;
	struct proc_stat st;
	uid_t uid;
	size_t depth; /* of its pid namespace, counted from the one that /proc shows */
	bool first;   /* it is pid 1 there */
};

/* Better: in the outermost pid namespace of the container; there, pid 1; else whoever came
 * first (they come ascending).  True when nothing can be better. */
static bool
weigh(const struct scan *sc, const struct scan_member *m, struct choice *c)
{
	auto_close int pd = proc_open(sc->sys->proc, m->pid);
	struct choice it = {.m = m};
	struct proc_status status;

	if (pd < 0 || proc_read_stat(pd, &it.st) < 0 || !proc_alive(&it.st) ||
	    proc_read_status(pd, &status) < 0)
		return false;
	it.uid = status.uid[1];
	it.depth = status.nnspid;
	it.first = it.depth > 0 && status.nspid[it.depth - 1] == 1;
	proc_status_fini(&status);
	if (!c->m || it.depth < c->depth || (it.depth == c->depth && it.first && !c->first)) {
		fd_close(&c->pd);
		it.pd = steal_fd(&pd);
		*c = it;
	}
	return c->first && c->depth <= 2;
}

uint64_t
scan_ino(const struct scan *sc, const struct scan_member *m)
{
	char name[16];
	struct stat st;

	if (m->ino)
		return m->ino;
	snprintf(name, sizeof(name), "%d", (int)m->pid);
	return fstatat(sc->sys->proc, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : st.st_ino;
}

static void
learn(struct scan *sc, struct scan_group *g, const struct choice *c, const struct proc_named *named)
{
	struct tgt t = {.processes = g->t.processes};
	struct stat st;
	bool session;

	g->fresh = true;
	/* Named afresh: nothing of an earlier process lingers, and it is still in there. */
	if (!scan_identify(sc, c->pd, &t, &session) || strcmp(t.cgroup, g->t.cgroup) != 0)
		return;
	fill_in(c->pd, &c->st, c->uid, &t);
	rt_learn(&sc->rt, c->pd, &c->st, named, &t, &g->infra);
	g->t = t;
	g->best_ino = fstat(c->pd, &st) < 0 ? 0 : st.st_ino;
	g->first = c->first && c->depth >= 2;
	g->fresh = scan_is_young(sc, c->st.start);
	g->learnt = true;
	sc->news = true;
}

/* Groups to be learnt together: their processes' environs are read in one go. */
#define BATCH 64

struct batch {
	size_t n;
	struct scan_group *g[BATCH];
	struct choice c[BATCH];
	int pd[BATCH];
	struct proc_named named[BATCH];
};

static void
learn_batch(struct scan *sc, struct batch *b)
{
	if (b->n > 0)
		proc_read_named(b->pd, b->named, b->n);
	for (size_t i = 0; i < b->n; i++) {
		learn(sc, b->g[i], &b->c[i], &b->named[i]);
		fd_close(&b->c[i].pd);
	}
	b->n = 0;
}

/* `order` holds the group's members, ascending by pid. */
static bool
still_known(const struct scan *sc, const struct scan_group *g, const uint32_t *order, size_t n)
{
	for (size_t i = 0; i < n && g->learnt; i++) {
		const struct scan_member *m = &sc->m[order[i]];

		if (m->pid == g->t.pid && !g->fresh && g->best_ino > 1 &&
		    scan_ino(sc, m) == g->best_ino)
			return true;
	}
	return false;
}

static void
settle_group(
    struct scan *sc, struct scan_group *g, const uint32_t *order, size_t n, struct batch *b)
{
	struct choice c = {.pd = -1};

	g->t.processes = (uint32_t)n;
	if (still_known(sc, g, order, n))
		return;
	g->learnt = false;
	for (size_t i = 0; i < n; i++) {
		const struct scan_member *m = &sc->m[order[i]];

		if (!m->session && weigh(sc, m, &c))
			break;
	}
	if (!c.m)
		return;
	b->g[b->n] = g;
	b->pd[b->n] = c.pd;
	b->c[b->n++] = c;
	if (b->n == BATCH)
		learn_batch(sc, b);
}

static int
by_namespaces(const void *a, const void *b)
{
	const struct tgt *x = &(*(struct scan_group *const *)a)->t;
	const struct tgt *y = &(*(struct scan_group *const *)b)->t;

	if (x->ns_pid != y->ns_pid)
		return x->ns_pid < y->ns_pid ? -1 : 1;
	if (x->ns_mnt != y->ns_mnt)
		return x->ns_mnt < y->ns_mnt ? -1 : 1;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

/* A container that no runtime named may have cgroups of its own inside: same namespaces, same
 * container; its first process stands for all. */
static int
merge_plain(struct scan *sc)
{
	auto_free struct scan_group **v = calloc(sc->ng, sizeof(*v));
	struct scan_group *keep = NULL;
	size_t n = 0;

	if (!v)
		return -1;
	for (size_t i = 0; i < sc->ng; i++) {
		sc->g[i].merged = false;
		if (sc->g[i].learnt && strcmp(sc->g[i].t.runtime, "runc") == 0)
			v[n++] = &sc->g[i];
	}
	qsort(v, n, sizeof(struct scan_group *), by_namespaces);
	for (size_t i = 0; i < n; i++) {
		if (keep && keep->t.ns_pid && keep->t.ns_pid == v[i]->t.ns_pid &&
		    keep->t.ns_mnt == v[i]->t.ns_mnt) {
			keep->t.processes += v[i]->t.processes;
			v[i]->merged = true;
		} else {
			keep = v[i];
		}
	}
	return 0;
}

static bool
is_there(const struct scan *sc, const char *id)
{
	for (size_t i = 0; i < sc->ng; i++)
		if (strcmp(sc->g[i].t.id, id) == 0)
			return true;
	return false;
}

int
scan_settle(struct scan *sc, const char *only, struct err *e)
{
	auto_free uint32_t *order = NULL, *from = NULL;
	auto_free struct batch *b = NULL;
	size_t sum = 0;

	if (sc->ng == 0)
		return 0;
	from = calloc(sc->ng + 1, sizeof(*from));
	order = calloc(sc->nm + 1, sizeof(*order));
	b = malloc(sizeof(*b));
	if (!from || !order || !b)
		return err_set(e, ERR_LIMIT, ENOMEM, "cannot sort the processes");
	for (size_t i = 0; i < sc->nm; i++)
		if (sc->m[i].group != SCAN_HOST)
			from[sc->m[i].group]++;
	for (size_t g = 0; g <= sc->ng; g++) {
		uint32_t n = from[g];

		from[g] = (uint32_t)sum;
		sum += n;
	}
	for (size_t i = 0; i < sc->nm; i++)
		if (sc->m[i].group != SCAN_HOST)
			order[from[sc->m[i].group]++] = (uint32_t)i;
	b->n = 0;
	sc->partly = only && is_there(sc, only);
	for (size_t g = 0, at = 0; g < sc->ng; g++) {
		if (!sc->partly || strcmp(sc->g[g].t.id, only) == 0)
			settle_group(sc, &sc->g[g], order + at, from[g] - at, b);
		at = from[g];
	}
	learn_batch(sc, b);
	if (merge_plain(sc) < 0)
		return err_set(e, ERR_LIMIT, ENOMEM, "cannot sort the containers");
	return 0;
}

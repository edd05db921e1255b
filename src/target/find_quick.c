/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One target by what was remembered, without looking at every process or cgroup: what began
 * since is known by its pid, and who ended takes its container's name along.
 */
#include "target/find.h"

#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/str.h"
#include "target/scan.h"

/* Pids to look at one by one: more of them, and the cgroup trees are faster. */
#define RANGE_MAX 4096

struct quick {
	struct scan sc;
	struct cache_view view;
	struct scan_mark now;
	struct scan_group g;
	struct tgt whole, prefix;
	size_t nwhole, nprefix;
};

/* Its name is that of its first process, which still stands for it. */
static bool
stands(const struct scan *sc, const struct scan_group *g)
{
	struct scan_member m = {.pid = g->t.pid};

	return g->best_ino > 1 && scan_ino(sc, &m) == g->best_ino;
}

/* At most one group matches by name, and when none does at most one by a shortened id. */
static bool
match(struct quick *k, const struct tgt_query *q)
{
	struct rd r = k->view.groups;

	for (uint32_t i = 0; i < k->view.ngroups; i++) {
		if (!cache_next(&r, &k->g) || !*k->g.t.cgroup)
			return false;
		if (!k->g.learnt)
			continue;
		/* The next of its processes may be called otherwise. */
		if (!k->g.first && !stands(&k->sc, &k->g))
			return false;
		if (!scan_listed(&k->g) || !tgt_matches(&k->g.t, q, true))
			continue;
		if (k->nprefix++ == 0)
			k->prefix = k->g.t;
		if (!tgt_matches(&k->g.t, q, false))
			continue;
		if (k->nwhole++ == 0)
			k->whole = k->g.t;
	}
	return k->nwhole == 1 || (k->nwhole == 0 && k->nprefix == 1);
}

/* A container that is remembered, and whose first process is still the same. */
static bool
known(struct quick *k, const struct tgt *t)
{
	struct rd r = k->view.groups;

	while (cache_next(&r, &k->g) && *k->g.t.cgroup)
		if (strcmp(k->g.t.cgroup, t->cgroup) == 0)
			return k->g.learnt && stands(&k->sc, &k->g);
	return false;
}

/* Nobody who came since is in a container that is not remembered. */
static bool
nobody_new(struct quick *k)
{
	for (uint64_t pid = k->view.base.last + 1; pid <= k->now.last; pid++) {
		auto_close int pd = proc_open(k->sc.sys->proc, (pid_t)pid);
		bool session = false;
		struct tgt t;

		if (pd < 0)
			continue;
		memset(&t, 0, sizeof(t));
		if (scan_identify(&k->sc, pd, &t, &session) && !session && !known(k, &t))
			return false;
	}
	return true;
}

bool
find_quick(const struct tgt_sys *s, const struct tgt_query *q, struct tgt *out)
{
	struct quick *k = *s->cache ? calloc(1, sizeof(*k)) : NULL;
	struct err ignored;
	bool found = false;

	if (!k)
		return false;
	if (scan_begin(s, &k->sc, &ignored) == 0 && scan_mark_now(&k->sc, &k->now) &&
	    cache_open(&k->sc, &k->view) && !k->view.fresh &&
	    scan_mark_range(&k->view.base, &k->now, RANGE_MAX))
		found = match(k, q) && nobody_new(k);
	if (found)
		found = find_still_so(s, q, k->nwhole ? &k->whole : &k->prefix, out);
	cache_close(&k->view);
	scan_fini(&k->sc);
	free(k);
	return found;
}

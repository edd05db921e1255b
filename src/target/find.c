/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/str.h"
#include "target/find.h"
#include "target/scan.h"

/* New processes that are cheaper to look at twice than to write the file for. */
#define NEW_FEW 32
#define ID_PREFIX_MIN 4

static void
found_fini(struct found *f)
{
	tgt_list_fini(&f->all);
	tgt_list_fini(&f->hits);
	tgt_list_fini(&f->infra);
}

static int
by_name(const void *a, const void *b)
{
	const struct tgt *x = a, *y = b;
	int c = strcmp(x->service, y->service);

	if (c == 0)
		c = strcmp(x->container, y->container);
	return c ? c : x->pid < y->pid ? -1 : x->pid > y->pid;
}

static int
add(struct tgt_list *l, const struct tgt *t, struct err *e)
{
	if ((l->n & (l->n - 1)) == 0) {
		struct tgt *grown = realloc(l->v, (l->n ? l->n * 2 : 1) * sizeof(*grown));

		if (!grown)
			return err_set(e, ERR_LIMIT, ENOMEM, "cannot list the containers");
		l->v = grown;
	}
	l->v[l->n++] = *t;
	return 0;
}

static void
sort(struct tgt_list *l)
{
	if (l->n > 0)
		qsort(l->v, l->n, sizeof(*l->v), by_name);
}

static int
collect(const struct scan *sc, struct found *f, struct err *e)
{
	for (size_t i = 0; i < sc->ng; i++) {
		const struct scan_group *g = &sc->g[i];

		if (scan_listed(g) && add(&f->all, &g->t, e) < 0)
			return -1;
		if (g->learnt && g->infra && add(&f->infra, &g->t, e) < 0)
			return -1;
	}
	sort(&f->all);
	return 0;
}

static bool
given(const char *s)
{
	return s && *s;
}

bool
tgt_asks(const struct tgt_query *q)
{
	return given(q->word) || given(q->service) || given(q->pod) || given(q->ns) ||
	       given(q->container);
}

static bool
is_whole_id(const char *id)
{
	return strlen(id) == 64 && strspn(id, "0123456789abcdef") == 64;
}

/* A prefix only of a hexadecimal id: any other id is a name, and names match whole. */
static bool
is_id(const char *id, const char *word, bool prefix)
{
	size_t n = strlen(word);

	if (strcmp(id, word) == 0)
		return true;
	return prefix && n >= ID_PREFIX_MIN && is_whole_id(id) && strncmp(id, word, n) == 0;
}

/* A member of podman's pod P also answers to P-NAME, as podman itself calls it. */
static bool
is_container(const struct tgt *t, const char *name)
{
	size_t pod = strlen(t->pod);

	if (strcmp(t->container, name) == 0)
		return true;
	return pod > 0 && *t->container && strcmp(t->runtime, "podman") == 0 &&
	       strncmp(name, t->pod, pod) == 0 && name[pod] == '-' &&
	       strcmp(name + pod + 1, t->container) == 0;
}

bool
tgt_matches(const struct tgt *t, const struct tgt_query *q, bool prefix)
{
	if (given(q->service) && strcmp(t->service, q->service) != 0)
		return false;
	if (given(q->pod) && strcmp(t->pod, q->pod) != 0)
		return false;
	if (given(q->ns) && strcmp(t->ns, q->ns) != 0)
		return false;
	if (given(q->container) && !is_container(t, q->container) &&
	    !is_id(t->id, q->container, prefix))
		return false;
	return !given(q->word) || strcmp(t->service, q->word) == 0 || is_container(t, q->word) ||
	       strcmp(t->pod, q->word) == 0 || is_id(t->id, q->word, prefix);
}

/* Several of one pod, which names the one that is meant; whoever names a container means that. */
static void
prefer(const struct tgt_query *q, struct tgt_list *hits)
{
	const struct tgt *one = NULL;

	if (hits->n < 2 || given(q->container) || !tgt_asks(q))
		return;
	for (size_t i = 0; i < hits->n; i++) {
		const struct tgt *t = &hits->v[i];

		if (!*t->pod || strcmp(t->pod, hits->v[0].pod) != 0 ||
		    strcmp(t->ns, hits->v[0].ns) != 0 || (t->preferred && one))
			return;
		if (t->preferred)
			one = t;
	}
	if (!one)
		return;
	hits->v[0] = *one;
	hits->n = 1;
	str_copy(hits->v[0].provenance, "annotation", sizeof(hits->v[0].provenance));
}

/* Those that match by name; only when there is none, those whose id begins so. */
static int
select_from(
    const struct tgt_list *all, const struct tgt_query *q, struct tgt_list *out, struct err *e)
{
	for (int prefix = 0; prefix < 2 && out->n == 0; prefix++)
		for (size_t i = 0; i < all->n; i++)
			if (tgt_matches(&all->v[i], q, prefix) && add(out, &all->v[i], e) < 0)
				return -1;
	prefer(q, out);
	return 0;
}

/* Whether they are paused is asked when they are looked at, and not kept. */
static void
see_frozen(struct scan *sc, struct tgt_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		auto_close int pd = proc_open(sc->sys->proc, l->v[i].pid);

		l->v[i].frozen = pd >= 0 && proc_read_cgroups(pd, &sc->now) == 0 &&
				 tgt_is_frozen(&sc->rt, &sc->now);
	}
}

static bool
worth_saving(const struct scan *sc)
{
	return !sc->cached || sc->news || sc->moved || sc->inspected > NEW_FEW;
}

/* A whole id names one container and no other, whatever others say that they are called. */
static const char *
whole_id(const struct tgt_query *q)
{
	if (given(q->container) && is_whole_id(q->container))
		return q->container;
	return given(q->word) && is_whole_id(q->word) ? q->word : NULL;
}

/* The only one with that id, and all else that is asked. */
static bool
only_one(struct scan *sc, const struct tgt_query *q, struct found *f)
{
	const struct scan_group *one = NULL;
	struct err ignored;

	for (size_t i = 0; i < sc->ng; i++) {
		const struct scan_group *g = &sc->g[i];

		if (strcmp(g->t.id, whole_id(q)) != 0)
			continue;
		if (one || !scan_listed(g))
			return false;
		one = g;
	}
	return one && tgt_matches(&one->t, q, false) && add(&f->hits, &one->t, &ignored) == 0;
}

/* All of them, and with `q` those that match into `hits`. */
static int
take_all(struct scan *sc, const struct tgt_query *q, struct found *f, struct err *e)
{
	if ((sc->partly && scan_settle(sc, NULL, e) < 0) || collect(sc, f, e) < 0)
		return -1;
	if (worth_saving(sc))
		cache_save(sc);
	if (f->all.n == 0 && scan_check_sight(sc->sys, e) < 0)
		return -1;
	if (q && select_from(&f->all, q, &f->hits, e) < 0)
		return -1;
	if (q && f->hits.n == 0)
		f->has_own = scan_own_container(sc, &f->own);
	return 0;
}

static int
scan_list(const struct tgt_sys *s, const struct tgt_query *q, bool use_cache, struct found *f,
    struct err *e)
{
	struct scan *sc = malloc(sizeof(*sc));
	int rc = -1;

	memset(f, 0, sizeof(*f));
	if (!sc)
		return err_set(e, ERR_LIMIT, ENOMEM, "cannot list the containers");
	if (scan_run(s, use_cache, q ? whole_id(q) : NULL, sc, e) == 0) {
		rc = sc->partly && only_one(sc, q, f) ? 0 : take_all(sc, q, f, e);
		see_frozen(sc, q ? &f->hits : &f->all);
	}
	f->cached = sc->cached;
	scan_fini(sc);
	free(sc);
	if (rc < 0)
		found_fini(f);
	return rc;
}

int
tgt_remember(const struct tgt_sys *s, struct err *e)
{
	struct found f;

	if (scan_list(s, NULL, true, &f, e) < 0)
		return -1;
	found_fini(&f);
	return 0;
}

int
tgt_list_all(const struct tgt_sys *s, struct tgt_list *out, struct err *e)
{
	struct found f;
	int rc = scan_list(s, NULL, false, &f, e);

	*out = f.all;
	tgt_list_fini(&f.infra);
	return rc;
}

bool
find_still_so(
    const struct tgt_sys *s, const struct tgt_query *q, const struct tgt *was, struct tgt *out)
{
	struct err ignored;

	if (tgt_describe(s, was->pid, out, &ignored) < 0 || out->start != was->start ||
	    strcmp(out->cgroup, was->cgroup) != 0 || strcmp(out->id, was->id) != 0)
		return false;
	out->processes = was->processes;
	str_copy(out->provenance, was->provenance, sizeof(out->provenance));
	return tgt_matches(out, q, false) || tgt_matches(out, q, true);
}

/* The answer to what was found. */
static int
answer(const struct tgt_query *q, struct found *f, struct tgt *out, struct tgt_list *candidates,
    struct err *e)
{
	int rc;

	if (f->hits.n == 1) {
		*out = f->hits.v[0];
		return 0;
	}
	if (f->hits.n == 0)
		return tgt_err_none(q, f, e);
	rc = tgt_err_several(q, f, e);
	if (candidates)
		*candidates = steal_list(&f->hits);
	return rc;
}

int
tgt_find(const struct tgt_sys *s, const struct tgt_query *q, struct tgt *out,
    struct tgt_list *candidates, struct err *e)
{
	struct found f;
	int rc;

	if (candidates)
		*candidates = (struct tgt_list){NULL, 0};
	if (q->pid)
		return tgt_describe(s, q->pid, out, e);
	if (find_quick(s, q, out))
		return 0;
	if (scan_list(s, q, true, &f, e) < 0)
		return -1;
	if (f.cached) {
		bool sure = f.hits.n == 1 && find_still_so(s, q, &f.hits.v[0], out);

		found_fini(&f);
		if (sure)
			return 0;
		/* Names may have changed behind the cache: look at everything again. */
		if (scan_list(s, q, false, &f, e) < 0)
			return -1;
	}
	rc = answer(q, &f, out, candidates, e);
	found_fini(&f);
	return rc;
}

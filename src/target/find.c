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
collect(const struct scan *sc, struct tgt_list *out, struct err *e)
{
	for (size_t i = 0; i < sc->ng; i++)
		if (scan_listed(&sc->g[i]) && add(out, &sc->g[i].t, e) < 0)
			return -1;
	sort(out);
	return 0;
}

static int
scan_list(
    const struct tgt_sys *s, bool use_cache, struct tgt_list *out, bool *cached, struct err *e)
{
	struct scan *sc = malloc(sizeof(*sc));
	int rc = -1;

	if (!sc)
		return err_set(e, ERR_LIMIT, ENOMEM, "cannot list the containers");
	if (scan_run(s, use_cache, sc, e) == 0) {
		rc = collect(sc, out, e);
		if (!sc->cached || sc->news || sc->inspected > NEW_FEW)
			cache_save(sc);
	}
	*cached = sc->cached;
	scan_fini(sc);
	free(sc);
	if (rc < 0)
		tgt_list_fini(out);
	return rc;
}

int
tgt_list_all(const struct tgt_sys *s, struct tgt_list *out, struct err *e)
{
	bool cached;

	*out = (struct tgt_list){NULL, 0};
	return scan_list(s, false, out, &cached, e);
}

static bool
given(const char *s)
{
	return s && *s;
}

/* A prefix only of a hexadecimal id: any other id is a name, and names match whole. */
static bool
is_id(const char *id, const char *word, bool prefix)
{
	size_t n = strlen(word);

	if (strcmp(id, word) == 0)
		return true;
	return prefix && n >= ID_PREFIX_MIN && strlen(id) == 64 &&
	       strspn(id, "0123456789abcdef") == 64 && strncmp(id, word, n) == 0;
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

/* Those that match by name; only when there is none, those whose id begins so. */
static int
select_from(
    const struct tgt_list *all, const struct tgt_query *q, struct tgt_list *out, struct err *e)
{
	for (int prefix = 0; prefix < 2 && out->n == 0; prefix++)
		for (size_t i = 0; i < all->n; i++)
			if (tgt_matches(&all->v[i], q, prefix) && add(out, &all->v[i], e) < 0)
				return -1;
	return 0;
}

/* One match in remembered facts counts when the process itself still says the same. */
static bool
still_so(const struct tgt_sys *s, const struct tgt_query *q, const struct tgt *was, struct tgt *out)
{
	struct err ignored;

	if (tgt_describe(s, was->pid, out, &ignored) < 0 || out->start != was->start ||
	    strcmp(out->cgroup, was->cgroup) != 0 || strcmp(out->id, was->id) != 0)
		return false;
	out->processes = was->processes;
	return tgt_matches(out, q, false) || tgt_matches(out, q, true);
}

static int
find_once(const struct tgt_sys *s, const struct tgt_query *q, bool use_cache, struct tgt_list *all,
    struct tgt_list *hits, bool *cached, struct err *e)
{
	*all = *hits = (struct tgt_list){NULL, 0};
	if (scan_list(s, use_cache, all, cached, e) < 0)
		return -1;
	if (select_from(all, q, hits, e) == 0)
		return 0;
	tgt_list_fini(all);
	tgt_list_fini(hits);
	return -1;
}

int
tgt_find(const struct tgt_sys *s, const struct tgt_query *q, struct tgt *out,
    struct tgt_list *candidates, struct err *e)
{
	struct tgt_list all, hits;
	bool cached, sure;
	int rc = 0;

	if (candidates)
		*candidates = (struct tgt_list){NULL, 0};
	if (q->pid)
		return tgt_describe(s, q->pid, out, e);
	if (find_once(s, q, true, &all, &hits, &cached, e) < 0)
		return -1;
	sure = cached && hits.n == 1 && still_so(s, q, &hits.v[0], out);
	if (cached && !sure) {
		/* Names may have changed behind the cache: look at everything again. */
		tgt_list_fini(&all);
		tgt_list_fini(&hits);
		if (find_once(s, q, false, &all, &hits, &cached, e) < 0)
			return -1;
	}
	if (hits.n == 1) {
		if (!sure)
			*out = hits.v[0];
	} else if (hits.n == 0) {
		rc = tgt_err_none(q, &all, e);
	} else {
		rc = tgt_err_several(q, &hits, e);
		if (candidates)
			*candidates = steal_list(&hits);
	}
	tgt_list_fini(&all);
	tgt_list_fini(&hits);
	return rc;
}

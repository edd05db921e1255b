/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The scan's memory, as bytes: marks, groups, members. */
#include "target/cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/attr.h"

enum { F_FRESH = 1 };
enum { M_SESSION = 1 };
enum { G_LEARNT = 1, G_INFRA = 2, G_FRESH = 4, G_FIRST = 8, G_MERGED = 16, G_PREFERRED = 32 };

/* The strings of a struct tgt that are kept, in this order. */
static const struct {
	size_t off, size;
} strings[] = {
#define S(f)                                                                                       \
	{                                                                                          \
		offsetof(struct tgt, f), sizeof(((struct tgt *)0)->f)                              \
	}
    S(cgroup), S(runtime), S(id), S(container), S(service), S(pod), S(ns), S(pod_uid), S(image),
    S(project), S(provenance), S(comm)
#undef S
};

static void
put_mark(struct buf *b, const struct scan_mark *m)
{
	buf_put_u8(b, m->good);
	buf_put_u64(b, (uint64_t)m->at);
	buf_put_u64(b, m->last);
	buf_put_u64(b, m->forks);
}

static bool
get_mark(struct rd *r, struct scan_mark *m)
{
	uint8_t good = rd_u8(r);
	uint64_t at = rd_u64(r);

	m->last = rd_u64(r);
	m->forks = rd_u64(r);
	m->at = (int64_t)at;
	m->good = good == 1 && !r->bad;
	return !r->bad && good <= 1 && at <= INT64_MAX && m->last <= INT32_MAX;
}

bool
cache_next(struct rd *r, struct scan_group *g)
{
	struct tgt *t = &g->t;
	uint8_t flags;

	t->cgroup[0] = '\0';
	if (r->n == 0)
		return true;
	t->pid = (pid_t)rd_u32(r);
	t->start = rd_u64(r);
	t->uid = rd_u32(r);
	t->ns_pid = rd_u64(r);
	t->ns_mnt = rd_u64(r);
	t->processes = rd_u32(r);
	g->best_ino = rd_u64(r);
	flags = rd_u8(r);
	g->learnt = flags & G_LEARNT;
	g->infra = flags & G_INFRA;
	g->fresh = flags & G_FRESH;
	g->first = flags & G_FIRST;
	g->merged = flags & G_MERGED;
	t->preferred = flags & G_PREFERRED;
	for (size_t i = 0; i < COUNT_OF(strings); i++) {
		char *dst = (char *)t + strings[i].off;
		uint16_t len = rd_u16(r);
		const unsigned char *p = rd_bytes(r, len);

		if (r->bad || len >= strings[i].size || (len && memchr(p, '\0', len)))
			return false;
		if (len)
			memcpy(dst, p, len);
		dst[len] = '\0';
	}
	return *t->cgroup;
}

bool
cache_view_parse(struct cache_view *v, const unsigned char *p, size_t n)
{
	struct scan_mark later;
	uint8_t flags;

	v->groups = (struct rd){p, n, false};
	if (!get_mark(&v->groups, &v->base) || !get_mark(&v->groups, &later))
		return false;
	flags = rd_u8(&v->groups);
	v->fresh = flags & F_FRESH;
	v->ngroups = rd_u32(&v->groups);
	return !v->groups.bad && v->ngroups <= SCAN_GROUPS_MAX;
}

static bool
get_group(struct rd *r, struct scan *sc, struct scan_group *g)
{
	size_t before = sc->ng;
	uint32_t at;

	if (!cache_next(r, g) || !*g->t.cgroup)
		return false;
	g->t.processes = 0;
	at = scan_group_of(sc, &g->t);
	if (at != before || sc->ng != before + 1) /* no room, or twice the same key */
		return false;
	g->key_hash = sc->g[at].key_hash;
	g->merged = false;
	sc->g[at] = *g;
	return true;
}

static bool
get_members(struct rd *r, struct scan *sc, uint32_t n)
{
	pid_t last = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct scan_member *m = &sc->m[i];

		*m = (struct scan_member){.pid = (pid_t)rd_u32(r)};
		m->group = rd_u32(r);
		m->ino = rd_u64(r);
		m->session = rd_u8(r) & M_SESSION;
		if (r->bad || m->pid <= last || m->ino == 0 ||
		    (m->group != SCAN_HOST && m->group >= sc->ng))
			return false;
		last = m->pid;
	}
	return r->n == 0;
}

static bool
get_facts(struct scan *sc, struct rd *r)
{
	auto_free struct scan_group *g = calloc(1, sizeof(*g));
	uint32_t groups, members;
	bool good = g && get_mark(r, &sc->base) && get_mark(r, &sc->later);

	rd_u8(r);
	groups = rd_u32(r);
	good = good && !r->bad && groups <= SCAN_GROUPS_MAX;
	for (uint32_t i = 0; good && i < groups; i++)
		good = get_group(r, sc, g);
	members = rd_u32(r);
	if (!good || r->bad || members > CACHE_PIDS_MAX)
		return false;
	sc->m = calloc(members + 1U, sizeof(*sc->m));
	if (!sc->m || !get_members(r, sc, members))
		return false;
	sc->nm = members;
	return true;
}

bool
cache_parse(struct scan *sc, const unsigned char *p, size_t n)
{
	struct rd r = {p, n, false};

	if (get_facts(sc, &r))
		return true;
	scan_forget(sc);
	sc->base.good = sc->later.good = false;
	return false;
}

static void
put_group(const struct scan_group *g, struct buf *b)
{
	buf_put_u32(b, (uint32_t)g->t.pid);
	buf_put_u64(b, g->t.start);
	buf_put_u32(b, g->t.uid);
	buf_put_u64(b, g->t.ns_pid);
	buf_put_u64(b, g->t.ns_mnt);
	buf_put_u32(b, g->t.processes);
	buf_put_u64(b, g->best_ino);
	buf_put_u8(b, (uint8_t)((g->learnt ? G_LEARNT : 0) | (g->infra ? G_INFRA : 0) |
				(g->fresh ? G_FRESH : 0) | (g->first ? G_FIRST : 0) |
				(g->merged ? G_MERGED : 0) | (g->t.preferred ? G_PREFERRED : 0)));
	for (size_t i = 0; i < COUNT_OF(strings); i++) {
		const char *s = (const char *)&g->t + strings[i].off;

		buf_put_u16(b, (uint16_t)strlen(s));
		buf_put_str(b, s);
	}
}

/* Groups without a process are left out; the rest move up. */
static uint32_t
put_groups(const struct scan *sc, uint32_t *map, struct buf *b, uint8_t *flags)
{
	uint32_t n = 0;

	for (size_t i = 0; i < sc->ng; i++) {
		map[i] = SCAN_HOST;
		if (sc->g[i].t.processes == 0)
			continue;
		map[i] = n++;
		if (sc->g[i].fresh)
			*flags |= F_FRESH;
		put_group(&sc->g[i], b);
	}
	return n;
}

static uint32_t
put_members(const struct scan *sc, const uint32_t *map, struct buf *b)
{
	uint32_t n = 0;

	for (size_t i = 0; i < sc->nm && sc->everyone; i++) {
		const struct scan_member *m = &sc->m[i];

		if (m->fresh)
			continue;
		n++;
		buf_put_u32(b, (uint32_t)m->pid);
		buf_put_u32(b, m->group == SCAN_HOST ? SCAN_HOST : map[m->group]);
		buf_put_u64(b, m->ino);
		buf_put_u8(b, m->session ? M_SESSION : 0);
	}
	return n;
}

int
cache_encode(const struct scan *sc, struct buf *front, struct buf *back)
{
	auto_free uint32_t *map = calloc(sc->ng + 1, sizeof(*map));
	struct buf groups, members;
	uint8_t flags = 0;
	uint32_t n;
	int rc = -1;

	buf_init(&groups, CACHE_MAX / 4);
	buf_init(&members, CACHE_MAX / 4);
	if (map) {
		n = put_groups(sc, map, &groups, &flags);
		put_mark(front, &sc->base);
		put_mark(front, &sc->later);
		buf_put_u8(front, flags);
		rc = buf_put_u32(front, n) | buf_put(front, buf_head(&groups), groups.len);
		n = put_members(sc, map, &members);
		rc |= buf_put_u32(back, n) | buf_put(back, buf_head(&members), members.len);
	}
	buf_fini(&groups);
	buf_fini(&members);
	return rc;
}

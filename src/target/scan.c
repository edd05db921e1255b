/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "target/ident.h"
#include "target/lex.h"

#define PID_INIT_INO 4026531836U   /* PROC_PID_INIT_INO: of the machine's first */
#define PIDS_MAX (4 * 1024 * 1024) /* PID_MAX_LIMIT */

static int
no_memory(struct err *e)
{
	return err_set(e, ERR_LIMIT, ENOMEM, "cannot list the processes");
}

/* The line that says which container we are in, or NULL. */
static const struct proc_cgroup *
find_own(const struct scan *sc, struct ident *id)
{
	const struct proc_cgroup *c;

	for (size_t i = 0; (c = scan_line(&sc->own, i)) != NULL; i++)
		if (ident_path(c->path, id) && !id->monitor)
			return c;
	return NULL;
}

int
scan_begin(const struct tgt_sys *s, struct scan *out, struct err *e)
{
	auto_close int own = -1;
	struct timespec now;
	struct proc_stat st;
	struct ident id;

	memset(out, 0, sizeof(*out));
	out->sys = s;
	if (rt_open(s, &out->rt) < 0)
		return err_set(e, ERR_IO, errno, "cannot open the host's root");
	own = openat(s->proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (own < 0 && !s->standin)
		own = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	else if (own >= 0 && proc_read_stat(own, &st) == 0)
		out->self = st.pid;
	if (own < 0 || proc_read_cgroups(own, &out->own) < 0)
		out->own.n = 0;
	out->own_pid = own < 0 ? 0 : proc_ns(own, "pid");
	out->own_mnt = own < 0 ? 0 : proc_ns(own, "mnt");
	clock_gettime(CLOCK_BOOTTIME, &now);
	out->boot_ticks = now.tv_sec * sysconf(_SC_CLK_TCK);
	out->own_numbers = scan_own_numbers(out);
	out->inside = find_own(out, &id) != NULL;
	return 0;
}

void
scan_forget(struct scan *sc)
{
	free(sc->m);
	free(sc->g);
	free(sc->hash);
	sc->m = NULL;
	sc->g = NULL;
	sc->hash = NULL;
	sc->nm = sc->ng = sc->groom = sc->hash_size = 0;
}

void
scan_fini(struct scan *sc)
{
	rt_close(&sc->rt);
	scan_forget(sc);
}

/* Who began before this stays in its cgroup. */
static int64_t
settled_since(const struct scan *sc)
{
	return sc->boot_ticks - (int64_t)sc->sys->settled * sysconf(_SC_CLK_TCK);
}

bool
scan_is_young(const struct scan *sc, uint64_t start)
{
	return start > INT64_MAX || (int64_t)start > settled_since(sc);
}

static const char *
own_path(const struct scan *sc, const struct proc_cgroup *c)
{
	for (size_t i = 0; i < sc->own.n; i++)
		if (sc->own.v[i].id == c->id &&
		    strcmp(sc->own.v[i].controllers, c->controllers) == 0)
			return sc->own.v[i].path;
	return NULL;
}

/* Past the agent's own cgroup: what lies below it is to be judged by itself.  NULL: it is ours. */
static const char *
beyond_own(const struct scan *sc, const struct proc_cgroup *c)
{
	const char *own = own_path(sc, c);
	size_t len = own ? strlen(own) : 0;

	if (len <= 1)
		return strcmp(c->path, "/") == 0 ? NULL : c->path;
	if (strncmp(c->path, own, len) != 0 || (c->path[len] && c->path[len] != '/'))
		return c->path;
	return c->path[len] ? c->path + len : NULL;
}

const struct proc_cgroup *
scan_line(const struct proc_cgroups *cg, size_t rank)
{
	size_t first[2] = {cg->n, cg->n}, k = 0;

	for (size_t i = 0; i < cg->n; i++) {
		if (cg->v[i].id == 0)
			first[0] = i;
		else if (strcmp(cg->v[i].controllers, "freezer") == 0)
			first[1] = i;
	}
	for (size_t i = 0; i < 2; i++)
		if (first[i] < cg->n && k++ == rank)
			return &cg->v[first[i]];
	for (size_t i = 0; i < cg->n; i++)
		if (i != first[0] && i != first[1] && k++ == rank)
			return &cg->v[i];
	return NULL;
}

/* In ours, or in those of the host when we are in a container and see it: no container. */
static bool
in_known_namespaces(const struct scan *sc, int pd)
{
	uint64_t pid = proc_ns(pd, "pid"), mnt = proc_ns(pd, "mnt");

	/* Unreadable counts as ours: never guess a container. */
	if ((!pid || pid == sc->own_pid) && (!mnt || mnt == sc->own_mnt))
		return true;
	if (pid != PID_INIT_INO)
		return false;
	/* Whoever has more capabilities than we hides its namespaces from us: pid 1 may. */
	return sc->rt.host_ns_mnt ? mnt == sc->rt.host_ns_mnt && sc->rt.host_ns_pid == pid
				  : sc->inside;
}

static bool
adopt(const struct ident *id, const char *path, const char *beyond, struct tgt *t, bool *session)
{
	size_t len = (size_t)(beyond - path) + id->len;

	if (len >= sizeof(t->cgroup))
		return false;
	str_copy(t->runtime, id->runtime, sizeof(t->runtime));
	str_copy(t->id, id->id, sizeof(t->id));
	str_copy(t->container, id->name, sizeof(t->container));
	if (!*t->pod_uid)
		str_copy(t->pod_uid, id->pod_uid, sizeof(t->pod_uid));
	memcpy(t->cgroup, path, len);
	t->cgroup[len] = '\0';
	*session = id->session;
	return true;
}

enum scan_say
scan_judge(const struct scan *sc, const struct proc_cgroup *c, struct tgt *t, bool *session)
{
	const char *beyond = beyond_own(sc, c);
	struct ident id;

	t->cgroup[0] = '\0';
	if (!beyond)
		return SCAN_NO;
	if (!ident_path(beyond, &id))
		return ident_plain(beyond, &id) ? SCAN_ASK : SCAN_NO;
	return !id.monitor && adopt(&id, c->path, beyond, t, session) ? SCAN_YES : SCAN_MONITOR;
}

bool
scan_identify(struct scan *sc, int pd, struct tgt *t, bool *session)
{
	const struct proc_cgroup *c;
	const char *beyond;
	struct ident id;
	bool ask = false;

	if (proc_read_cgroups(pd, &sc->now) < 0)
		return false;
	for (size_t i = 0; (c = scan_line(&sc->now, i)) != NULL; i++) {
		enum scan_say say = scan_judge(sc, c, t, session);

		if (say == SCAN_YES || say == SCAN_MONITOR)
			return say == SCAN_YES;
		ask |= say == SCAN_ASK;
	}
	if (!ask || in_known_namespaces(sc, pd))
		return false;
	for (size_t i = 0; (c = scan_line(&sc->now, i)) != NULL; i++) {
		beyond = beyond_own(sc, c);
		if (beyond && ident_plain(beyond, &id))
			return adopt(&id, c->path, beyond, t, session);
	}
	return false;
}

bool
scan_own_container(struct scan *sc, struct tgt *t)
{
	auto_close int pd = openat(sc->sys->proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct proc_cgroup *c;
	bool session = false, infra = false;
	struct proc_named named;
	struct proc_stat st;
	struct ident id;

	memset(t, 0, sizeof(*t));
	if (pd < 0 || proc_read_stat(pd, &st) < 0)
		return false;
	c = find_own(sc, &id);
	if (!c || !adopt(&id, c->path, c->path, t, &session))
		return false;
	proc_read_named(&pd, &named, 1);
	rt_learn(&sc->rt, pd, &st, &named, t, &infra);
	return true;
}

static size_t
hash_of(const char *key)
{
	size_t h = 14695981039346656037U;

	for (; *key; key++)
		h = (h ^ (unsigned char)*key) * 1099511628211U;
	return h;
}

static bool
rehash(struct scan *sc)
{
	size_t size = sc->hash_size ? sc->hash_size * 2 : 256;
	uint32_t *h = calloc(size, sizeof(*h));

	if (!h)
		return false;
	for (uint32_t i = 0; i < sc->ng; i++) {
		size_t at = sc->g[i].key_hash & (size - 1);

		while (h[at])
			at = (at + 1) & (size - 1);
		h[at] = i + 1;
	}
	free(sc->hash);
	sc->hash = h;
	sc->hash_size = size;
	return true;
}

uint32_t
scan_group_of(struct scan *sc, const struct tgt *t)
{
	size_t key = hash_of(t->cgroup), at;

	if (sc->ng * 2 >= sc->hash_size && !rehash(sc))
		return SCAN_HOST;
	for (at = key & (sc->hash_size - 1); sc->hash[at]; at = (at + 1) & (sc->hash_size - 1))
		if (strcmp(sc->g[sc->hash[at] - 1].t.cgroup, t->cgroup) == 0)
			return sc->hash[at] - 1;
	if (sc->ng == sc->groom) {
		size_t room = sc->groom ? sc->groom * 2 : 16;
		struct scan_group *grown =
		    room > SCAN_GROUPS_MAX ? NULL : realloc(sc->g, room * sizeof(*grown));

		if (!grown)
			return SCAN_HOST;
		sc->g = grown;
		sc->groom = room;
	}
	memset(&sc->g[sc->ng], 0, sizeof(sc->g[0]));
	sc->g[sc->ng].t = *t;
	sc->g[sc->ng].key_hash = key;
	sc->hash[at] = (uint32_t)sc->ng + 1;
	return (uint32_t)sc->ng++;
}

static int
by_pid(const void *a, const void *b)
{
	pid_t x = ((const struct scan_member *)a)->pid, y = ((const struct scan_member *)b)->pid;

	return x < y ? -1 : x > y;
}

/* The numbered entries of /proc with their inode numbers, ascending. */
static int
list_pids(int proc, struct scan_member **out, size_t *count, struct err *e)
{
	auto_close int fd = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_free struct scan_member *v = NULL;
	auto_free char *text = malloc(64 * 1024);
	size_t n = 0, room = 0;
	long got = 0;

	if (!text)
		return no_memory(e);
	while (fd >= 0 && (got = syscall(SYS_getdents64, fd, text, 64 * 1024)) > 0) {
		for (long at = 0; at < got;) {
			const struct dirent64 *d = (const struct dirent64 *)(text + at);
			struct lex name = {d->d_name, strlen(d->d_name)};
			uint64_t pid;

			at += d->d_reclen;
			if (!lex_whole(&name, PIDS_MAX, &pid) || pid == 0)
				continue;
			if (n == room) {
				struct scan_member *grown;

				room = room ? room * 2 : 4096;
				grown = room > PIDS_MAX * 2U ? NULL : realloc(v, room * sizeof(*v));
				if (!grown)
					return no_memory(e);
				v = grown;
			}
			v[n++] =
			    (struct scan_member){(pid_t)pid, SCAN_HOST, d->d_ino, false, false};
		}
	}
	if (fd < 0 || got < 0) {
		err_set(e, ERR_PRIVILEGE, errno, "cannot list the processes");
		return err_hint(e, "run as root, or on a /proc mounted without hidepid");
	}
	if (n > 0)
		qsort(v, n, sizeof(*v), by_pid);
	*out = steal_ptr(&v);
	*count = n;
	return 0;
}

void
scan_inspect(struct scan *sc, struct scan_member *m)
{
	auto_close int pd = proc_open(sc->sys->proc, m->pid);
	struct proc_stat st;
	struct tgt t;

	memset(&t, 0, sizeof(t));
	sc->inspected++;
	if (pd < 0)
		return;
	if (scan_identify(sc, pd, &t, &m->session))
		m->group = scan_group_of(sc, &t);
	/* A runtime's first process is moved into its cgroup a moment after its start. */
	else if (*sc->sys->cache)
		m->fresh = proc_read_stat(pd, &st) < 0 || scan_is_young(sc, st.start);
}

bool
scan_listed(const struct scan_group *g)
{
	return g->learnt && !g->infra && !g->merged;
}

int
scan_by_proc(struct scan *sc, struct err *e)
{
	struct scan_member *v = NULL, *old = sc->m;
	size_t n = 0, k = 0;

	if (list_pids(sc->sys->proc, &v, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		while (k < sc->nm && old[k].pid < v[i].pid)
			k++;
		/* 0 and 1 stand for "not known" in a procfs listing. */
		if (k < sc->nm && old[k].pid == v[i].pid && old[k].ino == v[i].ino && v[i].ino > 1)
			v[i] = old[k];
		else
			scan_inspect(sc, &v[i]);
	}
	free(old);
	sc->m = v;
	sc->nm = n;
	sc->everyone = true;
	return 0;
}

/* The base is so much older than what is learnt now that who began before it has settled. */
static void
move_marks(struct scan *sc)
{
	if (sc->later.good && sc->later.at <= settled_since(sc)) {
		sc->base = sc->later;
		sc->later.good = false;
		sc->moved = true;
	}
	if (!sc->later.good && sc->mark.good) {
		sc->later = sc->mark;
		sc->moved = true;
	}
}

int
scan_run(const struct tgt_sys *s, bool use_cache, const char *only, struct scan *out, struct err *e)
{
	if (scan_begin(s, out, e) < 0)
		return -1;
	out->cached = cache_load(out, use_cache);
	scan_mark_now(out, &out->mark);
	if (!scan_by_cgroups(out) && scan_by_proc(out, e) < 0)
		return -1;
	move_marks(out);
	return scan_settle(out, only, e);
}

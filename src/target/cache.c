/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The scan's memory.  The file is root's alone; what is wrong with it in any
 * way makes it worth nothing, and /proc is read instead.
 */
#include "target/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/str.h"

#define MAGIC "coralps1"
#define PIDS_KEPT 65536
#define FILE_MAX (64 * 1024 * 1024)
#define HEAD 16 /* magic, checksum */

enum { M_SESSION = 1 };
enum { G_LEARNT = 1, G_INFRA = 2, G_FRESH = 4 };

/* Against damage, not against an enemy: eight bytes a step. */
static uint64_t
checksum(const unsigned char *p, size_t n)
{
	uint64_t h = 14695981039346656037U ^ n, w;

	for (; n > 0; p += w, n -= w) {
		uint64_t v = 0;

		w = n < sizeof(v) ? n : sizeof(v);
		memcpy(&v, p, w);
		h = (h ^ v) * 1099511628211U;
		h ^= h >> 32;
	}
	return h;
}

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

/* Which system, boot and point of view the facts belong to. */
static void
put_place(const struct scan *sc, struct buf *b)
{
	char boot[64] = "";
	struct stat st = {0};

	if (proc_read(sc->sys->proc, "sys/kernel/random/boot_id", boot, sizeof(boot) - 1) < 0)
		boot[0] = '\0';
	fstat(sc->sys->proc, &st);
	buf_put(b, boot, sizeof(boot));
	buf_put_u64(b, st.st_dev);
	buf_put_u64(b, st.st_ino);
	buf_put_u64(b, sc->own_pid);
	buf_put_u64(b, sc->own_mnt);
	for (size_t i = 0; i < sc->own.n; i++)
		buf_put_u64(b,
		    checksum((const unsigned char *)sc->own.v[i].path, strlen(sc->own.v[i].path)));
}

static bool
same_place(const struct scan *sc, struct rd *r)
{
	const unsigned char *p;
	struct buf b;
	bool same;

	buf_init(&b, 1024);
	put_place(sc, &b);
	p = rd_bytes(r, b.len);
	same = p && memcmp(p, buf_head(&b), b.len) == 0;
	buf_fini(&b);
	return same;
}

static bool
get_group(struct rd *r, struct scan *sc)
{
	struct tgt t;
	uint64_t ino;
	uint8_t flags;
	size_t before = sc->ng;
	uint32_t at;

	memset(&t, 0, sizeof(t));
	t.pid = (pid_t)rd_u32(r);
	t.start = rd_u64(r);
	t.uid = rd_u32(r);
	t.ns_pid = rd_u64(r);
	t.ns_mnt = rd_u64(r);
	ino = rd_u64(r);
	flags = rd_u8(r);
	for (size_t i = 0; i < COUNT_OF(strings); i++) {
		uint16_t len = rd_u16(r);
		const unsigned char *p = rd_bytes(r, len);

		if (r->bad || len >= strings[i].size || (len && memchr(p, '\0', len)))
			return false;
		if (len)
			memcpy((char *)&t + strings[i].off, p, len);
	}
	at = scan_group_of(sc, &t);
	if (at != before || sc->ng != before + 1) /* no room, or twice the same key */
		return false;
	sc->g[at].best_ino = ino;
	sc->g[at].learnt = flags & G_LEARNT;
	sc->g[at].infra = flags & G_INFRA;
	sc->g[at].fresh = flags & G_FRESH;
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
		if (r->bad || m->pid <= last || (m->group != SCAN_HOST && m->group >= sc->ng))
			return false;
		last = m->pid;
	}
	return r->n == 0;
}

static void
forget(struct scan *sc)
{
	free(sc->m);
	free(sc->g);
	free(sc->hash);
	sc->m = NULL;
	sc->g = NULL;
	sc->hash = NULL;
	sc->nm = sc->ng = sc->groom = sc->hash_size = 0;
}

bool
cache_parse(struct scan *sc, const unsigned char *p, size_t n)
{
	struct rd r = {p, n, false};
	uint32_t groups = rd_u32(&r), members = rd_u32(&r);

	if (r.bad || groups > SCAN_GROUPS_MAX || members > PIDS_KEPT)
		return false;
	sc->m = calloc(members + 1U, sizeof(*sc->m));
	for (uint32_t i = 0; i < groups; i++) {
		if (!sc->m || !get_group(&r, sc)) {
			forget(sc);
			return false;
		}
	}
	if (!sc->m || !get_members(&r, sc, members)) {
		forget(sc);
		return false;
	}
	sc->nm = members;
	return true;
}

/* Magic, sum, place: then what follows is worth parsing. */
static bool
parse_file(struct scan *sc, const unsigned char *p, size_t n)
{
	struct rd r = {p, n, false};
	const unsigned char *magic = rd_bytes(&r, 8);
	uint64_t sum = rd_u64(&r);

	return magic && !r.bad && memcmp(magic, MAGIC, 8) == 0 && sum == checksum(r.p, r.n) &&
	       same_place(sc, &r) && cache_parse(sc, r.p, r.n);
}

/* Its directory, when that is ours alone to write; -1 otherwise. */
static int
open_dir(const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	auto_close int fd = -1;
	struct stat st;
	char dir[256];

	if (!slash || slash == path || !slash[1])
		return -1;
	str_copy(dir, path, (size_t)(slash - path) + 1);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 022))
		return -1;
	*name = slash + 1;
	return steal_fd(&fd);
}

bool
cache_load(struct scan *sc)
{
	const char *name = NULL;
	auto_close int dir = *sc->sys->cache ? open_dir(sc->sys->cache, &name) : -1;
	struct stat st;
	struct buf b;
	bool good = false;

	if (dir < 0 || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_uid != geteuid() || (st.st_mode & 077))
		return false;
	buf_init(&b, FILE_MAX);
	if (fd_read_file(dir, name, FILE_MAX, &b) == 0)
		good = parse_file(sc, buf_head(&b), b.len);
	buf_fini(&b);
	return good;
}

static void
put_group(const struct scan_group *g, struct buf *b)
{
	buf_put_u32(b, (uint32_t)g->t.pid);
	buf_put_u64(b, g->t.start);
	buf_put_u32(b, g->t.uid);
	buf_put_u64(b, g->t.ns_pid);
	buf_put_u64(b, g->t.ns_mnt);
	buf_put_u64(b, g->best_ino);
	buf_put_u8(b, (uint8_t)((g->learnt ? G_LEARNT : 0) | (g->infra ? G_INFRA : 0) |
				(g->fresh ? G_FRESH : 0)));
	for (size_t i = 0; i < COUNT_OF(strings); i++) {
		const char *s = (const char *)&g->t + strings[i].off;

		buf_put_u16(b, (uint16_t)strlen(s));
		buf_put_str(b, s);
	}
}

/* Groups without a process are left out; the rest move up. */
static uint32_t
put_groups(const struct scan *sc, uint32_t *map, struct buf *b)
{
	uint32_t n = 0;

	for (size_t i = 0; i < sc->ng; i++) {
		map[i] = SCAN_HOST;
		if (sc->g[i].t.processes == 0)
			continue;
		map[i] = n++;
		put_group(&sc->g[i], b);
	}
	return n;
}

static int
encode(const struct scan *sc, struct buf *b)
{
	auto_free uint32_t *map = calloc(sc->ng + 1, sizeof(*map));
	struct buf groups, members;
	uint32_t ng, nm = 0;
	int rc = -1;

	buf_init(&groups, FILE_MAX / 4);
	buf_init(&members, FILE_MAX / 4);
	if (map) {
		ng = put_groups(sc, map, &groups);
		for (size_t i = 0; i < sc->nm; i++) {
			const struct scan_member *m = &sc->m[i];

			if (m->fresh)
				continue;
			nm++;
			buf_put_u32(&members, (uint32_t)m->pid);
			buf_put_u32(&members, m->group == SCAN_HOST ? SCAN_HOST : map[m->group]);
			buf_put_u64(&members, m->ino);
			buf_put_u8(&members, m->session ? M_SESSION : 0);
		}
		put_place(sc, b);
		rc = buf_put_u32(b, ng) | buf_put_u32(b, nm) |
		     buf_put(b, buf_head(&groups), groups.len) |
		     buf_put(b, buf_head(&members), members.len);
	}
	buf_fini(&groups);
	buf_fini(&members);
	return rc;
}

void
cache_save(const struct scan *sc)
{
	const char *name = NULL;
	auto_close int dir = *sc->sys->cache ? open_dir(sc->sys->cache, &name) : -1;
	auto_close int fd = -1;
	struct buf head, body;
	char tmp[300];

	if (dir < 0 || sc->nm > PIDS_KEPT)
		return;
	buf_init(&head, HEAD);
	buf_init(&body, FILE_MAX);
	snprintf(tmp, sizeof(tmp), ".%s.%d", name, (int)getpid());
	if (encode(sc, &body) == 0 && buf_put_str(&head, MAGIC) == 0 &&
	    buf_put_u64(&head, checksum(buf_head(&body), body.len)) == 0)
		fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0 && (fd_write_all(fd, buf_head(&head), head.len) < 0 ||
			   fd_write_all(fd, buf_head(&body), body.len) < 0 ||
			   renameat(dir, tmp, dir, name) < 0))
		unlinkat(dir, tmp, 0);
	else if (fd < 0 && errno == EEXIST)
		unlinkat(dir, tmp, 0); /* a dead process' that had our pid */
	buf_fini(&head);
	buf_fini(&body);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The scan's memory.  The file is root's alone; what is wrong with it in any
 * way makes it worth nothing, and all is looked at again instead.
 *
 * magic, sum of the front, sum of the rest, length of the front; the front is the place, marks
 * and groups, and enough to find most targets; the rest is every process.
 */
#include "target/cache.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fd.h"
#include "base/str.h"

#define MAGIC "coralps2"
#define HEAD 28

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

/* Opened when it is a file of ours that nobody else can write; its size. */
static int
open_file(const struct scan *sc, size_t *size)
{
	const char *name = NULL;
	auto_close int dir = *sc->sys->cache ? open_dir(sc->sys->cache, &name) : -1;
	auto_close int fd = -1;
	struct stat st;

	if (dir >= 0)
		fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 077) || st.st_size < HEAD || st.st_size > CACHE_MAX)
		return -1;
	*size = (size_t)st.st_size;
	return steal_fd(&fd);
}

/* Sums, magic and place are right: *rest is what follows them.  In memory of the caller's. */
static unsigned char *
read_file(struct scan *sc, bool whole, struct rd *rest)
{
	size_t size, front, want;
	auto_close int fd = open_file(sc, &size);
	auto_free unsigned char *text = NULL;
	unsigned char head[HEAD];
	struct rd r = {head, HEAD, false};
	uint64_t sums[2];

	if (fd < 0 || pread(fd, head, HEAD, 0) != HEAD || memcmp(head, MAGIC, 8) != 0)
		return NULL;
	rd_bytes(&r, 8);
	sums[0] = rd_u64(&r);
	sums[1] = rd_u64(&r);
	front = rd_u32(&r);
	if (front > size - HEAD)
		return NULL;
	want = whole ? size - HEAD : front;
	text = malloc(want + 1);
	if (!text || pread(fd, text, want, HEAD) != (ssize_t)want ||
	    checksum(text, front) != sums[0] ||
	    (whole && checksum(text + front, want - front) != sums[1]))
		return NULL;
	*rest = (struct rd){text, want, false};
	return same_place(sc, rest) ? steal_ptr(&text) : NULL;
}

bool
cache_load(struct scan *sc, bool facts)
{
	struct rd rest;
	auto_free unsigned char *text = read_file(sc, true, &rest);
	bool good = text && cache_parse(sc, rest.p, rest.n);

	if (good && !facts)
		scan_forget(sc);
	return good && facts;
}

bool
cache_open(struct scan *sc, struct cache_view *v)
{
	struct rd rest;

	memset(v, 0, sizeof(*v));
	v->text = read_file(sc, false, &rest);
	return v->text && cache_view_parse(v, rest.p, rest.n);
}

void
cache_close(struct cache_view *v)
{
	free(v->text);
	v->text = NULL;
}

static int
encode(const struct scan *sc, struct buf *b)
{
	struct buf front, back;
	int rc = -1;

	buf_init(&front, CACHE_MAX / 2);
	buf_init(&back, CACHE_MAX / 2);
	put_place(sc, &front);
	if (cache_encode(sc, &front, &back) == 0)
		rc = buf_put_str(b, MAGIC) | buf_put_u64(b, checksum(buf_head(&front), front.len)) |
		     buf_put_u64(b, checksum(buf_head(&back), back.len)) |
		     buf_put_u32(b, (uint32_t)front.len) | buf_put(b, buf_head(&front), front.len) |
		     buf_put(b, buf_head(&back), back.len);
	buf_fini(&front);
	buf_fini(&back);
	return rc;
}

void
cache_save(const struct scan *sc)
{
	const char *name = NULL;
	auto_close int dir = *sc->sys->cache ? open_dir(sc->sys->cache, &name) : -1;
	struct buf b;

	if (dir < 0 || (sc->everyone && sc->nm > CACHE_PIDS_MAX))
		return;
	buf_init(&b, CACHE_MAX);
	if (encode(sc, &b) == 0)
		fd_replace_file(dir, name, buf_head(&b), b.len);
	buf_fini(&b);
}

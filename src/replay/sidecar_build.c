/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/fd.h"
#include "replay/sidecar.h"
#include "replay/sidecar_int.h"

#define GAP ((uint64_t)256 << 10)     /* bytes of the recording between two frames, at least */
#define GAPS ((uint64_t)32 << 10)     /* of a long one: a part of what it has so far */
#define SHARE 100		      /* frames are to be a hundredth of it */
#define PATIENCE ((uint64_t)16 << 10) /* after a frame that could not be taken */

struct sidecar_build {
	int fd, dir, castfd;
	char name[48], fresh[64]; /* fresh: until it is whole */
	uint64_t pos;		  /* bytes written */
	struct sidecar_entry *list;
	size_t n, room;
	unsigned char *z; /* the frame of the last entry, until its filter is known */
	unsigned char bits[FILTER_MOST];
	uint64_t due;
	struct screen *check;
	struct moments moments;
	struct sidecar_bound bound;
	bool failed;
};

static void
put_out(struct sidecar_build *b, const void *p, size_t n)
{
	if (b->failed || fd_write_all(b->fd, p, n) < 0)
		b->failed = true;
	b->pos += n;
}

static struct sidecar_entry *
add_entry(struct sidecar_build *b)
{
	struct sidecar_entry *list;
	size_t room;

	if (b->n == b->room) {
		room = b->room ? 2 * b->room : 64;
		list = realloc(b->list, room * sizeof(*list));
		if (!list) {
			b->failed = true;
			return NULL;
		}
		b->list = list;
		b->room = room;
	}
	return memset(&b->list[b->n++], 0, sizeof(*list));
}

/* What was there before the last place of the old one, and that place. */
static int
go_on(struct sidecar_build *b, struct sidecar *old)
{
	const struct sidecar_entry *last = &old->list[old->n - 1], *l;
	struct sidecar_entry *e;

	for (size_t k = 0; k < old->n; k++) {
		l = &old->list[k];
		e = add_entry(b);
		if (!e || sidecar_block(old, k) < 0)
			return -1;
		*e = *l;
		e->block = b->pos;
		if (l == last)
			break;
		put_out(b, buf_head(&old->block), old->block.len);
	}
	b->z = malloc((size_t)last->zlen + 1);
	if (!b->z || sidecar_moments(old, &b->moments) < 0)
		return -1;
	memcpy(b->z, buf_head(&old->block), last->zlen);
	memcpy(b->bits, buf_head(&old->block) + last->zlen, last->filter);
	for (size_t n = last->filter; n < FILTER_MOST; n *= 2)
		memcpy(b->bits + n, b->bits, n);
	b->bound.first = old->bound.first;
	b->due = last->at.offset + GAP;
	return b->failed ? -1 : 0;
}

/* What was left by those who were killed: they hold no lock on it. */
static void
sweep(const struct sidecar_home *h)
{
	int copy = openat(h->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	size_t n = strlen(h->name);
	struct dirent *d;
	const char *pid;

	if (!dir)
		fd_close(&copy);
	while (dir && (d = readdir(dir))) {
		auto_close int fd = -1;

		pid = d->d_name + n + 2;
		if (d->d_name[0] != '.' || strncmp(d->d_name + 1, h->name, n) != 0 ||
		    d->d_name[n + 1] != '.' || !*pid || pid[strspn(pid, "0123456789")])
			continue;
		fd = openat(h->dir, d->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			unlinkat(h->dir, d->d_name, 0);
	}
	if (dir)
		closedir(dir);
}

struct sidecar_build *
sidecar_build_new(
    const struct sidecar_home *h, int castfd, const struct cast_reader *r, struct sidecar *old)
{
	const json_t *coral = json_object_get(cast_header(r), "coral");
	struct sidecar_build *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->dir = fcntl(h->dir, F_DUPFD_CLOEXEC, 3);
	b->castfd = fcntl(castfd, F_DUPFD_CLOEXEC, 3);
	snprintf(b->name, sizeof(b->name), "%s", h->name);
	snprintf(b->fresh, sizeof(b->fresh), ".%s.%d", h->name, (int)getpid());
	sweep(h);
	/* Here it may be left by one that had our pid. */
	unlinkat(h->dir, b->fresh, 0);
	b->fd =
	    openat(h->dir, b->fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	/* Who finds it unlocked takes us for dead: of two that begin at once one may build for
	 * nothing. */
	if (b->fd >= 0)
		flock(b->fd, LOCK_EX | LOCK_NB);
	b->bound.chained = json_is_object(json_object_get(coral, "evidence"));
	b->check = screen_new(SCREEN_MIN, SCREEN_MIN);
	if (b->dir < 0 || b->castfd < 0 || b->fd < 0 || !b->check || (old && go_on(b, old) < 0)) {
		sidecar_build_free(b);
		return NULL;
	}
	return b;
}

void
sidecar_build_free(struct sidecar_build *b)
{
	if (!b)
		return;
	if (b->fd >= 0 && b->fresh[0])
		unlinkat(b->dir, b->fresh, 0);
	fd_close(&b->fd);
	fd_close(&b->dir);
	fd_close(&b->castfd);
	screen_free(b->check);
	free(b->list);
	free(b->z);
	free(b->moments.list);
	free(b);
}

void
sidecar_build_line(struct sidecar_build *b, const char *line, size_t n)
{
	const unsigned char *p = (const unsigned char *)line;
	size_t bit;

	for (size_t i = 0; i + 3 <= n; i++) {
		bit = trigram_bit(p + i);
		b->bits[bit / 8] |= (unsigned char)(1u << bit % 8);
	}
}

void
sidecar_build_event(struct sidecar_build *b, const struct cast_event *ev)
{
	moments_take(&b->moments, ev);
}

void
sidecar_build_output(struct sidecar_build *b, const struct screen_hidden *was,
    const struct screen_hidden *is, const struct cast_event *ev)
{
	moments_hidden(&b->moments, was, is, ev);
}

bool
sidecar_build_due(const struct sidecar_build *b, uint64_t offset)
{
	return !b->failed && offset >= b->due && b->n < SIDECAR_ENTRIES_MAX - 1;
}

/* As small as leaves most of it empty. */
static size_t
fold(unsigned char *bits)
{
	size_t n = FILTER_MOST, set = 0, i;

	for (;;) {
		for (set = i = 0; i < n; i++)
			set += (size_t)__builtin_popcount(bits[i]);
		/* An eighth is set, and of half the bits a quarter would be. */
		if (n == FILTER_LEAST || set > n)
			return n;
		n /= 2;
		for (i = 0; i < n; i++)
			bits[i] |= bits[i + n];
	}
}

/* The last place with all that is known of it now. */
static void
close_entry(struct sidecar_build *b)
{
	struct sidecar_entry *e;
	uLong crc;

	if (b->n == 0)
		return;
	e = &b->list[b->n - 1];
	e->block = b->pos;
	e->filter = (uint32_t)fold(b->bits);
	crc = b->z ? crc32(0, b->z, e->zlen) : crc32(0, NULL, 0);
	e->crc = (uint32_t)crc32(crc, b->bits, e->filter);
	if (e->zlen)
		put_out(b, b->z, e->zlen);
	put_out(b, b->bits, e->filter);
	free(steal_ptr(&b->z));
	memset(b->bits, 0, sizeof(b->bits));
}

/* Into *z; its length, 0: not this one. */
static size_t
take_frame(struct sidecar_build *b, const struct place *at, struct screen *s,
    const struct buf *more, size_t *len, unsigned char **z)
{
	struct buf raw;
	size_t n = 0;

	buf_init(&raw, SIDECAR_FRAME_MAX);
	buf_put_u32(&raw, 0);
	/* What is not the same when it is put back is not taken. */
	if (screen_dump(s, &raw) == 0 &&
	    screen_load(b->check, buf_head(&raw) + 4, raw.len - 4) == 0 &&
	    screen_same(s, b->check)) {
		for (size_t i = 0; i < 4; i++)
			raw.data[raw.off + i] = (unsigned char)((raw.len - 4) >> (24 - 8 * i));
		buf_put_u8(&raw, (uint8_t)strlen(at->typed.text));
		buf_put_str(&raw, at->typed.text);
		if (!more || more->len == 0 || buf_put(&raw, buf_head(more), more->len) == 0) {
			*len = raw.len;
			*z = malloc(ZSTD_compressBound(raw.len));
			n = *z ? ZSTD_compress(
				     *z, ZSTD_compressBound(raw.len), buf_head(&raw), raw.len, 3)
			       : 0;
			if (ZSTD_isError(n))
				n = 0;
		}
	}
	buf_fini(&raw);
	return n;
}

void
sidecar_build_frame(
    struct sidecar_build *b, const struct place *at, struct screen *s, const struct buf *more)
{
	uint64_t gap = at->offset / GAPS > GAP ? at->offset / GAPS : GAP;
	auto_free unsigned char *z = NULL;
	struct sidecar_entry *e;
	size_t len = 0, zlen = 0;

	/* The first is an empty screen. */
	if (b->n > 0 && s)
		zlen = take_frame(b, at, s, more, &len, &z);
	if (b->n > 0 && s && zlen == 0) {
		b->due = at->offset + PATIENCE;
		return;
	}
	close_entry(b);
	e = add_entry(b);
	if (!e)
		return;
	e->at = *at;
	e->zlen = (uint32_t)zlen;
	e->len = (uint32_t)len;
	b->z = steal_ptr(&z);
	if (b->n == 1)
		b->bound.first = at->offset;
	b->due = at->offset + (gap > SHARE * (uint64_t)zlen ? gap : SHARE * (uint64_t)zlen);
}

static void
put_entry(struct buf *out, const struct sidecar_entry *e)
{
	buf_put_u64(out, e->at.offset);
	buf_put_u64(out, e->at.line);
	buf_put_u64(out, (uint64_t)e->at.line_t);
	buf_put_u64(out, (uint64_t)e->at.t);
	buf_put_u64(out, e->at.frame);
	buf_put_u64(out, e->block);
	buf_put_u32(out, e->zlen);
	buf_put_u32(out, e->len);
	buf_put_u32(out, e->filter);
	buf_put_u32(out, e->crc);
}

/* The directory, the moments, and what they are of. */
static void
put_tail(struct sidecar_build *b, const struct place *end, struct buf *out)
{
	size_t n, from;

	for (size_t i = 0; i < b->n; i++)
		put_entry(out, &b->list[i]);
	for (size_t i = 0; i < b->moments.n; i++) {
		n = strlen(b->moments.list[i].label);
		buf_put_u64(out, (uint64_t)b->moments.list[i].t);
		buf_put_u8(out, (uint8_t)(n | (b->moments.list[i].hidden ? SIDECAR_HIDDEN : 0)));
		buf_put(out, b->moments.list[i].label, n);
	}
	for (size_t i = 0; i < COUNT_OF(b->moments.told); i++)
		buf_put_u64(out, (uint64_t)b->moments.told[i]);
	from = out->len;
	buf_put_u64(out, b->pos);
	buf_put_u32(out, (uint32_t)b->n);
	buf_put_u32(out, (uint32_t)b->moments.n);
	buf_put_u64(out, b->bound.upto);
	buf_put_u64(out, b->bound.first);
	buf_put_u64(out, b->bound.chained);
	buf_put_u64(out, b->bound.size);
	buf_put_u64(out, b->bound.mtime);
	buf_put_u64(out, (uint64_t)end->t);
	buf_put(out, b->bound.head, SHA256_SIZE);
	buf_put(out, b->bound.tail, SHA256_SIZE);
	if (out->len - from != SIDECAR_FOOT - 20)
		b->failed = true;
	buf_put_u64(out, crc32(crc32(0, buf_head(out), (uInt)from), buf_head(out) + from,
			     (uInt)(out->len - from)));
	buf_put_u32(out, 1);
	if (buf_put_str(out, SIDECAR_MAGIC) < 0)
		b->failed = true;
}

void
sidecar_build_finish(struct sidecar_build *b, const struct place *end)
{
	struct buf out;

	b->bound.upto = end->offset;
	close_entry(b);
	if (b->n > 0 && !b->failed && sidecar_bind(b->castfd, &b->bound) == 0) {
		buf_init(&out,
		    SIDECAR_ENTRIES_MAX * SIDECAR_ENTRY + SIDECAR_MOMENTS_MAX * 80 + SIDECAR_FOOT);
		put_tail(b, end, &out);
		put_out(b, buf_head(&out), out.len);
		buf_fini(&out);
		if (!b->failed && renameat(b->dir, b->fresh, b->dir, b->name) == 0)
			b->fresh[0] = '\0';
	}
	sidecar_build_free(b);
}

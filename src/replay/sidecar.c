/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "replay/sidecar.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/fd.h"
#include "base/str.h"
#include "record/cast.h"
#include "record/cast_parse.h"
#include "record/sealed_file.h"
#include "record/source.h"
#include "record/store_dir.h"
#include "replay/sidecar_int.h"

#define TIME_MOST (INT64_MAX / 4)
/* No two marks are so far apart: a line more than what they are put after. */
#define MARK_FAR ((uint64_t)CAST_MARK_BYTES + CAST_LINE_MAX)

/* STATE_DIR/sessions/ID/ID.cast or ID.cast.zst, told by its name and its neighbours: not one that
 * is encrypted, of which nothing may stand beside it. */
int
sidecar_home(int castfd, struct sidecar_home *h)
{
	char link[40], path[4200], *base, *id;
	auto_close int dir = -1;
	struct stat file, same, st;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", castfd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return -1;
	path[n] = '\0';
	base = strrchr(path, '/');
	if (!base || base == path)
		return -1;
	*base++ = '\0';
	id = strrchr(path, '/');
	if (!id || !store_id_valid(id + 1) || strncmp(base, id + 1, STORE_ID_LEN) != 0 ||
	    (strcmp(base + STORE_ID_LEN, ".cast") != 0 &&
		strcmp(base + STORE_ID_LEN, ".cast.zst") != 0))
		return -1;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || fstat(dir, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 022) ||
	    fstat(castfd, &file) < 0 || fstatat(dir, base, &same, AT_SYMLINK_NOFOLLOW) < 0 ||
	    file.st_ino != same.st_ino || file.st_dev != same.st_dev)
		return -1;
	return sidecar_home_at(dir, id + 1, castfd, h);
}

int
sidecar_home_at(int sessdir, const char *id, int castfd, struct sidecar_home *h)
{
	/* What it says stands nowhere in clear, and must not here. */
	if (sealed_is(castfd))
		return -1;
	h->dir = fcntl(sessdir, F_DUPFD_CLOEXEC, 3);
	snprintf(h->name, sizeof(h->name), "%.*s.index", STORE_ID_LEN, id);
	return h->dir < 0 ? -1 : 0;
}

void
sidecar_home_fini(struct sidecar_home *h)
{
	fd_close(&h->dir);
}

static int
hash_part(struct source *s, uint64_t at, uint64_t n, unsigned char out[SHA256_SIZE])
{
	auto_free char *p = n > MARK_FAR ? NULL : malloc((size_t)n + 1);
	struct sha256 h;

	if (!p || source_read_at(s, at, p, (size_t)n, NULL) != (ssize_t)n)
		return -1;
	sha2_init(&h);
	sha2_update(&h, p, (size_t)n);
	return sha2_final(&h, out);
}

/* How far before the end of p[0..n) its last mark begins, or its seal; 0: there is none. */
static size_t
mark_before(const char *p, size_t n, bool whole)
{
	size_t end = n, from;
	enum cast_line_kind kind;

	for (; end > 0; end = from) {
		const char *before = memrchr(p, '\n', end - 1);

		if (!before && !whole)
			return 0;
		from = before ? (size_t)(before + 1 - p) : 0;
		kind = cast_line_kind((const unsigned char *)p + from, end - from);
		if (kind == CAST_LINE_MARK || kind == CAST_LINE_SEAL)
			return n - from;
	}
	return 0;
}

/* What is behind the last mark nothing binds: all of it is compared, and the mark, and
 * `least` at least; 0: there is none. */
static uint64_t
find_mark(struct source *s, uint64_t upto, uint64_t least)
{
	for (uint64_t want = least;; want = MARK_FAR) {
		size_t n = (size_t)(upto < want ? upto : want), got;
		auto_free char *p = malloc(n + 1);

		if (!p || source_read_at(s, upto - n, p, n, NULL) != (ssize_t)n)
			return 0;
		got = mark_before(p, n, n == upto);
		if (got > 0 || n == upto || want == MARK_FAR)
			return got > 0 && got < least ? least : got;
	}
}

int
sidecar_bind(int castfd, struct sidecar_bound *b)
{
	uint64_t head = b->first < SIDECAR_TAIL ? b->first : SIDECAR_TAIL;
	uint64_t tail = b->upto < SIDECAR_TAIL ? b->upto : SIDECAR_TAIL, marked = 0;
	struct source *s = source_open_fd(fcntl(castfd, F_DUPFD_CLOEXEC, 3), "recording", NULL);
	struct stat st;
	int rc;

	if (!s)
		return -1;
	if (b->chained)
		marked = find_mark(s, b->upto, tail);
	b->chained = marked > 0;
	if (marked > tail)
		tail = marked;
	rc = fstat(castfd, &st);
	if (rc == 0)
		rc = hash_part(s, 0, head, b->head);
	if (rc == 0)
		rc = hash_part(s, b->upto - tail, tail, b->tail);
	b->contents = (uint64_t)source_size(s);
	source_close(s);
	b->size = (uint64_t)st.st_size;
	b->mtime = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
	return rc;
}

static bool
still_bound(int castfd, const struct sidecar_bound *b)
{
	struct sidecar_bound now = {.upto = b->upto, .first = b->first, .chained = b->chained};

	if (sidecar_bind(castfd, &now) < 0 || now.chained != b->chained ||
	    memcmp(now.head, b->head, sizeof(now.head)) != 0 ||
	    memcmp(now.tail, b->tail, sizeof(now.tail)) != 0)
		return false;
	/* Marks are not followed here: what neither grew nor was only compressed was changed. */
	if (b->chained)
		return now.contents != b->upto || now.mtime == b->mtime;
	return now.size == b->size && now.mtime == b->mtime;
}

static void
take_entry(struct rd *r, struct sidecar_entry *x)
{
	x->at.offset = rd_u64(r);
	x->at.line = rd_u64(r);
	x->at.line_t = (int64_t)rd_u64(r);
	x->at.t = (int64_t)rd_u64(r);
	x->at.frame = rd_u64(r);
	x->block = rd_u64(r);
	x->zlen = rd_u32(r);
	x->len = rd_u32(r);
	x->filter = rd_u32(r);
	x->crc = rd_u32(r);
}

static bool
is_power(uint32_t n)
{
	return n >= FILTER_LEAST && n <= FILTER_MOST && (n & (n - 1)) == 0;
}

/* In order, and within the file and the recording. */
static bool
fits(const struct sidecar_entry *x, const struct sidecar_entry *before, uint64_t end,
    const struct sidecar_bound *b)
{
	if (x->at.offset > b->upto || x->at.t < 0 || x->at.t > TIME_MOST || x->block > end ||
	    (uint64_t)x->zlen + x->filter > end - x->block || x->len > SIDECAR_FRAME_MAX ||
	    !is_power(x->filter))
		return false;
	if (!before)
		return x->at.offset == b->first && x->at.frame == 0 && x->at.t == 0 && x->zlen == 0;
	return x->at.offset > before->at.offset && x->at.line > before->at.line &&
	       x->at.t >= before->at.t && x->at.frame >= before->at.frame;
}

/* The file from its directory to its end. */
static int
take_directory(
    struct sidecar *x, const unsigned char *p, size_t n, uint64_t end, size_t count, size_t moments)
{
	struct rd r = {.p = p, .n = n};

	if (count == 0 || count > SIDECAR_ENTRIES_MAX || moments > SIDECAR_MOMENTS_MAX ||
	    n < count * SIDECAR_ENTRY)
		return -1;
	x->list = calloc(count, sizeof(x->list[0]));
	if (!x->list)
		return -1;
	for (size_t i = 0; i < count; i++) {
		take_entry(&r, &x->list[i]);
		if (r.bad || !fits(&x->list[i], i ? &x->list[i - 1] : NULL, end, &x->bound))
			return -1;
	}
	x->n = count;
	x->moments = moments;
	buf_init(&x->named, SIDECAR_MOMENTS_MAX * 80);
	return buf_put(&x->named, r.p, r.n);
}

static int
read_at(int fd, void *p, size_t n, uint64_t at)
{
	return pread(fd, p, n, (off_t)at) == (ssize_t)n ? 0 : -1;
}

static int
take_file(struct sidecar *x)
{
	unsigned char foot[SIDECAR_FOOT];
	struct rd r = {.p = foot, .n = sizeof(foot)};
	auto_free unsigned char *p = NULL;
	const unsigned char *head, *tail, *magic;
	uint64_t from, size, crc;
	uint32_t count, moments;
	struct stat st;

	if (fstat(x->fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    st.st_size < SIDECAR_FOOT)
		return -1;
	size = (uint64_t)st.st_size - SIDECAR_FOOT;
	if (read_at(x->fd, foot, sizeof(foot), size) < 0)
		return -1;
	from = rd_u64(&r);
	count = rd_u32(&r);
	moments = rd_u32(&r);
	x->bound.upto = rd_u64(&r);
	x->bound.first = rd_u64(&r);
	x->bound.chained = rd_u64(&r) != 0;
	x->bound.size = rd_u64(&r);
	x->bound.mtime = rd_u64(&r);
	x->length = (int64_t)rd_u64(&r);
	head = rd_bytes(&r, SHA256_SIZE);
	tail = rd_bytes(&r, SHA256_SIZE);
	crc = rd_u64(&r);
	rd_u32(&r);
	magic = rd_bytes(&r, 8);
	if (r.bad || memcmp(magic, SIDECAR_MAGIC, 8) != 0 || from > size ||
	    size - from > SIDECAR_ENTRIES_MAX * SIDECAR_ENTRY + SIDECAR_MOMENTS_MAX * 80 ||
	    x->bound.first > x->bound.upto || x->bound.upto > INT64_MAX || x->length < 0 ||
	    x->length > TIME_MOST)
		return -1;
	memcpy(x->bound.head, head, SHA256_SIZE);
	memcpy(x->bound.tail, tail, SHA256_SIZE);
	p = malloc((size_t)(size - from) + 1);
	if (!p || read_at(x->fd, p, (size_t)(size - from), from) < 0 ||
	    crc32(crc32(0, p, (uInt)(size - from)), foot, SIDECAR_FOOT - 20) != crc)
		return -1;
	return take_directory(x, p, (size_t)(size - from), from, count, moments);
}

struct sidecar *
sidecar_open(const struct sidecar_home *h, int castfd)
{
	int fd = openat(h->dir, h->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct sidecar *x = fd < 0 ? NULL : calloc(1, sizeof(*x));

	if (!x) {
		fd_close(&fd);
		return NULL;
	}
	x->fd = fd;
	buf_init(&x->block, 2 * SIDECAR_FRAME_MAX);
	buf_init(&x->named, SIDECAR_MOMENTS_MAX * 80);
	if (take_file(x) == 0 && (castfd < 0 || still_bound(castfd, &x->bound)))
		return x;
	sidecar_free(x);
	return NULL;
}

void
sidecar_free(struct sidecar *x)
{
	if (!x)
		return;
	fd_close(&x->fd);
	free(x->list);
	buf_fini(&x->named);
	buf_fini(&x->block);
	free(x);
}

uint64_t
sidecar_upto(const struct sidecar *x)
{
	return x->bound.upto;
}

int64_t
sidecar_length(const struct sidecar *x)
{
	return x->length;
}

size_t
sidecar_count(const struct sidecar *x)
{
	return x->n;
}

const struct place *
sidecar_place(const struct sidecar *x, size_t k)
{
	return &x->list[k].at;
}

bool
sidecar_has_frame(const struct sidecar *x, size_t k)
{
	return k > 0 && x->list[k].zlen > 0;
}

int
sidecar_block(struct sidecar *x, size_t k)
{
	const struct sidecar_entry *l = &x->list[k];
	size_t n = (size_t)l->zlen + l->filter;
	unsigned char *p;

	if (x->block_of == k + 1)
		return 0;
	x->block_of = 0;
	buf_clear(&x->block);
	p = buf_tail(&x->block, n);
	if (!p || read_at(x->fd, p, n, l->block) < 0 || crc32(0, p, (uInt)n) != l->crc)
		return -1;
	buf_added(&x->block, n);
	x->block_of = k + 1;
	return 0;
}

/* As str_vis() leaves it. */
static bool
is_harmless(const char *label)
{
	char copy[160], vis[160];

	str_copy(copy, label, sizeof(copy));
	for (char *c = copy; *c; c++)
		*c = *c == '\\' ? '/' : *c;
	str_vis(vis, sizeof(vis), copy);
	return strcmp(copy, vis) == 0;
}

int
sidecar_load(struct sidecar *x, size_t k, struct screen *s, struct place *at, struct buf *more)
{
	const struct sidecar_entry *l = &x->list[k];
	auto_free unsigned char *raw = malloc((size_t)l->len + 1);
	struct rd r = {.p = raw, .n = l->len};
	const unsigned char *dump, *typed;
	uint32_t len;
	size_t n;

	if (!raw || !sidecar_has_frame(x, k) || sidecar_block(x, k) < 0 ||
	    ZSTD_decompress(raw, l->len, buf_head(&x->block), l->zlen) != l->len)
		return -1;
	len = rd_u32(&r);
	dump = rd_bytes(&r, len);
	n = rd_u8(&r);
	typed = rd_bytes(&r, n);
	if (r.bad || n >= sizeof(at->typed.text))
		return -1;
	*at = l->at;
	memcpy(at->typed.text, typed, n);
	if (!is_harmless(at->typed.text) || screen_load(s, dump, len) < 0)
		return -1;
	return more ? buf_put(more, r.p, r.n) : 0;
}

/* Of three bytes, the case of ASCII letters aside; smaller filters take the lower bits. */
size_t
trigram_bit(const unsigned char *p)
{
	uint32_t v = 0;

	for (int i = 0; i < 3; i++)
		v = v << 8 | (p[i] >= 'A' && p[i] <= 'Z' ? p[i] + 32u : p[i]);
	return v * 2654435761u >> 16;
}

bool
sidecar_may_hold(struct sidecar *x, size_t k, const char *text, size_t n)
{
	const struct sidecar_entry *l = &x->list[k];
	const unsigned char *bits;
	size_t bit;

	if (n < 3 || sidecar_block(x, k) < 0)
		return true;
	bits = buf_head(&x->block) + l->zlen;
	for (size_t i = 0; i + 3 <= n; i++) {
		bit = trigram_bit((const unsigned char *)text + i) & (8 * (size_t)l->filter - 1);
		if (!(bits[bit / 8] & 1u << bit % 8))
			return false;
	}
	return true;
}

int
sidecar_moments(struct sidecar *x, struct moments *m)
{
	struct rd r = {.p = buf_head(&x->named), .n = x->named.len};
	struct player_moment *list = calloc(x->moments + 1, sizeof(*list));
	const unsigned char *p;
	size_t n;

	if (!list)
		return -1;
	for (size_t i = 0; i < x->moments; i++) {
		list[i].t = (int64_t)rd_u64(&r);
		n = rd_u8(&r);
		list[i].hidden = n & SIDECAR_HIDDEN;
		n &= ~(size_t)SIDECAR_HIDDEN;
		p = rd_bytes(&r, n);
		if (r.bad || n >= sizeof(list[i].label) || list[i].t < 0) {
			free(list);
			return -1;
		}
		memcpy(list[i].label, p, n);
		if (!is_harmless(list[i].label)) {
			free(list);
			return -1;
		}
	}
	free(m->list);
	*m = (struct moments){.list = list, .n = x->moments, .room = x->moments + 1};
	m->upto = x->bound.upto;
	for (size_t i = 0; i < COUNT_OF(m->told); i++) {
		m->told[i] = (int64_t)rd_u64(&r);
		if (m->told[i] < 0)
			m->told[i] = 0;
	}
	return 0;
}

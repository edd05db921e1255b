/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A recording in frames of zstd. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/attr.h"
#include "record/seektable.h"
#include "record/source_priv.h"

#define IN_SIZE ((size_t)128 << 10)
#define WINDOW_LOG 23 /* 8 MiB: what a frame may ask for to be decompressed */
#define UNTRUE "its seek table is not that of its frames"

struct source_zstd {
	ZSTD_DCtx *d;
	unsigned char in[IN_SIZE], skipped[IN_SIZE];
	size_t len, at;	   /* of in: filled, and taken */
	uint64_t base;	   /* of the first frame in the file */
	uint64_t out;	   /* the next byte of the recording */
	bool within;	   /* a frame, of which there were so far: */
	uint64_t c, plain; /* bytes of it, compressed and not */
	bool end;

	/* A pipe shows its table last, and a file might tell another order than the one that is
	 * verified: what is read from the first frame on must be as the table has it. */
	bool all, beyond; /* beyond: no table can tell of it */
	struct seektable seen;
	struct seektable table; /* of a file; n == 0: there is none */
};

static int
load_table(struct source *s, struct err *e)
{
	struct source_zstd *z = s->zstd;
	unsigned char foot[SEEKTABLE_FOOT];
	auto_free unsigned char *p = NULL;
	struct stat st;
	uint64_t size;
	size_t n;

	if (fstat(s->fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_size < (off_t)(z->base + SEEKTABLE_FOOT))
		return 0;
	size = (uint64_t)st.st_size - z->base;
	if (pread(s->fd, foot, sizeof(foot), st.st_size - SEEKTABLE_FOOT) != SEEKTABLE_FOOT)
		return source_failed(s, e);
	n = seektable_length(foot);
	if (n == 0)
		return 0;
	if (n > size)
		return source_bad(s, UNTRUE, e);
	p = malloc(n);
	if (!p || pread(s->fd, p, n, st.st_size - (off_t)n) != (ssize_t)n)
		return source_failed(s, e);
	if (seektable_parse(&z->table, p, n) < 0 || z->table.c != size - n)
		return source_bad(s, UNTRUE, e);
	return 0;
}

int
zsource_open(struct source *s, struct err *e)
{
	struct source_zstd *z = calloc(1, sizeof(*z));

	s->zstd = z;
	if (z)
		z->d = ZSTD_createDCtx();
	if (!z || !z->d ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(z->d, ZSTD_d_windowLogMax, WINDOW_LOG)))
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot read a recording");
	z->base = s->raw;
	z->all = true;
	return s->seekable ? load_table(s, e) : 0;
}

/* At least `want` bytes in hand, where there are so many.  0, or -1 with errno. */
static int
fill(struct source *s, size_t want)
{
	struct source_zstd *z = s->zstd;
	ssize_t got = 1;

	if (z->len - z->at >= want)
		return 0;
	memmove(z->in, z->in + z->at, z->len - z->at);
	z->len -= z->at;
	z->at = 0;
	while (z->len < want && got > 0) {
		got = source_raw(s, z->in + z->len, IN_SIZE - z->len);
		if (got < 0)
			return -1;
		z->len += (size_t)got;
	}
	return 0;
}

/* What stands at the end of the file. */
static int
take_table(struct source *s, struct err *e)
{
	struct source_zstd *z = s->zstd;
	struct seektable told = {0};
	struct buf b;
	int rc = 0;

	buf_init(&b, 8 + 12 * (size_t)SEEKTABLE_FRAMES + SEEKTABLE_FOOT);
	do {
		if (buf_put(&b, z->in + z->at, z->len - z->at) < 0)
			rc = source_bad(s, UNTRUE, e);
		z->at = z->len;
		if (rc == 0 && fill(s, 1) < 0)
			rc = source_failed(s, e);
	} while (rc == 0 && z->len > z->at);
	if (rc == 0 && (seektable_parse(&told, buf_head(&b), b.len) < 0 ||
			   (z->all && (z->beyond || !seektable_same(&told, &z->seen)))))
		rc = source_bad(s, UNTRUE, e);
	z->end = true;
	seektable_fini(&told);
	buf_fini(&b);
	return rc;
}

/* 1: a frame begins, 0: there is none. */
static int
next_frame(struct source *s, struct err *e)
{
	struct source_zstd *z = s->zstd;
	const unsigned char *p;
	uint32_t magic;

	if (fill(s, 4) < 0)
		return source_failed(s, e);
	p = z->in + z->at;
	if (z->len == z->at) {
		if (z->table.n > 0)
			return source_bad(s, UNTRUE, e);
		z->end = true;
		return 0;
	}
	if (z->len - z->at < 4)
		return source_bad(s, "it ends within a compressed frame", e);
	magic = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
	if (magic == SEEKTABLE_MAGIC)
		return take_table(s, e);
	if (magic != ZSTD_MAGICNUMBER)
		return source_bad(s, "between its compressed frames is something else", e);
	ZSTD_DCtx_reset(z->d, ZSTD_reset_session_only);
	z->within = true;
	z->c = z->plain = 0;
	return 1;
}

static void
frame_done(struct source_zstd *z)
{
	z->within = false;
	if (z->all && seektable_add(&z->seen, z->c, z->plain) < 0)
		z->beyond = true;
}

/* As read(2), with nothing at the end of a frame. */
static ssize_t
decompress(struct source *s, void *p, size_t n, struct err *e)
{
	struct source_zstd *z = s->zstd;
	ZSTD_outBuffer out = {p, n, 0};
	ZSTD_inBuffer in;
	size_t left;

	do {
		if (fill(s, 1) < 0)
			return source_failed(s, e);
		in = (ZSTD_inBuffer){z->in, z->len, z->at};
		left = ZSTD_decompressStream(z->d, &out, &in);
		if (ZSTD_isError(left))
			return source_bad(s, ZSTD_getErrorName(left), e);
		if (in.pos == z->at && out.pos == 0)
			return source_bad(s, "it ends within a compressed frame", e);
		z->c += in.pos - z->at;
		z->at = in.pos;
	} while (left > 0 && out.pos == 0);
	z->plain += out.pos;
	z->out += out.pos;
	if (left == 0)
		frame_done(z);
	return (ssize_t)out.pos;
}

ssize_t
zsource_read(struct source *s, void *p, size_t n, struct err *e)
{
	struct source_zstd *z = s->zstd;
	ssize_t got;

	while (n > 0 && !z->end) {
		int rc = z->within ? 1 : next_frame(s, e);

		if (rc <= 0)
			return rc;
		got = decompress(s, p, n, e);
		if (got != 0)
			return got;
	}
	return 0;
}

/* Begin with the frame that holds `at`. */
static void
jump(struct source *s, uint64_t at)
{
	struct source_zstd *z = s->zstd;
	struct seektable_frame to = {0, 0};

	if (z->table.n > 0)
		to = z->table.v[seektable_find(&z->table, at)];
	/* What lies ahead in the same frame is come by sooner from here. */
	if (z->out >= to.d && z->out <= at)
		return;
	s->raw = z->base + to.c;
	z->out = to.d;
	z->len = z->at = 0;
	z->within = z->end = false;
	z->all = to.c == 0;
	z->beyond = false;
	seektable_fini(&z->seen);
}

int
zsource_seek(struct source *s, uint64_t at, struct err *e)
{
	struct source_zstd *z = s->zstd;

	jump(s, at);
	while (z->out < at) {
		uint64_t left = at - z->out;
		ssize_t got = zsource_read(
		    s, z->skipped, left < sizeof(z->skipped) ? left : sizeof(z->skipped), e);

		if (got <= 0)
			return (int)got;
	}
	return 0;
}

uint64_t
zsource_at(const struct source *s)
{
	return s->zstd->out;
}

int64_t
zsource_size(const struct source *s)
{
	const struct source_zstd *z = s->zstd;

	return z->table.n > 0 ? (int64_t)z->table.d : -1;
}

void
zsource_close(struct source *s)
{
	struct source_zstd *z = s->zstd;

	if (!z)
		return;
	ZSTD_freeDCtx(z->d);
	seektable_fini(&z->seen);
	seektable_fini(&z->table);
	free(z);
}

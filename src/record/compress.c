/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/compress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <zstd.h>

#include "base/attr.h"
#include "base/fd.h"
#include "base/sha256.h"
#include "record/seektable.h"
#include "record/source.h"
#include "record/store_dir.h"

#define LEVEL 3
#define FRAME ((size_t)1 << 20)
/* Left free, beyond what the file takes: live sessions end where there is no room. */
#define SPARE ((uint64_t)4 << 20)

struct names {
	char plain[STORE_CAST_SIZE];
	char zst[STORE_CAST_SIZE + 8], fresh[STORE_CAST_SIZE + 16];
};

struct work {
	int sessdir, from, to;
	struct names names;
	struct stat was;
	ZSTD_CCtx *c;
	unsigned char *in, *out;
	size_t room; /* of out */
	struct seektable table;
	struct sha256 hash;
};

static int
failed(const struct work *w, struct err *e)
{
	return err_set(e, ERR_IO, errno, "cannot compress the recording %s", w->names.plain);
}

/* Up to n bytes, fewer at the end only. */
static ssize_t
read_piece(int fd, unsigned char *p, size_t n)
{
	size_t have = 0;
	ssize_t got;

	while (have < n && (got = read(fd, p + have, n - have)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

static int
put_frame(struct work *w, size_t n)
{
	size_t len = ZSTD_compress2(w->c, w->out, w->room, w->in, n);

	errno = EFBIG; /* more frames than a table may have */
	if (ZSTD_isError(len) || seektable_add(&w->table, len, n) < 0)
		return -1;
	sha2_update(&w->hash, w->in, n);
	return fd_write_all(w->to, w->out, len);
}

static int
put_table(struct work *w)
{
	struct buf b;
	int rc;

	buf_init(&b, SIZE_MAX);
	errno = ENOMEM;
	rc = seektable_put(&w->table, &b);
	if (rc == 0)
		rc = fd_write_all(w->to, buf_head(&b), b.len);
	buf_fini(&b);
	return rc;
}

/* All of it, and on disk.  The time stays that of the recording's last line. */
static int
put_all(struct work *w)
{
	const struct timespec times[] = {w->was.st_atim, w->was.st_mtim};
	ssize_t n;

	while ((n = read_piece(w->from, w->in, FRAME)) > 0)
		if (put_frame(w, (size_t)n) < 0)
			return -1;
	if (n < 0 || put_table(w) < 0 || futimens(w->to, times) < 0)
		return -1;
	return fsync(w->to);
}

/* What a reader gets is what was read. */
static int
read_back(struct work *w, struct err *e)
{
	struct source *s =
	    source_open_fd(openat(w->sessdir, w->names.fresh, O_RDONLY | O_NOFOLLOW | O_CLOEXEC),
		w->names.fresh, e);
	unsigned char was[SHA256_SIZE], is[SHA256_SIZE];
	ssize_t n = -1;

	if (!s || sha2_next(&w->hash, was) < 0) {
		source_close(s);
		return s ? failed(w, e) : -1;
	}
	while ((n = source_read(s, w->in, FRAME, e)) > 0)
		sha2_update(&w->hash, w->in, (size_t)n);
	source_close(s);
	if (n < 0)
		return -1;
	if (sha2_next(&w->hash, is) == 0 && memcmp(was, is, sizeof(is)) == 0)
		return 0;
	err_set(e, ERR_IO, 0, "cannot compress the recording %s", w->names.plain);
	return err_why(e, "what was written is read back as something else");
}

/* Nobody wrote to it, and nobody removed it. */
static bool
is_as_it_was(const struct work *w)
{
	struct stat now;

	return fstat(w->from, &now) == 0 && now.st_nlink > 0 && now.st_size == w->was.st_size &&
	       now.st_mtim.tv_sec == w->was.st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == w->was.st_mtim.tv_nsec && !store_is_live(w->sessdir) &&
	       w->table.d == (uint64_t)now.st_size;
}

/* In the place of the plain one.  Never is neither there, nor on disk. */
static int
take_place(struct work *w)
{
	if (renameat(w->sessdir, w->names.fresh, w->sessdir, w->names.zst) < 0 ||
	    fsync(w->sessdir) < 0 || unlinkat(w->sessdir, w->names.plain, 0) < 0)
		return -1;
	return fsync(w->sessdir);
}

static bool
allocate(struct work *w)
{
	w->room = ZSTD_compressBound(FRAME);
	w->in = malloc(FRAME);
	w->out = malloc(w->room);
	w->c = ZSTD_createCCtx();
	return sha2_init(&w->hash) == 0 && w->in && w->out && w->c &&
	       !ZSTD_isError(ZSTD_CCtx_setParameter(w->c, ZSTD_c_compressionLevel, LEVEL)) &&
	       !ZSTD_isError(ZSTD_CCtx_setParameter(w->c, ZSTD_c_checksumFlag, 1));
}

static int
run(struct work *w, struct err *e)
{
	if (!allocate(w))
		return err_set(
		    e, ERR_INTERNAL, ENOMEM, "cannot compress the recording %s", w->names.plain);
	unlinkat(w->sessdir, w->names.fresh, 0);
	w->to = openat(
	    w->sessdir, w->names.fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (w->to < 0 || put_all(w) < 0)
		return failed(w, e);
	if (read_back(w, e) < 0)
		return -1;
	if (!is_as_it_was(w))
		return 0;
	return take_place(w) < 0 ? failed(w, e) : 1;
}

/* A recording in plain text that goes on no more. */
static bool
is_for_us(struct work *w)
{
	char c;

	return fstat(w->from, &w->was) == 0 && S_ISREG(w->was.st_mode) &&
	       pread(w->from, &c, 1, 0) == 1 && c == '{' && !store_is_live(w->sessdir);
}

static int
check_room(const struct work *w, struct err *e)
{
	struct statfs fs;

	if (fstatfs(w->from, &fs) < 0)
		return failed(w, e);
	if ((uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >= (uint64_t)w->was.st_size + SPARE)
		return 0;
	err_set(e, ERR_IO, ENOSPC, "cannot compress the recording %s", w->names.plain);
	return err_hint(e, "make room for it, or remove others: coral sessions rm");
}

int
compress_recording(int sessdir, const char *id, struct err *e)
{
	struct work w = {.sessdir = sessdir, .to = -1};
	int rc;

	store_cast_name(id, w.names.plain);
	snprintf(w.names.zst, sizeof(w.names.zst), "%s" STORE_ZST, w.names.plain);
	snprintf(w.names.fresh, sizeof(w.names.fresh), "%s" STORE_ZST ".new", w.names.plain);
	w.from = openat(sessdir, w.names.plain, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (w.from < 0)
		return errno == ENOENT ? 0 : failed(&w, e);
	rc = !is_for_us(&w) ? 0 : check_room(&w, e) < 0 ? -1 : run(&w, e);
	if (w.to >= 0 && rc <= 0)
		unlinkat(sessdir, w.names.fresh, 0);
	fd_close(&w.to);
	fd_close(&w.from);
	sha2_drop(&w.hash);
	seektable_fini(&w.table);
	ZSTD_freeCCtx(w.c);
	free(w.in);
	free(w.out);
	return rc;
}

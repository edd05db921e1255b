/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/cast.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/str.h"
#include "record/cast_escape.h"
#include "record/cast_priv.h"

#define FRAME 1024 /* brackets, times and keys around one chunk */
#define KEEP_PAGES (16 * 1024)
#define BASE64_OF(n) (((n) + 2) / 3 * 4)
/* The worst chunk: every byte escaped in full, and its exact bytes beside it. */
#define OUT_MIN (CAST_CHUNK * CAST_ESCAPE_GROW + BASE64_OF(CAST_CHUNK) + FRAME + CAST_ESCAPE_SLACK)

_Static_assert(CAST_CHUNK *CAST_ESCAPE_GROW + FRAME < CAST_LINE_MAX, "a chunk fits a line");
_Static_assert(CAST_FACTS_MAX * 2 + FRAME < OUT_MIN, "escaped twice, facts fit the buffer");
_Static_assert(OUT_MIN < SEALED_FRAME_MAX && CAST_LINE_MAX + FRAME < SEALED_FRAME_MAX,
    "what is written at once fits a frame");
_Static_assert(BASE64_OF(8 * CAST_LEAVES_MAX) + FRAME < OUT_MIN, "a mark fits the buffer");
_Static_assert(CAST_END_MAX * 2 + BASE64_OF(8 * 2 * CAST_MARK_LINES) + 8 * FRAME < CAST_RESERVE,
    "the end and the seal fit the reserve");

int
cast_out_alloc(struct cast_writer *w, size_t header_len)
{
	size_t need = header_len + FRAME > OUT_MIN ? header_len + FRAME : OUT_MIN;
	void *p;

	w->out_size = need + CAST_CHUNK;
	p = mmap(NULL, w->out_size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -1;
	w->out = p;
	w->joined = w->out + need;
	return 0;
}

void
cast_out_free(struct cast_writer *w)
{
	if (w->out)
		munmap(w->out, w->out_size);
	w->out = w->joined = NULL;
}

void
cast_out_trim(struct cast_writer *w)
{
	if (w->touched)
		madvise(w->out + KEEP_PAGES, w->out_size - KEEP_PAGES, MADV_DONTNEED);
	w->touched = false;
	cast_encrypt_trim(w);
}

int
cast_failed(struct cast_writer *w, int sys, const char *doing, struct err *e)
{
	err_set(e, ERR_RECORDING, sys, "the recording cannot go on");
	err_why(e, "%s %s: %s", doing, w->name, strerror(sys));
	if (sys == ENOSPC || sys == EDQUOT)
		return err_hint(e, "free space where recordings are kept (coral sessions rm ID)");
	if (sys == EFBIG)
		return err_hint(e, "raise the limit on file sizes: ulimit -f, LimitFSIZE=");
	return -1;
}

void
cast_emit_line(struct cast_writer *w)
{
	w->out[w->out_len++] = '\n';
	if (w->out_len > KEEP_PAGES)
		w->touched = true;
}

/* Blocks for `more` bytes and the reserve, some ahead so that most writes ask for nothing. */
static int
allocate(struct cast_writer *w, size_t more)
{
	uint64_t need = w->disk + more + CAST_RESERVE, ahead = w->disk / 8;

	if (need <= w->allocated || w->no_alloc)
		return 0;
	if (ahead < 16 * 1024)
		ahead = 16 * 1024;
	if (ahead > 1024 * 1024)
		ahead = 1024 * 1024;
	for (;;) {
		if (fallocate(w->fd, FALLOC_FL_KEEP_SIZE, (off_t)w->disk,
			(off_t)(need - w->disk + ahead)) == 0) {
			w->allocated = need + ahead;
			return 0;
		}
		if (errno == EINTR)
			continue;
		if (errno != ENOSPC && errno != EDQUOT && errno != EFBIG && errno != EIO) {
			w->no_alloc = true;
			return 0;
		}
		if (ahead == 0)
			return -1;
		ahead = 0;
	}
}

static void
cut_back(struct cast_writer *w)
{
	w->torn = ftruncate(w->fd, (off_t)w->disk) < 0;
	/* What was allocated past the end went with it; have the reserve back at once. */
	w->allocated = w->disk;
	(void)allocate(w, 0);
}

void
cast_where(const struct cast_writer *w, struct cast_place *at)
{
	*at = (struct cast_place){
	    .size = w->size, .disk = w->disk, .frames = w->frames, .tally = w->seal.tally};
}

void
cast_back(struct cast_writer *w, const struct cast_place *at)
{
	w->out_len = 0;
	w->seal.tally = at->tally;
	if (w->size == at->size)
		return;
	quota_give_back(w->quota, w->disk - at->disk);
	w->size = at->size;
	w->disk = at->disk;
	w->frames = at->frames;
	cut_back(w);
}

/* 0 or -1 with errno. */
static int
write_all(struct cast_writer *w, struct iovec *v, int n)
{
	while (n > 0) {
		ssize_t put = writev(w->fd, v, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0) {
			if (put == 0)
				errno = EIO;
			return -1;
		}
		for (; n > 0 && (size_t)put >= v->iov_len; v++, n--)
			put -= (ssize_t)v->iov_len;
		if (n > 0) {
			v->iov_base = (char *)v->iov_base + put;
			v->iov_len -= (size_t)put;
		}
	}
	return 0;
}

static int
write_out(struct cast_writer *w)
{
	struct iovec v[] = {{w->frame, SEALED_HEAD}, {w->text, w->text_len}};

	return w->cipher ? write_all(w, v, 2) : write_all(w, v + 1, 1);
}

/* What was written a part of is cut off again. */
static int
ready(struct cast_writer *w, size_t more, bool last, struct err *e)
{
	if (w->torn) {
		if (ftruncate(w->fd, (off_t)w->disk) < 0)
			return cast_failed(w, errno, "cutting a half-written line off", e);
		w->torn = false;
	}
	if (!last && allocate(w, more) < 0)
		return cast_failed(w, errno, "making room in", e);
	return 0;
}

/* What the buffer takes in the file, at most. */
static size_t
on_disk(const struct cast_writer *w)
{
	return w->out_len + (w->cipher ? SEALED_HEAD : 0);
}

int
cast_write_raw(struct cast_writer *w, const void *p, size_t n, struct err *e)
{
	struct iovec v = {(void *)(uintptr_t)p, n};

	if (write_all(w, &v, 1) < 0) {
		int sys = errno;

		cut_back(w);
		return cast_failed(w, sys, "writing", e);
	}
	w->disk += n;
	w->unsynced = true;
	return 0;
}

static int
put_buffer(struct cast_writer *w, bool last, struct err *e)
{
	struct cast_tally before = w->seal.tally;
	int sys;

	if (ready(w, on_disk(w), last, e) < 0)
		return -1;
	if (cast_seal_take(w) < 0 || cast_encrypt(w) < 0) {
		w->seal.tally = before;
		return cast_failed(w, ENOMEM, "hashing what goes to", e);
	}
	if (write_out(w) < 0) {
		sys = errno;
		w->seal.tally = before;
		w->out_len = 0;
		cut_back(w);
		return cast_failed(w, sys, "writing", e);
	}
	w->disk += w->text_len + (w->cipher ? SEALED_HEAD : 0);
	w->size += w->out_len;
	w->frames++;
	w->out_len = 0;
	w->unsynced = true;
	return 0;
}

/* Whether the buffer may be written at all. */
static int
is_allowed(struct cast_writer *w, struct err *e)
{
	char most[STR_SIZE_MAX];

	if (w->lost)
		return cast_failed(w, w->lost, "an earlier sync lost a part of", e);
	w->full = w->max_bytes && w->disk + on_disk(w) > w->max_bytes;
	if (!w->full)
		return quota_take(w->quota, on_disk(w), e);
	err_set(e, ERR_LIMIT, 0, "the recording is as large as policy allows");
	str_size(most, w->max_bytes);
	err_why(e, "%s (limits.session_bytes)", most);
	return err_hint(e, "begin another session; let large output go to a file");
}

int
cast_commit(struct cast_writer *w, bool last, struct err *e)
{
	size_t n = on_disk(w);
	uint64_t before = w->disk;

	if (w->out_len == 0)
		return 0;
	if (!last && is_allowed(w, e) < 0) {
		w->out_len = 0;
		return -1;
	}
	if (put_buffer(w, last, e) == 0) {
		if (last)
			quota_count(w->quota, w->disk - before);
		else
			quota_give_back(w->quota, n - (size_t)(w->disk - before));
		return 0;
	}
	w->out_len = 0;
	if (!last)
		quota_give_back(w->quota, n);
	return -1;
}

int
cast_commit_beyond(struct cast_writer *w, bool last, struct err *e)
{
	uint64_t max = w->max_bytes;
	int rc;

	w->max_bytes = 0;
	rc = cast_commit(w, last, e);
	w->max_bytes = max;
	return rc;
}

void
cast_release(struct cast_writer *w)
{
	if (w->fd >= 0 && w->allocated > w->disk && ftruncate(w->fd, (off_t)w->disk) == 0)
		w->allocated = w->disk;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/cast.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "record/cast_escape.h"
#include "record/cast_priv.h"

static void
put_text(struct cast_writer *w, const char *s)
{
	size_t n = strlen(s);

	memcpy(w->out + w->out_len, s, n);
	w->out_len += n;
}

void
cast_begin(struct cast_writer *w, int64_t t, char code)
{
	uint64_t us;

	/* Callers read the clock at different moments; a file never goes back. */
	if (t > w->last)
		w->last = t;
	us = (uint64_t)(w->last - w->start) / 1000;
	w->out_len += (size_t)snprintf((char *)w->out + w->out_len, 48, "[%llu.%06u,\"%c\",\"",
	    (unsigned long long)(us / 1000000), (unsigned)(us % 1000000), code);
}

static void
finish(struct cast_writer *w)
{
	put_text(w, "\"]");
	cast_emit_line(w);
}

/* What players ignore and a reader must know of the event that follows. */
static void
put_next(
    struct cast_writer *w, enum cast_stream st, int64_t t, const unsigned char *exact, size_t n)
{
	cast_begin(w, t, 'c');
	put_text(w, "{\\\"next\\\":{");
	if (st == CAST_STDERR)
		put_text(w, exact ? "\\\"stream\\\":2," : "\\\"stream\\\":2");
	if (exact) {
		put_text(w, "\\\"bytes\\\":\\\"");
		w->out_len += str_base64((char *)w->out + w->out_len, exact, n);
		put_text(w, "\\\"");
	}
	put_text(w, "}}");
	finish(w);
}

void
cast_put_bytes(
    struct cast_writer *w, enum cast_stream st, int64_t t, const unsigned char *p, size_t n)
{
	size_t before = w->out_len;
	unsigned char *end;

	if (st == CAST_STDERR)
		put_next(w, st, t, NULL, 0);
	cast_begin(w, t, st == CAST_STDIN ? 'i' : 'o');
	end = cast_escape(w->out + w->out_len, p, n, true);
	if (!end) {
		w->out_len = before;
		put_next(w, st, t, p, n);
		cast_begin(w, t, st == CAST_STDIN ? 'i' : 'o');
		end = cast_escape(w->out + w->out_len, p, n, false);
	}
	w->out_len = (size_t)(end - w->out);
	finish(w);
}

int
cast_put_stream(struct cast_writer *w, enum cast_stream st, int64_t t, const unsigned char *p,
    size_t n, struct err *e)
{
	struct cast_side *s = &w->side[st];

	while (n > 0) {
		size_t take = n < CAST_CHUNK - s->ncarry ? n : CAST_CHUNK - s->ncarry;
		const unsigned char *bytes = p;
		size_t len = take + s->ncarry, tail;

		if (s->ncarry) {
			memcpy(w->joined, s->carry, s->ncarry);
			memcpy(w->joined + s->ncarry, p, take);
			bytes = w->joined;
		}
		tail = cast_utf8_tail(bytes, len);
		/* Bytes that only add to an unfinished sequence do not renew its wait. */
		if (tail < len || s->ncarry == 0)
			s->carry_at = t;
		if (tail < len) {
			cast_put_bytes(w, st, t, bytes, len - tail);
			if (cast_commit(w, false, e) < 0)
				return -1;
		}
		memcpy(s->carry, bytes + len - tail, tail);
		s->ncarry = (unsigned)tail;
		s->kept += take;
		p += take;
		n -= take;
	}
	return 0;
}

void
cast_put_carry(struct cast_writer *w, enum cast_stream st, int64_t t)
{
	struct cast_side *s = &w->side[st];

	if (s->ncarry)
		cast_put_bytes(w, st, t, s->carry, s->ncarry);
	s->ncarry = 0;
}

static int
ended(struct err *e)
{
	return err_set(e, ERR_INTERNAL, 0, "the recording has ended already");
}

/* All of it, or the file is as before. */
static int
put_data(struct cast_writer *w, enum cast_stream st, int64_t t, const unsigned char *p, size_t n,
    struct err *e)
{
	struct cast_side before = w->side[st];
	struct cast_place at;
	int rc;

	if (w->digest_only)
		return 0;
	cast_where(w, &at);
	if (w->tty || (w->bulk_cap == 0 && !before.over))
		rc = cast_put_stream(w, st, t, p, n, e);
	else
		rc = cast_bulk_data(w, st, t, p, n, e);
	if (rc == 0)
		return 0;
	w->side[st] = before;
	cast_back(w, &at);
	return -1;
}

/* The file is as large as it may be: the digest and the tail are enough of this stream. */
static int
go_over(struct cast_writer *w, enum cast_stream st, int64_t t, struct err *e)
{
	struct cast_side before = w->side[st];

	if (cast_bulk_over(w, st, t, e) == 0 && cast_commit_beyond(w, false, e) == 0)
		return 0;
	w->side[st] = before;
	w->out_len = 0;
	return -1;
}

int
cast_data(
    struct cast_writer *w, enum cast_stream st, int64_t t, const void *p, size_t n, struct err *e)
{
	if (w->ended)
		return ended(e);
	if (n == 0)
		return 0;
	w->full = false;
	if (cast_mark_due(w, t, e) < 0 && !w->full)
		return -1;
	if (put_data(w, st, t, p, n, e) < 0 && !(w->full && !w->tty && go_over(w, st, t, e) == 0))
		return -1;
	if (w->side[st].over)
		cast_bulk_accept(w, st, p, n);
	w->count[st] += n;
	sha2_update(&w->sha[st], p, n);
	return 0;
}

int
cast_flush(struct cast_writer *w, int64_t t, struct err *e)
{
	struct cast_side before[CAST_STREAM_COUNT];

	if (w->ended)
		return 0;
	memcpy(before, w->side, sizeof(before));
	for (int st = 0; st < CAST_STREAM_COUNT; st++)
		cast_put_carry(w, (enum cast_stream)st, t);
	if (cast_commit_beyond(w, false, e) < 0) {
		memcpy(w->side, before, sizeof(before));
		return -1;
	}
	return 0;
}

int64_t
cast_flush_due(const struct cast_writer *w)
{
	int64_t due = 0;

	for (int st = 0; st < CAST_STREAM_COUNT; st++) {
		const struct cast_side *s = &w->side[st];

		if (s->ncarry && (due == 0 || s->carry_at + CAST_FLUSH_NS < due))
			due = s->carry_at + CAST_FLUSH_NS;
	}
	return due;
}

int
cast_resize(struct cast_writer *w, int64_t t, int cols, int rows, struct err *e)
{
	if (w->ended)
		return ended(e);
	cast_begin(w, t, 'r');
	w->out_len += (size_t)snprintf((char *)w->out + w->out_len, 32, "%dx%d", cols, rows);
	finish(w);
	return cast_commit(w, false, e);
}

int
cast_put_facts(struct cast_writer *w, int64_t t, const char *kind, const json_t *facts, size_t max,
    struct err *e)
{
	auto_free char *text =
	    facts ? json_dumps(facts, JSON_COMPACT | JSON_ENCODE_ANY) : strdup("{}");
	size_t n = text ? strlen(text) : 0;
	unsigned char *end;

	if (!text)
		return err_set(e, ERR_RECORDING, ENOMEM, "cannot record a %s event", kind);
	if (n > max || strlen(kind) > 64) {
		err_set(e, ERR_LIMIT, 0, "cannot record a %s event", kind);
		return err_why(e, "its facts are %zu bytes; at most %zu fit", n, max);
	}
	cast_begin(w, t, 'c');
	put_text(w, "{\\\"");
	put_text(w, kind);
	put_text(w, "\\\":");
	end = cast_escape(w->out + w->out_len, (unsigned char *)text, n, false);
	w->out_len = (size_t)(end - w->out);
	put_text(w, "}");
	finish(w);
	return 0;
}

int
cast_event(struct cast_writer *w, int64_t t, const char *kind, const json_t *facts, struct err *e)
{
	if (w->ended)
		return ended(e);
	if (cast_mark_due(w, t, e) < 0 || cast_put_facts(w, t, kind, facts, CAST_FACTS_MAX, e) < 0)
		return -1;
	return cast_commit(w, false, e);
}

bool
cast_is_lost(const struct cast_writer *w)
{
	return w->lost != 0;
}

bool
cast_is_full(const struct cast_writer *w)
{
	return w->full;
}

uint64_t
cast_offset(const struct cast_writer *w)
{
	return w->size;
}

uint64_t
cast_taken(const struct cast_writer *w)
{
	return w->disk;
}

uint64_t
cast_count(const struct cast_writer *w, enum cast_stream st)
{
	return w->count[st];
}

void
cast_digest(const struct cast_writer *w, enum cast_stream st, char hex[65])
{
	unsigned char digest[SHA256_SIZE];
	struct sha256 copy;

	sha2_copy(&copy, &w->sha[st]);
	sha2_final(&copy, digest);
	str_hex(hex, digest, sizeof(digest));
}

/* The file's name is as volatile as its bytes until its directory is synced, and so is that one's.
 */
static int
sync_names(const struct cast_writer *w)
{
	auto_close int above = openat(w->dirfd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return above < 0 || fsync(w->dirfd) < 0 || fsync(above) < 0 ? -1 : 0;
}

static int
sync_all(struct cast_writer *w, struct err *e)
{
	/* The kernel tells of it once, and takes the pages for written: fsync(2). */
	if (fdatasync(w->fd) < 0) {
		w->lost = errno;
		return cast_failed(w, w->lost, "syncing", e);
	}
	if (w->dirfd >= 0 && sync_names(w) < 0)
		return cast_failed(w, errno, "syncing the directory of", e);
	fd_close(&w->dirfd);
	w->unsynced = false;
	return 0;
}

int
cast_sync(struct cast_writer *w, int64_t t, bool now, struct err *e)
{
	if (w->lost)
		return cast_failed(w, w->lost, "an earlier sync lost a part of", e);
	if (!w->unsynced || (!now && t - w->synced_at < NS_PER_S))
		return 0;
	(void)cast_put_mark(w, t, NULL);
	w->full = false;
	cast_out_trim(w);
	w->synced_at = t;
	return sync_all(w, e);
}

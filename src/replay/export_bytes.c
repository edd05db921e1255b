/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "replay/export.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "replay/export_int.h"
#include "screen/screen_filter.h"

/* An event's bytes may come out up to so much longer: a REP fills a row. */
#define PIECE_MAX ((size_t)256 << 20)

/* After the last piece, unless raw: the looks and modes of a terminal just opened, and no change to
 * what stands. */
#define GIVE_BACK "\x1b[!p\x1b[0m\x1b[?25h\x1b(B\x0f"

static int
copy_of(const struct export *x, struct err *e)
{
	int fd = fcntl(x->fd, F_DUPFD_CLOEXEC, 3);

	return fd < 0 ? err_set(e, ERR_IO, errno, "cannot read the recording %s", x->name) : fd;
}

struct cast_reader *
export_open(struct export *x, struct err *e)
{
	int fd = copy_of(x, e);
	struct cast_reader *r = fd < 0 ? NULL : cast_open_fd(fd, x->name, e);

	x->begun = r != NULL;
	return r;
}

struct source *
export_source(const struct export *x, struct err *e)
{
	int fd = copy_of(x, e);

	return fd < 0 ? NULL : source_open_fd(fd, x->name, e);
}

int
export_next(struct export *x, struct cast_reader *r, struct cast_event *ev, struct err *e)
{
	int got;

	do
		got = cast_next(r, ev, e);
	while (got == 0 && x->more && x->more(x->arg));
	return got;
}

bool
export_lone_newlines(const struct cast_reader *r)
{
	return json_is_false(json_object_get(json_object_get(cast_header(r), "coral"), "tty"));
}

/* Output, piece by piece. */
struct pieces {
	struct export *x;
	struct cast_reader *r;
	struct filter filter;
	struct buf out;
	int cols;
	void (*put)(struct pieces *q, int64_t t, const unsigned char *p, size_t n);
	int64_t began, last;
};

static void
on_put(void *arg, const char *p, size_t n)
{
	struct pieces *q = arg;

	buf_put(&q->out, p, n);
}

static void
on_wiping(void *arg, enum filter_wipe how)
{
	(void)arg;
	(void)how;
}

static void
one_piece(struct pieces *q, const struct cast_event *ev)
{
	const struct filter_sink sink = {
	    .put = on_put, .wiping = on_wiping, .arg = q, .cols = q->cols};

	if (q->x->raw) {
		q->put(q, ev->t, ev->data, ev->len);
		return;
	}
	buf_clear(&q->out);
	filter_run(&q->filter, &sink, ev->data, ev->len);
	if (q->out.len > 0)
		q->put(q, ev->t, buf_head(&q->out), q->out.len);
}

static int
all_pieces(struct pieces *q, struct err *e)
{
	struct cast_event ev;
	int got;

	buf_init(&q->out, PIECE_MAX);
	filter_reset(&q->filter);
	q->filter.newline = export_lone_newlines(q->r);
	while ((got = export_next(q->x, q->r, &ev, e)) == 1 && !ferror(q->x->out)) {
		if (ev.kind == CAST_EV_OUTPUT && ev.len > 0)
			one_piece(q, &ev);
		else if (ev.kind == CAST_EV_RESIZE)
			q->cols = ev.cols < SCREEN_COLS_MAX ? ev.cols : SCREEN_COLS_MAX;
	}
	if (!q->x->raw)
		q->put(q, q->last, (const unsigned char *)GIVE_BACK, strlen(GIVE_BACK));
	buf_fini(&q->out);
	q->x->truncated = cast_truncated(q->r);
	return got < 0 ? -1 : 0;
}

static int
run(struct export *x, void (*put)(struct pieces *, int64_t, const unsigned char *, size_t),
    void (*begin)(struct pieces *), struct err *e)
{
	struct pieces q = {.x = x, .put = put};
	int rc;

	q.r = export_open(x, e);
	if (!q.r)
		return -1;
	q.cols = cast_cols(q.r) < SCREEN_COLS_MAX ? cast_cols(q.r) : SCREEN_COLS_MAX;
	q.began = cast_began(q.r);
	if (begin)
		begin(&q);
	rc = all_pieces(&q, e);
	cast_close(q.r);
	return rc;
}

static void
put_le32(FILE *out, uint32_t v)
{
	const unsigned char b[4] = {(unsigned char)v, (unsigned char)(v >> 8),
	    (unsigned char)(v >> 16), (unsigned char)(v >> 24)};

	fwrite(b, 1, sizeof(b), out);
}

static void
put_ttyrec(struct pieces *q, int64_t t, const unsigned char *p, size_t n)
{
	int64_t at = q->began + t;

	q->last = t;
	put_le32(q->x->out, (uint32_t)(at / NS_PER_S));
	put_le32(q->x->out, (uint32_t)(at % NS_PER_S / 1000));
	put_le32(q->x->out, (uint32_t)n);
	fwrite(p, 1, n, q->x->out);
}

int
export_ttyrec(struct export *x, struct err *e)
{
	return run(x, put_ttyrec, NULL, e);
}

/* Times in the file are sums of what is printed: whole microseconds, without a drift. */
static void
put_script(struct pieces *q, int64_t t, const unsigned char *p, size_t n)
{
	long long us = t / 1000 - q->last / 1000;

	q->last = t;
	fprintf(q->x->timing, "%lld.%06lld %zu\n", us / 1000000, us % 1000000, n);
	fwrite(p, 1, n, q->x->out);
}

/* scriptreplay(1) skips the first line. */
static void
begin_script(struct pieces *q)
{
	char date[CLOCK_ISO_SIZE];

	clock_iso(q->began, date);
	fprintf(q->x->out, "Script started on %s [COLUMNS=\"%d\" LINES=\"%d\"]\n", date,
	    cast_cols(q->r), cast_rows(q->r));
}

int
export_script(struct export *x, struct err *e)
{
	return run(x, put_script, begin_script, e);
}
